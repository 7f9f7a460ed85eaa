/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire sessions: which evidence belongs together, one incarnation of a tuple after the other, of
 * one tap of all that see it. Not here: which of several sessions on one tuple it is of
 * (session_table_sightings.c), what evidence proves (verdict.c), counting each fragment once
 * (session_table_parts.c), how long sessions last (session_table_wire_life.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/shared/track.h"
#include "session_table_internal.h"

struct wire_before wire__before(const struct wire_session *wire)
{
	struct wire_before before = {.flags = wire->ev.flags};

	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		before.state[dir] = wire->verdict.state[dir];
		before.has_fin[dir] = evidence__took(&wire->ev, dir, STEP_FIN);
	}
	return before;
}

/* ---- finding, making and dropping sessions ---- */

struct wire_session *wire__next_on(const struct session_table *table, const struct flow_key *key,
				   const struct wire_session *wire)
{
	struct wire_session *next;

	if (wire && !table->n_sharing)
		return NULL;
	next = wire ? hash_index__next(&table->wire_by_tuple, wire)
		    : hash_index__first(&table->wire_by_tuple, table__hash(table, key));
	while (next && !flow_key__same_ends(&next->ev.key, key))
		next = hash_index__next(&table->wire_by_tuple, next);
	return next;
}

struct wire_session *wire__find(const struct session_table *table, const struct flow_key *key,
				uint32_t netns)
{
	struct wire_session *wire = wire__next_on(table, key, NULL);

	while (wire && !legs__has_netns(wire, netns))
		wire = wire__next_on(table, key, wire);
	return wire;
}

struct wire_session *wire__find_lone(const struct session_table *table, const struct flow_key *key)
{
	struct wire_session *wire = wire__next_on(table, key, NULL);

	return wire && !wire__next_on(table, key, wire) ? wire : NULL;
}

uint8_t wire__find_locals(const struct session_table *table, const struct flow_key *key)
{
	uint8_t locals = 0;

	if (!table->env.is_local)
		return 0;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		if (table->env.is_local(table->env.ctx, key->tap, &key->addr[dir]))
			locals |= 1 << dir;
	return locals;
}

static struct wire_session *create(struct session_table *table, const struct sighting *seen)
{
	const struct flow_key *key = seen->key;
	struct wire_session *wire;
	bool is_sharing;

	wire__make_room(table);
	is_sharing = wire__next_on(table, key, NULL);
	wire = pool__new(&table->wires);
	if (!wire)
		return NULL;
	if (hash_index__insert(&table->wire_by_tuple, wire, table__hash(table, key))) {
		pool__delete(&table->wires, wire);
		return NULL;
	}
	table->n_sharing += is_sharing;
	evidence__init(&wire->ev, key);
	wire->told_ns = table->caught_up_ns;
	wire->counted = NOT_SHOWN;
	wire->locals = nat__find_ends(table, wire, key);
	wire->row.netns = seen->netns;
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
	wire->is_steady = false;
	wire__put_off(table, wire, TODO_PULL);
}

/* The tuple is used again: what was on it has ended, whether or not its end was seen. */
static void begin_incarnation(struct session_table *table, struct wire_session *wire)
{
	struct flow_key key = wire->ev.key;

	parts__pull(table, wire);
	wire__judge(table, wire);
	events__wire_end(table, wire, wire->verdict.end == END_NOT ? "reused" : NULL,
			 wire__last_ns(wire));
	tally__end(table, wire);
	wire->prior_ns = wire->ev.last_ns;
	wire->told_ns = table->caught_up_ns;
	wire->told = 0;
	wire->todo &= TODO_LISTED;
	memset(&wire->verdict, 0, sizeof(wire->verdict));
	wire->attempt = (struct wire_attempt){0};
	wire->row.syn_fate = SYN_FATE_NONE;
	legs__clear(wire);
	aliases__clear(table, wire);
	wire->row.netns = table__tap(table, key.tap)->netns;
	wire->locals = 0;
	wire->locals = nat__find_ends(table, wire, &key);
	wire->owned = 0;
	forget_evidence(table, wire, &key);
}

/* A row is of the namespace that has an endpoint of the session, rather than of one on its way. */
static void add_leg(struct session_table *table, struct wire_session *wire,
		    const struct sighting *seen)
{
	uint8_t locals;

	if (!legs__add(table, wire, seen))
		return;
	locals = nat__find_ends(table, wire, seen->key);
	if (!wire->locals && locals)
		wire->row.netns = seen->netns;
	wire->locals |= locals;
	socks__link_wire(table, wire);
	wire->is_steady = false;
}

