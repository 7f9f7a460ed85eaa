/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of the fields of an event. What it says of the session comes from the session's own
 * getters; totals only once the session has ended, for until then the taps' counters lag behind.
 */
#include "bpf/shared/tcp_options.h"

#include "session_values.h"

/* Kinds of events, as a set. */
#define KIND(id)  (1u << EVENT_##id)
#define KINDS_ALL (~0u)
#define KINDS_SYN (KIND(SYN) | KIND(SYN_ACK))
#define KINDS_END (KIND(CLOSED) | KIND(HANDSHAKE_FAILED))
/* Something fills up: events with a level … */
#define KINDS_LEVEL                                                                            \
	(KIND(PORTS_LOW) | KIND(BACKLOG_FULL) | KIND(TIME_WAIT_FULL) | KIND(CLOSE_WAIT_LEAK) | \
	 KIND(HANDSHAKES_FAILING))
/* … of which some have no endpoint. */
#define KINDS_PLACELESS (KIND(TIME_WAIT_FULL) | KIND(CLOSE_WAIT_LEAK))

typedef void (*value_getter)(const void *row, const struct moment *now, struct value *out);

/* What @get says of the event's session, if the event is of one of @kinds. */
static void of_session(const struct event *e, const struct moment *now, struct value *out,
		       unsigned kinds, value_getter get)
{
	if (e->session && kinds & 1u << e->kind)
		get(e->session, now, out);
	else
		value__set_none(out);
}

