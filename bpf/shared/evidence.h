/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The joined evidence of one session, and what it proves: states of both endpoints (RFC 9293),
 * roles, Zeek's conn_state and history. Joining is commutative and associative, so it does not
 * matter which CPU saw what, nor in which order fragments are read. Native only; pure: no clock, no
 * allocation. Not here: how a CPU gathers a fragment (track.h).
 */
#ifndef TCPWATCH_SHARED_EVIDENCE_H
#define TCPWATCH_SHARED_EVIDENCE_H

#include "abi.h"

/* As struct fragment, with counters that do not wrap. */
struct evidence_half {
	__u64 segments, bytes, retransmits;
	__u32 isn, nxt, ack;
	__u8 syn_retransmits, fin_retransmits;
};

/* Likewise with absolute times, CLOCK_MONOTONIC. What each segment of an open session changes comes
 * first and together. */
struct evidence {
	struct flow_key key;
	__u64 last_ns; /* to about a millisecond */
	__u32 flags;   /* FRAG_* */
	struct evidence_half half[DIR_COUNT];
	__u64 first_ns;
	__u64 step_ns[DIR_COUNT][STEP_COUNT]; /* where .flags has FRAG_STEP() of it, else 0 */
};

/* Zeek's conn_state. X(enumerator, meaning) */
#define CONN_STATES(X)                                                           \
	X(S0, "SYN seen, no reply")                                              \
	X(S1, "established, not ended")                                          \
	X(SF, "established and ended by both sides")                             \
	X(REJ, "attempt rejected")                                               \
	X(S2, "established, the originator closed, no reply "                    \
	      "from the responder")                                              \
	X(S3, "established, the responder closed, no reply from the originator") \
	X(RSTO, "established, the originator reset")                             \
	X(RSTR, "the responder reset")                                           \
	X(RSTOS0, "the originator sent a SYN, then a reset; no SYN-ACK")         \
	X(RSTRH, "the responder sent a SYN-ACK, then a reset; no SYN seen")      \
	X(SH, "the originator sent a SYN, then a FIN; no SYN-ACK")               \
	X(SHR, "the responder sent a SYN-ACK, then a FIN; no SYN seen")          \
	X(OTH, "no SYN seen: picked up midstream")

enum conn_state {
#define X(id, help) CONN_##id,
	CONN_STATES(X)
#undef X
		CONN_COUNT,
};

/* What ended a session, or has not. */
enum session_end { END_NOT, END_FIN, END_RESET, END_REFUSED, END_TIMEOUT };

#define HISTORY_MAX 24

struct evidence_verdict {
	__u8 originator;       /* enum flow_dir: who opened it */
	bool roles_guessed;    /* no SYN seen: the originator is a guess */
	__u8 state[DIR_COUNT]; /* enum tcp_state of each endpoint */
	__u8 conn_state;       /* enum conn_state */
	__u8 end;	       /* enum session_end */
	__u8 closed_first;     /* DIR_LOW, DIR_HIGH, or DIR_COUNT: nobody yet */
	bool established;      /* the three-way handshake is proven, or implied by later evidence */
	__u64 syn_ns, synack_ns, ack_ns; /* time of each step of the handshake, 0: not seen */
	__u64 end_ns;			 /* when it ended, 0: it has not */
	char history[HISTORY_MAX];	 /* Zeek's, NUL-terminated */
};

/* evidence__init() - nothing known of the session @key */
void evidence__init(struct evidence *ev, const struct flow_key *key);

/* evidence__fits() - false if @frag is of another session on the same tuple (other ISNs, other
 * time) */
bool evidence__fits(const struct evidence *ev, const struct fragment *frag);

/* evidence__fits_segment() - likewise for a reported segment: a SYN with another ISN is of another
 * session */
bool evidence__fits_segment(const struct evidence *ev, const struct rec_segment *rec);

