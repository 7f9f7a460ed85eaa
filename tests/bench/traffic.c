/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP traffic between two network namespaces, and what of it got through: bulk bytes, or
 * connections that ask once and close. One process with threads in both namespaces. Prints the rate
 * per second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT	      7000
#define BULK_BYTES    (256 * 1024)
#define REQUEST_BYTES 128
#define ANSWER_BYTES  1024
#define SOURCES	      16 /* client addresses: one alone would run out of ports */
#define MAX_PAIRS     64
#define WARM_UP_SHARE 0.2

/* What the threads share. */
struct traffic {
	const char *server_ns, *client_ns;
	uint32_t server_addr, client_addr; /* of the clients the first, host byte order */
	double seconds;
	void (*serve)(struct traffic *t, int fd);
	void (*ask)(struct traffic *t, int fd);
	pthread_barrier_t listening;
	atomic_bool is_over, failed;
	_Atomic uint64_t done; /* bytes received, or connections finished */
};

struct endpoint {
	struct traffic *traffic;
	unsigned pair; /* its port and its CPU */
	pthread_t thread;
};

static double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Once it is over, a server that left is no failure of its clients. */
static bool fail(struct traffic *t, const char *what)
{
	if (!atomic_exchange(&t->is_over, true)) {
		fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
		atomic_store(&t->failed, true);
	}
	return false;
}

static bool enter_netns(struct traffic *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && !setns(fd, CLONE_NEWNET);

	if (fd >= 0)
		close(fd);
	return ok || fail(t, path);
}

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static struct sockaddr_in address(uint32_t addr, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};

	sa.sin_addr.s_addr = htonl(addr);
	return sa;
}

static int open_listener(struct traffic *t, unsigned pair)
{
	struct sockaddr_in sa = address(t->server_addr, PORT + pair);
	struct timeval patience = {.tv_usec = 200000};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd >= 0 && !bind(fd, (void *)&sa, sizeof(sa)) && !listen(fd, 1024))
		return fd;
	fail(t, "cannot listen");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Connects from one of the client's addresses, each in its turn. */
static int open_connection(struct traffic *t, unsigned pair, unsigned turn)
{
	struct sockaddr_in from = address(t->client_addr + turn % SOURCES, 0);
	struct sockaddr_in to = address(t->server_addr, PORT + pair);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (fd >= 0 && !bind(fd, (void *)&from, sizeof(from)) &&
	    !connect(fd, (void *)&to, sizeof(to)))
		return fd;
	fail(t, "cannot connect");
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool read_whole(int fd, char *buf, size_t len)
{
	ssize_t n;

	for (size_t got = 0; got < len; got += n) {
		n = recv(fd, buf + got, len - got, 0);
		if (n <= 0)
			return false;
	}
	return true;
}

static void serve_bulk(struct traffic *t, int fd)
{
	char *buf = malloc(BULK_BYTES);
	ssize_t n;

	while (buf && (n = recv(fd, buf, BULK_BYTES, 0)) > 0)
		atomic_fetch_add(&t->done, n);
	free(buf);
}

static void send_bulk(struct traffic *t, int fd)
{
	char *buf = calloc(1, BULK_BYTES);

	while (buf && !atomic_load(&t->is_over) && send(fd, buf, BULK_BYTES, MSG_NOSIGNAL) > 0)
		;
	free(buf);
}

static void serve_request(struct traffic *t, int fd)
{
	char buf[ANSWER_BYTES] = "";

	(void)t;
	if (read_whole(fd, buf, REQUEST_BYTES) &&
	    send(fd, buf, ANSWER_BYTES, MSG_NOSIGNAL) == ANSWER_BYTES)
		(void)!recv(fd, buf, 1, 0); /* the client closes first */
}

static void send_request(struct traffic *t, int fd)
{
	char buf[ANSWER_BYTES] = "";

	if (send(fd, buf, REQUEST_BYTES, MSG_NOSIGNAL) == REQUEST_BYTES &&
	    read_whole(fd, buf, ANSWER_BYTES))
		atomic_fetch_add(&t->done, 1);
	else
		fail(t, "request unanswered");
}

static void *server(void *arg)
{
	struct endpoint *end = arg;
	struct traffic *t = end->traffic;
	int listener = -1, fd;

	pin(end->pair);
	if (enter_netns(t, t->server_ns))
		listener = open_listener(t, end->pair);
	pthread_barrier_wait(&t->listening);
	while (listener >= 0 && !atomic_load(&t->is_over)) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue; /* looks whether it is over */
		t->serve(t, fd);
		close(fd);
	}
	if (listener >= 0)
		close(listener);
	return NULL;
}

static void *client(void *arg)
{
	struct endpoint *end = arg;
	struct traffic *t = end->traffic;
	bool ok;
	int fd;

	pin(end->pair + 1); /* the CPU beside its server's */
	ok = enter_netns(t, t->client_ns);
	pthread_barrier_wait(&t->listening);
	for (unsigned turn = 0; ok && !atomic_load(&t->is_over); turn++) {
		fd = open_connection(t, end->pair, turn);
		if (fd < 0)
			break;
		t->ask(t, fd);
		close(fd);
	}
	return NULL;
}

/* What is done each second, once it has got going. */
static double measure(struct traffic *t)
{
	double start;
	uint64_t before;

	usleep(t->seconds * WARM_UP_SHARE * 1e6);
	start = now_seconds();
	before = atomic_load(&t->done);
	usleep(t->seconds * 1e6);
	return (atomic_load(&t->done) - before) / (now_seconds() - start);
}

static int run(struct traffic *t, unsigned pairs)
{
	struct endpoint servers[MAX_PAIRS], clients[MAX_PAIRS];
	double rate;

	pthread_barrier_init(&t->listening, NULL, 2 * pairs + 1);
	for (unsigned i = 0; i < pairs; i++) {
		servers[i] = clients[i] = (struct endpoint){.traffic = t, .pair = i};
		if (pthread_create(&servers[i].thread, NULL, server, &servers[i]) ||
		    pthread_create(&clients[i].thread, NULL, client, &clients[i]))
			return 1;
	}
	pthread_barrier_wait(&t->listening);
	rate = measure(t);
	atomic_store(&t->is_over, true);
	for (unsigned i = 0; i < pairs; i++) {
		pthread_join(clients[i].thread, NULL);
		pthread_join(servers[i].thread, NULL);
	}
	printf("%.1f\n", rate);
	return atomic_load(&t->failed);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: traffic bulk|rate SERVER_NETNS CLIENT_NETNS SERVER_ADDR CLIENT_ADDR "
		"SECONDS PAIRS\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct traffic t = {0};
	struct in_addr addr[2];
	bool is_bulk;
	unsigned pairs;

	if (argc != 8 || !inet_aton(argv[4], &addr[0]) || !inet_aton(argv[5], &addr[1]))
		return usage();
	is_bulk = !strcmp(argv[1], "bulk");
	t.serve = is_bulk ? serve_bulk : serve_request;
	t.ask = is_bulk ? send_bulk : send_request;
	t.server_ns = argv[2];
	t.client_ns = argv[3];
	t.server_addr = ntohl(addr[0].s_addr);
	t.client_addr = ntohl(addr[1].s_addr);
	t.seconds = atof(argv[6]);
	pairs = strtoul(argv[7], NULL, 10);
	return pairs < 1 || pairs > MAX_PAIRS ? usage() : run(&t, pairs);
}
