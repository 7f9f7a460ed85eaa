/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Groups of handshakes, found by hash, at most so many, and the totals of each side beside them.
 */
#include "handshake_stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_FACTOR 0x9e3779b97f4a7c15ULL /* 2^64 divided by the golden ratio */

struct handshake_stats {
	struct handshake_grouping grouping;
	uint64_t seed;
	struct pool groups;
	struct hash_index index;
	uint32_t oldest_failing, newest_failing;
	uint64_t lost;
	struct handshake_counts total[SIDE_COUNT];
	struct handshake_group other[SIDE_COUNT];
};

struct handshake_stats *handshake_stats__new(const struct handshake_grouping *grouping)
{
	struct handshake_stats *stats = calloc(1, sizeof(*stats));

	if (!stats)
		return NULL;
	stats->grouping = *grouping;
	pool__init(&stats->groups, sizeof(struct handshake_group));
	/* Peers choose addresses: where this lies in memory they do not know. */
	stats->seed = (uintptr_t)stats * HASH_FACTOR;
	if (hash_index__init(&stats->index, &stats->groups,
			     offsetof(struct handshake_group, hash))) {
		free(stats);
		return NULL;
	}
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		stats->other[side].key.side = side;
		stats->other[side].is_other = true;
	}
	return stats;
}

void handshake_stats__free(struct handshake_stats *stats)
{
	if (!stats)
		return;
	for (uint32_t id = 1; id <= stats->groups.end; id++) {
		struct handshake_group *group = pool__get(&stats->groups, id);

		if (group)
			free(group->netns_name);
	}
	hash_index__fini(&stats->index);
	pool__fini(&stats->groups);
	free(stats);
}

/* ---- which group ---- */

static void mask(struct ip_addr *addr, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(addr->bytes); i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

		if (kept < 8)
			addr->bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
}

static void make_key(const struct handshake_grouping *grouping, const struct session *s,
		     enum handshake_side side, struct handshake_key *key)
{
	const struct endpoint *server = side == SIDE_SERVER ? &s->local : &s->remote;
	const struct endpoint *client = side == SIDE_SERVER ? &s->remote : &s->local;
	unsigned bits = grouping->prefix_v6;

	memset(key, 0, sizeof(*key));
	key->side = side;
	key->netns = s->netns;
	key->network_bits = UNGROUPED;
	if (grouping->by_server) {
		key->server = server->addr;
		key->port = server->port;
	}
	if (!grouping->by_network)
		return;
	if (ip_addr__is_v4(&client->addr))
		bits = MAPPED_BITS + grouping->prefix_v4;
	key->network = client->addr;
	key->network_bits = bits;
	mask(&key->network, bits);
}

static uint32_t hash_of(const struct handshake_stats *stats, const struct handshake_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)], hash = stats->seed;

	_Static_assert(sizeof(*key) % sizeof(uint64_t) == 0, "the key is whole words, no padding");
	memcpy(words, key, sizeof(words));
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		hash = (hash ^ words[i]) * HASH_FACTOR;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

static struct handshake_group *find(const struct handshake_stats *stats,
				    const struct handshake_key *key, uint32_t hash)
{
	struct handshake_group *group = hash_index__first(&stats->index, hash);

	while (group && memcmp(&group->key, key, sizeof(*key)) != 0)
		group = hash_index__next(&stats->index, group);
	return group;
}

/* ---- those with failures alone, oldest first ---- */

static void failing__add(struct handshake_stats *stats, struct handshake_group *group)
{
	struct handshake_group *last = pool__get(&stats->groups, stats->newest_failing);

	group->older = stats->newest_failing;
	*(last ? &last->newer : &stats->oldest_failing) = group->head.id;
	stats->newest_failing = group->head.id;
}

static void failing__remove(struct handshake_stats *stats, struct handshake_group *group)
{
	struct handshake_group *older = pool__get(&stats->groups, group->older);
	struct handshake_group *newer = pool__get(&stats->groups, group->newer);

	*(older ? &older->newer : &stats->oldest_failing) = group->newer;
	*(newer ? &newer->older : &stats->newest_failing) = group->older;
	group->older = group->newer = 0;
}