/* What was seen elsewhere has to do with a session. */
enum evidence_kin {
	KIN_NONE, /* contradicts it, or has nothing in common with it */
	KIN_NEAR, /* its sequence numbers are near: it may be another one that began with it */
	KIN_SAME, /* it shares an ISN */
};

/*
 * evidence__kin() - what @frag, seen elsewhere, is to the session of @ev
 *
 * @is_swapped: what is low in its key is high in that of the evidence. Of two connections with the
 * same addresses Linux makes ISNs that differ by the time between them alone, a number for each 64
 * ns (secure_tcp_seq() in net/core/secure_seq.c).
 */
enum evidence_kin evidence__kin(const struct evidence *ev, const struct fragment *frag,
				bool is_swapped);

/* evidence__isns_differ() - both know an ISN, and not the same */
bool evidence__isns_differ(const struct evidence *ev, const struct fragment *frag, bool is_swapped);

/* evidence__distance() - how far what @frag has seen is from what @ev has, bytes; of one that is
 * near
 */
__u64 evidence__distance(const struct evidence *ev, const struct fragment *frag, bool is_swapped);

/* evidence__may_be_one() - no ISN that both know differs */
bool evidence__may_be_one(const struct evidence *a, const struct evidence *b);

/* evidence__took() - @dir has taken @step */
static inline bool evidence__took(const struct evidence *ev, unsigned dir, enum session_step step)
{
	return ev->flags & FRAG_STEP(dir, step);
}

/* evidence__retransmits() - segments of payload sent again, by both */
static inline __u64 evidence__retransmits(const struct evidence *ev)
{
	return ev->half[DIR_LOW].retransmits + ev->half[DIR_HIGH].retransmits;
}

/* evidence__has_syn() - its beginning was seen */
static inline bool evidence__has_syn(const struct evidence *ev)
{
	return ev->flags & (FRAG_SYN(DIR_LOW) | FRAG_SYN(DIR_HIGH) | FRAG_SYNACK(DIR_LOW) |
			    FRAG_SYNACK(DIR_HIGH));
}

/* evidence__add_fragment() - join @frag, counters included; @now_ns dates its coarse last time.
 * False if nothing came of it but counts and sequence numbers */
bool evidence__add_fragment(struct evidence *ev, const struct fragment *frag, __u64 now_ns);

/*
 * evidence__is_refusal() - @seg is a RST that answers the SYN of an attempt of which its sender has
 * said nothing else (RFC 9293 section 3.10.7.3)
 *
 * A CPU that knows its sender from an attempt before, and has not seen that SYN, ignores it.
 */
bool evidence__is_refusal(const struct evidence *ev, const struct segment *seg);

/* evidence__add_segment() - join what a reported segment proves; counters come with fragments only
 */
void evidence__add_segment(struct evidence *ev, const struct rec_segment *rec);

/*
 * evidence__add_counts() - as evidence__add_fragment(), if all flags and steps of @frag have been
 * joined before
 */
void evidence__add_counts(struct evidence *ev, const struct fragment *frag, __u64 now_ns);

/* evidence__join() - @into becomes the join of both; counters add up */
void evidence__join(struct evidence *into, const struct evidence *other);

/* evidence__bytes() - payload that @dir sent, each byte once */
__u64 evidence__bytes(const struct evidence *ev, enum flow_dir dir);

/* evidence__judge() - what @ev proves at @now_ns. Once that is steady more counts prove nothing
 * new, but that @ev is no longer established: when more is acknowledged than was seen */
void evidence__judge(const struct evidence *ev, __u64 now_ns, struct evidence_verdict *verdict);

/* verdict__is_steady() - established, and nothing has begun to end it */
static inline bool verdict__is_steady(const struct evidence_verdict *v)
{
	return v->established && v->end == END_NOT && v->closed_first == DIR_COUNT;
}

/* evidence__is_established() - as evidence__judge() says */
bool evidence__is_established(const struct evidence *ev);

const char *conn_state__name(enum conn_state state);

#endif
