/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire sessions: which evidence belongs together, one incarnation of a tuple after the other, from
 * one tap. Not here: what evidence proves (verdict.c), counting each fragment once
 * (session_table_parts.c), how long sessions last (session_table_wire_life.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session_table_internal.h"

struct wire_before wire__before(const struct wire_session *wire)
{
	struct wire_before before = {.flags = wire->ev.flags};

	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		before.state[dir] = wire->verdict.state[dir];
		before.has_fin[dir] = wire->ev.half[dir].step_ns[STEP_FIN];
	}
	return before;
}

/* ---- finding, making and dropping sessions ---- */

static bool has_tuple(const struct wire_session *wire, const struct flow_key *key, uint32_t netns)
{
	return wire->row.netns == netns &&
	       !memcmp(&wire->ev.key, key, offsetof(struct flow_key, tap));
}

struct wire_session *wire__find(const struct session_table *table, const struct flow_key *key,
				uint32_t netns)
{
	struct wire_session *wire =
		hash_index__first(&table->wire_by_tuple, table__hash(table, key, netns));

	while (wire && !has_tuple(wire, key, netns))
		wire = hash_index__next(&table->wire_by_tuple, wire);
	return wire;
}

static uint8_t find_locals(const struct session_table *table, const struct flow_key *key)
{
	uint8_t locals = 0;

	if (!table->env.is_local)
		return 0;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		if (table->env.is_local(table->env.ctx, key->tap, &key->addr[dir]))
			locals |= 1 << dir;
	return locals;
}

static struct wire_session *create(struct session_table *table, const struct flow_key *key,
				   uint32_t netns)
{
	struct wire_session *wire;

	wire__make_room(table);
	wire = pool__new(&table->wires);
	if (!wire)
		return NULL;
	if (hash_index__insert(&table->wire_by_tuple, wire, table__hash(table, key, netns))) {
		pool__delete(&table->wires, wire);
		return NULL;
	}
	evidence__init(&wire->ev, key);
	wire->counted = NOT_SHOWN;
	wire->locals = find_locals(table, key);
	wire->row.netns = netns;
	wire->row.tap = key->tap;
	wire->row.wire = &wire->ev;
	wire->row.verdict = &wire->verdict;
	socks__link_wire(table, wire);
	return wire;
}

/* ---- which session evidence belongs to ---- */

static void forget_evidence(struct session_table *table, struct wire_session *wire,
			    const struct flow_key *key)
{
	parts__clear(wire);
	evidence__init(&wire->ev, key);
	wire->row.tap = key->tap;
	wire__put_off(table, wire, TODO_PULL);
}

/* The tuple is used again: what was on it has ended, whether or not its end was seen. */
static void begin_incarnation(struct session_table *table, struct wire_session *wire)
{
	struct flow_key key = wire->ev.key;

	parts__pull(table, wire);
	wire__judge(table, wire);
	events__wire_end(table, wire, wire->verdict.end == END_NOT ? "reused" : NULL,
			 table->now_ns);
	wire->prior_ns = wire->ev.last_ns;
	wire->told = 0;
	wire->todo &= TODO_LISTED;
	memset(&wire->verdict, 0, sizeof(wire->verdict));
	forget_evidence(table, wire, &key);
}

/*
 * Several taps of a namespace may see the same segments. The session is what the one with the
 * lowest number sees, so that nothing counts twice; another takes over when that one is gone.
 */
static bool takes_tap(struct session_table *table, struct wire_session *wire,
		      const struct flow_key *key)
{
	bool is_lower = key->tap < wire->row.tap;

	if (key->tap == wire->row.tap)
		return true;
	if (table__tap(table, is_lower ? key->tap : wire->row.tap)->is_gone == is_lower)
		return false;
	forget_evidence(table, wire, key);
	wire->locals = find_locals(table, key);
	return true;
}

/* A sender's SYN comes before all else it sends: one that does not is of a later session. */
static bool is_syn_of_later(const struct evidence *ev, unsigned dir, uint32_t isn, uint64_t syn_ns)
{
	const __u64 *step_ns = ev->half[dir].step_ns;

	if (!(ev->flags & FRAG_SEQ_VALID(dir)) || ev->flags & (FRAG_SYN(dir) | FRAG_SYNACK(dir)) ||
	    ev->half[dir].isn == isn)
		return false;
	return (step_ns[STEP_ACK] && step_ns[STEP_ACK] < syn_ns) ||
	       (step_ns[STEP_DATA] && step_ns[STEP_DATA] < syn_ns) ||
	       (step_ns[STEP_FIN] && step_ns[STEP_FIN] < syn_ns);
}