/* ---- making and merging groups ---- */

static struct handshake_group *create(struct handshake_stats *stats,
				      const struct handshake_key *key, const struct session *s)
{
	struct handshake_group *group = pool__new(&stats->groups);

	if (!group)
		return NULL;
	group->key = *key;
	group->has_server = stats->grouping.by_server;
	group->server = (struct endpoint){key->server, (uint16_t)key->port};
	handshake_group__write_network(group);
	/* Without memory for its name the namespace is shown by number. */
	group->netns_name = s->netns_name ? strdup(s->netns_name) : NULL;
	if (hash_index__insert(&stats->index, group, hash_of(stats, key))) {
		free(group->netns_name);
		pool__delete(&stats->groups, group);
		return NULL;
	}
	failing__add(stats, group);
	return group;
}

static void fold(struct handshake_stats *stats, struct handshake_group *group)
{
	struct handshake_group *other = &stats->other[group->key.side];

	handshake_counts__merge(&other->counts, &group->counts);
	if (!other->first_ns || group->first_ns < other->first_ns)
		other->first_ns = group->first_ns;
	if (group->last_ns > other->last_ns)
		other->last_ns = group->last_ns;
	handshake_group__write_broke(other);
	failing__remove(stats, group);
	hash_index__remove(&stats->index, group);
	free(group->netns_name);
	pool__delete(&stats->groups, group);
}

/* The group for @session, "other" if there is no room for it, or NULL (ENOMEM). */
static struct handshake_group *group_for(struct handshake_stats *stats,
					 const struct session *session, enum handshake_side side,
					 bool is_completed)
{
	struct handshake_group *group, *oldest;
	struct handshake_key key;

	make_key(&stats->grouping, session, side, &key);
	group = find(stats, &key, hash_of(stats, &key));
	if (group)
		return group;
	if (stats->groups.count >= stats->grouping.max_groups) {
		oldest = pool__get(&stats->groups, stats->oldest_failing);
		if (!is_completed || !oldest)
			return &stats->other[side];
		fold(stats, oldest);
	}
	return create(stats, &key, session);
}

/* ---- counting ---- */

static void add_known(struct histogram *h, uint64_t ns)
{
	if (ns != UNKNOWN_U64)
		histogram__add(h, ns);
}

static void count_completed(struct handshake_counts *counts, const struct session *s)
{
	struct handshake_parts parts = handshake__parts(s);

	counts->completed++;
	add_known(&counts->total, parts.total_ns);
	add_known(&counts->network, parts.network_ns);
	add_known(&counts->host, parts.host_ns);
}

static void count(struct handshake_counts *counts, const struct event *event)
{
	switch (event->kind) {
	case EVENT_ESTABLISHED:
		return count_completed(counts, event->session);
	case EVENT_HANDSHAKE_FAILED:
		counts->failed[event->broke]++;
		return;
	case EVENT_SYN:
		counts->syn_retransmits++;
		return;
	case EVENT_SYN_ACK:
		counts->syn_ack_retransmits++;
		return;
	case EVENT_RETRANSMIT:
		if (event->session->sock->state == TCPS_SYN_SENT)
			counts->syn_retransmits++;
		else
			counts->syn_ack_retransmits++;
		return;
	default:
		counts->server_resets++;
	}
}

/* A SYN or SYN-ACK seen again at a tap, unless the socket that sent it tells. */
static bool is_resent(const struct handshake_stats *stats, const struct event *event,
		      enum handshake_side side)
{
	enum handshake_side sender = event->kind == EVENT_SYN ? SIDE_CLIENT : SIDE_SERVER;

	if (!event->reason || strcmp(event->reason, "retransmit") != 0)
		return false;
	return side != sender || !stats->grouping.has_socket_view;
}

