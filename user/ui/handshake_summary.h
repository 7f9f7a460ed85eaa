/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header above groups of handshakes: the sums of each side, the kernel's own counters beside
 * them, and the histogram of latencies. Not here: the rows.
 */
#ifndef TCPWATCH_HANDSHAKE_SUMMARY_H
#define TCPWATCH_HANDSHAKE_SUMMARY_H

#include "user/model/handshake_stats.h"
#include "user/source/live.h"
#include "user/util/strbuf.h"

/* The kernel's counters that say of handshakes. X(netns_stat, key, label, help) */
#define HANDSHAKE_FIGURES(X)                                                                    \
	X(ACTIVE_OPENS, active_opens, "active opens", "SYNs of this host's own connections")    \
	X(PASSIVE_OPENS, passive_opens, "passive opens", "connections made for listeners")      \
	X(ATTEMPT_FAILS, attempt_fails, "attempt fails", "handshakes reset or timed out")       \
	X(SYN_RETRANSMITS, syn_retransmits, "SYN retransmits", "SYNs and SYN-ACKs sent again")  \
	X(TIMEOUTS, timeouts, "timeouts", "retransmission timers that expired")                 \
	X(LISTEN_OVERFLOWS, listen_overflows, "listen overflows",                               \
	  "SYNs and acknowledgements dropped by full accept queues")                            \
	X(LISTEN_DROPS, listen_drops, "listen drops", "SYNs and acknowledgements dropped")      \
	X(COOKIES_SENT, cookies_sent, "cookies sent", "SYN cookies sent")                       \
	X(COOKIES_RECEIVED, cookies_received, "cookies received", "valid SYN cookies received") \
	X(COOKIES_FAILED, cookies_failed, "cookies failed",                                     \
	  "acknowledgements without a valid cookie")

struct handshake_summary {
	const struct handshake_stats *stats;
	const struct netns_values *kernel; /* since the start */
	uint64_t not_followed;		   /* sessions forgotten before their end */
};

/* handshake_summary__write() - lines of at most @width columns, 0: as wide as it takes */
void handshake_summary__write(struct strbuf *sb, const struct handshake_summary *s, unsigned width);

/*
 * handshake_summary__histograms() - a table: a row for each doubling of the latency, a column for
 * each part of each side that has any; nothing if nothing was completed
 */
void handshake_summary__histograms(struct strbuf *sb, const struct handshake_stats *stats);

#endif
