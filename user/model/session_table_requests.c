/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests: connections half open at a listener of this host. No tracepoint tells when the kernel
 * gives one up; but its timer sends the SYN-ACK again, which is told, so one that is silent for
 * longer than its timer runs is gone. Not here: rows (session_table_socks.c).
 */
#include "session_table_internal.h"

bool requests__has(const struct sock_row *sock)
{
	return sock->info.is_minisock && sock->info.state == TCPS_SYN_RECV;
}

/* Until then the kernel has sent the SYN-ACK again, if the request is still there. */
static uint64_t due_ns(const struct sock_row *sock)
{
	return sock->info_ns + handshake__patience_ns(sock->info.syn_timeouts);
}

/* Without memory for the list nobody waits for its end, which goes untold. */
void requests__follow(struct session_table *table, struct sock_row *sock)
{
	if (table->env.on_event && requests__has(sock))
		(void)due_list__add(&table->requests, sock->head.id, due_ns(sock));
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
	uint32_t id;

	while ((id = due_list__take(&table->requests, table->now_ns))) {
		struct sock_row *sock = pool__get(&table->socks, id);

		if (!sock || !requests__has(sock))
			continue;
		if (table->now_ns >= due_ns(sock))
			requests__gone(table, sock, table->now_ns);
		else
			requests__follow(table, sock);
	}
}
