/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of a wire session: what follows from its evidence, as time passes and as others need its
 * place. Not here: how evidence comes to it (session_table_wire.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session_table_internal.h"

/* Of how many sessions the least valuable is dropped when there are too many, none half-open. */
#define VICTIM_SAMPLE 16
/* Time in which the search for expired sessions goes through all of them, and its least step. */
#define EXPIRY_ROUND_NS (8 * TW_NSEC_PER_SEC)
#define EXPIRY_STEP_MIN 64

/* ---- the half-open ones, oldest first: a SYN flood replaces itself ---- */

static void half_open__remove(struct session_table *table, struct wire_session *wire)
{
	struct wire_session *older = pool__get(&table->wires, wire->older);
	struct wire_session *newer = pool__get(&table->wires, wire->newer);

	*(older ? &older->newer : &table->oldest_half_open) = wire->newer;
	*(newer ? &newer->older : &table->newest_half_open) = wire->older;
	wire->older = wire->newer = 0;
	wire->is_half_open = false;
}

static void half_open__add(struct session_table *table, struct wire_session *wire)
{
	struct wire_session *last = pool__get(&table->wires, table->newest_half_open);

	wire->older = table->newest_half_open;
	*(last ? &last->newer : &table->oldest_half_open) = wire->head.id;
	table->newest_half_open = wire->head.id;
	wire->is_half_open = true;
}

/* ---- what follows from the evidence ---- */

static bool has_sock(const struct wire_session *wire)
{
	return wire->sock[DIR_LOW] || wire->sock[DIR_HIGH];
}

/* The kernel's own list of sockets has the last word on it. */
static bool is_covered(const struct session_table *table, const struct wire_session *wire)
{
	return table->env.prefer_socket_events && !wire->row.is_forwarded;
}

static bool has_state(const struct evidence_verdict *v, enum tcp_state state)
{
	return v->state[DIR_LOW] == state || v->state[DIR_HIGH] == state;
}

static uint64_t kept_ns(const struct session_table *table, const struct wire_session *wire)
{
	const struct evidence_verdict *v = &wire->verdict;

	if (v->end != END_NOT)
		return is_covered(table, wire) ? CLOSED_SHOWN_NS : ENDED_KEPT_NS;
	if (!v->established)
		return HALF_OPEN_KEPT_NS;
	if (is_covered(table, wire) && !has_sock(wire))
		return ENDED_KEPT_NS;
	if (has_state(v, TCPS_FIN_WAIT1) || has_state(v, TCPS_CLOSING) ||
	    has_state(v, TCPS_LAST_ACK))
		return CLOSING_KEPT_NS;
	return IDLE_KEPT_NS;
}

static void set_endpoint(struct endpoint *end, const struct flow_key *key, enum flow_dir dir)
{
	end->addr = key->addr[dir];
	end->port = TW_BE16(key->port[dir]);
}

/* Which end is ours: the socket knows, else the addresses; in between two strangers, who began. */
static void orient(const struct session_table *table, struct wire_session *wire)
{
	const struct alias *alias = pool__get(&table->aliases, wire->shown_alias);
	const struct flow_key *key = alias ? &alias->key : &wire->ev.key;
	enum flow_dir local_in_key;
	unsigned ours = wire->locals | wire->owned;

	if (has_sock(wire))
		ours = (wire->sock[DIR_LOW] ? 1 : 0) | (wire->sock[DIR_HIGH] ? 2 : 0);
	wire->row.is_forwarded = !ours;
	legs__show(wire, &wire->row);
	wire->row.local_dir = ours == 1 ? DIR_LOW : ours == 2 ? DIR_HIGH : wire->verdict.originator;
	local_in_key = wire->row.local_dir ^ (alias && alias->is_swapped);
	set_endpoint(&wire->row.local, key, local_in_key);
	set_endpoint(&wire->row.remote, key, !local_in_key);
}

static uint8_t shown_state(const struct session_table *table, const struct wire_session *wire)
{
	uint8_t state = wire->verdict.state[wire->row.local_dir];

	if (has_sock(wire) || is_covered(table, wire))
		return NOT_SHOWN;
	if (state == TCPS_CLOSED && table->now_ns >= wire->ev.last_ns + CLOSED_SHOWN_NS)
		return NOT_SHOWN;
	return state;
}

/* The last time of a fragment is rounded down, those of its steps are not. */
uint64_t wire__last_ns(const struct wire_session *wire)
{
	uint64_t end_ns = wire->verdict.end_ns;

	return wire->ev.last_ns > end_ns ? wire->ev.last_ns : end_ns;
}

void wire__judge(struct session_table *table, struct wire_session *wire)
{
	const struct evidence_verdict *v = &wire->verdict;
	bool is_half_open;

	evidence__judge(&wire->ev, table->now_ns, &wire->verdict);
	if (table->env.on_event && wire->attempt.is_over && !v->established && v->end == END_NOT)
		evidence__judge(&wire->ev, wire->ev.last_ns + HALF_OPEN_KEPT_NS + 1,
				&wire->verdict);
	orient(table, wire);
	tally__update(table, wire);
	table__count(table, &wire->counted, shown_state(table, wire));
	is_half_open = !v->established && v->end == END_NOT && !has_sock(wire);
	if (is_half_open && !wire->is_half_open)
		half_open__add(table, wire);
	else if (!is_half_open && wire->is_half_open)
		half_open__remove(table, wire);
	wire->due_ns = wire->ev.last_ns + kept_ns(table, wire) + 1;
	if (wire->counted == TCPS_CLOSED && wire->due_ns > wire->ev.last_ns + CLOSED_SHOWN_NS)
		wire->due_ns = wire->ev.last_ns + CLOSED_SHOWN_NS;
	/* Without its handshake it counts as opened by its last segment (wire__opened_ns()). */
	wire->is_steady =
		verdict__is_steady(v) && (v->ack_ns || wire->told_ns < wire__opened_ns(wire));
}

/* ---- room ---- */

void wire__forget(struct session_table *table, struct wire_session *wire)
{
	if (wire->todo & TODO_END)
		events__wire_end(table, wire, NULL, wire__last_ns(wire));
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		struct sock_row *sock = pool__get(&table->socks, wire->sock[dir]);

		if (!sock)
			continue;
		sock->wire = 0;
		socks__join(table, sock);
	}
	if (wire->is_half_open)
		half_open__remove(table, wire);
	table__count(table, &wire->counted, NOT_SHOWN);
	parts__clear(wire);
	legs__clear(wire);
	aliases__clear(table, wire);
	hash_index__remove(&table->wire_by_tuple, wire);
	if (table->n_sharing && wire__next_on(table, &wire->ev.key, NULL))
		table->n_sharing--;
	pool__delete(&table->wires, wire);
}

