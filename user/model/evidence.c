/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The join of evidence. Every rule here is a least upper bound (earliest time, union of flags,
 * farthest sequence number) or a sum, so order does not matter. Not here: what follows from it
 * (verdict.c).
 */
#include "bpf/shared/evidence.h"

#include <stdint.h>
#include <string.h>

#include "bpf/shared/track.h"

/* Two fragments touched within this time of each other know the same part of the sequence space. */
#define SAME_TIME_NS (2 * TW_NSEC_PER_SEC)

static uint64_t earliest(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a | b;
	return a < b ? a : b;
}

static bool has_isn(const struct evidence *ev, unsigned dir)
{
	return ev->flags & (FRAG_SYN(dir) | FRAG_SYNACK(dir));
}

static bool has_fin(const struct evidence *ev, unsigned dir)
{
	return evidence__took(ev, dir, STEP_FIN);
}

static uint8_t add_u8(uint8_t a, uint8_t b)
{
	return a + b > 0xff ? 0xff : (uint8_t)(a + b);
}

void evidence__init(struct evidence *ev, const struct flow_key *key)
{
	memset(ev, 0, sizeof(*ev));
	ev->key = *key;
}

/* A SYN tells the ISN; failing that, the lowest sequence number seen stands in for it. */
static void join_isn(struct evidence *into, const struct evidence *other, unsigned dir)
{
	uint32_t isn = other->half[dir].isn;

	if (!(other->flags & FRAG_SEQ_VALID(dir)) || (has_isn(into, dir) && !has_isn(other, dir)))
		return;
	if (!(into->flags & FRAG_SEQ_VALID(dir)) || (has_isn(other, dir) && !has_isn(into, dir)) ||
	    seq_before(isn, into->half[dir].isn))
		into->half[dir].isn = isn;
}

/*
 * The farther of two sequence numbers. Modulo 2^32 that has no meaning across gigabytes, so of two
 * fragments last touched far apart the later one knows better.
 */
static bool is_farther(const struct evidence *a, const struct evidence *b, uint32_t seq_a,
		       uint32_t seq_b)
{
	if (a->last_ns > b->last_ns + SAME_TIME_NS)
		return true;
	if (b->last_ns > a->last_ns + SAME_TIME_NS)
		return false;
	return seq_after(seq_a, seq_b);
}

/* The end of what @dir sent: nothing follows a FIN, so whoever saw the FIN knows it. */
static void join_nxt(struct evidence *into, const struct evidence *other, unsigned dir)
{
	struct evidence_half *mine = &into->half[dir];
	const struct evidence_half *theirs = &other->half[dir];

	if (!(other->flags & FRAG_SEQ_VALID(dir)))
		return;
	if (!(into->flags & FRAG_SEQ_VALID(dir)))
		mine->nxt = theirs->nxt;
	else if (has_fin(into, dir) != has_fin(other, dir))
		mine->nxt = has_fin(other, dir) ? theirs->nxt : mine->nxt;
	else if (is_farther(other, into, theirs->nxt, mine->nxt))
		mine->nxt = theirs->nxt;
}

static void join_ack(struct evidence *into, const struct evidence *other, unsigned dir)
{
	uint32_t ack = other->half[dir].ack;

	if (!(other->flags & FRAG_ACK_VALID(dir)))
		return;
	if (!(into->flags & FRAG_ACK_VALID(dir)) ||
	    is_farther(other, into, ack, into->half[dir].ack))
		into->half[dir].ack = ack;
}

static void join_half(struct evidence_half *into, const struct evidence_half *other)
{
	into->segments += other->segments;
	into->bytes += other->bytes;
	into->retransmits += other->retransmits;
	into->syn_retransmits = add_u8(into->syn_retransmits, other->syn_retransmits);
	into->fin_retransmits = add_u8(into->fin_retransmits, other->fin_retransmits);
}

