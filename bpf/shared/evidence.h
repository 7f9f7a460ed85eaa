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

/* As struct fragment, with absolute times and counters that do not wrap. */
struct evidence_half {
	__u64 step_ns[STEP_COUNT]; /* CLOCK_MONOTONIC of the first, 0: not seen */
	__u64 segments, bytes, retransmits;
	__u32 isn, nxt, ack;
	__u8 syn_retransmits, fin_retransmits;
};

struct evidence {
	struct flow_key key;
	__u64 first_ns, last_ns; /* last_ns: to about a millisecond */
	__u32 flags;		 /* FRAG_* */
	struct evidence_half half[DIR_COUNT];
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
	__u64 bytes[DIR_COUNT];		 /* payload, each byte once */
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

/*
 * evidence__meets() - @frag, seen elsewhere, can only be of this session: it shares sequence
 * numbers with it, and contradicts none
 *
 * @is_swapped: what is low in its key is high in that of the evidence.
 */
bool evidence__meets(const struct evidence *ev, const struct fragment *frag, bool is_swapped);

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

/* evidence__add_fragment() - join @frag, counters included; @now_ns dates its coarse last time */
void evidence__add_fragment(struct evidence *ev, const struct fragment *frag, __u64 now_ns);

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

/* evidence__join() - @into becomes the join of both; counters add up */
void evidence__join(struct evidence *into, const struct evidence *other);

/* evidence__judge() - what @ev proves at @now_ns */
void evidence__judge(const struct evidence *ev, __u64 now_ns, struct evidence_verdict *verdict);

const char *conn_state__name(enum conn_state state);

#endif