/* The tap to count at: one that sees the whole session rather than a share, then the lower one. */
static bool is_preferred(struct session_table *table, uint16_t tap, uint16_t counted)
{
	const struct tap_facts facts = *table__tap(table, tap), other = *table__tap(table, counted);

	if (facts.is_gone || other.is_gone)
		return !facts.is_gone;
	if (facts.is_share != other.is_share)
		return other.is_share;
	return tap < counted;
}

/*
 * Several taps may see the same segments. The session is what one of them sees, so that nothing
 * counts twice; another takes over when that one is gone.
 */
static bool takes_tap(struct session_table *table, struct wire_session *wire,
		      const struct sighting *seen)
{
	uint16_t counted = wire->ev.key.tap, tap = seen->key->tap;

	if (tap == counted)
		return true;
	add_leg(table, wire, seen);
	if (!is_preferred(table, tap, counted))
		return false;
	table->stats.wire_retransmits -= evidence__retransmits(&wire->ev);
	forget_evidence(table, wire, seen->key);
	return true;
}

/* A sender's SYN comes before all else it sends: one that does not is of a later session. */
static bool is_syn_of_later(const struct evidence *ev, unsigned dir, uint32_t isn, uint64_t syn_ns)
{
	const __u64 *step_ns = ev->step_ns[dir];

	if (!(ev->flags & FRAG_SEQ_VALID(dir)) || ev->flags & (FRAG_SYN(dir) | FRAG_SYNACK(dir)) ||
	    ev->half[dir].isn == isn)
		return false;
	return (step_ns[STEP_ACK] && step_ns[STEP_ACK] < syn_ns) ||
	       (step_ns[STEP_DATA] && step_ns[STEP_DATA] < syn_ns) ||
	       (step_ns[STEP_FIN] && step_ns[STEP_FIN] < syn_ns);
}

/* Once refused, even the same SYN is another attempt (track__place_syn()), from either end. */
static bool is_after_refusal(const struct wire_session *wire, uint64_t syn_ns)
{
	return wire->verdict.end == END_REFUSED && syn_ns > wire->verdict.end_ns;
}

static bool fits_fragment(const struct wire_session *wire, const struct fragment *frag)
{
	if (frag->first_ns <= wire->prior_ns)
		return false;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		uint32_t syn_at = frag->step_at[dir][STEP_SYN];
		uint64_t syn_ns = frag->first_ns + step_time__decode(syn_at);

		if (!syn_at)
			continue;
		if (is_syn_of_later(&wire->ev, dir, frag->isn[dir], syn_ns))
			return false;
		if (frag->flags & FRAG_SYN(dir) && is_after_refusal(wire, syn_ns))
			return false;
	}
	return evidence__fits(&wire->ev, frag);
}