/* All but the steps, and when it began. */
static void join_counts(struct evidence *into, const struct evidence *other)
{
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		join_isn(into, other, dir);
		join_nxt(into, other, dir);
		join_ack(into, other, dir);
	}
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		join_half(&into->half[dir], &other->half[dir]);
	into->flags |= other->flags;
	if (other->last_ns > into->last_ns)
		into->last_ns = other->last_ns;
}

void evidence__join(struct evidence *into, const struct evidence *other)
{
	join_counts(into, other);
	into->first_ns = earliest(into->first_ns, other->first_ns);
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		for (int step = 0; step < STEP_COUNT; step++)
			into->step_ns[dir][step] =
				earliest(into->step_ns[dir][step], other->step_ns[dir][step]);
}

/* Likewise, the rest is not set. */
static void counts_from(struct evidence *ev, const struct fragment *frag, uint64_t now_ns)
{
	ev->last_ns = coarse_time__expand(frag->last, now_ns);
	if (ev->last_ns < frag->first_ns) /* rounded down */
		ev->last_ns = frag->first_ns;
	ev->flags = frag->flags;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		const struct fragment_half *half = &frag->half[dir];

		ev->half[dir] = (struct evidence_half){
			.segments = half->segments,
			.bytes = half->bytes,
			.retransmits = frag->retransmits[dir],
			.isn = frag->isn[dir],
			.nxt = half->nxt,
			.ack = half->ack,
			.syn_retransmits = frag->syn_retransmits[dir],
			.fin_retransmits = frag->fin_retransmits[dir],
		};
	}
}

static void from_fragment(struct evidence *ev, const struct fragment *frag, uint64_t now_ns)
{
	evidence__init(ev, &frag->key);
	counts_from(ev, frag, now_ns);
	ev->first_ns = frag->first_ns;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		for (int step = 0; step < STEP_COUNT; step++)
			if (evidence__took(ev, dir, step))
				ev->step_ns[dir][step] =
					frag->first_ns +
					step_time__decode(frag->step_at[dir][step]);
}

/* @other has a flag that @ev lacks, or took a step earlier. */
static bool has_news_for(const struct evidence *ev, const struct evidence *other)
{
	if (other->flags & ~ev->flags)
		return true;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		for (int step = 0; step < STEP_COUNT; step++)
			if (evidence__took(other, dir, step) &&
			    other->step_ns[dir][step] < ev->step_ns[dir][step])
				return true;
	return false;
}

bool evidence__add_fragment(struct evidence *ev, const struct fragment *frag, __u64 now_ns)
{
	struct evidence other;
	bool has_news;

	from_fragment(&other, frag, now_ns);
	has_news = has_news_for(ev, &other);
	evidence__join(ev, &other);
	return has_news;
}

void evidence__add_counts(struct evidence *ev, const struct fragment *frag, __u64 now_ns)
{
	struct evidence other;

	counts_from(&other, frag, now_ns);
	join_counts(ev, &other);
}

void evidence__add_segment(struct evidence *ev, const struct rec_segment *rec)
{
	unsigned dir = rec->seg.dir & 1;
	struct fragment alone;
	struct evidence other;

	if (rec->why == SEG_RST_IGNORED)
		return;
	/* What the segment proves by itself is what a fragment of it alone would hold. */
	fragment__init(&alone, &rec->key, rec->hdr.time_ns);
	track__segment(&alone, &rec->seg, rec->hdr.time_ns);
	from_fragment(&other, &alone, rec->hdr.time_ns);
	other.last_ns = rec->hdr.time_ns;
	if (!track__is_first_syn(&rec->seg, rec->why))
		other.half[dir].segments = 0;
	other.half[dir].bytes = 0;
	if (rec->why == SEG_RETRANSMIT) {
		other.flags |= FRAG_STEP(dir, STEP_RETRANSMIT);
		other.step_ns[dir][STEP_RETRANSMIT] = rec->hdr.time_ns;
	}
	if (has_fin(ev, dir) && !(rec->seg.flags & TCPF_FIN) && ev->flags & FRAG_ACK_VALID(dir) &&
	    other.flags & FRAG_ACK_VALID(dir) && seq_after(other.half[dir].ack, ev->half[dir].ack))
		other.flags |= FRAG_ACK_AFTER_FIN(dir);
	evidence__join(ev, &other);
}

