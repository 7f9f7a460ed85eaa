/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows as aligned columns of text, and values as a person reads them.
 * Not here: which columns (the commands), the full screen (ui/).
 */
#include "output.h"

#include <wchar.h>

#include "address.h"
#include "user/model/tcp_state.h"
#include "user/util/fmt.h"
#include "user/util/utf8.h"

#define COLUMN_GAP	2
#define SHORT_VALUE_MAX (ENDPOINT_TEXT_MAX + SCOPE_TEXT_MAX + 1) /* bytes of any value but text */

#define COLOR_RESET	"\033[0m"
#define COLOR_HEADING	"\033[1m"

static const char *const phase_colors[] = {
	[PHASE_UNKNOWN] = "",	   [PHASE_LISTENING] = "\033[34m", [PHASE_OPENING] = "\033[33m",
	[PHASE_OPEN] = "\033[32m", [PHASE_CLOSING] = "\033[35m",   [PHASE_OVER] = "\033[2m",
};

static char *put_string(char *out, const char *text)
{
	size_t len = strlen(text);

	memcpy(out, text, len);
	return out + len;
}

static char *put_signed(char *out, int64_t i)
{
	if (i > 0)
		*out++ = '+';
	return out + fmt__i64(out, i);
}

/* Any value but text: at most SHORT_VALUE_MAX bytes of ASCII. */
static char *put_short_value(char *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NONE:
	case VALUE_TEXT:
		return put_string(out, "-");
	case VALUE_COUNT:
	case VALUE_PORT:
	case VALUE_HISTOGRAM: /* its shape is for JSON, and for text__histograms() */
		return out + fmt__u64(out, value->u);
	case VALUE_BYTES:
		return out + fmt__bytes(out, value->u);
	case VALUE_DURATION:
		return out + fmt__duration(out, value->u);
	case VALUE_RATE:
		return out + fmt__rate(out, value->i);
	case VALUE_SIGNED:
		return put_signed(out, value->i);
	case VALUE_TIME:
		return out + fmt__time(out, value->u);
	case VALUE_BOOL:
		return put_string(out, value->u ? "yes" : "no");
	case VALUE_STATE:
		return put_string(out, tcp_state__name((unsigned)value->u));
	case VALUE_ADDR:
		return scope__put(address__put(out, value->addr, value->is_v6), value->scope);
	case VALUE_ENDPOINT:
		return endpoint__put(out, value->endpoint, value->is_v6, value->is_dual,
				     value->scope);
	}
	return out;
}

void text__value(struct strbuf *sb, const struct value *value)
{
	char *start;

	if (value->kind == VALUE_TEXT && value->text_len) {
		utf8__add_escaped(sb, value->text, value->text_len);
		if (value->is_guess)
			strbuf__addc(sb, '?');
		return;
	}
	start = strbuf__reserve(sb, SHORT_VALUE_MAX);
	if (!start)
		return;
	sb->len += (size_t)(put_short_value(start, value) - start);
	sb->data[sb->len] = '\0';
}

void text__time(struct strbuf *sb, uint64_t real_ns)
{
	char *start = strbuf__reserve(sb, FMT_TIME_MAX);

	if (!start)
		return;
	sb->len += fmt__time(start, real_ns);
	sb->data[sb->len] = '\0';
}

/* Columns that @len bytes of well-formed UTF-8 take: one where the locale does not know better. */
static size_t display_width(const char *text, size_t len)
{
	size_t width = 0, size;
	uint32_t code;

	for (size_t i = 0; i < len; i += size) {
		int columns = 1;

		size = (uint8_t)text[i] < 0x80 ? 1 : utf8__decode(text + i, len - i, &code);
		if (size > 1)
			columns = wcwidth((wchar_t)code);
		width += columns < 0 ? 1 : (size_t)columns;
		size = size ? size : 1;
	}
	return width;
}

