/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side counts of this host's sockets for whoever graphs it: a fixed set of counters
 * and histograms for each CPU, and sockets by state for each network namespace. Reading them costs
 * the same with ten sockets and with a million. Not here: counting (bpf/sock_tally.h).
 */
#ifndef TCPWATCH_SHARED_TALLY_H
#define TCPWATCH_SHARED_TALLY_H

#include "log2_histogram.h"
#include "tcp_state.h"

/* Which end of the handshake this host was. X(enumerator, label) */
#define OPEN_SIDES(X)       \
	X(CLIENT, "client") \
	X(SERVER, "server")

/* How a handshake that this host's sockets know of ended. X(enumerator, label) */
#define HANDSHAKE_OUTCOMES(X)                                                         \
	X(COMPLETED, "completed")                                                     \
	X(REFUSED, "refused")	      /* answered with a RST */                       \
	X(TIMEOUT, "timeout")	      /* nothing came */                              \
	X(UNREACHABLE, "unreachable") /* ICMP, or no route */                         \
	X(RESET, "reset")	      /* a RST instead of the last acknowledgement */ \
	X(ABORTED, "aborted")	      /* given up by this host's application */       \
	X(OTHER, "other")

/* What ended a connection that was open. X(enumerator, label) */
#define END_REASONS(X)                                              \
	X(FIN, "fin")	      /* both FINs, or ours for good */     \
	X(RESET, "reset")     /* a RST, sent or received */         \
	X(TIMEOUT, "timeout") /* what was sent stayed unanswered */ \
	X(OTHER, "other")

/* Who closed first: the first FIN, or a RST before any. X(enumerator, label) */
#define END_SIDES(X)          \
	X(UNKNOWN, "unknown") \
	X(LOCAL, "local")     \
	X(REMOTE, "remote")

/* In which phase of the connection a RST came. X(enumerator, label) */
#define RESET_PHASES(X)           \
	X(REFUSED, "refused")     \
	X(HANDSHAKE, "handshake") \
	X(OPEN, "open")           \
	X(CLOSING, "closing")

/*
 * X(enumerator, exponent of the first bound, step of the exponents, number of bounds)
 *
 * Handshakes: 32 us to 134 s, which holds tcp_syn_retries' 127 s. Sessions: 1 ms to 3 days.
 */
#define TALLY_HISTOGRAMS(X)            \
	X(CLIENT_TOTAL, 5, 1, 23)      \
	X(CLIENT_NETWORK, 5, 1, 23)    \
	X(CLIENT_HOST, 5, 1, 23)       \
	X(SERVER_NETWORK, 5, 1, 23)    \
	X(SESSION_DURATION, 10, 2, 15) \
	X(SRTT, 5, 1, 18)

/* What a socket sent again; SYN-ACKs of half-open connections are not its own. X(enumerator, label)
 */
#define RETRANSMIT_KINDS(X) \
	X(DATA, "data")     \
	X(SYN, "syn")

enum open_side {
#define X(id, label) OPEN_SIDE_##id,
	OPEN_SIDES(X)
#undef X
		OPEN_SIDE_COUNT,
};

enum handshake_outcome {
#define X(id, label) HANDSHAKE_##id,
	HANDSHAKE_OUTCOMES(X)
#undef X
		HANDSHAKE_OUTCOME_COUNT,
};

enum end_reason {
#define X(id, label) END_BY_##id,
	END_REASONS(X)
#undef X
		END_REASON_COUNT,
};

enum end_side {
#define X(id, label) END_SIDE_##id,
	END_SIDES(X)
#undef X
		END_SIDE_COUNT,
};

enum reset_phase {
#define X(id, label) RESET_IN_##id,
	RESET_PHASES(X)
#undef X
		RESET_PHASE_COUNT,
};

enum retransmit_kind {
#define X(id, label) RETRANSMIT_OF_##id,
	RETRANSMIT_KINDS(X)
#undef X
		RETRANSMIT_KIND_COUNT,
};

enum tally_histogram {
#define X(id, first, step, n_bounds) TALLY_##id,
	TALLY_HISTOGRAMS(X)
#undef X
		TALLY_HISTOGRAM_COUNT,
};

/* enum sk_rst_reason of the kernel; the last is for all beyond, and for kernels that give none. */
#define RESET_REASON_SLOTS   64
#define RESET_REASON_UNKNOWN (RESET_REASON_SLOTS - 1)

/* For each CPU. */
struct sock_tally {
	__u64 handshakes[OPEN_SIDE_COUNT][HANDSHAKE_OUTCOME_COUNT];
	__u64 ended[END_REASON_COUNT][END_SIDE_COUNT];
	__u64 resets_sent[RESET_REASON_SLOTS];
	__u64 resets_received[RESET_PHASE_COUNT];
	__u64 retransmits[RETRANSMIT_KIND_COUNT]; /* segments */
	struct log2_histogram histogram[TALLY_HISTOGRAM_COUNT];
};

/* For each namespace, count and CPU. A socket may leave on another CPU than it came: only sums over
 * CPUs mean something. */
struct netns_tally {
	__u64 sockets[TCPS_COUNT]; /* full sockets in each state */
};

/* Counts are begun anew (a new @epoch) when they are found wrong. */
struct netns_tally_key {
	__u32 netns; /* inode number */
	__u32 epoch;
};

/* How many sockets came into CLOSE_WAIT in this second of CLOCK_MONOTONIC and are in it still. */
struct close_wait_key {
	__u32 netns;
	__u32 second;
};

static const struct log2_shape tally_shapes[TALLY_HISTOGRAM_COUNT] = {
#define SHAPE(id, first, step, n_bounds) [TALLY_##id] = {first, step, n_bounds},
	TALLY_HISTOGRAMS(SHAPE)
#undef SHAPE
};

#endif
