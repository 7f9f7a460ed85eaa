/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of fields: one row per thing that can be said of a session or of an event. Columns, --fields,
 * --sort, --json keys, filter keys, metric names and docs/FIELDS.md all come from it.
 * Not here: layout of columns (output/), which fields a view shows by default (its command).
 */
#ifndef TCPWATCH_FIELD_H
#define TCPWATCH_FIELD_H

#include <stddef.h>

#include "event.h"
#include "session.h"

enum value_kind {
	VALUE_NONE,	/* unknown: null, "-" */
	VALUE_COUNT,	/* .u, a plain number */
	VALUE_BYTES,	/* .u; text uses 1.2M style, JSON the plain number */
	VALUE_DURATION, /* .u in nanoseconds; JSON prints seconds as a decimal */
	VALUE_TIME,	/* .u CLOCK_REALTIME nanoseconds; RFC 3339 with nanoseconds */
	VALUE_PORT,	/* .u */
	VALUE_STATE,	/* .u enum tcp_state */
	VALUE_ADDR,	/* .addr */
	VALUE_TEXT,	/* .text, .text_len; hostile bytes */
};

struct value {
	enum value_kind kind;
	size_t text_len;
	union {
		uint64_t u;
		const struct ip_addr *addr;
		const char *text;
	};
	char buf[24]; /* for getters that compose a short text */
};

enum field_align { ALIGN_LEFT, ALIGN_RIGHT };

struct field {
	const char *key;   /* JSON key, --fields and --sort name: snake_case */
	const char *title; /* column heading */
	const char *unit;  /* "", "seconds", "bytes", "segments" */
	const char *help;  /* one line, no full stop */
	enum value_kind kind; /* of every value it gives that is not VALUE_NONE */
	uint8_t min_width;
	/* @row is a struct session or a struct event, as the table says. */
	void (*get)(const void *row, const struct moment *now, struct value *out);
};

struct field_table {
	const char *schema; /* value of the JSON key "schema": "tcpwatch.session.v1" */
	const struct field *fields;
	size_t count;
};

extern const struct field_table session_fields; /* rows are struct session */
extern const struct field_table event_fields;	/* rows are struct event */

/* field__find() - the field called @key (@len bytes) in @table, or NULL */
const struct field *field__find(const struct field_table *table, const char *key, size_t len);

/* A choice of fields, in order. */
#define FIELD_LIST_MAX 48
struct field_list {
	const struct field *items[FIELD_LIST_MAX];
	size_t count;
};

/*
 * field_list__parse() - "a,b,c" into fields; "+a,b" appends to what @list holds
 *
 * Returns 0, or -EINVAL after logging the unknown name and the nearest known one.
 */
int field_list__parse(struct field_list *list, const struct field_table *table, const char *spec);

/* value__compare() - order of two values of one field; unknown sorts after everything */
int value__compare(const struct value *a, const struct value *b);

/* --sort: one field and a direction ("-rtt" or "rtt:desc" is descending). */
struct sort_spec {
	const struct field *field;
	bool descending;
};
int sort_spec__parse(struct sort_spec *sort, const struct field_table *table, const char *spec);

/*
 * sessions__sort() - order @rows; ties by netns, local, remote, so that rows do not jump between frames
 *
 * @limit: only the first @limit need be in order (0: all): cheaper than a full sort.
 */
void sessions__sort(const struct session **rows, size_t count, size_t limit,
		    const struct sort_spec *sort, const struct moment *now);

#endif
