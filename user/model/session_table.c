/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The session table as its users see it: records in by kind, rows and figures out.
 * Not here: what a record does to a socket or a wire session, nor the events that follow (the other
 * session_table_*.c).
 */
#include "session_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session_table_internal.h"

uint32_t table__hash(const struct session_table *table, const struct flow_key *key)
{
	return flow_key__hash_ends(key, table->seed);
}

const struct tap_facts *table__tap(struct session_table *table, uint32_t tap)
{
	struct tap_memo *memo = &table->tap;

	if (memo->is_set && memo->tap == tap)
		return &memo->facts;
	*memo = (struct tap_memo){.tap = tap, .is_set = true};
	if (table->env.tap_facts && tap)
		table->env.tap_facts(table->env.ctx, tap, &memo->facts);
	return &memo->facts;
}

const char *table__netns_name(struct session_table *table, uint32_t netns)
{
	struct netns_memo *memo = &table->netns;

	if (memo->is_set && memo->netns == netns)
		return memo->name;
	*memo = (struct netns_memo){.netns = netns, .is_set = true};
	if (table->env.netns_name)
		memo->name = table->env.netns_name(table->env.ctx, netns);
	return memo->name;
}

static const struct nat *find_nat(const struct session_table *table, struct session *row)
{
	struct flow_key key;

	if (!table->env.nat || !row->remote.port)
		return NULL;
	flow_key__set(&key, &row->local.addr, TW_BE16(row->local.port), &row->remote.addr,
		      TW_BE16(row->remote.port), 0);
	return table__nat_of(table, row, &key, &row->nat_side);
}

static const char *name_of_bound(struct session_table *table, const struct sock_info *sock)
{
	struct scope_memo *memo = &table->scope;

	if (!table->env.ifname)
		return NULL;
	if (memo->ifindex == sock->ifindex && memo->netns == sock->netns)
		return memo->name;
	memo->netns = sock->netns;
	memo->ifindex = sock->ifindex;
	memo->name = table->env.ifname(table->env.ctx, sock->netns, sock->ifindex);
	return memo->name;
}

/* The kernel binds a socket with a link-local peer to its link; a tap sees those of one link. */
static const char *find_scope(struct session_table *table, const struct session *row)
{
	if (row->sock)
		return row->sock->ifindex ? name_of_bound(table, row->sock) : NULL;
	if (ip_addr__is_link_local(&row->local.addr) || ip_addr__is_link_local(&row->remote.addr))
		return row->ifname;
	return NULL;
}

void table__name_row(struct session_table *table, struct session *row)
{
	const struct tap_facts *tap = table__tap(table, row->tap);

	row->ifname = tap->ifname;
	row->tap_is_gone = tap->is_gone;
	row->netns_name = table__netns_name(table, row->netns);
	row->scope = find_scope(table, row);
	row->nat = find_nat(table, row);
	if (table->env.container)
		row->container = table->env.container(table->env.ctx, row);
	row->close_wait = NULL;
	if (table->env.close_wait && row->sock && row->sock->state == TCPS_CLOSE_WAIT)
		row->close_wait = table->env.close_wait(table->env.ctx, row);
}

void table__count(struct session_table *table, uint8_t *counted, uint8_t state)
{
	if (*counted == state)
		return;
	if (*counted != NOT_SHOWN) {
		table->stats.by_state[*counted]--;
		table->stats.sessions--;
	}
	*counted = state < TCPS_COUNT ? state : NOT_SHOWN;
	if (*counted == NOT_SHOWN)
		return;
	table->stats.by_state[*counted]++;
	table->stats.sessions++;
}

/* Whatever was asked of the environment may have changed since the last batch. */
void table__begin_batch(struct session_table *table, uint64_t now_ns)
{
	table->now_ns = now_ns;
	table->tap.is_set = false;
	table->netns.is_set = false;
	table->scope.ifindex = 0;
}

struct session_table *session_table__new(const struct session_table_env *env, size_t max_wire)
{
	struct session_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->env = *env;
	table->max_wire = max_wire;
	/* Where this table lies in memory: a peer cannot know it and aim at one bucket. */
	table->seed = (uintptr_t)table * 0xbf58476d1ce4e5b9ULL;
	pool__init(&table->socks, sizeof(struct sock_row));
	pool__init(&table->wires, sizeof(struct wire_session));
	pool__init(&table->aliases, sizeof(struct alias));
	if (hash_index__init(&table->sock_by_id, &table->socks,
			     offsetof(struct sock_row, id_hash)) ||
	    hash_index__init(&table->sock_by_tuple, &table->socks,
			     offsetof(struct sock_row, tuple_hash)) ||
	    hash_index__init(&table->sock_by_holder, &table->socks,
			     offsetof(struct sock_row, holder_hash)) ||
	    hash_index__init(&table->wire_by_tuple, &table->wires,
			     offsetof(struct wire_session, tuple_hash)) ||
	    hash_index__init(&table->alias_by_tuple, &table->aliases,
			     offsetof(struct alias, tuple_hash))) {
		session_table__free(table);
		return NULL;
	}
	return table;
}

