/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Holds many established loopback connections, both ends of each, until its standard input ends.
 * Several processes share them, as on a busy host. Prints "ready" once all stand. With "time-wait"
 * the clients close first, and what is held is nothing but what the kernel then keeps for a minute.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT	    8000
#define PER_PROCESS 5000 /* connections: each has a listener of its own, so ports suffice */
#define MAX_HOLDERS 1000

static struct sockaddr_in address(unsigned holder, unsigned last, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};

	/* 127.1.0.1 and on for servers, 127.1.0.2 and on for clients */
	sa.sin_addr.s_addr = htonl(0x7f010000u + (holder << 2) + last);
	return sa;
}

static int open_listener(unsigned holder)
{
	struct sockaddr_in sa = address(holder, 1, PORT);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !bind(fd, (void *)&sa, sizeof(sa)) && !listen(fd, 16))
		return fd;
	return -errno;
}

/* As a connection of real life it carries a request and its response, and then idles. */
static int talk(int client, int server)
{
	char bytes[1000] = "request";

	for (int i = 0; i < 2; i++) {
		int from = i ? server : client, to = i ? client : server;

		if (send(from, bytes, sizeof(bytes), 0) != sizeof(bytes) ||
		    recv(to, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
			return -errno;
	}
	return 0;
}

/* The client first: TIME_WAIT is its. */
static int close_both(int client, int server)
{
	char end;

	if (close(client) || recv(server, &end, 1, 0) || close(server))
		return -errno;
	return 0;
}

static int hold_one(unsigned holder, int listener, bool is_closed)
{
	struct sockaddr_in from = address(holder, 2, 0), to = address(holder, 1, PORT);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, server;

	setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (fd < 0 || bind(fd, (void *)&from, sizeof(from)) || connect(fd, (void *)&to, sizeof(to)))
		return -errno;
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		return -errno;
	return is_closed ? close_both(fd, server) : talk(fd, server);
}

/* In a process of its own; tells the parent by one byte: 1 if all of its connections stand. */
static void hold(unsigned holder, unsigned connections, bool is_closed, int tell)
{
	struct rlimit limit = {2 * PER_PROCESS + 64, 2 * PER_PROCESS + 64};
	int listener, err = 0;
	char ok;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_NOFILE, &limit);
	listener = open_listener(holder);
	if (listener < 0)
		err = listener;
	for (unsigned i = 0; !err && i < connections; i++)
		err = hold_one(holder, listener, is_closed);
	if (err)
		fprintf(stderr, "hold_sockets: %s\n", strerror(-err));
	ok = !err;
	if (write(tell, &ok, 1) == 1 && ok)
		pause();
	_exit(1);
}

static bool all_stand(int told, unsigned holders)
{
	char ok;

	for (unsigned i = 0; i < holders; i++)
		if (read(told, &ok, 1) != 1 || !ok)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	bool is_closed = argc == 3 && !strcmp(argv[2], "time-wait");
	unsigned left = argc == 2 || is_closed ? strtoul(argv[1], NULL, 10) : 0;
	unsigned holders = 0, count;
	int pipe_fds[2];
	char end;

	if (!left || left > PER_PROCESS * MAX_HOLDERS || pipe(pipe_fds)) {
		fprintf(stderr, "usage: hold_sockets CONNECTIONS [time-wait]\n");
		return 2;
	}
	for (; left; left -= count) {
		count = left < PER_PROCESS ? left : PER_PROCESS;
		if (!fork())
			hold(holders, count, is_closed, pipe_fds[1]);
		holders++;
	}
	close(pipe_fds[1]);
	if (!all_stand(pipe_fds[0], holders))
		return 1; /* the others die with this process */
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	return 0;
}