bool evidence__is_refusal(const struct evidence *ev, const struct segment *seg)
{
	unsigned dir = seg->dir & 1;
	const struct evidence_half *peer = &ev->half[!dir];

	if ((seg->flags & (TCPF_RST | TCPF_ACK)) != (TCPF_RST | TCPF_ACK) ||
	    ev->flags & FRAG_STEPS_OF(dir))
		return false;
	if (!(ev->flags & FRAG_SYN(!dir)) || evidence__took(ev, !dir, STEP_ACK) ||
	    evidence__took(ev, !dir, STEP_RST))
		return false;
	return seg->ack - peer->isn - 1 <= peer->nxt - peer->isn - 1;
}

/* Both know the ISN of @dir, and differ. */
static bool isns_differ(const struct evidence *ev, uint32_t flags, uint32_t isn, unsigned dir)
{
	return has_isn(ev, dir) && flags & (FRAG_SYN(dir) | FRAG_SYNACK(dir)) &&
	       ev->half[dir].isn != isn;
}

static bool isns_agree(const struct evidence *ev, uint32_t flags, uint32_t isn, unsigned dir)
{
	return has_isn(ev, dir) && flags & (FRAG_SYN(dir) | FRAG_SYNACK(dir)) &&
	       ev->half[dir].isn == isn;
}

static uint64_t reset_ns(const struct evidence *ev)
{
	return earliest(ev->step_ns[DIR_LOW][STEP_RST], ev->step_ns[DIR_HIGH][STEP_RST]);
}

/* What @dir sends in @frag cannot be of the session of @ev, because that had ended. */
static bool follows_end(const struct evidence *ev, const struct fragment *frag, unsigned dir)
{
	int32_t ahead = (int32_t)(frag->half[dir].nxt - ev->half[dir].nxt);

	if (!(ev->flags & frag->flags & FRAG_SEQ_VALID(dir)))
		return false;
	if (has_fin(ev, dir))
		return ahead > 0; /* nothing follows a FIN */
	return reset_ns(ev) && frag->first_ns > reset_ns(ev) &&
	       (ahead > (int32_t)TRACK_LEAP || ahead < -(int32_t)TRACK_LEAP);
}

bool evidence__fits(const struct evidence *ev, const struct fragment *frag)
{
	int32_t age = (int32_t)(coarse_time(ev->first_ns) - frag->last);

	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		/* The same SYN answered with another ISN: a listener that kept no state (SYN
		 * cookie). */
		if (isns_differ(ev, frag->flags, frag->isn[dir], dir) &&
		    !isns_agree(ev, frag->flags, frag->isn[!dir], !dir))
			return false;
		if (follows_end(ev, frag, dir))
			return false;
	}
	/* It was over before this session's SYN. */
	return !((has_isn(ev, DIR_LOW) || has_isn(ev, DIR_HIGH)) && age > 2);
}

bool evidence__fits_segment(const struct evidence *ev, const struct rec_segment *rec)
{
	unsigned dir = rec->seg.dir & 1;

	if (!(rec->seg.flags & TCPF_SYN) || !has_isn(ev, dir) || ev->half[dir].isn == rec->seg.seq)
		return true;
	return rec->seg.flags & TCPF_ACK && has_isn(ev, !dir) &&
	       ev->half[!dir].isn + 1 == rec->seg.ack;
}

/* Two readings of one session, taken at most seconds apart, are no farther apart than this. */
#define SAME_STRETCH (1 << 26)