void session_table__free(struct session_table *table)
{
	if (!table)
		return;
	for (uint32_t id = 1; id <= table->wires.end; id++) {
		struct wire_session *wire = pool__get(&table->wires, id);

		if (!wire)
			continue;
		parts__clear(wire);
		legs__clear(wire);
	}
	hash_index__fini(&table->sock_by_id);
	hash_index__fini(&table->sock_by_tuple);
	hash_index__fini(&table->sock_by_holder);
	hash_index__fini(&table->wire_by_tuple);
	hash_index__fini(&table->alias_by_tuple);
	pool__fini(&table->socks);
	pool__fini(&table->wires);
	pool__fini(&table->aliases);
	free(table->pending);
	due_list__fini(&table->requests);
	due_list__fini(&table->attempts);
	free(table->marks);
	free(table);
}

static int apply_fragment(struct session_table *table, const union record *rec)
{
	return wire__apply_fragment(table, &rec->fragment);
}

static int apply_segment(struct session_table *table, const union record *rec)
{
	return wire__apply_segment(table, &rec->segment);
}

static int apply_sock(struct session_table *table, const union record *rec)
{
	return socks__apply(table, &rec->sock);
}

static int apply_sock_state(struct session_table *table, const union record *rec)
{
	return socks__apply_state(table, &rec->sock_state);
}

static int apply_sock_retransmit(struct session_table *table, const union record *rec)
{
	socks__apply_retransmit(table, &rec->sock_retransmit);
	return 0;
}

static int apply_sock_reset(struct session_table *table, const union record *rec)
{
	socks__apply_reset(table, &rec->sock_reset);
	return 0;
}

static int apply_owner(struct session_table *table, const union record *rec)
{
	owners__apply(table, &rec->owner);
	return 0;
}

static int apply_snapshot(struct session_table *table, const union record *rec)
{
	if (rec->hdr.kind == REC_SNAPSHOT_BEGIN)
		return socks__begin_snapshot(table, rec->snapshot.netns);
	socks__end_snapshot(table, rec->snapshot.netns, rec->snapshot.ok);
	return 0;
}

static const struct {
	size_t size;
	int (*apply)(struct session_table *table, const union record *rec);
} handlers[REC_COUNT] = {
	[REC_SEGMENT] = {sizeof(struct rec_segment), apply_segment},
	[REC_FRAGMENT] = {sizeof(struct rec_fragment), apply_fragment},
	[REC_SOCK] = {sizeof(struct rec_sock), apply_sock},
	[REC_SOCK_STATE] = {sizeof(struct rec_sock_state), apply_sock_state},
	[REC_SOCK_RETRANSMIT] = {sizeof(struct rec_sock_retransmit), apply_sock_retransmit},
	[REC_SOCK_RESET] = {sizeof(struct rec_sock_reset), apply_sock_reset},
	[REC_OWNER] = {sizeof(struct rec_owner), apply_owner},
	[REC_SNAPSHOT_BEGIN] = {sizeof(struct rec_snapshot), apply_snapshot},
	[REC_SNAPSHOT_END] = {sizeof(struct rec_snapshot), apply_snapshot},
};

int session_table__apply(struct session_table *table, const union record *record, uint64_t now_ns)
{
	uint16_t kind = record->hdr.kind;

	if (kind >= REC_COUNT || !handlers[kind].apply || record->hdr.size < handlers[kind].size) {
		table->stats.bad_records++;
		return 0;
	}
	table->now_ns = now_ns;
	return handlers[kind].apply(table, record);
}

void session_table__expect(struct session_table *table, const union record *records, size_t count)
{
	wire__expect(table, records, count);
}

void session_table__settle(struct session_table *table, uint64_t now_ns)
{
	table__begin_batch(table, now_ns);
	if (table->sweep_is_due)
		socks__sweep(table);
	requests__expire(table);
	attempts__expire(table);
	wire__settle(table);
}

void session_table__caught_up(struct session_table *table, uint64_t until_ns)
{
	if (until_ns > table->caught_up_ns)
		table->caught_up_ns = until_ns;
}

#define FETCH_AHEAD 4 /* objects: walking them, the processor does not see the next ones coming */

void session_table__visit(struct session_table *table, uint64_t now_ns, session_visitor visit,
			  void *ctx)
{
	table__begin_batch(table, now_ns);
	for (uint32_t id = 1; id <= table->socks.end; id++) {
		struct sock_row *sock = pool__get(&table->socks, id);
		struct wire_session *wire;

		pool__fetch(&table->socks, id + FETCH_AHEAD);
		if (!sock)
			continue;
		wire = pool__get(&table->wires, sock->wire);
		if (wire) /* before rows have its names */
			legs__refresh_names(table, wire);
		socks__join(table, sock);
		table__name_row(table, &sock->row);
		visit(ctx, &sock->row);
	}
	for (uint32_t id = 1; id <= table->wires.end; id++) {
		struct wire_session *wire = pool__get(&table->wires, id);

		pool__fetch(&table->wires, id + FETCH_AHEAD);
		if (!wire || (now_ns >= wire->due_ns && wire__expire(table, wire)))
			continue;
		if (wire->counted == NOT_SHOWN)
			continue;
		legs__refresh_names(table, wire);
		table__name_row(table, &wire->row);
		visit(ctx, &wire->row);
	}
}

void session_table__forget_owners(struct session_table *table)
{
	owners__forget(table);
}

int session_table__forget_netns(struct session_table *table, uint32_t netns)
{
	return socks__forget_netns(table, netns);
}

bool session_table__has_unowned(const struct session_table *table)
{
	return table->n_unowned > 0;
}

void session_table__stats(const struct session_table *table, struct session_table_stats *stats)
{
	*stats = table->stats;
	stats->wire_sessions = table->wires.count;
}
