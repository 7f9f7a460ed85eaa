/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of the fields of a namespace's TIME_WAIT: totals, ages, how it begins and ends, limits.
 */
#include "session_values.h"
#include "timewait.h"
#include "timewait_fields.h"

/* X(key, member of struct timewait_totals, title, help) */
#define NOW_COUNTS(X)                                                                           \
	X(time_wait, time_wait, "TIME-WAIT", "sockets in TIME_WAIT, as listed")                 \
	X(fin_wait2, fin_wait2, "FIN-WAIT-2",                                                   \
	  "orphans in FIN_WAIT2 that the kernel keeps and counts as TIME_WAIT")                 \
	X(kernel_count, kernel.socks, "KERNEL", "the kernel's own count of both (sockstat tw)") \
	X(limit, kernel.max_socks, "LIMIT", "tcp_max_tw_buckets: beyond it none is created")    \
	X(aged_0_10, ages[0], "0-10", "of those in TIME_WAIT, up to 10 s old")                  \
	X(aged_10_20, ages[1], "10-20", "10 to 20 s old")                                       \
	X(aged_20_30, ages[2], "20-30", "20 to 30 s old")                                       \
	X(aged_30_40, ages[3], "30-40", "30 to 40 s old")                                       \
	X(aged_40_50, ages[4], "40-50", "40 to 50 s old")                                       \
	X(aged_50_60, ages[5], "50-60", "50 s old and more: timers may be late")

#define KERNEL_COUNTS(X)                                                               \
	X(kernel_tw, kernel.waited, "TW", "the kernel's TW since the namespace began") \
	X(kernel_tw_killed, kernel.killed, "TWKILLED",                                 \
	  "its TWKilled: those meant to last 4 s at most")                             \
	X(kernel_tw_recycled, kernel.recycled, "TWRECYCLED",                           \
	  "its TWRecycled: taken over by a connect() of this host")                    \
	X(kernel_tw_overflow, kernel.overflow, "OVERFLOW",                             \
	  "its TCPTimeWaitOverflow: never created, for want of room")                  \
	X(begun, begun, "BEGUN",                                                       \
	  "begun since the namespace began: TW and TWKilled, from Linux 5.17 on")      \
	X(ended, ended, "ENDED", "of those, no longer there")

#define WATCHED_COUNTS(X)                                                                        \
	X(watched_begun, watched_begun, "BEGUN*", "begun since tcpwatch began, by the counters") \
	X(watched_ended, watched_ended, "ENDED*", "ended since then, by the counters")           \
	X(expired, expired, "EXPIRED", "of those, gone when their time was over (inferred)")     \
	X(reused_by_connect, recycled, "CONNECT",                                                \
	  "taken over by a connect() of this host (TWRecycled)")                                 \
	X(reused_by_syn, reused_by_syn, "SYN",                                                   \
	  "replaced by a session that the peer opened on the same tuple (inferred)")             \
	X(killed_by_reset, killed_by_reset, "RESET",                                             \
	  "gone before their time with nothing in their place: a RST (inferred)")                \
	X(ended_unseen, ended_unseen, "UNSEEN",                                                  \
	  "begun after a look and ended before the next one")                                    \
	X(never_created, never_created, "NEVER",                                                 \
	  "not created: the limit was reached (TCPTimeWaitOverflow)")

#define LOST_COUNTS(X)                        \
	X(records_lost, records_lost, "LOST", \
	  "records of sessions that open and close, lost because the ring buffer was full")

#define LIMIT_COUNTS(X)                                                                        \
	X(tcp_tw_reuse, kernel.reuse, "REUSE",                                                 \
	  "connect() may take over TIME_WAIT: 0 never, 1 always, 2 on loopback")               \
	X(ports_reserved, range.reserved, "RESERVED", "of the range, ip_local_reserved_ports") \
	X(ports_listening, range.listening, "LISTENING",                                       \
	  "of the rest, those that a listener is on")                                          \
	X(ports_usable, range.usable, "USABLE", "what connect() can choose from")

