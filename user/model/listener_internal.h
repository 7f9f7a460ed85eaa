/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The inside of the table of listeners, shared by its files alone: taking records in
 * (listener_records.c), counts and reading (listener_table.c).
 */
#ifndef TCPWATCH_LISTENER_INTERNAL_H
#define TCPWATCH_LISTENER_INTERNAL_H

#include "listener.h"

struct place {
	struct listener_place about;
	struct listener_counters stray; /* of no listener */
	struct listener_counters past;	/* of listeners that are gone */
	bool had_snapshot;
	bool knows_other_0, has_other; /* listener_other.c */
	uint64_t other_0, other;       /* at the first look; since then */
	uint64_t unexplained;	       /* drops of its listeners, if .other */
};

struct listener_table {
	struct listener_table_env env;
	struct listener **items; /* by cookie */
	size_t count, size;
	struct listener *gone;	 /* a list of those whose last counts are still to come */
	struct listener *lapsed; /* … of those whose alarms are still to be cleared */
	struct place *places;
	size_t n_places;
	struct listener_counters past; /* of namespaces that are gone */
	uint64_t past_other;
};

/* listeners__find() - or NULL; listeners__get() - made if need be, NULL: out of memory */
struct listener *listeners__find(const struct listener_table *table, uint64_t cookie);
struct listener *listeners__get(struct listener_table *table, uint64_t cookie, uint32_t netns);

/* listeners__let_go() - it is in no list any more */
void listeners__let_go(struct listener_table *table, struct listener *listener);

/* listener__held_cookie() - of the socket that processes hold: its own, or MPTCP's */
static inline uint64_t listener__held_cookie(const struct listener *listener)
{
	return listener->sock.holder ? listener->sock.holder : listener->sock.cookie;
}

/* places__find(), places__get() - likewise, of a namespace; valid until another is made */
struct place *places__find(const struct listener_table *table, uint32_t netns);
struct place *places__get(struct listener_table *table, uint32_t netns);

/* listeners__take_other() - of all namespaces, from what is known of them and counted by now;
 * listener__share_other() - then of a listener in @place */
void listeners__take_other(struct listener_table *table);
void listener__share_other(struct listener *listener, const struct place *place);

#endif
