/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests: connections half open at a listener of this host. No tracepoint tells when the kernel
 * gives one up; but its timer sends the SYN-ACK again, which is told, so one that is silent for
 * longer than its timer runs is gone. Not here: rows (session_table_socks.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "session_table_internal.h"

/* How often a list is looked through. */
#define LOOK_NS (50 * TW_NSEC_PER_MSEC)

bool requests__has(const struct sock_row *sock)
{
	return sock->info.is_minisock && sock->info.state == TCPS_SYN_RECV;
}

/* Until then the kernel has sent the SYN-ACK again, if the request is still there. */
static uint64_t due_ns(const struct sock_row *sock)
{
	return sock->info_ns + handshake__patience_ns(sock->info.syn_timeouts);
}

int id_list__add(struct id_list *list, uint32_t id)
{
	size_t room = list->room ? 2 * list->room : 64;
	uint32_t *more;

	if (list->count == list->room) {
		more = realloc(list->ids, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->ids = more;
		list->room = room;
	}
	list->ids[list->count++] = id;
	return 0;
}

bool id_list__is_due(struct id_list *list, uint64_t now_ns)
{
	if (!list->count || now_ns < list->looked_ns + LOOK_NS)
		return false;
	list->looked_ns = now_ns;
	return true;
}

/* Without memory for the list nobody waits for its end, which goes untold. */
void requests__follow(struct session_table *table, struct sock_row *sock)
{
	if (!table->env.on_event || sock->is_followed || !requests__has(sock))
		return;
	sock->is_followed = !id_list__add(&table->requests, sock->head.id);
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
	struct id_list *list = &table->requests;
	size_t kept = 0;

	if (!id_list__is_due(list, table->now_ns))
		return;
	for (size_t i = 0; i < list->count; i++) {
		uint32_t id = list->ids[i];
		struct sock_row *sock = pool__get(&table->socks, id);

		if (!sock || !requests__has(sock) || !sock->is_followed)
			continue;
		if (table->now_ns >= due_ns(sock))
			requests__gone(table, sock, table->now_ns);
		else
			list->ids[kept++] = id;
	}
	list->count = kept;
}
