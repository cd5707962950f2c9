/*
 * The agent of the tests' virtual machines: says on the console that it runs, and answers on a virtio port.
 * It is the machine's first process, or any other one. It is linked statically: it needs nothing of the root it is in.
 *
 * A line of the port is one of these; each is answered by one line:
 *   ping            "pong"
 *   read PATH       the first line of that file
 *   write PATH N    writes N bytes to that file and syncs: "written"
 *   off             powers the machine off
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"
#define NAME "veneer-agent"

/* What the kernel and an initrd leave to the first process; what is mounted already, stays. */
static void mount_all(void)
{
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
}

/* The first line of a file, without its end; empty if there is none. */
static void first_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	*line = '\0';
	if (!file || !fgets(line, (int)size, file))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* Opens the port of our name; -1 if there is none. */
static int port(void)
{
	char path[600], name[64];
	struct dirent *entry;
	DIR *ports = opendir(PORTS);

	while (ports && (entry = readdir(ports))) {
		snprintf(path, sizeof path, PORTS "/%s/name", entry->d_name);
		first_line(path, name, sizeof name);
		if (strcmp(name, NAME) != 0)
			continue;
		snprintf(path, sizeof path, "/dev/%s", entry->d_name);
		closedir(ports);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	if (ports)
		closedir(ports);
	return -1;
}

static const char *write_bytes(const char *path, long count)
{
	static char block[4096];
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (file < 0)
		return strerror(errno);
	memset(block, 'x', sizeof block);
	while (count > 0) {
		ssize_t done = write(file, block, count < (long)sizeof block ? (size_t)count : sizeof block);

		if (done < 0)
			return strerror(errno);
		count -= done;
	}
	if (fsync(file) < 0 || close(file) < 0)
		return strerror(errno);
	return "written";
}

static void answer(FILE *to, char *line)
{
	char *verb = strtok(line, " \n"), *path = strtok(NULL, " \n"), *count = strtok(NULL, " \n");
	char said[256] = "what?";

	if (verb && strcmp(verb, "ping") == 0)
		strcpy(said, "pong");
	else if (verb && path && strcmp(verb, "read") == 0)
		first_line(path, said, sizeof said);
	else if (verb && path && count && strcmp(verb, "write") == 0)
		snprintf(said, sizeof said, "%s", write_bytes(path, atol(count)));
	else if (verb && strcmp(verb, "off") == 0) {
		sync();
		reboot(RB_POWER_OFF);
	}
	fprintf(to, "%s\n", said);
	fflush(to);
}

int main(void)
{
	char line[256];
	FILE *console, *from = NULL, *to = NULL;
	int agent = -1, tries;

	if (getpid() == 1)
		mount_all();
	console = fopen("/dev/console", "we");
	for (tries = 0; tries < 100 && (agent = port()) < 0; tries++)
		usleep(20000);
	if (console) {
		fprintf(console, "vm-agent: ready, process %d%s\n", (int)getpid(),
			agent < 0 ? ", without a port" : "");
		fflush(console);
	}
	if (agent >= 0) {
		from = fdopen(agent, "r");
		to = fdopen(dup(agent), "w");
	}
	/* While nobody has the other end open there is nothing to read. */
	while (from && to) {
		if (fgets(line, sizeof line, from))
			answer(to, line);
		else
			usleep(50000);
		clearerr(from);
	}
	for (;;)
		pause();
}
