/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Collecting the rows of a table for a command.
 */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>

#include "user/util/log.h"

struct collecting {
	struct rows *rows;
	const struct options *options;
	const struct moment *now;
};

static bool make_room(struct rows *rows)
{
	size_t size = rows->size ? 2 * rows->size : 1024;
	const struct session **more = reallocarray((void *)rows->items, size, sizeof(*more));

	if (!more)
		return false;
	rows->items = more;
	rows->size = size;
	return true;
}

static void collect_one(void *ctx, const struct session *session)
{
	struct collecting *c = ctx;
	struct rows *rows = c->rows;

	if (!options__wants(c->options, session, c->now))
		return;
	if (rows->count == rows->size && !make_room(rows)) {
		rows->failed = true;
		return;
	}
	rows->items[rows->count++] = session;
}

int rows__collect(struct rows *rows, struct session_table *table, const struct options *options,
		  const struct moment *now, size_t limit)
{
	struct collecting c = {rows, options, now};

	rows->count = 0;
	rows->failed = false;
	session_table__visit(table, now->mono_ns, collect_one, &c);
	if (options->sort.field)
		sessions__sort(rows->items, rows->count, limit, &options->sort, now);
	if (!rows->failed)
		return 0;
	log_error("out of memory: only %zu sessions are shown; a filter needs less", rows->count);
	return -ENOMEM;
}

void rows__free(struct rows *rows)
{
	free((void *)rows->items);
}
