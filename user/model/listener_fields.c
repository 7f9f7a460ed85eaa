/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of the fields of a listener. What it has in common with a session is got as a
 * session's.
 */
#include "listener.h"
#include "session_values.h"

#define LISTENER ((const struct listener *)row)
#define SOCK	 (&LISTENER->sock)

/* The time since @then_ns, 0: unknown. */
static void set_age(struct value *out, uint64_t then_ns, const struct moment *now)
{
	value__set_known(out, then_ns, VALUE_DURATION,
			 now->mono_ns > then_ns ? now->mono_ns - then_ns : 0);
}

static void set_fate(struct value *out, const struct listener *listener, uint64_t count)
{
	value__set_known(out, listener->has_fates, VALUE_COUNT, count);
}

static void set_rate(struct value *out, const struct listener *listener, double per_second)
{
	value__set_rate(out, listener->has_fates && listener->rates.known ? per_second : NAN);
}

GETTER(syn_queue)
{
	value__set_u64(out, VALUE_COUNT, SOCK->syn_queue);
}

GETTER(syn_queue_limit)
{
	value__set_known(out, LISTENER->syn_queue_limit != UNKNOWN_U64, VALUE_COUNT,
			 LISTENER->syn_queue_limit);
}

GETTER(syn_queue_young)
{
	value__set_u64(out, VALUE_COUNT, SOCK->syn_young);
}

GETTER(syn_queue_oldest_seconds)
{
	set_age(out, SOCK->syn_queue ? LISTENER->request_oldest_ns : 0, now);
}

GETTER(accept_queue)
{
	value__set_u64(out, VALUE_COUNT, SOCK->rx_queue);
}

GETTER(accept_queue_limit)
{
	value__set_u64(out, VALUE_COUNT, SOCK->tx_queue);
}

GETTER(accept_queue_oldest_seconds)
{
	set_age(out, SOCK->rx_queue ? LISTENER->accept_oldest_ns : 0, now);
}

GETTER(syns)
{
	set_fate(out, LISTENER, listener__syns(&LISTENER->counts));
}

GETTER(syns_unseen)
{
	value__set_known(out, LISTENER->has_fates && LISTENER->has_counts, VALUE_COUNT,
			 listener__syns_unseen(LISTENER));
}

GETTER(syns_per_second)
{
	set_rate(out, LISTENER, LISTENER->rates.syns);
}

GETTER(syns_inferred)
{
	set_fate(out, LISTENER, LISTENER->counts.n_inferred);
}

