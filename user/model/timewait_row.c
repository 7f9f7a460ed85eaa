/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finding and keeping the rows.
 */
#include "timewait_row.h"

#include <string.h>

_Static_assert(sizeof(struct timewait_key) == sizeof(struct flow_key), "they are hashed alike");

const char *timewait_by__name(enum timewait_by by)
{
	static const char *const names[TIMEWAIT_BY_COUNT] = {
#define X(id, name) [TIMEWAIT_BY_##id] = name,
		TIMEWAIT_GROUPS(X)
#undef X
	};

	return names[by];
}

int timewait_row__compare(const void *x, const void *y)
{
	const struct timewait_row *a = x, *b = y;
	int order = a->key.by - b->key.by;

	if (!order)
		order = strcmp(a->netns_name, b->netns_name);
	return order ? order : memcmp(&a->key, &b->key, sizeof(a->key));
}

int timewait_rows__init(struct timewait_rows *rows, uint64_t seed)
{
	rows->seed = seed;
	pool__init(&rows->pool, sizeof(struct timewait_row));
	return hash_index__init(&rows->index, &rows->pool, offsetof(struct timewait_row, hash));
}

void timewait_rows__fini(struct timewait_rows *rows)
{
	hash_index__fini(&rows->index);
	pool__fini(&rows->pool);
}

static void clear(struct timewait_row *row)
{
	row->time_wait = row->fin_wait2 = 0;
	row->used = row->reusable = row->young = row->due = 0;
}

static struct timewait_row *add(struct timewait_rows *rows, const struct timewait_key *key,
				uint32_t hash)
{
	struct timewait_row *row = pool__new(&rows->pool);

	if (!row)
		return NULL;
	row->key = *key;
	row->netns_name = rows->netns_name;
	if (key->by != TIMEWAIT_BY_PROCESS) {
		row->local = (struct endpoint){key->local, key->local_port};
		row->remote = (struct endpoint){key->remote, key->remote_port};
	}
	if (!hash_index__insert(&rows->index, row, hash))
		return row;
	pool__delete(&rows->pool, row);
	return NULL;
}

static struct timewait_row *find(const struct timewait_rows *rows, const struct timewait_key *key,
				 uint32_t hash)
{
	struct timewait_row *row = hash_index__first(&rows->index, hash);

	while (row && memcmp(&row->key, key, sizeof(*key)))
		row = hash_index__next(&rows->index, row);
	return row;
}

struct timewait_row *timewait_rows__get(struct timewait_rows *rows, const struct timewait_key *key)
{
	uint32_t hash = flow_key__hash((const struct flow_key *)key, rows->seed);
	struct timewait_row *row = find(rows, key, hash);

	if (!row)
		row = add(rows, key, hash);
	if (row && row->look != rows->look) {
		clear(row);
		row->look = rows->look;
	}
	return row;
}

struct timewait_row *timewait_rows__next(const struct timewait_rows *rows,
					 const struct timewait_row *row)
{
	for (uint32_t id = row ? row->head.id + 1 : 1; id <= rows->pool.end; id++) {
		struct timewait_row *next = pool__get(&rows->pool, id);

		if (next)
			return next;
	}
	return NULL;
}

void timewait_rows__clear_old(struct timewait_rows *rows)
{
	for (struct timewait_row *row = NULL; (row = timewait_rows__next(rows, row));)
		if (row->look != rows->look)
			clear(row);
}

void timewait_rows__prune(struct timewait_rows *rows)
{
	struct timewait_row *row = timewait_rows__next(rows, NULL), *next;

	for (; row; row = next) {
		next = timewait_rows__next(rows, row);
		if (row->look == rows->look)
			continue;
		hash_index__remove(&rows->index, row);
		pool__delete(&rows->pool, row);
	}
}
