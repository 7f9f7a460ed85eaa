/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The processes of sockets: what a tracepoint told of one, until the iterator tells who holds it.
 * Not here: their rows (session_table_socks.c).
 */
#include <string.h>

#include "session_table_internal.h"

static bool may_have_owner(const struct sock_info *info)
{
	return info->cookie && !info->is_minisock &&
	       (info->state == TCPS_ESTABLISHED || info->state == TCPS_SYN_SENT ||
		info->state == TCPS_CLOSE_WAIT || info->state == TCPS_LISTEN);
}

void owners__note(struct session_table *table, struct sock_row *sock)
{
	bool is_unowned = !sock->row.owner.pid && may_have_owner(&sock->info);

	table->n_unowned += is_unowned - sock->is_unowned;
	sock->is_unowned = is_unowned;
}

void owners__set(struct owner *owner, uint32_t pid, const char *comm)
{
	memset(owner, 0, sizeof(*owner));
	owner->pid = pid;
	memcpy(owner->comm, comm, SOCK_COMM_LEN - 1);
}

void owners__disown(struct sock_row *sock)
{
	memset(&sock->row.owner, 0, sizeof(sock->row.owner));
	sock->owner_is_listed = false;
}

static void release(struct session_table *table, struct sock_row *sock)
{
	if (sock->holder)
		hash_index__remove(&table->sock_by_holder, sock);
	sock->holder = 0;
}

/* Without memory for it no process is shown. */
void owners__hold(struct session_table *table, struct sock_row *sock)
{
	uint64_t holder = sock->info.holder;

	if (holder == sock->holder)
		return;
	release(table, sock);
	if (holder &&
	    !hash_index__insert(&table->sock_by_holder, sock, socks__hash_cookie(table, holder)))
		sock->holder = holder;
}

void owners__drop(struct session_table *table, struct sock_row *sock)
{
	release(table, sock);
	table->n_unowned -= sock->is_unowned;
}

static void take(struct session_table *table, struct sock_row *sock, const struct rec_owner *rec)
{
	if (sock->info.is_minisock ||
	    sock->owner_is_listed) /* of several holders the first, which is the oldest */
		return;
	owners__set(&sock->row.owner, rec->pid, rec->comm);
	sock->owner_is_listed = true;
	owners__note(table, sock);
}

void owners__apply(struct session_table *table, const struct rec_owner *rec)
{
	uint32_t hash = socks__hash_cookie(table, rec->cookie);
	struct sock_row *sock = hash_index__first(&table->sock_by_id, hash);

	if (!rec->cookie)
		return;
	while (sock && sock->info.cookie != rec->cookie)
		sock = hash_index__next(&table->sock_by_id, sock);
	if (sock)
		take(table, sock, rec);
	sock = hash_index__first(&table->sock_by_holder, hash);
	for (; sock; sock = hash_index__next(&table->sock_by_holder, sock))
		if (sock->holder == rec->cookie)
			take(table, sock, rec);
}

void owners__forget(struct session_table *table)
{
	for (uint32_t id = 1; id <= table->socks.end; id++) {
		struct sock_row *sock = pool__get(&table->socks, id);

		if (!sock || !sock->owner_is_listed)
			continue;
		sock->owner_is_listed = false;
		owners__set(&sock->row.owner, sock->info.pid, sock->info.comm);
		owners__note(table, sock);
	}
}