/* Each fate, as a total and as a rate. */
#define FATE_GETTERS(id, key, help)                                                 \
	GETTER(syns_##id)                                                           \
	{                                                                           \
		set_fate(out, LISTENER,                                             \
			 SYN_##id == SYN_QUEUED ? listener__queued(LISTENER)        \
						: LISTENER->counts.fate[SYN_##id]); \
	}                                                                           \
	GETTER(syns_##id##_per_second)                                              \
	{                                                                           \
		set_rate(out, LISTENER, LISTENER->rates.fate[SYN_##id]);            \
	}
LISTENER_FATES(FATE_GETTERS)

GETTER(syns_dropped_other)
{
	value__set_known(out, LISTENER->has_other, VALUE_COUNT, LISTENER->other);
}

static void set_counter(struct value *out, const struct listener *listener,
			enum listener_counter which)
{
	value__set_known(out, listener->has_counts, VALUE_COUNT, listener->counts.value[which]);
}

GETTER(synack_retransmits)
{
	set_counter(out, LISTENER, LISTENER_SYNACK_RETRANSMIT);
}

GETTER(completed)
{
	set_counter(out, LISTENER, LISTENER_COMPLETED);
}

/*
 * Half-open connections that came to nothing: those that were queued, less those that completed or
 * still wait. Cookies complete without having been queued, and some fates are inferred: then it is
 * told where the kernel's counters bear it out.
 */
GETTER(expired)
{
	const struct listener_counters *counts = &LISTENER->counts;
	uint64_t began = listener__queued(LISTENER) + LISTENER->syn_queue_0;
	uint64_t went_on = counts->value[LISTENER_COMPLETED] + SOCK->syn_queue;

	value__set_known(out, LISTENER->has_expired && went_on <= began, VALUE_COUNT,
			 began - went_on);
}

GETTER(drops)
{
	value__set_u64(out, VALUE_COUNT, LISTENER->drops);
}

GETTER(drops_per_second)
{
	value__set_rate(out, LISTENER->rates.known ? LISTENER->rates.drops : NAN);
}

GETTER(drops_seen)
{
	set_fate(out, LISTENER, listener__drops_seen(&LISTENER->counts));
}

GETTER(drops_difference)
{
	if (LISTENER->has_fates)
		value__set_signed(out, LISTENER->drops - listener__drops_seen(&LISTENER->counts));
	else
		value__set_none(out);
}

GETTER(drops_ever)
{
	value__set_u64(out, VALUE_COUNT, LISTENER->drops_ever);
}

GETTER(badness)
{
	value__set_u64(out, VALUE_COUNT, listener__badness(LISTENER));
}

#define ROW(key, title, unit, kind, help) \
	FIELD_ROW(key, title, unit, kind, 0, NULL, help, false, get_##key)
#define COMMON(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, false, session_value__##key),
/* The keys of fates are those of the metrics: syns_queued, syns_queued_per_second. */
#define FATE_ROW(id, name, help_)                                                             \
	{                                                                                     \
		FIELD_KEY_TEXT("syns_" name), .title = FATE_TITLE_##id, .unit = "",           \
		.help = "SYNs " help_,	      .kind = VALUE_COUNT,	.get = get_syns_##id, \
	},                                                                                    \
		{                                                                             \
			FIELD_KEY_TEXT("syns_" name "_per_second"),                           \
			.title = FATE_TITLE_##id "/S",                                        \
			.unit = "per second",                                                 \
			.help = "SYNs " help_ ", lately",                                     \
			.kind = VALUE_RATE,                                                   \
			.get = get_syns_##id##_per_second,                                    \
		},

#define FATE_TITLE_QUEUED	"QUEUED"
#define FATE_TITLE_COOKIE	"COOKIE"
#define FATE_TITLE_ACCEPT_FULL	"NOACCEPT"
#define FATE_TITLE_SYN_FULL	"NOSYNQ"
#define FATE_TITLE_BACKLOG_FULL "NOBACKLOG"
#define FATE_TITLE_REPEATED	"AGAIN"

static const struct field rows[] = {
	/* clang-format off */
	COMMON(local_addr, "LOCAL ADDRESS", "", VALUE_ADDR, 15, NULL, "address it listens on")
	COMMON(local_port, "LPORT", "", VALUE_PORT, 5, NULL, "port it listens on")
	COMMON(netns, "NETNS", "", VALUE_TEXT, 5, NULL, "network namespace: name, or inode number")
	COMMON(scope, "SCOPE", "", VALUE_TEXT, 5, NULL, "interface that it is bound to")
	OWNER_FIELDS(COMMON)
	COMMON(uid, "UID", "", VALUE_COUNT, 5, NULL, "user who owns the socket")
	COMMON(cookie, "COOKIE", "", VALUE_COUNT, 6, NULL, "the kernel's unique number of the socket")
	COMMON(cgroup_id, "CGROUP", "", VALUE_COUNT, 6, NULL, "id of the socket's cgroup (v2)")
	ROW(syn_queue, "SYN-Q", "", VALUE_COUNT, "connections half open in its SYN queue"),
	ROW(syn_queue_limit, "LIMIT", "", VALUE_COUNT, "beyond so many the SYN queue is full"),
	ROW(syn_queue_young, "YOUNG", "", VALUE_COUNT,
	    "of the SYN queue: those whose SYN-ACK was not sent again"),
	ROW(syn_queue_oldest_seconds, "SYN-AGE", "seconds", VALUE_DURATION,
	    "time since the first SYN-ACK of the oldest half-open connection"),
	ROW(accept_queue, "ACC-Q", "", VALUE_COUNT, "connections that wait for accept()"),
	ROW(accept_queue_limit, "LIMIT", "", VALUE_COUNT, "beyond so many the accept queue is full"),
	ROW(accept_queue_oldest_seconds, "ACC-AGE", "seconds", VALUE_DURATION,
	    "time since the SYN-ACK of the connection that waits longest for accept()"),
	ROW(syns, "SYNS", "", VALUE_COUNT, "SYNs that came for it since tcpwatch began"),
	ROW(syns_per_second, "SYN/S", "per second", VALUE_RATE, "SYNs that came for it, lately"),
	LISTENER_FATES(FATE_ROW)
	ROW(syns_dropped_other, "NOOTHER", "", VALUE_COUNT, "SYNs " LISTENER_OTHER_HELP),
	ROW(syns_inferred, "INFERRED", "", VALUE_COUNT,
	    "of the SYNs: those that share the answer of one just before, as too many came at once"),
	ROW(syns_unseen, "UNSEEN", "", VALUE_COUNT,
	    "SYNs that no tap saw, at least: handshakes completed beyond the SYNs that were queued or got "
	    "a cookie"),
	ROW(synack_retransmits, "SYNACK-R", "", VALUE_COUNT, "SYN-ACKs sent again"),
	ROW(completed, "DONE", "", VALUE_COUNT, "handshakes completed"),
	ROW(expired, "EXPIRED", "", VALUE_COUNT,
	    "half-open connections that timed out or were reset (inferred from the other counts; not known "
	    "once a SYN cookie came back, or while counts differ from the kernel's after a flood)"),
	ROW(drops, "DROPS", "", VALUE_COUNT,
	    "SYNs and final ACKs that the kernel counts as dropped, since tcpwatch began"),
	ROW(drops_per_second, "DROP/S", "per second", VALUE_RATE, "the same, lately"),
	ROW(drops_seen, "SEEN", "", VALUE_COUNT, "the same by the SYNs seen: those dropped, and those sent again, which are counted there too"),
	ROW(drops_difference, "DIFF", "", VALUE_SIGNED,
	    "drops less drops_seen: final ACKs, other reasons, SYNs that no tap saw or whose fate was "
	    "inferred"),
	ROW(drops_ever, "EVER", "", VALUE_COUNT, "drops since the listener was made"),
	FIELD_ROW(badness, "BAD", "", VALUE_COUNT, 0, NULL,
		  "order of the worst first: drops lately, then how full the fuller queue is", true,
		  get_badness),
	FIELD_ROW(local, "LISTENER", "", VALUE_ENDPOINT, 21, NULL, "address and port", true,
		  session_value__local),
	/* clang-format on */
};

const struct field_table listener_fields = {
	.schema = "tcpwatch.listener.v1",
	.fields = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.compare = session__compare,
};
