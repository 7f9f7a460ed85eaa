/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Collecting rows for a command.
 */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>

#include "user/util/log.h"

static bool make_room(struct rows *rows)
{
	size_t size = rows->size ? 2 * rows->size : 1024;
	const void **more = reallocarray((void *)rows->items, size, sizeof(*more));

	if (!more)
		return false;
	rows->items = more;
	rows->size = size;
	return true;
}

void rows__clear(struct rows *rows)
{
	rows->count = 0;
	rows->failed = false;
}

void rows__add(struct rows *rows, const void *row)
{
	if (rows->count == rows->size && !make_room(rows)) {
		rows->failed = true;
		return;
	}
	rows->items[rows->count++] = row;
}

int rows__finish(struct rows *rows, const struct field_table *table, const struct options *options,
		 const struct moment *now, size_t limit)
{
	if (options->sort.field)
		field_table__sort(table, rows->items, rows->count, limit, &options->sort, now);
	if (!rows->failed)
		return 0;
	log_error("out of memory: only %zu rows are shown; a filter needs less", rows->count);
	return -ENOMEM;
}

struct collecting {
	struct rows *rows;
	struct session_groups *groups;
	const struct options *options;
	const struct moment *now;
};

static void collect_one(void *ctx, const struct session *session)
{
	struct collecting *c = ctx;

	if (options__wants(c->options, session, c->now))
		rows__add(c->rows, session);
}

int rows__collect_sessions(struct rows *rows, struct session_table *table,
			   const struct options *options, const struct moment *now, size_t limit)
{
	struct collecting c = {.rows = rows, .options = options, .now = now};

	rows__clear(rows);
	session_table__visit(table, now->mono_ns, collect_one, &c);
	return rows__finish(rows, &session_fields, options, now, limit);
}

static void count_one(void *ctx, const struct session *session)
{
	struct collecting *c = ctx;

	if (options__wants(c->options, session, c->now) &&
	    session_groups__add(c->groups, session, c->now))
		c->rows->failed = true;
}

static void add_group(void *ctx, const struct session_group *group)
{
	rows__add(ctx, group);
}

int rows__collect_groups(struct rows *rows, struct session_table *table,
			 struct session_groups *groups, const struct options *options,
			 const struct moment *now, size_t limit)
{
	struct collecting c = {.rows = rows, .groups = groups, .options = options, .now = now};

	rows__clear(rows);
	session_groups__begin(groups, now);
	session_table__visit(table, now->mono_ns, count_one, &c);
	session_groups__visit(groups, add_group, rows);
	return rows__finish(rows, &session_group_fields, options, now, limit);
}

void rows__free(struct rows *rows)
{
	free((void *)rows->items);
}
