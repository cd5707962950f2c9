/*
 * The program of the test images: prints a line, answers on a port, writes files that are synced.
 * It links statically and needs no file but itself; it is no part of what Veneer installs.
 *
 * answer                       says so and sleeps for ever
 * answer say WORD...           says so and ends
 * answer serve PORT            answers each connection with one line, for ever
 * answer sync FILE REPORT      appends numbers to FILE; each is written to REPORT after its fsync
 * answer write FILE            writes a line to FILE and ends, 1 if it cannot
 * answer read FILE             prints FILE, 1 if it cannot
 * answer signal PID            sends SIGTERM to PID, 1 if it may not
 * answer fail CODE             ends with CODE
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int refuse(const char *what)
{
	perror(what);
	return 1;
}

static _Noreturn void wait_for_ever(void)
{
	for (;;)
		pause();
}

static int say(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		printf("%s%s", i ? " " : "", argv[i]);
	putchar('\n');
	return 0;
}

/* The socket systemd passed, or one of our own on PORT. */
static int listening(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int yes = 1, s;

	if (getenv("LISTEN_FDS"))
		return 3;
	s = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) < 0 || listen(s, 64) < 0)
		return -1;
	return s;
}

static int serve(const char *port)
{
	int s = listening(port);
	char line[128];

	if (s < 0)
		return refuse("listening");
	snprintf(line, sizeof line, "HTTP/1.0 200 OK\r\n\r\nanswer from uid %d\n", (int)getuid());
	for (;;) {
		char request[4096];
		int c = accept(s, NULL, NULL);

		if (c < 0)
			continue;
		if (read(c, request, sizeof request) < 0 || write(c, line, strlen(line)) < 0)
			perror("answering");
		close(c);
	}
}

static int sync_numbers(const char *file, const char *report)
{
	int out = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
	int told = open(report, O_WRONLY);

	if (out < 0 || told < 0)
		return refuse(out < 0 ? file : report);
	for (int i = 1;; i++) {
		char line[32];
		int n = snprintf(line, sizeof line, "%d\n", i);

		if (write(out, line, n) != n || fsync(out) < 0)
			return refuse(file);
		n = snprintf(line, sizeof line, "@synced %d\n", i);
		if (write(told, line, n) != n)
			return refuse(report);
		usleep(20000);
	}
}

static int write_line(const char *file)
{
	int out = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (out < 0 || write(out, "written\n", 8) != 8 || fsync(out) < 0)
		return refuse(file);
	return 0;
}

static int read_all(const char *file)
{
	char buffer[65536];
	int in = open(file, O_RDONLY);
	ssize_t n = -1;

	if (in < 0)
		return refuse(file);
	while ((n = read(in, buffer, sizeof buffer)) > 0)
		if (write(1, buffer, n) != n)
			return refuse("standard output");
	return n < 0 ? refuse(file) : 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(verb, "say"))
		return say(argc - 2, argv + 2);
	if (!strcmp(verb, "serve") && argc > 2)
		return serve(argv[2]);
	if (!strcmp(verb, "sync") && argc > 3)
		return sync_numbers(argv[2], argv[3]);
	if (!strcmp(verb, "write") && argc > 2)
		return write_line(argv[2]);
	if (!strcmp(verb, "read") && argc > 2)
		return read_all(argv[2]);
	if (!strcmp(verb, "signal") && argc > 2)
		return kill(atoi(argv[2]), SIGTERM) < 0 ? refuse("signal") : 0;
	if (!strcmp(verb, "fail") && argc > 2)
		return atoi(argv[2]);
	puts("answer is running");
	wait_for_ever();
}