/* Ended before open ones, then those silent longest; sockets keep theirs. */
static struct wire_session *find_victim(struct session_table *table)
{
	struct wire_session *victim = pool__get(&table->wires, table->oldest_half_open);
	uint64_t least = UINT64_MAX;

	if (victim)
		return victim;
	for (unsigned looked = 0, step = 0;
	     looked < VICTIM_SAMPLE && step < table->wires.end && step < 64 * VICTIM_SAMPLE;
	     step++) {
		struct wire_session *wire;
		uint64_t value;

		table->victim_at = table->victim_at % table->wires.end + 1;
		wire = pool__get(&table->wires, table->victim_at);
		if (!wire || has_sock(wire))
			continue;
		looked++;
		value = wire->ev.last_ns | (wire->verdict.end == END_NOT ? 1ULL << 63 : 0);
		if (value > least)
			continue;
		least = value;
		victim = wire;
	}
	return victim;
}

void wire__make_room(struct session_table *table)
{
	struct wire_session *victim;

	if (table->wires.count < table->max_wire + table->socks.count)
		return;
	victim = find_victim(table);
	if (!victim)
		return;
	wire__forget(table, victim);
	table->stats.wire_forgotten++;
}

/* ---- what waits for the next settle ---- */

/* Lists @wire for the next settle. Without memory for that the end goes untold. */
void wire__put_off(struct session_table *table, struct wire_session *wire, uint8_t todo)
{
	if (!(wire->todo & TODO_LISTED) && table->n_pending == table->pending_room) {
		size_t room = table->pending_room ? table->pending_room * 2 : 64;
		uint32_t *pending = realloc(table->pending, room * sizeof(*pending));

		if (!pending)
			return;
		table->pending = pending;
		table->pending_room = room;
	}
	if (!(wire->todo & TODO_LISTED))
		table->pending[table->n_pending++] = wire->head.id;
	wire->todo |= TODO_LISTED | todo;
}

