/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a segment adds to a fragment: the in-kernel half of the tracker. Pure: time is an argument,
 * no helper, no map. It notes evidence and leaves conclusions to evidence.h, since this CPU may see
 * only one direction of the session.
 */
#ifndef TCPWATCH_SHARED_TRACK_H
#define TCPWATCH_SHARED_TRACK_H

#include "abi.h"

/* Farther than any window can reach (65535 << 14, RFC 7323 section 2.3). */
#define TRACK_WINDOW (1u << 30)
/* How far an acknowledgement may run ahead of what this CPU saw acknowledged before any payload. */
#define TRACK_ACK_SLACK (1u << 24)
/* A fragment idle this long (coarse units, about 1 s) may have missed what other CPUs saw. */
#define TRACK_STALE (1u << 10)

/* What to do with the fragment before the segment is added. */
enum track_place {
	PLACE_ADD,     /* it belongs here */
	PLACE_REUSED,  /* hand the fragment over: a new session begins on the tuple */
	PLACE_RESYNC,  /* hand it over: the sequence numbers have moved on unseen */
	PLACE_OUTSIDE, /* the segment cannot be of this session: leave the fragment alone */
};

/* Steps of fragment.flags that tell of an end, and of a peer that has acknowledged. */
#define FRAG_CLOSING	  (FRAG_STEP_EITHER(STEP_FIN) | FRAG_STEP_EITHER(STEP_RST))
#define FRAG_SYNCHRONISED (FRAG_STEP_EITHER(STEP_ACK) | FRAG_STEP_EITHER(STEP_DATA))

static __always_inline bool fragment__has_fin(const struct fragment *f)
{
	return f->flags & FRAG_STEP_EITHER(STEP_FIN);
}

static __always_inline bool fragment__is_closing(const struct fragment *f)
{
	return f->flags & FRAG_CLOSING;
}

static __always_inline bool fragment__is_synchronised(const struct fragment *f, __u32 dir)
{
	return f->flags & (FRAG_STEP(dir, STEP_ACK) | FRAG_STEP(dir, STEP_DATA));
}

static __always_inline bool fragment__has_isn(const struct fragment *f, __u32 dir)
{
	return f->flags & (FRAG_SYN(dir) | FRAG_SYNACK(dir));
}

static __always_inline bool fragment__is_idle(const struct fragment *f, __u64 now_ns, __u32 units)
{
	return coarse_time(now_ns) - f->last > units && coarse_time(now_ns) - f->last < 0x80000000u;
}

/*
 * A SYN: the first of its session, one sent again, or one of the session after. An open session
 * ignores such a one (RFC 5961 section 4), but whether it is open only the join knows: the end may
 * have passed on another CPU.
 */
static __always_inline enum track_place track__place_syn(const struct fragment *f,
							 const struct segment *seg)
{
	const struct fragment_half *peer = &f->half[!segment__dir(seg)];

	if (fragment__has_isn(f, segment__dir(seg))) {
		/* Once refused, even the same SYN is another attempt. */
		return f->isn[segment__dir(seg)] == seg->seq &&
				       !(f->flags & FRAG_STEP(!segment__dir(seg), STEP_RST))
			       ? PLACE_ADD
			       : PLACE_REUSED;
	}
	if (f->flags & FRAG_SEQ_VALID(segment__dir(seg)) || fragment__is_closing(f))
		return PLACE_REUSED;
	/* The sender's first here. The peer's SYN: both open at once; its ACK of this one: late. */
	if (f->flags & (segment__dir(seg) ? FRAG_SYN(0) : FRAG_SYN(1)))
		return PLACE_ADD;
	return f->flags & FRAG_ACK_VALID(!segment__dir(seg)) && peer->ack == seg->seq + 1
		       ? PLACE_ADD
		       : PLACE_REUSED;
}

