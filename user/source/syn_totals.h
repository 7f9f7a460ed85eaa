/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What became of the SYNs of a namespace, beside the kernel's own counters: the two accounts and
 * their differences. Not here: single listeners (model/listener.h).
 */
#ifndef TCPWATCH_SYN_TOTALS_H
#define TCPWATCH_SYN_TOTALS_H

#include "live.h"

/*
 * Each of the kernel's counters, and the fates that it should be the sum of
 * (tcp_conn_request() and tcp_v4_syn_recv_sock() in net/ipv4).
 * X(enumerator in NETNS_STATS, its name there, key, fates, what a difference means)
 */
#define SYN_ACCOUNTS(X)                                                                           \
	X(LISTEN_OVERFLOWS, "ListenOverflows", listen_overflows, fate[SYN_ACCEPT_FULL],           \
	  "final ACKs refused, SYNs that no tap saw")                                             \
	X(REQ_QUEUE_FULL_DROPS, "TCPReqQFullDrop", req_queue_full_drops, fate[SYN_SYN_FULL],      \
	  "SYNs that no tap saw")                                                                 \
	X(COOKIES_SENT, "SyncookiesSent", cookies_sent, fate[SYN_COOKIE], "SYNs that no tap saw") \
	X(LISTEN_DROPS, "ListenDrops", listen_drops,                                              \
	  fate[SYN_ACCEPT_FULL] + f->fate[SYN_SYN_FULL] + f->fate[SYN_BACKLOG_FULL],              \
	  "final ACKs refused, drops for other reasons, SYNs that no tap saw")

struct syn_totals {
	const char *netns_name; /* NULL: of all namespaces that are watched */
	struct syn_fates fates;
	bool has_fates; /* taps watch it */
	struct netns_values kernel;
	bool since_begun; /* .kernel is since the namespace began; else since the tool did */
};

/* syn_totals__take() - of the namespace @netns, or of all of them for 0 */
void syn_totals__take(struct syn_totals *totals, const struct live *live, uint32_t netns);

extern const struct field_table syn_totals_fields; /* rows are struct syn_totals */

#endif
