/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of the fields of a group of handshakes. Not here: what they count (handshake_stats.h).
 */
#include "field.h"
#include "handshake_stats.h"
#include "session_values.h"

#define GROUP  ((const struct handshake_group *)row)
#define COUNTS (&GROUP->counts)

GETTER(side)
{
	value__set_string(out, handshake_side__name(GROUP->key.side));
}

GETTER(server)
{
	if (GROUP->has_server)
		value__set_endpoint(out, &GROUP->server, false);
	else
		value__set_none(out);
}

GETTER(server_addr)
{
	if (GROUP->has_server)
		value__set_addr(out, &GROUP->server.addr, false);
	else
		value__set_none(out);
}

GETTER(server_port)
{
	value__set_known(out, GROUP->has_server, VALUE_PORT, GROUP->server.port);
}

GETTER(client_network)
{
	value__set_string(out, GROUP->network[0] ? GROUP->network : NULL);
}

GETTER(other)
{
	value__set_u64(out, VALUE_BOOL, GROUP->is_other);
}

GETTER(netns)
{
	if (GROUP->netns_name || !GROUP->key.netns)
		value__set_string(out, GROUP->netns_name);
	else
		value__set_text(out, out->buf, fmt__u64(out->buf, GROUP->key.netns));
}

static void get_age_seconds(const void *row, const struct moment *now, struct value *out)
{
	uint64_t first_ns = GROUP->first_ns;

	value__set_u64(out, VALUE_DURATION, now->mono_ns > first_ns ? now->mono_ns - first_ns : 0);
}

GETTER(completed)
{
	value__set_u64(out, VALUE_COUNT, COUNTS->completed);
}

GETTER(failed)
{
	value__set_u64(out, VALUE_COUNT, handshake_counts__failed(COUNTS));
}

GETTER(pending)
{
	value__set_u64(out, VALUE_COUNT, handshake_counts__pending(COUNTS));
}