/* A SYN-ACK: it belongs to the SYN it acknowledges. */
static __always_inline enum track_place track__place_synack(const struct fragment *f,
							    const struct segment *seg)
{
	const struct fragment_half *peer = &f->half[!segment__dir(seg)];

	if (fragment__has_isn(f, segment__dir(seg)) && f->isn[segment__dir(seg)] == seg->seq)
		return PLACE_ADD;
	if (fragment__has_isn(f, !segment__dir(seg))) {
		if (seg->ack != f->isn[!segment__dir(seg)] + 1)
			return fragment__is_closing(f) ? PLACE_REUSED : PLACE_OUTSIDE;
		/* A listener that kept no state (a SYN cookie) answers a repeated SYN with another
		 * ISN. */
		return fragment__is_synchronised(f, !segment__dir(seg)) &&
				       fragment__has_isn(f, segment__dir(seg))
			       ? PLACE_OUTSIDE
			       : PLACE_ADD;
	}
	if (f->flags & FRAG_SEQ_VALID(segment__dir(seg)))
		return PLACE_REUSED;
	return (f->flags & FRAG_ACK_VALID(!segment__dir(seg))) && peer->ack == seg->seq + 1
		       ? PLACE_ADD
		       : PLACE_REUSED;
}

/*
 * Nothing but @dir's SYN was seen here, and what comes next from it does not follow that: other
 * CPUs saw what is in between, or the SYN was a stray one that its receiver ignored.
 */
static __always_inline bool track__skips_syn(const struct fragment *f, const struct segment *seg)
{
	__u32 dir = segment__dir(seg);

	return (f->flags & ~FRAG_STEPS) == (FRAG_SYN(dir) | FRAG_SEQ_VALID(dir)) &&
	       !fragment__is_synchronised(f, dir) && seg->seq != f->half[dir].nxt;
}

/*
 * What comes next from the sender of @seg lies beyond its FIN, or far ahead of all that this CPU
 * saw of it. It may be of another session on the tuple, whose SYN another CPU saw: a fragment of
 * its own lets the join decide. Linux counts its ISNs up by so much in 67 ms (secure_tcp_seq in
 * net/core/secure_seq.c).
 */
#define TRACK_LEAP (1u << 20)

static __always_inline bool track__leaps(const struct fragment *f, const struct segment *seg)
{
	__u32 dir = segment__dir(seg), ahead = seg->seq - f->half[dir].nxt;

	return ahead <= TRACK_WINDOW &&
	       ahead > (f->flags & FRAG_STEP(dir, STEP_FIN) ? 0 : TRACK_LEAP);
}

/*
 * track__place() - whether @seg belongs to the session of @f, which has the same tuple
 */
static __always_inline enum track_place track__place(const struct fragment *f,
						     const struct segment *seg, __u64 now_ns)
{
	__u32 ahead;

	if (TW_UNLIKELY(seg->flags & TCPF_SYN))
		return seg->flags & TCPF_ACK ? track__place_synack(f, seg)
					     : track__place_syn(f, seg);
	if (!(f->flags & FRAG_SEQ_VALID(segment__dir(seg))) || seg->flags & TCPF_RST)
		return PLACE_ADD;
	if (TW_UNLIKELY(track__skips_syn(f, seg) || track__leaps(f, seg)))
		return PLACE_RESYNC;
	ahead = seg->seq - f->half[segment__dir(seg)].nxt + TRACK_WINDOW;
	if (TW_LIKELY(ahead <= 2 * TRACK_WINDOW))
		return PLACE_ADD;
	return fragment__is_idle(f, now_ns, TRACK_STALE) ? PLACE_RESYNC : PLACE_OUTSIDE;
}

/* fragment__date() - @f begins at @now_ns */
static __always_inline void fragment__date(struct fragment *f, __u64 now_ns)
{
	f->first_ns = now_ns;
	f->last = coarse_time(now_ns);
}

/* fragment__init() - an empty fragment of the session @key */
static __always_inline void fragment__init(struct fragment *f, const struct flow_key *key,
					   __u64 now_ns)
{
	f->key = *key;
	__builtin_memset(&f->last, 0, sizeof(*f) - sizeof(f->key));
	fragment__date(f, now_ns);
}