static bool is_near(uint32_t a, uint32_t b)
{
	int32_t ahead = (int32_t)(a - b);

	return ahead >= -SAME_STRETCH && ahead <= SAME_STRETCH;
}

/* A contradiction, nothing in common, or how much: an enum evidence_kin. */
#define CONTRADICTS (-1)

static int compare_isns(const struct evidence *ev, const struct fragment *frag, unsigned mine,
			unsigned theirs)
{
	if (!has_isn(ev, mine) || !(frag->flags & (FRAG_SYN(theirs) | FRAG_SYNACK(theirs))))
		return KIN_NONE;
	return ev->half[mine].isn == frag->isn[theirs] ? KIN_SAME : CONTRADICTS;
}

/* What both know of the sequence numbers of one sender, @mine and @theirs. */
static int compare_half(const struct evidence *ev, const struct fragment *frag, unsigned mine,
			unsigned theirs)
{
	const struct evidence_half *half = &ev->half[mine];
	int same_isn = compare_isns(ev, frag, mine, theirs);

	if (same_isn || !(ev->flags & FRAG_SEQ_VALID(mine)))
		return same_isn;
	if (frag->flags & FRAG_SEQ_VALID(theirs))
		return is_near(frag->half[theirs].nxt, half->nxt) ||
				       is_near(frag->isn[theirs], half->isn)
			       ? KIN_NEAR
			       : CONTRADICTS;
	if (frag->flags & FRAG_ACK_VALID(!theirs))
		return is_near(frag->half[!theirs].ack, half->nxt) ? KIN_NEAR : CONTRADICTS;
	return KIN_NONE;
}

enum evidence_kin evidence__kin(const struct evidence *ev, const struct fragment *frag,
				bool is_swapped)
{
	int low = compare_half(ev, frag, DIR_LOW, DIR_LOW ^ is_swapped);
	int high = compare_half(ev, frag, DIR_HIGH, DIR_HIGH ^ is_swapped);

	if (low == CONTRADICTS || high == CONTRADICTS)
		return KIN_NONE;
	return low > high ? low : high;
}

bool evidence__isns_differ(const struct evidence *ev, const struct fragment *frag, bool is_swapped)
{
	return compare_isns(ev, frag, DIR_LOW, DIR_LOW ^ is_swapped) == CONTRADICTS ||
	       compare_isns(ev, frag, DIR_HIGH, DIR_HIGH ^ is_swapped) == CONTRADICTS;
}

static uint32_t half_distance(const struct evidence *ev, const struct fragment *frag, unsigned mine,
			      unsigned theirs)
{
	uint32_t nxt = frag->half[theirs].nxt;
	int32_t ahead;

	if (!(frag->flags & FRAG_SEQ_VALID(theirs)))
		nxt = frag->half[!theirs].ack;
	else if (frag->flags & FRAG_ACK_VALID(!theirs) && seq_after(frag->half[!theirs].ack, nxt))
		nxt = frag->half[!theirs].ack;
	ahead = (int32_t)(nxt - ev->half[mine].nxt);
	return ahead < 0 ? -(uint32_t)ahead : (uint32_t)ahead;
}

__u64 evidence__distance(const struct evidence *ev, const struct fragment *frag, bool is_swapped)
{
	__u64 distance = 0;

	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		unsigned theirs = dir ^ is_swapped;

		if (ev->flags & FRAG_SEQ_VALID(dir) &&
		    frag->flags & (FRAG_SEQ_VALID(theirs) | FRAG_ACK_VALID(!theirs)))
			distance += half_distance(ev, frag, dir, theirs);
	}
	return distance;
}

bool evidence__may_be_one(const struct evidence *a, const struct evidence *b)
{
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		if (has_isn(a, dir) && has_isn(b, dir) && a->half[dir].isn != b->half[dir].isn)
			return false;
	return true;
}