#define GET_BREAK(id, key, title, help)                                       \
	GETTER(key)                                                           \
	{                                                                     \
		value__set_u64(out, VALUE_COUNT, COUNTS->failed[BREAK_##id]); \
	}
HANDSHAKE_BREAKS(GET_BREAK)

GETTER(syn_retransmits)
{
	value__set_u64(out, VALUE_COUNT, COUNTS->syn_retransmits);
}

GETTER(syn_ack_retransmits)
{
	value__set_u64(out, VALUE_COUNT, COUNTS->syn_ack_retransmits);
}

GETTER(server_resets)
{
	value__set_u64(out, VALUE_COUNT, COUNTS->server_resets);
}

GETTER(broke)
{
	value__set_string(out, GROUP->broke[0] ? GROUP->broke : NULL);
}

GETTER(held_up)
{
	value__set_string(out, GROUP->held_up[0] ? GROUP->held_up : NULL);
}

/* ---- times ---- */

static void set_quantile(struct value *out, const struct histogram *h, unsigned permille)
{
	if (h->count)
		value__set_u64(out, VALUE_DURATION, histogram__quantile(h, permille));
	else
		value__set_none(out);
}

static void set_histogram(struct value *out, const struct histogram *h)
{
	value__set_u64(out, VALUE_HISTOGRAM, h->count);
	out->histogram = h;
}

/* X(member of struct handshake_counts, title, what it is) */
#define PARTS(X)                                                             \
	X(total, "", "SYN to the end of the handshake")                      \
	X(network, "NET-", "the part of it spent in the network and beyond") \
	X(host, "HOST-", "the part of it spent in this host")

#define GET_PART(part, title, help)                     \
	GETTER(part##_p50_seconds)                      \
	{                                               \
		set_quantile(out, &COUNTS->part, 500);  \
	}                                               \
	GETTER(part##_p99_seconds)                      \
	{                                               \
		set_quantile(out, &COUNTS->part, 990);  \
	}                                               \
	GETTER(part##_max_seconds)                      \
	{                                               \
		set_quantile(out, &COUNTS->part, 1000); \
	}                                               \
	GETTER(part##_histogram)                        \
	{                                               \
		set_histogram(out, &COUNTS->part);      \
	}
PARTS(GET_PART)

/* ---- the table ---- */

#define SIDE_CHOICE(id, name) name "|"

/* X(key, title, unit, kind, min_width, choices, help) */
#define GROUP_FIELDS(X)                                                                         \
	X(side, "SIDE", "", VALUE_TEXT, 7, HANDSHAKE_SIDES(SIDE_CHOICE),                        \
	  "where this host stands: client, server, or forward (it passes through)")             \
	X(server_addr, "SERVER ADDRESS", "", VALUE_ADDR, 15, NULL, "address of the server")     \
	X(server_port, "SPORT", "", VALUE_PORT, 5, NULL, "port of the server")                  \
	X(client_network, "CLIENTS", "", VALUE_TEXT, 12, NULL,                                  \
	  "network of the clients, as long as --prefix says")                                   \
	X(netns, "NETNS", "", VALUE_TEXT, 5, NULL, "network namespace: name, or inode number")  \
	X(other, "OTHER", "", VALUE_BOOL, 5, NULL, "the sum of the groups that had no room")    \
	X(age_seconds, "AGE", "seconds", VALUE_DURATION, 6, NULL,                               \
	  "time since the first handshake that the row counts")                                 \
	X(completed, "DONE", "", VALUE_COUNT, 6, NULL, "handshakes that were completed")        \
	X(failed, "FAILED", "", VALUE_COUNT, 6, NULL, "handshakes that were not, of all kinds") \
	X(pending, "PENDING", "", VALUE_COUNT, 7, NULL, "handshakes under way")                 \
	X(held_up, "HELD UP", "", VALUE_TEXT, 7, NULL,                                          \
	  "what holds those under way up for a second or longer, most first")

#define RESEND_FIELDS(X)                                                                    \
	X(syn_retransmits, "SYN-RETR", "segments", VALUE_COUNT, 8, NULL, "SYNs sent again") \
	X(syn_ack_retransmits, "SYNACK-RETR", "segments", VALUE_COUNT, 11, NULL,            \
	  "SYN-ACKs sent again")                                                            \
	X(server_resets, "RST", "segments", VALUE_COUNT, 4, NULL,                           \
	  "RSTs that a listener of this host answered acknowledgements with")

#define COLUMN_FIELDS(X)                                                                    \
	X(server, "SERVER", "", VALUE_ENDPOINT, 21, NULL, "address and port of the server") \
	X(broke, "BROKE", "", VALUE_TEXT, 5, NULL, "where those that failed broke, most first")

#define FIELD(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, false, get_##key),
#define COLUMN(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, true, get_##key),
#define BREAK(id, key, title, help) FIELD(key, title, "", VALUE_COUNT, 5, NULL, help)
#define QUANTILE(part, title, help, of, which) \
	FIELD(part##_##of##_seconds, title which, "seconds", VALUE_DURATION, 6, NULL, help)
#define PART(part, title, help)                                              \
	QUANTILE(part, title, help ": half took no longer", p50, "P50")      \
	QUANTILE(part, title, help ": 99 of 100 took no longer", p99, "P99") \
	QUANTILE(part, title, help ": none took longer", max, "MAX")         \
	FIELD(part##_histogram, title "N", "", VALUE_HISTOGRAM, 5, NULL,     \
	      help ": how many are known; JSON has the whole histogram")

static const struct field rows[] = {
	/* clang-format off */
	GROUP_FIELDS(FIELD)
	HANDSHAKE_BREAKS(BREAK)
	RESEND_FIELDS(FIELD)
	PARTS(PART)
	COLUMN_FIELDS(COLUMN)
	/* clang-format on */
};

/* By side, then as the keys' bytes are; "other" last. */
static int compare(const void *x, const void *y)
{
	const struct handshake_group *a = x, *b = y;

	if (a->is_other != b->is_other)
		return a->is_other ? 1 : -1;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

const struct field_table handshake_fields = {
	.schema = "tcpwatch.handshakes.v1",
	.fields = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.compare = compare,
};