/* fragment__is_full() - a counter has used half its range: hand the fragment over before it can
 * wrap */
static __always_inline bool fragment__is_full(const struct fragment *f)
{
	const struct fragment_half *low = &f->half[DIR_LOW], *high = &f->half[DIR_HIGH];

	return (low->bytes | low->segments | high->bytes | high->segments) >> 31 |
	       (f->retransmits[DIR_LOW] | f->retransmits[DIR_HIGH]) >> 15;
}

/* fragment__continue() - start anew when full: sequence numbers stay, times and counters do
 * not */
static __always_inline void fragment__continue(struct fragment *f, __u64 now_ns)
{
	__builtin_memset(f->step_at, 0, sizeof(f->step_at));
	f->flags &= ~FRAG_STEPS;
	f->first_ns = now_ns;
	TW_UNROLL
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		f->half[dir].segments = 0;
		f->half[dir].bytes = 0;
		f->retransmits[dir] = 0;
		f->syn_retransmits[dir] = 0;
		f->fin_retransmits[dir] = 0;
	}
}

/*
 * track__wants_precise_time() - true if @seg may take a step whose time is kept, or be worth an
 * event
 *
 * Otherwise the coarse clock will do, which costs a fraction.
 */
static __always_inline bool track__wants_precise_time(const struct fragment *f,
						      const struct segment *seg)
{
	__u32 dir = segment__dir(seg);

	if (seg->flags & (TCPF_SYN | TCPF_FIN | TCPF_RST) || fragment__has_fin(f))
		return true;
	if (seg->payload && seq_before(seg->seq, f->half[dir].nxt))
		return true;
	return !(f->flags & FRAG_STEP(dir, seg->payload ? STEP_DATA : STEP_ACK));
}

/* Notes the first time of @step; true if it is new to the fragment. */
static __always_inline bool track__step(struct fragment *f, __u32 dir, enum session_step step,
					__u64 now_ns)
{
	if (f->flags & FRAG_STEP(dir, step))
		return false;
	f->flags |= FRAG_STEP(dir, step);
	f->step_at[dir][step] = step_time__encode(now_ns - f->first_ns);
	return true;
}

static __always_inline void count_u8(__u8 *counter)
{
	if (*counter != 0xff)
		++*counter;
}

/*
 * RFC 9293 section 3.10.7.4, RFC 5961 section 3.2: a RST is accepted at RCV.NXT exactly; in answer
 * to a SYN, if it acknowledges it. RCV.NXT is what the receiver acknowledged last or, seen from the
 * other side, what the sender sent last. A sender whose segments other CPUs saw too may be ahead of
 * what this CPU knows of it; then a later number is believed if no acknowledgement here contradicts
 * it.
 */
static __always_inline bool track__rst_is_valid(const struct fragment *f, const struct segment *seg)
{
	const struct fragment_half *me = &f->half[segment__dir(seg)],
				   *peer = &f->half[!segment__dir(seg)];
	__u32 isn = f->isn[!segment__dir(seg)]; /* of the peer */
	bool seq_valid = f->flags & FRAG_SEQ_VALID(segment__dir(seg));
	bool ack_valid = f->flags & FRAG_ACK_VALID(!segment__dir(seg));

	if (!seq_valid && !ack_valid) {
		if (!fragment__has_isn(f, !segment__dir(seg)))
			return true; /* nothing is known here that could contradict it */
		return seg->flags & TCPF_ACK && seg->ack - isn - 1 <= peer->nxt - isn - 1;
	}
	if (seq_valid && seg->seq == me->nxt)
		return true;
	if (ack_valid)
		return seg->seq == peer->ack;
	return seq_after(seg->seq, me->nxt) && seg->seq - me->nxt <= TRACK_WINDOW;
}

/* Until payload flows, an acknowledgement must be of what the peer sent: a stray one must not
 * stick. */
