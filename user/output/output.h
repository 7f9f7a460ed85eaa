/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows as text columns or as JSON lines, from the field tables. Appends to a strbuf; writes nothing
 * itself. Not here: the full screen (ui/).
 */
#ifndef TCPWATCH_OUTPUT_H
#define TCPWATCH_OUTPUT_H

#include "user/model/field.h"
#include "user/util/strbuf.h"

/* json__row() - one object and a newline: "schema" first, then every field of @table; always valid
 * UTF-8 */
void json__row(struct strbuf *sb, const struct field_table *table, const void *row,
	       const struct moment *now);

/* json__chosen_row() - likewise, but only @fields of @table */
void json__chosen_row(struct strbuf *sb, const struct field_table *table,
		      const struct field_list *fields, const void *row, const struct moment *now);

/* json__string() - @len hostile bytes as a JSON string, quotes included; bad UTF-8 becomes U+FFFD
 */
void json__string(struct strbuf *sb, const char *bytes, size_t len);

/* Column widths for a set of rows. */
struct text_layout {
	const struct field_list *fields;
	uint16_t width[FIELD_LIST_MAX];
	bool color;
};

/*
 * text_layout__fit() - widths: the fields' own least, the headings, and (for @count > 0) the widest
 * value
 *
 * Only the first TEXT_FIT_ROWS rows are looked at.
 */
#define TEXT_FIT_ROWS 2000
void text_layout__init(struct text_layout *layout, const struct field_list *fields, bool color);
void text_layout__fit(struct text_layout *layout, const void *const *rows, size_t count,
		      const struct moment *now);
void text__heading(struct strbuf *sb, const struct text_layout *layout);
/* text__row() - one line; control characters and bad UTF-8 in values are escaped as \xNN */
void text__row(struct strbuf *sb, const struct text_layout *layout, const void *row,
	       const struct moment *now);

/* text__value() - @value as a person reads it: "12.3ms", "1.4M", "10.0.0.1", "ESTAB", "-" */
void text__value(struct strbuf *sb, const struct value *value);

/* text__time() - RFC 3339 with nanoseconds, UTC; @real_ns is CLOCK_REALTIME */
void text__time(struct strbuf *sb, uint64_t real_ns);

#endif
