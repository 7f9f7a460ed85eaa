/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connected TCP sockets for tests.
 */
#include "tcp_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t loopback(union address *a, int family, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->any.sa_family = family;
	if (family == AF_INET6) {
		a->v6.sin6_addr = in6addr_loopback;
		a->v6.sin6_port = htons(port);
		return sizeof(a->v6);
	}
	a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a->v4.sin_port = htons(port);
	return sizeof(a->v4);
}

int tcp_listen(int family, uint16_t port, int backlog)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	union address a;
	socklen_t len = loopback(&a, family, port);

	assert_true(fd >= 0);
	if (family == AF_INET6)
		a.v6.sin6_addr = in6addr_any;
	else
		a.v4.sin_addr.s_addr = INADDR_ANY;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, &a.any, len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

uint16_t tcp_local_port(int fd)
{
	union address a;
	socklen_t len = sizeof(a);

	assert_int_equal(getsockname(fd, &a.any, &len), 0);
	return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

uint64_t tcp_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	return cookie;
}

void tcp_pair__open(struct tcp_pair *pair, int family)
{
	union address a;
	socklen_t len;

	pair->listener = tcp_listen(family, 0, 16);
	pair->listener_port = tcp_local_port(pair->listener);
	len = loopback(&a, family, pair->listener_port);
	pair->client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(pair->client, &a.any, len), 0);
	pair->server = accept4(pair->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(pair->server >= 0);
	pair->client_port = tcp_local_port(pair->client);
	pair->client_cookie = tcp_cookie(pair->client);
	pair->server_cookie = tcp_cookie(pair->server);
}

void tcp_pair__close(struct tcp_pair *pair)
{
	tcp_close(&pair->client);
	tcp_close(&pair->server);
	tcp_close(&pair->listener);
}

void tcp_send_all(int from, int to, size_t len)
{
	static const char data[65536];
	static char sink[65536];
	size_t sent = 0, got = 0;

	while (got < len) {
		size_t want = len - sent < sizeof(data) ? len - sent : sizeof(data);
		ssize_t n = want ? send(from, data, want, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

		if (n > 0)
			sent += n;
		n = recv(to, sink, sizeof(sink), n > 0 ? MSG_DONTWAIT : 0);
		if (n > 0)
			got += n;
	}
}

void tcp_wait_eof(int fd)
{
	char sink[4096];

	while (recv(fd, sink, sizeof(sink), 0) > 0)
		;
}

void tcp_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void tcp_abort(int *fd)
{
	struct linger linger = {.l_onoff = 1};

	assert_int_equal(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	tcp_close(fd);
}
