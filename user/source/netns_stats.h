/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's own figures of one network namespace: its TCP counters, its counts of sockets, its
 * limits. Not here: what happened since when (who asks keeps the first reading).
 */
#ifndef TCPWATCH_NETNS_STATS_H
#define TCPWATCH_NETNS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/tap/netns.h"

/*
 * X(enumerator, path below /proc, line that holds it or NULL: the file is one number, name there)
 *
 * snmp: RFC 4022 (net/ipv4/proc.c snmp4_tcp_list); netstat: snmp4_net_list there; sockstat:
 * sockstat_seq_show(); sys/: Documentation/networking/ip-sysctl.rst.
 */
#define NETNS_STATS(X)                                                                    \
	X(ACTIVE_OPENS, "net/snmp", "Tcp:", "ActiveOpens")                                \
	X(PASSIVE_OPENS, "net/snmp", "Tcp:", "PassiveOpens")                              \
	X(ATTEMPT_FAILS, "net/snmp", "Tcp:", "AttemptFails")                              \
	X(SYN_RETRANSMITS, "net/netstat", "TcpExt:", "TCPSynRetrans")                     \
	X(TIMEOUTS, "net/netstat", "TcpExt:", "TCPTimeouts")                              \
	X(CURR_ESTAB, "net/snmp", "Tcp:", "CurrEstab") /* and CLOSE_WAIT */               \
	X(EMBRYONIC_RESETS, "net/netstat", "TcpExt:", "EmbryonicRsts")                    \
	X(OUT_OF_ORDER, "net/netstat", "TcpExt:", "TCPOFOQueue")                          \
	X(ZERO_WINDOWS, "net/netstat", "TcpExt:", "TCPToZeroWindowAdv")                   \
	X(LISTEN_OVERFLOWS, "net/netstat", "TcpExt:", "ListenOverflows")                  \
	X(LISTEN_DROPS, "net/netstat", "TcpExt:", "ListenDrops")                          \
	X(REQ_QUEUE_FULL_DROPS, "net/netstat", "TcpExt:", "TCPReqQFullDrop")              \
	X(REQ_QUEUE_FULL_COOKIES, "net/netstat", "TcpExt:", "TCPReqQFullDoCookies")       \
	X(COOKIES_SENT, "net/netstat", "TcpExt:", "SyncookiesSent")                       \
	X(COOKIES_RECEIVED, "net/netstat", "TcpExt:", "SyncookiesRecv")                   \
	X(COOKIES_FAILED, "net/netstat", "TcpExt:", "SyncookiesFailed")                   \
	X(SOCKETS_IN_USE, "net/sockstat", "TCP:", "inuse")                                \
	X(MINISOCKS, "net/sockstat", "TCP:", "tw") /* TIME_WAIT and orphaned FIN_WAIT2 */ \
	X(SOCKETS6_IN_USE, "net/sockstat6", "TCP6:", "inuse")                             \
	X(TIME_WAITED, "net/netstat", "TcpExt:", "TW")                                    \
	X(TIME_WAIT_KILLED, "net/netstat", "TcpExt:", "TWKilled")                         \
	X(TIME_WAIT_RECYCLED, "net/netstat", "TcpExt:", "TWRecycled")                     \
	X(TIME_WAIT_OVERFLOW, "net/netstat", "TcpExt:", "TCPTimeWaitOverflow")            \
	X(TIME_WAIT_MAX, "sys/net/ipv4/tcp_max_tw_buckets", NULL, NULL)                   \
	X(TIME_WAIT_REUSE, "sys/net/ipv4/tcp_tw_reuse", NULL, NULL)                       \
	X(TIME_WAIT_REUSE_DELAY, "sys/net/ipv4/tcp_tw_reuse_delay", NULL, NULL)           \
	X(FIN_TIMEOUT, "sys/net/ipv4/tcp_fin_timeout", NULL, NULL)                        \
	X(PORT_RANGE, "sys/net/ipv4/ip_local_port_range", NULL, NULL) /* its low end */   \
	X(PORTS_RESERVED, "sys/net/ipv4/ip_local_reserved_ports", NULL, NULL)             \
	X(SOMAXCONN, "sys/net/core/somaxconn", NULL, NULL)                                \
	X(SYN_COOKIES, "sys/net/ipv4/tcp_syncookies", NULL, NULL)                         \
	X(SYN_BACKLOG_MAX, "sys/net/ipv4/tcp_max_syn_backlog", NULL, NULL)

enum netns_stat {
#define X(id, path, line, name) NETNS_##id,
	NETNS_STATS(X)
#undef X
		NETNS_STAT_COUNT,
};

/* Which of them, as bits. */
typedef uint64_t netns_stat_set;
#define NETNS_SET(id) ((netns_stat_set)1 << NETNS_##id)

struct netns_values {
	netns_stat_set known; /* a kernel may not have one, a namespace may be gone */
	uint64_t value[NETNS_STAT_COUNT];
};

/*
 * netns_stats__open() - for reading what is @wanted of @ns
 *
 * The file descriptor of @ns must outlive it; it keeps none of its own. Returns 0 or -errno:
 * -EPERM: the namespace cannot be entered; -ENOMEM. What this kernel does not have is no error.
 */
struct netns_stats;
int netns_stats__open(struct netns_stats **out, const struct netns *ns, netns_stat_set wanted);
void netns_stats__close(struct netns_stats *stats);

/* netns_stats__inum() - of which namespace they are */
uint32_t netns_stats__inum(const struct netns_stats *stats);

/* netns_stats__read() - the figures of this moment; @values->known says which of them there are */
void netns_stats__read(const struct netns_stats *stats, struct netns_values *values);

/*
 * netns_stats__text() - the whole file that @id is in, as the kernel has it now: for those that are
 * more than one number
 *
 * Returns its length, cut to @size - 1, and ends it with a NUL; or -errno.
 */
ssize_t netns_stats__text(const struct netns_stats *stats, enum netns_stat id, char *text,
			  size_t size);

/* netns_stats__parse() - add to @values what @text, the contents of /proc/@path, has of @wanted */
void netns_stats__parse(const char *path, const char *text, netns_stat_set wanted,
			struct netns_values *values);

#endif
