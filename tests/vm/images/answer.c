/*
 * The program of the test images: prints a line, answers on a port, writes files that are synced.
 * It links statically and needs no file but itself; it is no part of what Veneer installs.
 *
 * answer                       says so and sleeps for ever
 * answer say WORD...           says so and ends
 * answer serve PORT            answers each connection with one line, for ever
 * answer sync FILE NAME        says "has NAME N" of the numbers in FILE, then appends more, each fsynced, and
 *                              after that says "synced NAME N"
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

/* The numbers of FILE: 1, 2, 3 and so on, a line each; what follows the last good line is cut off. */
static int numbers_in(int file)
{
	FILE *in = fdopen(dup(file), "r");
	char line[32], wanted[32];
	long good = 0;
	int n = 0;

	while (in && fgets(line, sizeof line, in)) {
		snprintf(wanted, sizeof wanted, "%d\n", n + 1);
		if (strcmp(line, wanted))
			break;
		n++;
		good += strlen(line);
	}
	if (!in || fclose(in) || ftruncate(file, good) < 0 || lseek(file, good, SEEK_SET) < 0)
		return -1;
	return n;
}

/* Something beside that nobody syncs: a block more of FILE.loose, over and over. */
static void scribble(const char *file, int n)
{
	static int loose = -1;
	static char block[4096];
	char name[4096];

	snprintf(name, sizeof name, "%s.loose", file);
	if (loose < 0)
		loose = open(name, O_WRONLY | O_CREAT, 0644);
	memset(block, n, sizeof block);
	if (pwrite(loose, block, sizeof block, n % 1024 * 4096L) < 0)
		perror(name);
}

static int sync_numbers(const char *file, const char *name)
{
	int out = open(file, O_RDWR | O_CREAT, 0644);
	int n = out < 0 ? -1 : numbers_in(out);

	if (n < 0)
		return refuse(file);
	printf("has %s %d\n", name, n);
	for (;;) {
		char line[32];
		int length = snprintf(line, sizeof line, "%d\n", ++n);

		if (write(out, line, length) != length || fsync(out) < 0)
			return refuse(file);
		printf("synced %s %d\n", name, n);
		scribble(file, n);
		usleep(50000);
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
