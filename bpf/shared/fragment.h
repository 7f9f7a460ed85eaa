/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one CPU saw of one session at one tap during one stay in that CPU's cache, and the segment
 * that adds to it. Not here: how segments are added (track.h), how fragments join (evidence.h).
 */
#ifndef TCPWATCH_SHARED_FRAGMENT_H
#define TCPWATCH_SHARED_FRAGMENT_H

#include "flow.h"

/* TCP flags, as they stand in the header (RFC 9293 section 3.1). */
#define TCPF_FIN	0x01
#define TCPF_SYN	0x02
#define TCPF_RST	0x04
#define TCPF_PSH	0x08
#define TCPF_ACK	0x10
#define TCPF_URG	0x20

#define TCP_OPTIONS_MAX 40 /* bytes: the header length has four bits */

/* A parsed segment: all that tracking ever sees of a packet. Host byte order. */
struct segment {
	__u32 seq;
	__u32 ack;
	__u32 payload; /* bytes of payload; of a GRO/TSO super-packet the whole */
	__u16 segs;    /* wire segments it stands for, at least 1 */
	__u16 window;
	__u8 flags;
	__u8 dir;	/* enum flow_dir: who sent it */
	__u16 tcp_off;	/* where the TCP header starts, from the start of the frame */
	__u8 opt_bytes; /* length of the TCP options */
	__u8 is_v6;
	__u16 zero;
};

/* segment__dir() - who sent it, as an index the verifier can see the bounds of */
static __always_inline __u32 segment__dir(const struct segment *seg)
{
	return seg->dir & 1;
}

/*
 * The events of a session whose first time per direction is kept. Append-only.
 * X(enumerator, Zeek's history letter)
 */
#define SESSION_STEPS(X)                                                    \
	X(SYN, 's')  /* SYN, or SYN-ACK: see FRAG_SYNACK; Zeek: s, h */     \
	X(ACK, 'a')  /* a segment with ACK and no payload, SYN, FIN, RST */ \
	X(DATA, 'd') /* payload */                                          \
	X(FIN, 'f')                                                         \
	X(RST, 'r')	   /* one that the receiver accepts (RFC 5961) */   \
	X(RETRANSMIT, 't') /* payload whose sequence numbers were seen before */

enum session_step {
#define X(id, letter) STEP_##id,
	SESSION_STEPS(X)
#undef X
		STEP_COUNT,
};

/* Bits of fragment.flags; those per direction are shifted by enum flow_dir. Append-only. */
#define FRAG_SYN(dir)	 (1u << (dir))	     /* SYN without ACK */
#define FRAG_SYNACK(dir) (1u << (2 + (dir))) /* SYN with ACK */
#define FRAG_ACK_OK(dir) \
	(1u << (4 + (dir))) /* has acknowledged the peer's SYN, or anything later */
#define FRAG_ACK_AFTER_FIN(dir) (1u << (6 + (dir)))  /* its ack went on after its own FIN */
#define FRAG_SEQ_VALID(dir)	(1u << (8 + (dir)))  /* isn and nxt of this direction are set */
#define FRAG_ACK_VALID(dir)	(1u << (10 + (dir))) /* ack of this direction is set */
/* step_at[dir][step] is set: what the packet path asks of a fragment is answered by one word. */
#define FRAG_STEP(dir, step)   (1u << (12 + 2 * (step) + (dir)))
#define FRAG_STEP_EITHER(step) (FRAG_STEP(DIR_LOW, step) | FRAG_STEP(DIR_HIGH, step))
#define FRAG_STEPS	       (~0u << 12)
#define FRAG_STEPS_OF(dir)     (0x55555555u << (12 + (dir)))

_Static_assert(12 + 2 * STEP_COUNT <= 32, "a bit for each step and direction");

/* One direction: what its sender sent. Sequence numbers as on the wire. */
struct fragment_half {
	__u32 nxt; /* one past the highest sequence number sent; past the FIN once it is seen */
	__u32 ack; /* highest acknowledgement sent */
	__u32 segments; /* wire segments since the fragment began or was last handed over */
	__u32 bytes;	/* payload likewise, retransmissions apart */
};

/*
 * The unit of the session cache. Counters are 32 bits (retransmits 16) and cannot wrap: a fragment
 * is handed to userspace and starts anew before they would (FRAGMENT_FULL). What each segment of an
 * open session reads and writes comes first and together, up to the end of half: each cache line
 * that is not touched is a miss less where there are many sessions.
 */
struct fragment {
	struct flow_key key;
	__u32 last;  /* coarse_time of the last segment */
	__u32 flags; /* FRAG_* */
	struct fragment_half half[DIR_COUNT];
	__u64 first_ns;	      /* CLOCK_MONOTONIC of the first segment */
	__u32 isn[DIR_COUNT]; /* sequence number of the SYN; midstream: one before the first seen */
	__u32 step_at[DIR_COUNT][STEP_COUNT]; /* step_time, 0: not seen */
	__u16 retransmits[DIR_COUNT];	      /* segments */
	__u8 syn_retransmits[DIR_COUNT];      /* of SYN or SYN-ACK; stays at 255 */
	__u8 fin_retransmits[DIR_COUNT];
};

_Static_assert(sizeof(struct fragment) == 152, "four fragments and a header make a cache set");

/*
 * Time since fragment.first_ns in 32 bits, never 0, ordered as the times are: 64 ns units up to 137
 * s, about a millisecond (2^20 ns) beyond, up to 26 days.
 */
#define STEP_TIME_COARSE 0x80000000u

static __always_inline __u32 step_time__encode(__u64 delta_ns)
{
	__u64 fine = (delta_ns >> 6) + 1, coarse = delta_ns >> 20;

	if (TW_LIKELY(fine < STEP_TIME_COARSE))
		return (__u32)fine;
	return STEP_TIME_COARSE |
	       (coarse < STEP_TIME_COARSE ? (__u32)coarse : STEP_TIME_COARSE - 1);
}

/* step_time__decode() - nanoseconds since first_ns; @t is not 0 */
static __always_inline __u64 step_time__decode(__u32 t)
{
	if (t & STEP_TIME_COARSE)
		return (__u64)(t & ~STEP_TIME_COARSE) << 20;
	return (__u64)(t - 1) << 6;
}

/* Monotonic time in units of 2^20 ns (1.05 ms), 32 bits: wraps after 52 days, so compare
 * differences. */
#define COARSE_TIME_SHIFT 20

static __always_inline __u32 coarse_time(__u64 ns)
{
	return (__u32)(ns >> COARSE_TIME_SHIFT);
}

/* coarse_time__expand() - nanoseconds of the latest moment with this coarse time not after @now_ns
 */
static __always_inline __u64 coarse_time__expand(__u32 t, __u64 now_ns)
{
	__u32 age = coarse_time(now_ns) - t;

	/* Another CPU may have stamped it a moment after now was read. */
	if (age > 0xffff0000u)
		age = 0;
	return ((now_ns >> COARSE_TIME_SHIFT) - age) << COARSE_TIME_SHIFT;
}

/* Sequence numbers compare modulo 2^32 (RFC 9293 section 3.4). */
static __always_inline bool seq_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline bool seq_after(__u32 a, __u32 b)
{
	return seq_before(b, a);
}

#endif
