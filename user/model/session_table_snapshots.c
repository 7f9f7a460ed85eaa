/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets that nothing tells the end of: what a whole snapshot of a namespace does not have is
 * gone, and all that is in a namespace that is gone. Not here: rows (session_table_socks.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "session_table_internal.h"

static struct netns_mark *find_mark(struct session_table *table, uint32_t netns)
{
	for (size_t i = 0; i < table->n_marks; i++)
		if (table->marks[i].netns == netns)
			return &table->marks[i];
	return NULL;
}

/* That of @netns, made if there is none. NULL: out of memory. */
static struct netns_mark *get_mark(struct session_table *table, uint32_t netns)
{
	struct netns_mark *mark = find_mark(table, netns);

	if (mark)
		return mark;
	mark = realloc(table->marks, (table->n_marks + 1) * sizeof(*mark));
	if (!mark)
		return NULL;
	table->marks = mark;
	mark += table->n_marks++;
	*mark = (struct netns_mark){.netns = netns};
	return mark;
}

int socks__begin_snapshot(struct session_table *table, uint32_t netns)
{
	struct netns_mark *mark = get_mark(table, netns);

	if (!mark)
		return -ENOMEM;
	mark->is_gone = false;
	mark->begun = ++table->serial;
	return 0;
}

void socks__end_snapshot(struct session_table *table, uint32_t netns, bool is_whole)
{
	struct netns_mark *mark = find_mark(table, netns);

	if (!mark || !mark->begun)
		return;
	if (is_whole) {
		mark->whole = mark->begun;
		table->sweep_is_due = true;
	}
	mark->begun = 0;
}

int socks__forget_netns(struct session_table *table, uint32_t netns)
{
	struct netns_mark *mark = get_mark(table, netns);

	if (!mark)
		return -ENOMEM;
	mark->is_gone = true;
	table->sweep_is_due = true;
	return 0;
}

void socks__sweep(struct session_table *table)
{
	const struct netns_mark *mark = NULL;

	table->sweep_is_due = false;
	for (uint32_t id = 1; id <= table->socks.end; id++) {
		struct sock_row *sock = pool__get(&table->socks, id);

		if (!sock)
			continue;
		if (!mark || mark->netns != sock->info.netns)
			mark = find_mark(table, sock->info.netns);
		if (!mark || (!mark->is_gone && sock->seen >= mark->whole))
			continue;
		if (requests__has(sock))
			requests__gone(table, sock, table->now_ns);
		else
			socks__drop(table, sock);
	}
}
