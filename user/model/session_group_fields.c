/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of the fields of a group of sessions.
 */
#include "session_group.h"

#define OTHER "other"

GETTER(group)
{
	const struct session_group *g = row;

	value__set_string(out, g->is_other ? OTHER : g->name);
}

GETTER(is_other)
{
	const struct session_group *g = row;

	value__set_u64(out, VALUE_BOOL, g->is_other);
}

GETTER(sessions)
{
	const struct session_group *g = row;

	value__set_u64(out, VALUE_COUNT, g->sessions);
}

/* X(key, state, title) */
#define GROUP_STATES(X)                         \
	X(listen, LISTEN, "LISTEN")             \
	X(syn_sent, SYN_SENT, "SYN-SENT")       \
	X(syn_recv, SYN_RECV, "SYN-RECV")       \
	X(established, ESTABLISHED, "ESTAB")    \
	X(fin_wait_1, FIN_WAIT1, "FIN-WAIT-1")  \
	X(fin_wait_2, FIN_WAIT2, "FIN-WAIT-2")  \
	X(close_wait, CLOSE_WAIT, "CLOSE-WAIT") \
	X(closing, CLOSING, "CLOSING")          \
	X(last_ack, LAST_ACK, "LAST-ACK")       \
	X(time_wait, TIME_WAIT, "TIME-WAIT")    \
	X(closed, CLOSED, "UNCONN")

#define GET_STATE(key, state, title)                                         \
	GETTER(key)                                                          \
	{                                                                    \
		const struct session_group *g = row;                         \
                                                                             \
		value__set_u64(out, VALUE_COUNT, g->by_state[TCPS_##state]); \
	}
GROUP_STATES(GET_STATE)

#define ONE(key, state, title) +1
_Static_assert(GROUP_STATES(ONE) == TCPS_COUNT - 1, "each state but the unknown one");

#define TOTALS(X)                                                                            \
	X(tx_bytes, VALUE_BYTES, "TX", "bytes", "payload sent, by sessions that closed too") \
	X(rx_bytes, VALUE_BYTES, "RX", "bytes", "payload received, likewise")                \
	X(retransmits, VALUE_COUNT, "RETR", "segments", "segments sent again, likewise")

#define GET_TOTAL(key, kind, title, unit, help)                         \
	GETTER(key)                                                     \
	{                                                               \
		const struct session_group *g = row;                    \
                                                                        \
		value__set_u64(out, kind, g->open.key + g->closed.key); \
	}
TOTALS(GET_TOTAL)

#define EVENTS(X)                                                    \
	X(opens, "OPENS", "sessions established since the start")    \
	X(closes, "CLOSES", "established sessions that ended since") \
	X(failures, "FAILED", "handshakes that failed since")

#define GET_EVENTS(key, title, help)                                         \
	GETTER(key)                                                          \
	{                                                                    \
		const struct session_group *g = row;                         \
                                                                             \
		value__set_known(out, g->is_following, VALUE_COUNT, g->key); \
	}
EVENTS(GET_EVENTS)

#define RATES(X)                                                 \
	X(opens_per_second, "OPENS/S", "… in a second, of late") \
	X(closes_per_second, "CLOSES/S", "… in a second, of late")

#define GET_RATE(key, title, help)                   \
	GETTER(key)                                  \
	{                                            \
		const struct session_group *g = row; \
                                                     \
		value__set_rate(out, g->key);        \
	}
RATES(GET_RATE)

#define FIELD(key_, kind_, title_, unit_, width_, help_)                                       \
	{                                                                                      \
		FIELD_KEY(key_), .title = title_, .unit = unit_, .help = help_, .kind = kind_, \
				 .min_width = width_, .get = get_##key_,                       \
	}
#define STATE_FIELD(key, state, title)		  FIELD(key, VALUE_COUNT, title, "", 5, "sessions in " title),
#define TOTAL_FIELD(key, kind, title, unit, help) FIELD(key, kind, title, unit, 5, help),
#define EVENT_FIELD(key, title, help)		  FIELD(key, VALUE_COUNT, title, "", 6, help),
#define RATE_FIELD(key, title, help)		  FIELD(key, VALUE_RATE, title, "per second", 7, help),

static const struct field rows[] = {
	/* clang-format off */
	FIELD(group, VALUE_TEXT, "GROUP", "", 12, "what its sessions have in common, by --by"),
	FIELD(is_other, VALUE_BOOL, "OTHER", "", 5, "the rest: there are too many groups"),
	FIELD(sessions, VALUE_COUNT, "SESSIONS", "", 8, "sessions there are"),
	GROUP_STATES(STATE_FIELD)
	EVENTS(EVENT_FIELD)
	RATES(RATE_FIELD)
	TOTALS(TOTAL_FIELD)
	/* clang-format on */
};

static int compare(const void *a, const void *b)
{
	const struct session_group *x = a, *y = b;

	if (!x->name || !y->name)
		return (!x->name + x->is_other) - (!y->name + y->is_other);
	return strcmp(x->name, y->name);
}

const struct field_table session_group_fields = {
	.schema = "tcpwatch.group.v1",
	.fields = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.compare = compare,
};
