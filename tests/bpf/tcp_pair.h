/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two connected TCP sockets of this namespace, and what tests do with sockets. Failures fail the
 * test.
 */
#ifndef TCPWATCH_TESTS_TCP_PAIR_H
#define TCPWATCH_TESTS_TCP_PAIR_H

#include <stddef.h>
#include <stdint.h>

struct tcp_pair {
	int listener, client, server;
	uint16_t listener_port, client_port;
	uint64_t client_cookie, server_cookie;
};

/* tcp_listen() - on any address of @family, port chosen by the kernel unless @port */
int tcp_listen(int family, uint16_t port, int backlog);
uint16_t tcp_local_port(int fd);
uint64_t tcp_cookie(int fd);

void tcp_pair__open(struct tcp_pair *pair, int family);
void tcp_pair__close(struct tcp_pair *pair); /* whatever of it is still open (fd ≥ 0) */

/* tcp_send_all() - @len bytes from one socket, read at the other one */
void tcp_send_all(int from, int to, size_t len);
/* tcp_wait_eof() - read and drop until the peer's FIN or reset */
void tcp_wait_eof(int fd);
/* tcp_close() - close *@fd, which becomes -1; tcp_abort() - likewise with a reset */
void tcp_close(int *fd);
void tcp_abort(int *fd);

#endif