static bool fits_fragment(const struct wire_session *wire, const struct fragment *frag)
{
	if (frag->first_ns <= wire->prior_ns)
		return false;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		uint32_t syn_at = frag->step_at[dir][STEP_SYN];

		if (syn_at && is_syn_of_later(&wire->ev, dir, frag->half[dir].isn,
					      frag->first_ns + step_time__decode(syn_at)))
			return false;
	}
	return evidence__fits(&wire->ev, frag);
}

static bool fits_segment(const struct evidence *ev, const struct rec_segment *rec)
{
	unsigned dir = rec->seg.dir & 1;

	if (rec->seg.flags & TCPF_SYN && is_syn_of_later(ev, dir, rec->seg.seq, rec->hdr.time_ns))
		return false;
	return evidence__fits_segment(ev, rec);
}

/*
 * A SYN that does not fit an open session is ignored by its receiver (RFC 5961 section 4), so it is
 * here, until an answer shows that it did begin a session.
 */
static bool ignores_syn(const struct session_table *table, const struct wire_session *wire)
{
	return wire && wire->verdict.established && wire->verdict.end == END_NOT &&
	       wire->verdict.closed_first == DIR_COUNT &&
	       table->now_ns - wire->ev.last_ns < TIME_WAIT_NS;
}

static bool is_lone_syn(const struct fragment *frag)
{
	uint32_t flags = frag->flags & ~FRAG_STEPS;

	return flags == (FRAG_SYN(DIR_LOW) | FRAG_SEQ_VALID(DIR_LOW)) ||
	       flags == (FRAG_SYN(DIR_HIGH) | FRAG_SEQ_VALID(DIR_HIGH));
}

/*
 * The session for evidence of @key that began at @first_ns. *@wire is the one on the tuple or NULL;
 * @fits says whether the evidence is of it. Returns 0; -ESTALE to leave the evidence alone;
 * -ENOMEM.
 */
static int place(struct session_table *table, struct wire_session **wire,
		 const struct flow_key *key, uint32_t netns, bool fits, uint64_t first_ns)
{
	if (!*wire) {
		*wire = create(table, key, netns);
		return *wire ? 0 : -ENOMEM;
	}
	if (fits)
		return 0;
	if (first_ns < (*wire)->ev.first_ns) {
		table->stats.stragglers++;
		return -ESTALE;
	}
	begin_incarnation(table, *wire);
	return 0;
}

/* ---- records ---- */

/* Something was joined, @rec if that was a segment: conclude, tell. */
static void finish(struct session_table *table, struct wire_session *wire,
		   const struct rec_segment *rec, const struct wire_before *before,
		   uint64_t time_ns)
{
	wire__judge(table, wire);
	if (rec)
		events__segment(table, wire, rec, before);
	events__wire_changed(table, wire, before, time_ns);
	if (events__has_end(table, wire))
		wire__put_off(table, wire, TODO_END);
}

int wire__apply_fragment(struct session_table *table, const struct rec_fragment *rec)
{
	const struct fragment *frag = &rec->frag;
	uint32_t netns = table__tap(table, frag->key.tap)->netns;
	struct wire_session *wire = wire__find(table, &frag->key, netns);
	struct wire_before before;
	bool fits;
	int err;

	if (wire && !takes_tap(table, wire, &frag->key))
		return 0;
	fits = wire &&
	       (parts__find(wire, rec->hdr.cpu, frag->first_ns) || fits_fragment(wire, frag));
	if (table->pulling && !(wire == table->pulling && fits))
		return 0;
	if (!fits && is_lone_syn(frag) && ignores_syn(table, wire))
		return 0;
	err = place(table, &wire, &frag->key, netns, fits, frag->first_ns);
	if (err)
		return err == -ESTALE ? 0 : err;
	before = wire__before(wire);
	err = parts__take(wire, rec, table->now_ns);
	finish(table, wire, NULL, &before, wire->ev.last_ns);
	if (rec->why == FRAGMENT_EVICTED)
		events__evicted(table, wire, rec->hdr.time_ns);
	return err;
}

int wire__apply_segment(struct session_table *table, const struct rec_segment *rec)
{
	uint32_t netns = table__tap(table, rec->key.tap)->netns;
	struct wire_session *wire = wire__find(table, &rec->key, netns);
	struct wire_before before;
	bool fits;
	int err;

	if (wire && !takes_tap(table, wire, &rec->key))
		return 0;
	fits = wire && fits_segment(&wire->ev, rec);
	if (!fits && (rec->seg.flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN &&
	    ignores_syn(table, wire)) {
		events__syn_ignored(table, wire, rec);
		return 0;
	}
	err = place(table, &wire, &rec->key, netns, fits, rec->hdr.time_ns);
	if (err)
		return err == -ESTALE ? 0 : err;
	before = wire__before(wire);
	evidence__add_segment(&wire->ev, rec);
	wire->cpus_heard |= 1ULL << (rec->hdr.cpu & 63);
	finish(table, wire, rec, &before, rec->hdr.time_ns);
	return 0;
}
