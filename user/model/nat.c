/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Translations by the tuple of either side.
 */
#include "nat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct nat_table {
	struct pool pool;
	struct hash_index by_side[NAT_SIDES];
	uint64_t seed;
	size_t max;
	uint32_t epoch;
};

static bool is_same_end(const struct nat_tuple *a, const struct nat_tuple *b, bool is_client)
{
	enum flow_dir at = is_client ? a->client : !a->client;
	enum flow_dir there = is_client ? b->client : !b->client;

	return a->key.port[at] == b->key.port[there] &&
	       ip_addr__equal(&a->key.addr[at], &b->key.addr[there]);
}

uint8_t nat__ends(const struct nat *nat, enum nat_side side)
{
	const struct nat_tuple *tuple = &nat->side[side];
	bool is_client = is_same_end(tuple, &nat->side[NAT_BEFORE], true);
	bool is_server = is_same_end(tuple, &nat->side[NAT_AFTER], false);

	return is_client << tuple->client | is_server << !tuple->client;
}

static void set_between(struct nat *nat)
{
	const struct nat_tuple *before = &nat->side[NAT_BEFORE], *after = &nat->side[NAT_AFTER];
	struct nat_tuple *between = &nat->side[NAT_BETWEEN];

	between->client = flow_key__set(
		&between->key, &before->key.addr[before->client], before->key.port[before->client],
		&after->key.addr[!after->client], after->key.port[!after->client], 0);
}

struct nat_table *nat_table__new(size_t max)
{
	struct nat_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->max = max;
	table->seed = (uintptr_t)table * 0xbf58476d1ce4e5b9ULL;
	pool__init(&table->pool, sizeof(struct nat));
	for (int side = 0; side < NAT_SIDES; side++)
		if (hash_index__init(&table->by_side[side], &table->pool,
				     offsetof(struct nat, hash) + side * sizeof(uint32_t))) {
			nat_table__free(table);
			return NULL;
		}
	return table;
}

void nat_table__free(struct nat_table *table)
{
	if (!table)
		return;
	for (int side = 0; side < NAT_SIDES; side++)
		hash_index__fini(&table->by_side[side]);
	pool__fini(&table->pool);
	free(table);
}

size_t nat_table__count(const struct nat_table *table)
{
	return table->pool.count;
}

static uint32_t hash_of(const struct nat_table *table, const struct flow_key *key)
{
	return flow_key__hash_ends(key, table->seed);
}

static bool has_tuple(const struct nat *nat, enum nat_side side, const struct flow_key *key)
{
	return flow_key__same_ends(&nat->side[side].key, key);
}

bool nat__has_side(const struct nat *nat, enum nat_side side)
{
	const struct flow_key *between = &nat->side[NAT_BETWEEN].key;

	return side != NAT_BETWEEN ||
	       !(has_tuple(nat, NAT_BEFORE, between) || has_tuple(nat, NAT_AFTER, between));
}

const struct nat *nat_table__next(const struct nat_table *table, const struct flow_key *key,
				  enum nat_side side, const struct nat *after)
{
	const struct nat *nat;

	if (!table->pool.count)
		return NULL;
	nat = after ? hash_index__next(&table->by_side[side], after)
		    : hash_index__first(&table->by_side[side], hash_of(table, key));
	while (nat && !has_tuple(nat, side, key))
		nat = hash_index__next(&table->by_side[side], nat);
	return nat;
}

static bool is_beside(const struct nat *nat, const struct nat *like, enum nat_side side)
{
	return nat->netns == like->netns && nat->zone[side] == like->zone[side];
}

/* What has the tuple that @like has on @side, in the same zone of the same namespace, or NULL. */
static struct nat *find_in_place(const struct nat_table *table, const struct nat *like,
				 enum nat_side side)
{
	const struct flow_key *key = &like->side[side].key;
	const struct nat *nat = nat_table__next(table, key, side, NULL);

	while (nat && !is_beside(nat, like, side))
		nat = nat_table__next(table, key, side, nat);
	return (struct nat *)nat;
}

static struct nat *find_same(const struct nat_table *table, const struct nat *like)
{
	struct nat *nat = find_in_place(table, like, NAT_BEFORE);

	if (!nat || !is_beside(nat, like, NAT_AFTER) ||
	    !has_tuple(nat, NAT_AFTER, &like->side[NAT_AFTER].key))
		return NULL;
	return nat;
}

static void drop(struct nat_table *table, struct nat *nat)
{
	for (int side = 0; side < NAT_SIDES; side++)
		hash_index__remove(&table->by_side[side], nat);
	pool__delete(&table->pool, nat);
}

static struct nat *insert(struct nat_table *table, const struct nat *like)
{
	struct nat *nat = pool__new(&table->pool);

	if (!nat)
		return NULL;
	nat->netns = like->netns;
	memcpy(nat->side, like->side, sizeof(nat->side));
	memcpy(nat->zone, like->zone, sizeof(nat->zone));
	set_between(nat);
	for (int side = 0; side < NAT_SIDES; side++) {
		if (!nat__has_side(nat, side) ||
		    !hash_index__insert(&table->by_side[side], nat,
					hash_of(table, &nat->side[side].key)))
			continue;
		while (side--)
			hash_index__remove(&table->by_side[side], nat);
		pool__delete(&table->pool, nat);
		return NULL;
	}
	return nat;
}

/* A tuple is translated once at a time. That the former one ended may not have been told: of
 * connections older than who listens the kernel says nothing (nf_conntrack_events 2). */
static void displace(struct nat_table *table, const struct nat *nat)
{
	for (int side = NAT_BEFORE; side <= NAT_AFTER; side++) {
		struct nat *former = find_in_place(table, nat, side);

		if (former)
			drop(table, former);
	}
}

int nat_table__add(struct nat_table *table, const struct nat *nat, const struct nat **out)
{
	struct nat *own = find_same(table, nat);

	if (!own)
		displace(table, nat);
	if (!own && table->pool.count >= table->max)
		return -ENOSPC;
	if (!own)
		own = insert(table, nat);
	if (!own)
		return -ENOMEM;
	own->epoch = table->epoch;
	*out = own;
	return 0;
}

void nat_table__remove(struct nat_table *table, const struct nat *nat)
{
	struct nat *own = find_same(table, nat);

	if (own)
		drop(table, own);
}

void nat_table__begin_list(struct nat_table *table)
{
	table->epoch++;
}

void nat_table__end_list(struct nat_table *table, uint32_t netns)
{
	for (uint32_t id = 1; id <= table->pool.end; id++) {
		struct nat *nat = pool__get(&table->pool, id);

		if (nat && nat->netns == netns && nat->epoch != table->epoch)
			drop(table, nat);
	}
}