static size_t pad_to(size_t width, size_t used)
{
	return width > used ? width - used : 0;
}

/* Moves what was appended since @start to the right by @count spaces. */
static void indent(struct strbuf *sb, size_t start, size_t count)
{
	size_t len = sb->len - start;

	if (!count || !strbuf__reserve(sb, count))
		return;
	memmove(sb->data + start + count, sb->data + start, len);
	memset(sb->data + start, ' ', count);
	sb->len += count;
	sb->data[sb->len] = '\0';
}

/* What was appended since @start becomes cell @column: padded to its width, with the gap after it.
 */
static void end_cell(struct strbuf *sb, const struct text_layout *layout, size_t column,
		     size_t start, size_t shown)
{
	bool is_last = column + 1 == layout->fields->count;
	size_t pad = pad_to(layout->width[column], shown);

	if (sb->failed)
		return;
	if (field__align(layout->fields->items[column]) == ALIGN_RIGHT) {
		indent(sb, start, pad);
		pad = 0;
	}
	if (!is_last)
		strbuf__pad(sb, ' ', pad + COLUMN_GAP);
}

/* Appends the value, and its colour around it. Returns the columns it takes. */
static size_t add_value(struct strbuf *sb, const struct value *value, bool has_color)
{
	size_t start, width;
	const char *color = "";

	if (has_color && value->kind == VALUE_STATE)
		color = phase_colors[tcp_state__phase((unsigned)value->u)];
	if (*color)
		strbuf__adds(sb, color);
	start = sb->len;
	text__value(sb, value);
	width = value->kind == VALUE_TEXT ? display_width(sb->data + start, sb->len - start)
					  : sb->len - start;
	if (*color)
		strbuf__adds(sb, COLOR_RESET);
	return width;
}

void text__row(struct strbuf *sb, const struct text_layout *layout, const void *row,
	       const struct moment *now)
{
	struct value value;

	for (size_t i = 0; i < layout->fields->count; i++) {
		size_t start = sb->len;

		layout->fields->items[i]->get(row, now, &value);
		end_cell(sb, layout, i, start, add_value(sb, &value, layout->color));
	}
	strbuf__addc(sb, '\n');
}

void text__heading(struct strbuf *sb, const struct text_layout *layout)
{
	if (layout->color)
		strbuf__adds(sb, COLOR_HEADING);
	for (size_t i = 0; i < layout->fields->count; i++) {
		const char *title = layout->fields->items[i]->title;
		size_t start = sb->len;

		strbuf__adds(sb, title);
		end_cell(sb, layout, i, start, strlen(title));
	}
	if (layout->color)
		strbuf__adds(sb, COLOR_RESET);
	strbuf__addc(sb, '\n');
}

void text_layout__init(struct text_layout *layout, const struct field_list *fields, bool color)
{
	layout->fields = fields;
	layout->color = color;
	text_layout__fit(layout, NULL, 0, NULL);
}

static void widen(struct text_layout *layout, size_t column, size_t width)
{
	if (width > UINT16_MAX)
		width = UINT16_MAX;
	if (width > layout->width[column])
		layout->width[column] = (uint16_t)width;
}

void text_layout__fit(struct text_layout *layout, const void *const *rows, size_t count,
		      const struct moment *now)
{
	struct strbuf scratch = STRBUF_INIT;
	struct value value;

	for (size_t i = 0; i < layout->fields->count; i++) {
		layout->width[i] = layout->fields->items[i]->min_width;
		widen(layout, i, strlen(layout->fields->items[i]->title));
	}
	for (size_t r = 0; r < count && r < TEXT_FIT_ROWS; r++) {
		for (size_t i = 0; i < layout->fields->count; i++) {
			layout->fields->items[i]->get(rows[r], now, &value);
			strbuf__clear(&scratch);
			widen(layout, i, add_value(&scratch, &value, false));
		}
	}
	strbuf__free(&scratch);
}
