/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Translations of addresses: which two tuples are one session, on this and on that side of a NAT.
 * Not here: who tells (source/conntrack.h), what the session table makes of it.
 */
#ifndef TCPWATCH_NAT_H
#define TCPWATCH_NAT_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/shared/flow.h"
#include "pool.h"

enum nat_side {
	NAT_BEFORE, /* as the client addresses it, and is itself called where it is */
	NAT_AFTER,  /* as the server is called, and knows the client */
	/* The client as it calls itself, the server likewise: a bridge that calls netfilter
	 * (br_netfilter) shows it where both are translated, the one already and the other not yet.
	 */
	NAT_BETWEEN,
	NAT_SIDES,
};

/* A tuple as one side has it; .key.tap is 0. */
struct nat_tuple {
	struct flow_key key;
	enum flow_dir client; /* which endpoint of .key opened the session */
};

struct nat {
	struct pool_head head;
	uint32_t hash[NAT_SIDES];
	uint32_t netns; /* inode number of the namespace that translates */
	uint32_t epoch;
	struct nat_tuple side[NAT_SIDES];
	/* conntrack's zone, where the tuple before or after is looked up: another may have the same
	 * one. */
	uint16_t zone[NAT_SIDES];
};

/* nat__is_swapped() - what is low in the key of one side is high in that of the other */
static inline bool nat__is_swapped(const struct nat *nat, enum nat_side a, enum nat_side b)
{
	return nat->side[a].client != nat->side[b].client;
}

/*
 * nat__ends() - of the endpoints in the key of @side those that are no stand-ins, a bit for each
 * enum flow_dir: the client as it calls itself, the server likewise
 */
uint8_t nat__ends(const struct nat *nat, enum nat_side side);

/* nat__has_side() - where one endpoint alone is translated there is nothing between */
bool nat__has_side(const struct nat *nat, enum nat_side side);

struct nat_table;

/* nat_table__new() - for @max translations at most. NULL: ENOMEM */
struct nat_table *nat_table__new(size_t max);
void nat_table__free(struct nat_table *table);
size_t nat_table__count(const struct nat_table *table);

/*
 * nat_table__add() - @nat, of which .netns and the sides before and after with their zones are
 * read, holds from now on
 *
 * *@out: the table's own, which may have been there. Returns 0, -ENOSPC: there are as many as may
 * be, or -ENOMEM.
 */
int nat_table__add(struct nat_table *table, const struct nat *nat, const struct nat **out);
/* nat_table__remove() - it no longer holds, if it did */
void nat_table__remove(struct nat_table *table, const struct nat *nat);
/*
 * nat_table__next() - the translations that have the tuple @key (its tap is not looked at) on @side
 *
 * One after the other, @after NULL: the first. Namespaces and zones each have theirs. NULL: there
 * is none more. Valid until it is removed.
 */
const struct nat *nat_table__next(const struct nat_table *table, const struct flow_key *key,
				  enum nat_side side, const struct nat *after);

/*
 * nat_table__begin_list() - all translations of a namespace are added next;
 * nat_table__end_list() - those of @netns that were not are gone
 */
void nat_table__begin_list(struct nat_table *table);
void nat_table__end_list(struct nat_table *table, uint32_t netns);

#endif
