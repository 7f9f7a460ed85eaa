/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which session a tap sees, where there are several on one tuple: two containers may have the same
 * address, and one session passes many taps. Not here: what becomes of the evidence
 * (session_table_wire.c), tuples beyond a translation (session_table_nat.c).
 */
#include "bpf/shared/track.h"
#include "session_table_internal.h"

/* As a fragment: what a segment proves is what one of it alone would hold. */
static const struct fragment *as_fragment(const struct sighting *seen, struct fragment *alone)
{
	if (seen->frag)
		return seen->frag;
	fragment__init(alone, seen->key, seen->rec->hdr.time_ns);
	track__segment(alone, &seen->rec->seg, seen->rec->hdr.time_ns);
	return alone;
}

/* Loopback at one end alone is a name that is half translated (NAT_BETWEEN). */
static bool leaves_no_namespace(const struct flow_key *key)
{
	return ip_addr__is_loopback(&key->addr[DIR_LOW]) &&
	       ip_addr__is_loopback(&key->addr[DIR_HIGH]);
}

enum evidence_kin sighting__kin(const struct sighting *seen, const struct wire_session *wire,
				bool is_swapped)
{
	struct fragment alone;

	if (leaves_no_namespace(seen->key))
		return KIN_NONE;
	return evidence__kin(&wire->ev, as_fragment(seen, &alone), is_swapped);
}

bool sighting__is_of_other(const struct sighting *seen, const struct wire_session *wire,
			   bool is_swapped)
{
	struct fragment alone;

	return evidence__isns_differ(&wire->ev, as_fragment(seen, &alone), is_swapped);
}

static bool is_nearer(const struct sighting *seen, const struct wire_session *wire,
		      const struct wire_session *other)
{
	struct fragment alone;
	const struct fragment *frag = as_fragment(seen, &alone);

	return evidence__distance(&wire->ev, frag, false) <
	       evidence__distance(&other->ev, frag, false);
}

/* An endpoint is in one place: what has the same one in another namespace is another session. */
static bool has_end_elsewhere(const struct session_table *table, const struct wire_session *wire,
			      uint16_t tap, uint32_t netns)
{
	struct flow_key key = wire->ev.key;
	uint8_t ends;

	key.tap = tap;
	ends = wire->locals ? wire->locals & wire__find_locals(table, &key) : 0;
	if (!ends || !wire->legs)
		return ends && wire->row.netns != netns;
	for (unsigned i = 0; i < wire->legs->count; i++) {
		key.tap = wire->legs->leg[i].tap;
		if (wire->legs->leg[i].netns != netns && ends & wire__find_locals(table, &key))
			return true;
	}
	return false;
}

static bool have_ends_apart(const struct session_table *table, const struct wire_session *wire,
			    const struct wire_session *other)
{
	if (!(wire->locals & other->locals))
		return false;
	if (!wire->legs)
		return has_end_elsewhere(table, other, wire->ev.key.tap, wire->row.netns);
	for (unsigned i = 0; i < wire->legs->count; i++)
		if (has_end_elsewhere(table, other, wire->legs->leg[i].tap,
				      wire->legs->leg[i].netns))
			return true;
	return false;
}

/*
 * The sessions on a tuple that @seen may be of: the one it shares an ISN with, which needs no more
 * proof; of those seen at other taps alone, were it of the same namespace, the nearest that it
 * might be; and the one that this tap saw before.
 */
struct choice {
	struct wire_session *same, *near, *former;
};

static void consider(const struct session_table *table, const struct sighting *seen,
		     struct wire_session *wire, struct choice *choice)
{
	enum evidence_kin kin = sighting__kin(seen, wire, false);

	if (kin == KIN_SAME && !choice->same)
		choice->same = wire;
	if (legs__has_tap(wire, seen->key->tap, seen->netns))
		choice->former = wire;
	else if (kin == KIN_NEAR && !has_end_elsewhere(table, wire, seen->key->tap, seen->netns) &&
		 (!choice->near || is_nearer(seen, wire, choice->near)))
		choice->near = wire;
}

static bool is_over(const struct wire_session *wire, const struct wire_session *other)
{
	return wire->ev.last_ns < other->ev.first_ns;
}

/* The two were always one, which was not to be seen while one was far behind. */
static bool may_be_one(const struct wire_session *wire, const struct wire_session *other)
{
	bool is_whole = !((wire->todo | other->todo) & TODO_PULL); /* their ISNs are read again */

	return is_whole && evidence__may_be_one(&wire->ev, &other->ev);
}

/* What the tap saw until now is over, as other taps have seen already, or is of @other. */
static void give_way(struct session_table *table, struct wire_session *wire,
		     struct wire_session *other)
{
	if (is_over(wire, other)) {
		parts__pull(table, wire);
		wire__judge(table, wire);
		events__wire_end(table, wire, wire->verdict.end == END_NOT ? "reused" : NULL,
				 wire__last_ns(wire));
		tally__end(table, wire);
	} else {
		tally__merge(table, wire, other);
		table->stats.wire_retransmits -= evidence__retransmits(&wire->ev);
		wire->todo &= ~TODO_END;
	}
	wire__forget(table, wire);
}

/* Proof of a session ends the one that this tap saw before, but not what is seen elsewhere. */
static bool gives_way_to_same(const struct choice *choice)
{
	const struct wire_session *former = choice->former;

	return is_over(former, choice->same) || may_be_one(former, choice->same);
}

static bool gives_way_to_near(const struct session_table *table, const struct choice *choice)
{
	const struct wire_session *former = choice->former;

	if (former->verdict.end != END_NOT && is_over(former, choice->near))
		return true;
	return may_be_one(former, choice->near) && !have_ends_apart(table, former, choice->near);
}

struct wire_session *sighting__find(struct session_table *table, const struct sighting *seen)
{
	struct wire_session *wire = wire__next_on(table, seen->key, NULL);
	struct choice choice = {0};

	if (!wire || (!wire__next_on(table, seen->key, wire) &&
		      legs__has_tap(wire, seen->key->tap, seen->netns)))
		return wire;
	for (; wire; wire = wire__next_on(table, seen->key, wire)) {
		consider(table, seen, wire, &choice);
		if (choice.same && choice.same == choice.former)
			return wire;
	}
	if (choice.same) {
		if (choice.former && choice.former != choice.same && gives_way_to_same(&choice))
			give_way(table, choice.former, choice.same);
		return choice.same;
	}
	if (!choice.former)
		return choice.near;
	if (!choice.near || !gives_way_to_near(table, &choice))
		return choice.former;
	give_way(table, choice.former, choice.near);
	return choice.near;
}

/* The last segment of a fragment is known to a millisecond, so it may seem earlier than it was. */
static bool is_over_by(const struct session_table *table, const struct sighting *seen,
		       uint64_t time_ns)
{
	const struct fragment *frag = seen->frag;

	if (!frag)
		return seen->rec->hdr.time_ns < time_ns;
	return frag->first_ns < time_ns && coarse_time__expand(frag->last, table->now_ns) < time_ns;
}

bool sighting__is_late(const struct session_table *table, const struct sighting *seen)
{
	const struct wire_session *wire = NULL;

	while ((wire = wire__next_on(table, seen->key, wire)))
		if (is_over_by(table, seen, wire->ev.first_ns))
			return true;
	return false;
}
