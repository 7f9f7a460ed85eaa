/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of fields: one row per thing that can be said of a session or of an event. Columns,
 * --fields, --sort, --json keys, filter keys and the list of `--fields help` all come from it.
 * Not here: layout of columns (output/), which fields a view shows by default (its command).
 */
#ifndef TCPWATCH_FIELD_H
#define TCPWATCH_FIELD_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "event.h"
#include "histogram.h"
#include "session.h"

enum value_kind {
	VALUE_NONE,	/* unknown: null, "-" */
	VALUE_COUNT,	/* .u, a plain number */
	VALUE_BYTES,	/* .u; text uses 1.2M style, JSON the plain number */
	VALUE_DURATION, /* .u in nanoseconds; JSON prints seconds as a decimal */
	VALUE_TIME,	/* .u CLOCK_REALTIME nanoseconds; RFC 3339 with nanoseconds */
	VALUE_PORT,	/* .u */
	VALUE_BOOL,	/* .u; "yes" or "no" */
	VALUE_STATE,	/* .u enum tcp_state, not 0 */
	VALUE_ADDR,	/* .addr */
	VALUE_ENDPOINT, /* .endpoint; "addr:port" as ss prints it, port 0 is "*" */
	VALUE_TEXT,	/* .text, .text_len; hostile bytes */
	VALUE_RATE,	/* .i in thousandths per second; may be less than 0 */
	VALUE_SIGNED,	/* .i, a plain number; text has its sign */
	/* .histogram, .u its count; JSON lists the buckets that hold something */
	VALUE_HISTOGRAM,
};

/* What a getter gives. May point into the row and into itself: read it where it was made, before
 * both go. */
struct value {
	enum value_kind kind;
	bool is_guess; /* VALUE_TEXT: text marks it with "?" */
	bool is_v6; /* of an AF_INET6 socket: text shows a mapped IPv4 address as ::ffff:1.2.3.4 */
	bool is_dual; /* of one that takes IPv4 too: text shows an endpoint's :: as * */
	size_t text_len;
	const char
		*scope; /* of .addr and .endpoint: text shows it behind the address; NULL: none */
	union {
		uint64_t u;
		int64_t i;
		const struct ip_addr *addr;
		const struct endpoint *endpoint;
		const char *text;
	};
	const struct histogram *histogram;
	union {
		char buf[24];		      /* for getters that compose a short text … */
		struct endpoint own_endpoint; /* … or an endpoint */
	};
};

static inline void value__set_none(struct value *out)
{
	out->kind = VALUE_NONE;
}

static inline void value__set_u64(struct value *out, enum value_kind kind, uint64_t u)
{
	out->kind = kind;
	out->u = u;
}

static inline void value__set_text(struct value *out, const char *text, size_t len)
{
	out->kind = VALUE_TEXT;
	out->is_guess = false;
	out->text = text;
	out->text_len = len;
}

/* value__set_known() - unknown unless @is_known */
static inline void value__set_known(struct value *out, bool is_known, enum value_kind kind,
				    uint64_t u)
{
	out->kind = is_known ? kind : VALUE_NONE;
	out->u = u;
}

/* value__set_nonzero() - @u, where 0 means that nobody knows */
static inline void value__set_nonzero(struct value *out, enum value_kind kind, uint64_t u)
{
	value__set_known(out, u, kind, u);
}

/* value__set_string() - @text, NUL-terminated, or NULL for unknown */
static inline void value__set_string(struct value *out, const char *text)
{
	if (text)
		value__set_text(out, text, strlen(text));
	else
		value__set_none(out);
}

/* value__set_addr() - @is_v6: as struct value has it; false where no socket tells */
static inline void value__set_addr(struct value *out, const struct ip_addr *addr, bool is_v6)
{
	out->kind = VALUE_ADDR;
	out->is_v6 = is_v6;
	out->is_dual = false;
	out->scope = NULL;
	out->addr = addr;
}

static inline void value__set_endpoint(struct value *out, const struct endpoint *endpoint,
				       bool is_v6)
{
	out->kind = VALUE_ENDPOINT;
	out->is_v6 = is_v6;
	out->is_dual = false;
	out->scope = NULL;
	out->endpoint = endpoint;
}

static inline void value__set_signed(struct value *out, int64_t i)
{
	out->kind = VALUE_SIGNED;
	out->i = i;
}

