/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting the sessions that no socket counts: those whose endpoints are both elsewhere, and
 * attempts that this host refuses without a socket. What a session has been counted for is kept
 * with it, and taken back if it turns out to be a socket's. Not here: counts of sockets, which the
 * kernel side keeps (bpf/sock.bpf.c).
 */
#include "session_table_internal.h"

#define OPENED	     (1u << 0)
#define CLOSED	     (1u << 1)
#define FAILED	     (1u << 2)
#define ASKED	     (1u << 3) /* the next two are known */
#define WATCHED(dir) (1u << (4 + (dir)))
#define FAILED_HERE  (1u << 6)
#define COUNTED	     (OPENED | CLOSED | FAILED | FAILED_HERE)

static void add(struct session_table *table, uint8_t what, int64_t n)
{
	table->stats.wire_opened += what & OPENED ? n : 0;
	table->stats.wire_closed += what & CLOSED ? n : 0;
	table->stats.wire_failed += what & FAILED ? n : 0;
	table->stats.wire_failed_here += what & FAILED_HERE ? n : 0;
}

/* The ends of @key that have the address of a namespace whose sockets count: a bit for each. */
static uint8_t watched_ends(const struct session_table *table, const struct flow_key *key)
{
	uint8_t ends = 0;

	for (unsigned dir = 0; table->env.is_local && dir < DIR_COUNT; dir++)
		if (table->env.is_local(table->env.ctx, ANY_TAP, &key->addr[dir]))
			ends |= 1u << dir;
	return ends;
}

/* Likewise of @wire, whatever its ends are called. */
static uint8_t watched_ends_of(const struct session_table *table, const struct wire_session *wire)
{
	const struct flow_key *key = &wire->ev.key;
	enum nat_side side;
	const struct nat *nat = table__nat(table, key, &side);

	if (!nat)
		return watched_ends(table, key);
	return ends__swap(watched_ends(table, &nat->side[NAT_BETWEEN].key),
			  nat__is_swapped(nat, side, NAT_BETWEEN));
}

/*
 * The sender is a socket that counts: by what taps and sockets told, and if these have not met, by
 * its address alone.
 */
static bool is_of_socket(const struct session_table *table, struct wire_session *wire, unsigned dir)
{
	if (!table->env.prefer_socket_events)
		return false;
	if (wire->sock[dir] || (wire->locals | wire->owned) & 1u << dir)
		return true;
	if (!(wire->tally & ASKED))
		wire->tally |= ASKED | watched_ends_of(table, wire) * WATCHED(DIR_LOW);
	return wire->tally & WATCHED(dir);
}

void tally__ask_again(struct wire_session *wire)
{
	wire->tally &= COUNTED;
}

/* As of sockets: the first FIN closes, or a reset. 0: it is open. */
static uint64_t closing_ns(const struct wire_session *wire)
{
	const struct evidence_verdict *v = &wire->verdict;
	uint64_t fin_ns;

	if (v->closed_first == DIR_COUNT)
		return 0;
	fin_ns = wire->ev.step_ns[v->closed_first][STEP_FIN];
	return fin_ns ? fin_ns : v->end_ns;
}

static uint8_t established_as(const struct wire_session *wire)
{
	uint64_t since_ns = wire->told_ns;

	/* One picked up midstream was opened before anyone looked. */
	return (evidence__has_syn(&wire->ev) && wire__opened_ns(wire) > since_ns ? OPENED : 0) |
	       (closing_ns(wire) > since_ns ? CLOSED : 0);
}

static bool has_failed(const struct wire_session *wire)
{
	const struct evidence_verdict *v = &wire->verdict;

	if (v->end == END_NOT)
		return wire->attempt.is_over && wire->ev.last_ns > wire->told_ns;
	return v->end_ns > wire->told_ns;
}

/*
 * Of attempts at this host those that came to no socket: refused, or never answered. Once there
 * was a SYN-ACK there was a request, or a cookie, and the kernel counts what becomes of it.
 */
static uint8_t failed_as(const struct session_table *table, struct wire_session *wire)
{
	const struct evidence_verdict *v = &wire->verdict;

	if (!has_failed(wire) || !evidence__has_syn(&wire->ev) ||
	    is_of_socket(table, wire, v->originator))
		return 0;
	if (!is_of_socket(table, wire, !v->originator))
		return FAILED;
	return v->end != END_RESET && !v->synack_ns ? FAILED | FAILED_HERE : 0;
}

void tally__update(struct session_table *table, struct wire_session *wire)
{
	uint8_t had = wire->tally & COUNTED, has = had;

	if (!wire->verdict.established)
		has = (had & ~(FAILED | FAILED_HERE)) | failed_as(table, wire);
	else
		has = (had & ~(FAILED | FAILED_HERE)) | established_as(wire);
	if (has & (OPENED | CLOSED) &&
	    (is_of_socket(table, wire, DIR_LOW) || is_of_socket(table, wire, DIR_HIGH)))
		has &= ~(OPENED | CLOSED);
	if (has == had)
		return;
	add(table, has & ~had, 1);
	add(table, had & ~has, -1);
	wire->tally = (wire->tally & ~COUNTED) | has;
}

void tally__end(struct session_table *table, struct wire_session *wire)
{
	if (wire->verdict.established && wire->tally & OPENED && !(wire->tally & CLOSED))
		add(table, CLOSED, 1);
	wire->tally = 0;
}

void tally__merge(struct session_table *table, struct wire_session *from, struct wire_session *to)
{
	add(table, from->tally & to->tally & COUNTED, -1);
	to->tally |= from->tally & COUNTED;
	from->tally = 0;
}