/* ---- time ---- */

/* More evidence of it may be on its way. */
static bool is_behind(const struct session_table *table, const struct wire_session *wire)
{
	bool is_told = table->env.on_event || table->caught_up_ns;

	return is_told && table->caught_up_ns < wire__last_ns(wire);
}

bool wire__expire(struct session_table *table, struct wire_session *wire)
{
	struct wire_before before = wire__before(wire);

	wire__judge(table, wire);
	events__wire_changed(table, wire, &before, table->now_ns);
	if (events__has_end(table, wire))
		events__wire_end(table, wire, NULL, table->now_ns);
	if (table->now_ns < wire->due_ns)
		return false;
	if (has_sock(wire)) { /* as long as there is a socket there is a session */
		wire->due_ns = table->now_ns + kept_ns(table, wire);
		return false;
	}
	if (table->now_ns < wire->ev.last_ns + kept_ns(table, wire) || is_behind(table, wire))
		return false;
	wire__forget(table, wire);
	return true;
}

/* Looks at so many sessions that all are looked at in a round, whatever the time between calls. */
static void expire_some(struct session_table *table)
{
	uint64_t passed_ns =
		table->now_ns > table->expiry_ns ? table->now_ns - table->expiry_ns : 0;
	uint64_t steps = table->wires.end;

	if (passed_ns < EXPIRY_ROUND_NS)
		steps = steps * passed_ns / EXPIRY_ROUND_NS + EXPIRY_STEP_MIN;
	if (steps > table->wires.end)
		steps = table->wires.end;
	table->expiry_ns = table->now_ns;
	while (steps--) {
		struct wire_session *wire;

		table->expiry_at = table->expiry_at % table->wires.end + 1;
		wire = pool__get(&table->wires, table->expiry_at);
		if (wire && table->now_ns >= wire->due_ns)
			wire__expire(table, wire);
	}
}

/* True if all is told. A fragment that is on its way is waited for, once. */
static bool finish_pending(struct session_table *table, struct wire_session *wire)
{
	bool is_complete = parts__pull(table, wire);

	wire->todo &= ~TODO_PULL;
	if (!(wire->todo & TODO_END))
		return true;
	if (!is_complete && !(wire->todo & TODO_WAITED)) {
		wire->todo |= TODO_WAITED;
		return false;
	}
	events__wire_end(table, wire, NULL, wire__last_ns(wire));
	return true;
}

void wire__settle(struct session_table *table)
{
	size_t kept = 0, count = table->n_pending;

	for (size_t i = 0; i < count; i++) {
		struct wire_session *wire = pool__get(&table->wires, table->pending[i]);

		if (!wire || !(wire->todo & TODO_LISTED))
			continue;
		if (finish_pending(table, wire))
			wire->todo = 0;
		else
			table->pending[kept++] = wire->head.id;
	}
	/* Pulling lists nothing new: what it brings ends a session that is listed already. */
	table->n_pending = kept;
	expire_some(table);
}