/* value__set_rate() - NAN: unknown; rounded to a thousandth, cut at RATE_LARGEST */
#define RATE_LARGEST 1e15
static inline void value__set_rate(struct value *out, double per_second)
{
	double most = per_second < 0 ? -RATE_LARGEST : RATE_LARGEST;
	bool is_beyond = per_second < -RATE_LARGEST || per_second > RATE_LARGEST;

	out->kind = isnan(per_second) ? VALUE_NONE : VALUE_RATE;
	if (out->kind == VALUE_RATE)
		out->i = 1000 * (is_beyond ? most : per_second) + (per_second < 0 ? -0.5 : 0.5);
}

enum field_align { ALIGN_LEFT, ALIGN_RIGHT };

/* Room for a key as JSON has it: a fixed size, which is copied in one move. */
#define FIELD_JSON_KEY_SIZE 48

struct field {
	const char *key;		    /* JSON key, --fields and --sort name: snake_case */
	char json_key[FIELD_JSON_KEY_SIZE]; /* ,"key": as a row has it; spelt out once for all */
	size_t json_key_len;
	const char *title;    /* column heading */
	const char *unit;     /* "", "seconds", "bytes", "segments" */
	const char *help;     /* one line, no full stop */
	const char *choices;  /* the texts it gives, "in|out|forward"; NULL: any */
	enum value_kind kind; /* of every value it gives that is not VALUE_NONE */
	uint8_t min_width;
	bool column_only; /* says again what other keys say, so not in JSON */
	/* @row is a struct session, a struct event …, as the table says. */
	void (*get)(const void *row, const struct moment *now, struct value *out);
};

/* field__align() - numbers to the right */
enum field_align field__align(const struct field *field);

/* FIELD_KEY() - the members of struct field that follow from its key, an identifier;
 * FIELD_KEY_TEXT() - from its key as a text */
#define FIELD_KEY(key_) FIELD_KEY_TEXT(#key_)
#define FIELD_KEY_TEXT(text) \
	.key = text, .json_key = ",\"" text "\":", .json_key_len = sizeof(",\"" text "\":") - 1

/* GETTER() - the head of a field's getter that needs no time: get_KEY() */
#define GETTER(key)                                                                              \
	static void get_##key(const void *row, const struct moment *now __attribute__((unused)), \
			      struct value *out)

struct field_table {
	const char *schema; /* value of the JSON key "schema": "tcpwatch.session.v1" */
	const struct field *fields;
	size_t count;
	/* Which of two rows comes first where nothing else says; NULL: rows are not sorted. */
	int (*compare)(const void *a, const void *b);
};

extern const struct field_table session_fields; /* rows are struct session */
extern const struct field_table event_fields;	/* rows are struct event */

/* field__find() - the field called @key (@len bytes) in @table, or NULL; "rtt" finds rtt_seconds */
const struct field *field__find(const struct field_table *table, const char *key, size_t len);

/* field__nearest() - the key in @table that is most like @key, or NULL if none is */
const char *field__nearest(const struct field_table *table, const char *key, size_t len);

/* A choice of fields, in order, each once. No table has more. */
#define FIELD_LIST_MAX 64
struct field_list {
	const struct field *items[FIELD_LIST_MAX];
	size_t count;
};

/*
 * field_list__parse() - "a,b,c" into fields; "+a,b" appends to what @list holds. A field
 * named twice is in it once, where it was first
 *
 * Returns 0, or -EINVAL after logging the unknown name and the nearest known one.
 */
int field_list__parse(struct field_list *list, const struct field_table *table, const char *spec);

/* field_list__insert() - @field before the one called @before, or at the end */
void field_list__insert(struct field_list *list, const struct field *field, const char *before);

/* value__compare() - order of two values of one field; unknown sorts after everything */
int value__compare(const struct value *a, const struct value *b);

/* endpoint__compare() - by address, as its bytes are, then by port */
int endpoint__compare(const struct endpoint *a, const struct endpoint *b);

/* --sort: one field and a direction ("-rtt" or "rtt:desc" is descending). */
struct sort_spec {
	const struct field *field;
	bool descending;
};
/* sort_spec__parse() - returns 0, or -EINVAL after logging the unknown name and the nearest known
 * one */
int sort_spec__parse(struct sort_spec *sort, const struct field_table *table, const char *spec);

/*
 * field_table__sort() - order @rows of @table; ties by what they are, so that rows do not jump
 * between frames
 *
 * Unknown values come last, whichever the direction.
 * @limit: only the first @limit need be in order (0: all): cheaper than a full sort.
 * Without memory for the sort keys the rows stay as they are, and a warning says so.
 */
void field_table__sort(const struct field_table *table, const void **rows, size_t count,
		       size_t limit, const struct sort_spec *sort, const struct moment *now);

/* session__compare() - by namespace, local and remote endpoint: each is one session's */
int session__compare(const void *a, const void *b);

#endif