#define SESSION_GETTER(key, kinds)                                                          \
	static void get_##key(const void *row, const struct moment *now, struct value *out) \
	{                                                                                   \
		of_session(row, now, out, kinds, session_value__##key);                     \
	}
#define GET_ALWAYS(key, ...)	SESSION_GETTER(key, KINDS_ALL)
#define GET_PLACE(key, ...)	SESSION_GETTER(key, KINDS_ALL & ~KINDS_PLACELESS)
#define GET_TOTAL(key, ...)	SESSION_GETTER(key, KIND(CLOSED))
#define GET_SUMMARY(key, ...)	SESSION_GETTER(key, KINDS_END)
#define GET_HANDSHAKE(key, ...) SESSION_GETTER(key, KIND(ESTABLISHED) | KIND(CLOSED))

ADDRESS_FIELDS(GET_PLACE)
DIRECTION_FIELDS(GET_ALWAYS)
PLACE_FIELDS(GET_ALWAYS)
CONTAINER_FIELDS(GET_ALWAYS)
LEG_FIELDS(GET_ALWAYS)
NAT_FIELDS(GET_ALWAYS)
ROLE_FIELDS(GET_ALWAYS)
OWNER_FIELDS(GET_ALWAYS)
HANDSHAKE_FIELDS(GET_HANDSHAKE)
TOTAL_FIELDS(GET_TOTAL)
SUMMARY_FIELDS(GET_SUMMARY)
SESSION_COLUMN_FIELDS(GET_PLACE)

static void get_time(const void *row, const struct moment *now, struct value *out)
{
	const struct event *e = row;

	value__set_u64(out, VALUE_TIME, e->time_ns + now->mono_to_real_ns);
}

GETTER(event)
{
	const struct event *e = row;

	value__set_string(out, event_kind__name(e->kind));
}

GETTER(view)
{
	const struct event *e = row;

	value__set_string(out, view__name(e->view));
}

static void set_state(struct value *out, unsigned state)
{
	if (state)
		value__set_u64(out, VALUE_STATE, state);
	else
		value__set_none(out);
}

GETTER(old_state)
{
	const struct event *e = row;

	set_state(out, e->old_state);
}

GETTER(new_state)
{
	const struct event *e = row;

	set_state(out, e->new_state);
}

GETTER(reason)
{
	const struct event *e = row;

	value__set_string(out, e->reason);
}

/* The segment of a SYN or SYN-ACK event, if a tap saw it. */
static const struct rec_segment *syn_segment(const struct event *e)
{
	return KINDS_SYN & 1u << e->kind ? e->segment : NULL;
}

static struct tcp_options syn_options(const struct rec_segment *rec)
{
	size_t len = rec->seg.opt_bytes < TCP_OPTIONS_MAX ? rec->seg.opt_bytes : TCP_OPTIONS_MAX;

	return tcp_options__parse(rec->options, len);
}

GETTER(isn)
{
	const struct rec_segment *rec = syn_segment(row);

	if (rec)
		value__set_u64(out, VALUE_COUNT, rec->seg.seq);
	else
		value__set_none(out);
}

GETTER(mss)
{
	const struct rec_segment *rec = syn_segment(row);
	unsigned mss = rec ? syn_options(rec).mss : 0;

	if (mss)
		value__set_u64(out, VALUE_COUNT, mss);
	else
		value__set_none(out);
}

GETTER(wscale)
{
	const struct rec_segment *rec = syn_segment(row);
	struct tcp_options options = {0};

	if (rec)
		options = syn_options(rec);
	if (options.has_wscale)
		value__set_u64(out, VALUE_COUNT, options.wscale);
	else
		value__set_none(out);
}

/* From the first SYN or the socket's birth to this event, if the beginning was seen. */
GETTER(duration_seconds)
{
	const struct event *e = row;
	struct moment end = {.mono_ns = e->time_ns};

	of_session(e, &end, out, KINDS_END, session_value__age_seconds);
}

GETTER(closed_by)
{
	const struct event *e = row;

	value__set_string(out, close_by__name(e->closed_by));
}

GETTER(broke)
{
	const struct event *e = row;

	value__set_string(out, handshake_break__name(e->broke));
}

GETTER(lost)
{
	const struct event *e = row;

	if (e->kind == EVENT_LOST)
		value__set_u64(out, VALUE_COUNT, e->lost);
	else
		value__set_none(out);
}

static void set_level(struct value *out, const struct event *e, uint64_t level)
{
	if (KINDS_LEVEL & 1u << e->kind)
		value__set_u64(out, VALUE_COUNT, level);
	else
		value__set_none(out);
}

GETTER(queue)
{
	const struct event *e = row;

	value__set_string(out, e->queue);
}

/* What becomes of a SYN that enters this host. */
GETTER(fate)
{
	static const char *const names[SYN_FATE_COUNT] = {
#define X(id, key, help) [SYN_##id] = key,
		SYN_FATES(X)
#undef X
	};
	const struct rec_segment *rec = syn_segment(row);

	value__set_string(out, rec && rec->fate < SYN_FATE_COUNT ? names[rec->fate] : NULL);
}

GETTER(used)
{
	const struct event *e = row;

	set_level(out, e, e->used);
}

GETTER(limit)
{
	const struct event *e = row;

	set_level(out, e, e->limit);
}

/* X(key, title, unit, kind, min_width, choices, help) */
#define EVENT_KIND_CHOICE(id, name) name "|"

#define MOMENT_FIELDS(X)                                              \
	X(time, "TIME", "", VALUE_TIME, 30, NULL, "when it happened") \
	X(event, "EVENT", "", VALUE_TEXT, 16, EVENT_KINDS(EVENT_KIND_CHOICE), "what happened")

#define CHANGE_FIELDS(X)                                                                          \
	X(old_state, "FROM", "", VALUE_STATE, 10, NULL, "TCP state of the local endpoint before") \
	X(new_state, "TO", "", VALUE_STATE, 10, NULL, "TCP state of the local endpoint after")    \
	X(reason, "REASON", "", VALUE_TEXT, 8, NULL, "why, or which kind of record was lost")

#define FATE_CHOICE(id, key, help) key "|"

#define SYN_FIELDS(X)                                                                            \
	X(isn, "ISN", "", VALUE_COUNT, 10, NULL, "initial sequence number of the SYN")           \
	X(mss, "MSS", "bytes", VALUE_COUNT, 5, NULL, "maximum segment size that the SYN offers") \
	X(wscale, "WSCALE", "", VALUE_COUNT, 6, NULL, "window scale that the SYN offers")        \
	X(fate, "FATE", "", VALUE_TEXT, 8, SYN_FATES(FATE_CHOICE),                               \
	  "what becomes of a SYN that came in, by its listener's queues at that moment")

#define DURATION_FIELDS(X)                                                  \
	X(duration_seconds, "DURATION", "seconds", VALUE_DURATION, 8, NULL, \
	  "how long the session lasted")

#define CLOSE_FIELDS(X) \
	X(closed_by, "CLOSED BY", "", VALUE_TEXT, 9, "local|remote", "who ended it first")

#define BREAK_CHOICE(id, key, title, help) #key "|"

#define BREAK_FIELDS(X)                                                       \
	X(broke, "BROKE", "", VALUE_TEXT, 14, HANDSHAKE_BREAKS(BREAK_CHOICE), \
	  "the step at which a handshake failed")

#define LOSS_FIELDS(X) \
	X(lost, "LOST", "", VALUE_COUNT, 6, NULL, "records lost because the ring buffer was full")

#define LEVEL_FIELDS(X)                                                                          \
	X(queue, "QUEUE", "", VALUE_TEXT, 6, "accept|syn", "of backlog_full: which one refuses") \
	X(used, "USED", "", VALUE_COUNT, 6, NULL,                                                \
	  "of ports_low: ports that are taken; of backlog_full: places of the queue; of "        \
	  "time_wait_full: sockets in TIME-WAIT; of close_wait_leak: sockets of the process in " \
	  "CLOSE-WAIT for over a minute; of handshakes_failing: handshakes that failed lately")  \
	X(limit, "LIMIT", "", VALUE_COUNT, 6, NULL,                                              \
	  "… and how many there are, may be, or are too many; of handshakes_failing: that ended")

#define ROW(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, false, get_##key),
#define COLUMN_ROW(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, true, get_##key),

static const struct field rows[] = {
	/* clang-format off */
	MOMENT_FIELDS(ROW)
	ADDRESS_FIELDS(ROW)
	DIRECTION_FIELDS(ROW)
	VIEW_FIELDS(ROW)
	PLACE_FIELDS(ROW)
	CHANGE_FIELDS(ROW)
	OWNER_FIELDS(ROW)
	SYN_FIELDS(ROW)
	HANDSHAKE_FIELDS(ROW)
	DURATION_FIELDS(ROW)
	TOTAL_FIELDS(ROW)
	CLOSE_FIELDS(ROW)
	SUMMARY_FIELDS(ROW)
	BREAK_FIELDS(ROW)
	LOSS_FIELDS(ROW)
	CONTAINER_FIELDS(ROW)
	LEVEL_FIELDS(ROW)
	LEG_FIELDS(ROW)
	NAT_FIELDS(ROW)
	ROLE_FIELDS(ROW)
	SESSION_COLUMN_FIELDS(COLUMN_ROW)
	/* clang-format on */
};

const struct field_table event_fields = {
	.schema = "tcpwatch.event.v1",
	.fields = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};
