/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests: connections half open at a listener of this host. No tracepoint tells when the kernel
 * gives one up; but its timer sends the SYN-ACK again, which is told, so one that is silent for
 * longer than its timer runs is gone. Not here: rows (session_table_socks.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "session_table_internal.h"

/* TCP_TIMEOUT_INIT and TCP_RTO_MAX, include/net/tcp.h: doubled each time, up to a limit. */
#define FIRST_TIMEOUT_NS TW_NSEC_PER_SEC
#define LAST_TIMEOUT_NS	 (120 * TW_NSEC_PER_SEC)
#define DOUBLINGS	 7 /* that many reach the limit */
/* A timer of the wheel may be late by an eighth (kernel/time/timer.c), a busy machine by more. */
#define LATE_SHIFT 3
#define BUSY_NS	   TW_NSEC_PER_SEC
/* How often the requests are looked through. */
#define LOOK_NS (50 * TW_NSEC_PER_MSEC)

bool requests__has(const struct sock_row *sock)
{
	return sock->info.is_minisock && sock->info.state == TCPS_SYN_RECV;
}

/* Until then the kernel has sent the SYN-ACK again, if the request is still there. */
static uint64_t due_ns(const struct sock_row *sock)
{
	uint64_t timeout_ns = LAST_TIMEOUT_NS;

	if (sock->info.syn_timeouts < DOUBLINGS)
		timeout_ns = FIRST_TIMEOUT_NS << sock->info.syn_timeouts;
	return sock->info_ns + timeout_ns + (timeout_ns >> LATE_SHIFT) + BUSY_NS;
}

/* Without memory for the list nobody waits for its end, which goes untold. */
void requests__follow(struct session_table *table, struct sock_row *sock)
{
	uint32_t *more;
	size_t room;

	if (!table->env.on_event || sock->is_followed || !requests__has(sock))
		return;
	if (table->n_requests == table->requests_room) {
		room = table->requests_room ? 2 * table->requests_room : 64;
		more = realloc(table->requests, room * sizeof(*more));
		if (!more)
			return;
		table->requests = more;
		table->requests_room = room;
	}
	table->requests[table->n_requests++] = sock->head.id;
	sock->is_followed = true;
}

void requests__gone(struct session_table *table, struct sock_row *sock, uint64_t time_ns)
{
	struct wire_session *wire = pool__get(&table->wires, sock->wire);

	if (!socks__has_child(table, sock) && !(wire && wire->told & TOLD_END)) {
		if (wire)
			wire->told |= TOLD_END;
		events__request_gone(table, sock, time_ns);
	}
	socks__drop(table, sock);
}

void requests__expire(struct session_table *table)
{
	size_t kept = 0;

	if (!table->n_requests || table->now_ns < table->requests_ns + LOOK_NS)
		return;
	table->requests_ns = table->now_ns;
	for (size_t i = 0; i < table->n_requests; i++) {
		uint32_t id = table->requests[i];
		struct sock_row *sock = pool__get(&table->socks, id);

		if (!sock || !requests__has(sock) || !sock->is_followed)
			continue;
		if (table->now_ns >= due_ns(sock))
			requests__gone(table, sock, table->now_ns);
		else
			table->requests[kept++] = id;
	}
	table->n_requests = kept;
}