static __always_inline bool track__ack_is_plausible(const struct fragment *f,
						    const struct segment *seg)
{
	const struct fragment_half *peer = &f->half[!segment__dir(seg)];
	__u32 isn = f->isn[!segment__dir(seg)]; /* of the peer */

	if (!fragment__has_isn(f, !segment__dir(seg)) || f->flags & FRAG_STEP_EITHER(STEP_DATA))
		return true;
	return seg->ack - isn - 1 <= peer->nxt - isn - 1 + TRACK_ACK_SLACK;
}

/* Takes in the acknowledgement number; true if it went on. */
static __always_inline bool track__ack(struct fragment *f, const struct segment *seg)
{
	struct fragment_half *me = &f->half[segment__dir(seg)];

	if (f->flags & FRAG_ACK_VALID(segment__dir(seg)) && !seq_after(seg->ack, me->ack))
		return false;
	if (!track__ack_is_plausible(f, seg))
		return false;
	me->ack = seg->ack;
	f->flags |= FRAG_ACK_VALID(segment__dir(seg));
	if (f->flags & FRAG_STEP(segment__dir(seg), STEP_FIN))
		f->flags |= FRAG_ACK_AFTER_FIN(segment__dir(seg));
	return true;
}

static __always_inline enum segment_why track__syn(struct fragment *f, const struct segment *seg,
						   __u64 now_ns)
{
	struct fragment_half *me = &f->half[segment__dir(seg)];
	__u32 bit = seg->flags & TCPF_ACK ? FRAG_SYNACK(segment__dir(seg))
					  : FRAG_SYN(segment__dir(seg));
	bool again = f->flags & bit;

	f->isn[segment__dir(seg)] = seg->seq;
	if (!again) {
		me->nxt = seg->seq + 1 + seg->payload;
		me->bytes += seg->payload; /* TCP Fast Open (RFC 7413) */
	} else {
		count_u8(&f->syn_retransmits[segment__dir(seg)]);
	}
	f->flags |= bit | FRAG_SEQ_VALID(segment__dir(seg));
	track__step(f, segment__dir(seg), STEP_SYN, now_ns);
	if (seg->flags & TCPF_ACK)
		track__ack(f, seg);
	return again ? SEG_SYN_AGAIN : SEG_NEW_STEP;
}

/*
 * Takes in payload and FIN; true if the payload was seen before. A keep-alive or window probe
 * repeats at most one byte and is no retransmission (RFC 9293 section 3.8.4).
 */
static __always_inline bool track__sequence(struct fragment *f, const struct segment *seg)
{
	struct fragment_half *me = &f->half[segment__dir(seg)];
	__u32 payload_end = seg->seq + seg->payload;
	__u32 end = payload_end + (seg->flags & TCPF_FIN ? 1 : 0);
	__u32 fresh = seg->payload;

	if (TW_UNLIKELY(!(f->flags & FRAG_SEQ_VALID(segment__dir(seg))))) {
		f->flags |= FRAG_SEQ_VALID(segment__dir(seg));
		f->isn[segment__dir(seg)] = seg->seq - 1;
		me->nxt = seg->seq;
	}
	if (TW_UNLIKELY(seq_before(seg->seq, me->nxt)))
		fresh = seq_after(payload_end, me->nxt) ? payload_end - me->nxt : 0;
	me->bytes += fresh;
	if (seq_after(end, me->nxt) && !(f->flags & FRAG_STEP(segment__dir(seg), STEP_FIN)))
		me->nxt = end;
	return seg->payload > 1 && !fresh;
}

static __always_inline enum segment_why track__rst(struct fragment *f, const struct segment *seg,
						   __u64 now_ns)
{
	if (!track__rst_is_valid(f, seg))
		return SEG_RST_IGNORED;
	if (seg->flags & TCPF_ACK)
		track__ack(f, seg);
	track__step(f, segment__dir(seg), STEP_RST, now_ns);
	return SEG_NEW_STEP;
}

/*
 * track__segment() - add @seg, which belongs to @f (PLACE_ADD), at @now_ns
 *
 * Returns why userspace should hear of it, or 0.
 */