#define COUNT_GETTER(key, member, title, help)                                                   \
	static void get_##key(const void *row, const struct moment *now __attribute__((unused)), \
			      struct value *out)                                                 \
	{                                                                                        \
		const struct timewait_totals *t = row;                                           \
                                                                                                 \
		set_count(out, t->member);                                                       \
	}

static void set_count(struct value *out, uint64_t count)
{
	value__set_known(out, count != UNKNOWN_U64, VALUE_COUNT, count);
}

NOW_COUNTS(COUNT_GETTER)
KERNEL_COUNTS(COUNT_GETTER)
WATCHED_COUNTS(COUNT_GETTER)
LOST_COUNTS(COUNT_GETTER)
LIMIT_COUNTS(COUNT_GETTER)

static void get_time(const void *row __attribute__((unused)), const struct moment *now,
		     struct value *out)
{
	value__set_u64(out, VALUE_TIME, now->mono_ns + now->mono_to_real_ns);
}

GETTER(netns)
{
	const struct timewait_totals *t = row;

	value__set_string(out, t->netns_name);
}

GETTER(begun_per_second)
{
	const struct timewait_totals *t = row;

	value__set_rate(out, t->in_per_second);
}

GETTER(ended_per_second)
{
	const struct timewait_totals *t = row;

	value__set_rate(out, t->out_per_second);
}

GETTER(rates_inferred)
{
	const struct timewait_totals *t = row;

	value__set_u64(out, VALUE_BOOL, t->rates_inferred);
}

GETTER(tcp_fin_timeout_seconds)
{
	const struct timewait_totals *t = row;

	if (t->kernel.fin_timeout_s == UNKNOWN_U64)
		value__set_none(out);
	else
		value__set_u64(out, VALUE_DURATION, t->kernel.fin_timeout_s * TW_NSEC_PER_SEC);
}

GETTER(port_range_low)
{
	const struct timewait_totals *t = row;

	value__set_known(out, t->range.low, VALUE_PORT, t->range.low);
}

GETTER(port_range_high)
{
	const struct timewait_totals *t = row;

	value__set_known(out, t->range.high, VALUE_PORT, t->range.high);
}

#define COUNT_ROW(key, member, title, help) \
	FIELD_ROW(key, title, "", VALUE_COUNT, 5, NULL, help, false, get_##key),
#define ROW(key, title, unit, kind, width, help) \
	FIELD_ROW(key, title, unit, kind, width, NULL, help, false, get_##key),

static const struct field rows[] = {
	/* clang-format off */
	ROW(time, "TIME", "", VALUE_TIME, 30, "when the sockets were listed")
	ROW(netns, "NETNS", "", VALUE_TEXT, 5, "network namespace: name, or inode number")
	NOW_COUNTS(COUNT_ROW)
	ROW(begun_per_second, "IN", "", VALUE_RATE, 7, "TIME_WAIT that begins")
	ROW(ended_per_second, "OUT", "", VALUE_RATE, 7, "TIME_WAIT that ends")
	ROW(rates_inferred, "INF", "", VALUE_BOOL, 3,
	    "the rates follow from the ages, for lack of a second look")
	KERNEL_COUNTS(COUNT_ROW)
	WATCHED_COUNTS(COUNT_ROW)
	LOST_COUNTS(COUNT_ROW)
	LIMIT_COUNTS(COUNT_ROW)
	ROW(tcp_fin_timeout_seconds, "FIN", "seconds", VALUE_DURATION, 6,
	    "tcp_fin_timeout: how long an orphan waits in FIN_WAIT2")
	ROW(port_range_low, "LOW", "", VALUE_PORT, 5, "ip_local_port_range: the lowest")
	ROW(port_range_high, "HIGH", "", VALUE_PORT, 5, "and the highest")
	/* clang-format on */
};

const struct field_table timewait_netns_fields = {
	.schema = "tcpwatch.timewait_netns.v1",
	.fields = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};
