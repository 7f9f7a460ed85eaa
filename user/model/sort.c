/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sorting of rows. The key of each row is taken once, as a number of 128 bits that orders as
 * the values do; only rows whose numbers are equal are looked at again.
 */
#include <stdlib.h>

#include "bpf/shared/types.h"

#include "field.h"
#include "user/util/fetch.h"
#include "user/util/log.h"

/* 32 bytes: qsort() of glibc then moves them without an indirection. */
struct sort_key {
	uint64_t hi, lo; /* complemented for a descending order, so the lesser always comes first */
	const void *row;
	uint32_t is_unknown;
	uint32_t is_cut; /* the text is longer than the number holds */
};

struct sort_context {
	const struct field_table *table;
	const struct sort_spec *sort;
	const struct moment *now;
};

static uint64_t load_be64(const void *bytes)
{
	uint64_t u;

	memcpy(&u, bytes, sizeof(u));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	u = __builtin_bswap64(u);
#endif
	return u;
}

static void pack_bytes(struct sort_key *key, const void *bytes, size_t len)
{
	uint8_t padded[16] = {0};

	memcpy(padded, bytes, len < sizeof(padded) ? len : sizeof(padded));
	key->hi = load_be64(padded);
	key->lo = load_be64(padded + 8);
}

static void pack_value(struct sort_key *key, const struct value *value)
{
	switch (value->kind) {
	case VALUE_ADDR:
		pack_bytes(key, value->addr, sizeof(*value->addr));
		break;
	case VALUE_ENDPOINT:
		pack_bytes(key, &value->endpoint->addr, sizeof(value->endpoint->addr));
		key->is_cut = true;
		break;
	case VALUE_TEXT:
		pack_bytes(key, value->text, value->text_len);
		/* A NUL within the text is as good as its end to the number. */
		key->is_cut = value->text_len > 15 || memchr(value->text, 0, value->text_len);
		break;
	case VALUE_RATE:
	case VALUE_SIGNED:
		key->hi = (uint64_t)value->i ^ 1ull << 63; /* negative ones first */
		break;
	default:
		key->hi = value->u;
	}
}

static void take_key(struct sort_key *key, const void *row, const struct sort_context *ctx)
{
	struct value value;

	*key = (struct sort_key){.row = row};
	ctx->sort->field->get(row, ctx->now, &value);
	key->is_unknown = value.kind == VALUE_NONE;
	if (key->is_unknown)
		return;
	pack_value(key, &value);
	if (ctx->sort->descending) {
		key->hi = ~key->hi;
		key->lo = ~key->lo;
	}
}

/* The numbers are equal, but hold only the beginning. */
static int compare_values(const struct sort_key *a, const struct sort_key *b,
			  const struct sort_context *ctx)
{
	struct value x, y;
	int order;

	ctx->sort->field->get(a->row, ctx->now, &x);
	ctx->sort->field->get(b->row, ctx->now, &y);
	order = value__compare(&x, &y);
	return ctx->sort->descending ? -order : order;
}

int session__compare(const void *x, const void *y)
{
	const struct session *a = x, *b = y;
	int order;

	if (a->netns != b->netns)
		return a->netns < b->netns ? -1 : 1;
	order = endpoint__compare(&a->local, &b->local);
	if (!order)
		order = endpoint__compare(&a->remote, &b->remote);
	return order ? order : (a->tap > b->tap) - (a->tap < b->tap);
}

static int compare_keys(const void *x, const void *y, void *context)
{
	const struct sort_context *ctx = context;
	const struct sort_key *a = x, *b = y;
	int order = 0;

	if (a->is_unknown != b->is_unknown)
		return a->is_unknown ? 1 : -1;
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	if (a->is_cut || b->is_cut)
		order = compare_values(a, b, ctx);
	return order ? order : ctx->table->compare(a->row, b->row);
}

static void swap_keys(struct sort_key *a, struct sort_key *b)
{
	struct sort_key c = *a;

	*a = *b;
	*b = c;
}

/* keys[at] may be less than its children in the heap of @count keys, whose greatest comes first. */
static void sift_down(struct sort_key *keys, size_t at, size_t count, struct sort_context *ctx)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && compare_keys(&keys[child], &keys[child + 1], ctx) < 0)
			child++;
		if (compare_keys(&keys[at], &keys[child], ctx) >= 0)
			return;
		swap_keys(&keys[at], &keys[child]);
	}
}

/*
 * Rows are scattered over memory, and a getter waits for what it reads of one: the processor is
 * told of some that come next. What follows a row is what it points to, mostly.
 */
#define FETCH_AHEAD 8
#define FETCH_BYTES 448

/*
 * Leaves the least of @rows in the heap @keys, which holds the first @limit: most rows cost one
 * comparison with the worst of them, made while they are at hand.
 */
static void select_least(struct sort_key *keys, const void **rows, size_t count, size_t limit,
			 struct sort_context *ctx)
{
	struct sort_key key;

	for (size_t i = limit / 2; i-- > 0;)
		sift_down(keys, i, limit, ctx);
	for (size_t i = limit; i < count; i++) {
		if (i + FETCH_AHEAD < count)
			fetch__range(rows[i + FETCH_AHEAD], FETCH_BYTES);
		take_key(&key, rows[i], ctx);
		if (compare_keys(&key, &keys[0], ctx) >= 0)
			continue;
		rows[i] = keys[0].row;
		keys[0] = key;
		sift_down(keys, 0, limit, ctx);
	}
}

void field_table__sort(const struct field_table *table, const void **rows, size_t count,
		       size_t limit, const struct sort_spec *sort, const struct moment *now)
{
	struct sort_context ctx = {.table = table, .sort = sort, .now = now};
	struct sort_key *keys;

	if (count < 2)
		return;
	if (!limit || limit > count)
		limit = count;
	keys = malloc(limit * sizeof(*keys));
	if (!keys) {
		log_warn("cannot sort %zu rows: out of memory; they are shown unsorted", count);
		return;
	}
	for (size_t i = 0; i < limit; i++)
		take_key(&keys[i], rows[i], &ctx);
	if (limit < count)
		select_least(keys, rows, count, limit, &ctx);
	qsort_r(keys, limit, sizeof(*keys), compare_keys, &ctx);
	for (size_t i = 0; i < limit; i++)
		rows[i] = keys[i].row;
	free(keys);
}