static __always_inline enum segment_why track__segment(struct fragment *f,
						       const struct segment *seg, __u64 now_ns)
{
	__u32 dir = segment__dir(seg);
	bool is_new, ack_moved, again;

	f->half[dir].segments += seg->segs;
	f->last = coarse_time(now_ns);
	if (TW_UNLIKELY(seg->flags & TCPF_SYN))
		return track__syn(f, seg, now_ns);
	if (TW_UNLIKELY(seg->flags & TCPF_RST))
		return track__rst(f, seg, now_ns);

	is_new = seg->payload		 ? track__step(f, dir, STEP_DATA, now_ns)
		 : seg->flags & TCPF_FIN ? false
					 : track__step(f, dir, STEP_ACK, now_ns);
	ack_moved = track__ack(f, seg);
	again = track__sequence(f, seg);
	if (again) {
		f->retransmits[dir] += seg->segs;
		track__step(f, dir, STEP_RETRANSMIT, now_ns);
	}
	if (TW_UNLIKELY(seg->flags & TCPF_FIN)) {
		if (track__step(f, dir, STEP_FIN, now_ns))
			return SEG_NEW_STEP;
		count_u8(&f->fin_retransmits[dir]);
		return SEG_FIN_AGAIN;
	}
	if (TW_UNLIKELY(is_new))
		return SEG_NEW_STEP;
	if (TW_UNLIKELY(again))
		return SEG_RETRANSMIT;
	if (TW_UNLIKELY(ack_moved && fragment__has_fin(f)))
		return SEG_CLOSING_ACK;
	return 0;
}

/*
 * track__leave_to_record() - the segment @seg, just added for @why, is counted by its record
 *
 * The record of a session's first SYN tells all that a fragment of it alone would, but for the
 * count: with that in the record too, a flood's fragments need not be handed over when they are
 * evicted.
 */
static __always_inline bool track__is_first_syn(const struct segment *seg, enum segment_why why)
{
	return why == SEG_NEW_STEP && (seg->flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN;
}

static __always_inline void track__leave_to_record(struct fragment *f, const struct segment *seg,
						   enum segment_why why)
{
	if (TW_UNLIKELY(track__is_first_syn(seg, why)))
		f->half[segment__dir(seg)].segments -= seg->segs;
}

/* fragment__is_told() - a record has told all that @f holds */
static __always_inline bool fragment__is_told(const struct fragment *f)
{
	return !(f->half[DIR_LOW].segments | f->half[DIR_HIGH].segments);
}

/*
 * track__is_next() - true if @seg is the common case: in order, nothing new in kind, nobody closing
 *
 * Then track__next() does what track__place() and track__segment() would, in a fraction of the
 * branches.
 */
static __always_inline bool track__is_next(const struct fragment *f, const struct segment *seg)
{
	__u32 dir = segment__dir(seg);
	const struct fragment_half *me = &f->half[dir];
	__u32 wanted = (FRAG_SEQ_VALID(0) | FRAG_ACK_VALID(0) |
			(seg->payload ? FRAG_STEP(0, STEP_DATA) : FRAG_STEP(0, STEP_ACK)))
		       << dir;
	__u32 acked = seg->ack - me->ack;

	if (seg->flags & (TCPF_SYN | TCPF_FIN | TCPF_RST))
		return false;
	if ((f->flags & (wanted | FRAG_STEP_EITHER(STEP_FIN))) != wanted)
		return false;
	if (seg->seq != me->nxt || (me->bytes | me->segments) >> 31)
		return false;
	/* Without payload seen, whether an acknowledgement is plausible is for track__ack() to say.
	 */
	return !acked || (acked <= TRACK_WINDOW && f->flags & FRAG_STEP_EITHER(STEP_DATA));
}

static __always_inline void track__next(struct fragment *f, const struct segment *seg, __u64 now_ns)
{
	struct fragment_half *me = &f->half[segment__dir(seg)];

	me->segments += seg->segs;
	me->bytes += seg->payload;
	me->nxt += seg->payload;
	me->ack = seg->ack;
	f->last = coarse_time(now_ns);
}

#endif