static bool fits_segment(const struct wire_session *wire, const struct rec_segment *rec)
{
	unsigned dir = rec->seg.dir & 1;
	uint64_t time_ns = rec->hdr.time_ns;

	if (rec->seg.flags & TCPF_SYN && is_syn_of_later(&wire->ev, dir, rec->seg.seq, time_ns))
		return false;
	if ((rec->seg.flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN && is_after_refusal(wire, time_ns))
		return false;
	return evidence__fits_segment(&wire->ev, rec);
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
 * The session for what was @seen, which began at @first_ns. *@wire is the one on the tuple or NULL;
 * @fits says whether the evidence is of it. Returns 0; -ESTALE to leave the evidence alone, which
 * is of a session before; -ENOMEM.
 */
static int place(struct session_table *table, struct wire_session **wire,
		 const struct sighting *seen, bool fits, uint64_t first_ns)
{
	if (!*wire && !sighting__is_late(table, seen)) {
		*wire = create(table, seen);
		return *wire ? 0 : -ENOMEM;
	}
	if (fits)
		return 0;
	if (!*wire || first_ns < (*wire)->ev.first_ns) {
		table->stats.stragglers++;
		return -ESTALE;
	}
	begin_incarnation(table, *wire);
	return 0;
}

/* ---- records ---- */

/* It is seen beyond a translation of addresses. */
static bool takes_alias(struct session_table *table, struct sighting *seen)
{
	return aliases__take(table, seen) || nat__take(table, seen);
}

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
	attempts__follow(table, wire);
}

/* The record adds but counts to @part: what was before lies apart, and is looked at only if it
 * matters.
 */
static int count_on(struct session_table *table, struct wire_session *wire, struct wire_part *part,
		    const struct rec_fragment *rec)
{
	int err = parts__take(table, wire, part, rec);
	struct wire_before before;

	if (wire->is_steady)
		return err;
	before = wire__before(wire); /* no flag has changed, and it was not judged since */
	finish(table, wire, NULL, &before, wire->ev.last_ns);
	return err;
}

int wire__apply_fragment(struct session_table *table, const struct rec_fragment *rec)
{
	const struct fragment *frag = &rec->frag;
	struct sighting seen = {
		.key = &frag->key,
		.netns = table__tap(table, frag->key.tap)->netns,
		.frag = frag,
	};
	struct wire_session *wire = table->pulling ? table->pulling : sighting__find(table, &seen);
	struct wire_before before;
	struct wire_part *part;
	bool fits;
	int err;

	if (wire ? !takes_tap(table, wire, &seen) : takes_alias(table, &seen))
		return 0;
	part = wire ? parts__find(wire, rec->hdr.cpu, frag->first_ns) : NULL;
	if (parts__is_counting(wire, part, rec))
		return count_on(table, wire, part, rec);
	fits = part || (wire && fits_fragment(wire, frag));
	if (table->pulling && !fits)
		return 0;
	if (!fits && is_lone_syn(frag) && ignores_syn(table, wire))
		return 0;
	err = place(table, &wire, &seen, fits, frag->first_ns);
	if (err)
		return err == -ESTALE ? 0 : err;
	before = wire__before(wire);
	err = parts__take(table, wire, part, rec);
	if (!wire->is_steady)
		finish(table, wire, NULL, &before, wire->ev.last_ns);
	if (rec->why == FRAGMENT_EVICTED)
		events__evicted(table, wire, rec->hdr.time_ns);
	return err;
}

/* First the slots of the index, then of what they name what all fragments change. */
void wire__expect(struct session_table *table, const union record *records, size_t count)
{
	uint32_t hashes[EXPECTED_MAX];

	if (count > EXPECTED_MAX)
		count = EXPECTED_MAX;
	for (size_t i = 0; i < count; i++) {
		hashes[i] = table__hash(table, &records[i].fragment.frag.key);
		hash_index__fetch_slot(&table->wire_by_tuple, hashes[i]);
	}
	for (size_t i = 0; i < count; i++)
		hash_index__fetch_object(&table->wire_by_tuple, hashes[i],
					 offsetof(struct wire_session, ev.first_ns));
}

/* @rec, or what it is by all that is known: in @heard, then. */
static const struct rec_segment *hear(const struct wire_session *wire,
				      const struct rec_segment *rec, struct rec_segment *heard)
{
	if (rec->why != SEG_RST_IGNORED || !evidence__is_refusal(&wire->ev, &rec->seg))
		return rec;
	*heard = *rec;
	heard->why = SEG_NEW_STEP;
	return heard;
}

int wire__apply_segment(struct session_table *table, const struct rec_segment *rec)
{
	struct sighting seen = {
		.key = &rec->key,
		.netns = table__tap(table, rec->key.tap)->netns,
		.rec = rec,
	};
	struct wire_session *wire = sighting__find(table, &seen);
	struct rec_segment heard;
	struct wire_before before;
	bool fits;
	int err;

	if (wire ? !takes_tap(table, wire, &seen) : takes_alias(table, &seen))
		return 0;
	fits = wire && fits_segment(wire, rec);
	if (!fits && (rec->seg.flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN &&
	    ignores_syn(table, wire)) {
		events__syn_ignored(table, wire, rec);
		return 0;
	}
	err = place(table, &wire, &seen, fits, rec->hdr.time_ns);
	if (err)
		return err == -ESTALE ? 0 : err;
	before = wire__before(wire);
	rec = hear(wire, rec, &heard);
	evidence__add_segment(&wire->ev, rec);
	wire->cpus_heard |= 1ULL << (rec->hdr.cpu & 63);
	attempts__take(table, wire, rec, &before);
	finish(table, wire, rec, &before, rec->hdr.time_ns);
	return 0;
}