static bool is_resent_by_sock(const struct event *event)
{
	const struct sock_info *sock = event->session->sock;

	if (event->view != VIEW_SOCKET || !sock)
		return false;
	return sock->state == TCPS_SYN_SENT || sock->state == TCPS_SYN_RECV;
}

static bool counts(const struct handshake_stats *stats, const struct event *event,
		   enum handshake_side side)
{
	switch (event->kind) {
	case EVENT_ESTABLISHED:
		return true;
	case EVENT_HANDSHAKE_FAILED:
		return event->broke;
	case EVENT_SYN:
	case EVENT_SYN_ACK:
		return is_resent(stats, event, side);
	case EVENT_RETRANSMIT:
		return is_resent_by_sock(event);
	case EVENT_RESET_SENT:
		return event->of_listener;
	default:
		return false;
	}
}

int handshake_stats__add(struct handshake_stats *stats, const struct event *event)
{
	struct handshake_group *group;
	enum handshake_side side;

	if (event->kind == EVENT_LOST)
		stats->lost += event->lost;
	if (!event->session || !handshake__side(event->session, &side) ||
	    !counts(stats, event, side))
		return 0;
	count(&stats->total[side], event);
	group = group_for(stats, event->session, side, event->kind == EVENT_ESTABLISHED);
	if (!group)
		return -ENOMEM;
	if (event->kind == EVENT_ESTABLISHED && !group->is_other && !group->counts.completed)
		failing__remove(stats, group);
	if (!group->first_ns)
		group->first_ns = event->time_ns;
	group->last_ns = event->time_ns;
	count(&group->counts, event);
	if (event->kind == EVENT_HANDSHAKE_FAILED)
		handshake_group__write_broke(group);
	return 0;
}

/* ---- those under way ---- */

static void forget_pending(struct handshake_counts *counts)
{
	memset(counts->pending, 0, sizeof(counts->pending));
}

void handshake_stats__forget_pending(struct handshake_stats *stats)
{
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		forget_pending(&stats->total[side]);
		forget_pending(&stats->other[side].counts);
		stats->other[side].held_up[0] = '\0';
	}
	for (uint32_t id = 1; id <= stats->groups.end; id++) {
		struct handshake_group *group = pool__get(&stats->groups, id);

		if (!group)
			continue;
		forget_pending(&group->counts);
		group->held_up[0] = '\0';
	}
}

int handshake_stats__add_pending(struct handshake_stats *stats, const struct attempt *attempt,
				 uint64_t now_ns)
{
	const struct session *session = attempt->session;
	bool is_held_up = handshake__is_held_up(attempt->since_ns, now_ns);
	enum handshake_break at = is_held_up ? handshake__break_so_far(session) : BREAK_NONE;
	struct handshake_group *group;
	enum handshake_side side;

	if (!handshake__side(session, &side))
		return 0;
	stats->total[side].pending[at]++;
	group = group_for(stats, session, side, false);
	if (!group)
		return -ENOMEM;
	if (!group->first_ns)
		group->first_ns = attempt->since_ns ? attempt->since_ns : now_ns;
	group->counts.pending[at]++;
	if (is_held_up)
		handshake_group__write_broke(group);
	return 0;
}

/* ---- reading ---- */

/* Of those that were under way none is left, for what it became is not wanted. */
static bool is_empty(const struct handshake_group *group)
{
	return !group->last_ns && !handshake_counts__pending(&group->counts);
}

void handshake_stats__visit(const struct handshake_stats *stats, handshake_visitor visit, void *ctx)
{
	for (uint32_t id = 1; id <= stats->groups.end; id++) {
		const struct handshake_group *group = pool__get(&stats->groups, id);

		if (group && !is_empty(group))
			visit(ctx, group);
	}
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		if (stats->other[side].first_ns)
			visit(ctx, &stats->other[side]);
}

const struct handshake_counts *handshake_stats__total(const struct handshake_stats *stats,
						      enum handshake_side side)
{
	return &stats->total[side];
}

uint64_t handshake_stats__lost(const struct handshake_stats *stats)
{
	return stats->lost;
}
