/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON lines (RFC 8259, one object per line). Always valid UTF-8, whatever the names hold.
 * Not here: which keys there are (the tables of fields).
 */
#include "output.h"

#include "address.h"
#include "user/model/tcp_state.h"
#include "user/util/fmt.h"
#include "user/util/utf8.h"

#define ESCAPED_MAX 6 /* bytes that one byte may become: a control as \u00XX */
#define NUMBER_MAX  (ENDPOINT_TEXT_MAX + 2) /* bytes of any value but text */

static char *put_bytes(char *out, const char *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

static char *put_escaped(char *out, unsigned code)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*out++ = digits[code >> shift & 0xf];
	return out;
}

/* One character that is not plain ASCII. Sets *@size to the bytes it took. */
static char *put_special(char *out, const char *bytes, size_t len, size_t *size)
{
	uint32_t code;

	*size = utf8__decode(bytes, len, &code);
	if (!*size) {
		*size = 1;
		return put_bytes(out, "\xef\xbf\xbd", 3); /* U+FFFD */
	}
	if (code == '"' || code == '\\') {
		*out++ = '\\';
		*out++ = (char)code;
		return out;
	}
	if (utf8__is_unsafe(code))
		return put_escaped(out, code);
	return put_bytes(out, bytes, *size);
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#define BYTES_OF(c) (0x0101010101010101ULL * (c))

/* The high bit of each byte of @word that is 0, and maybe of bytes above it. */
static uint64_t zero_bytes(uint64_t word)
{
	return (word - BYTES_OF(1)) & ~word & BYTES_OF(0x80);
}

/* is_plain() of eight characters at a time. */
static bool are_plain(uint64_t word)
{
	uint64_t below_space = (word - BYTES_OF(0x20)) & ~word;
	uint64_t beyond_tilde = word | (word + BYTES_OF(1));

	return !((below_space | beyond_tilde) & BYTES_OF(0x80)) &&
	       !zero_bytes(word ^ BYTES_OF('"')) && !zero_bytes(word ^ BYTES_OF('\\'));
}

/* Copies as much of @bytes as is plain, by eights. Returns how much that is. */
static size_t put_plain(char *out, const char *bytes, size_t len)
{
	uint64_t word;
	size_t at = 0;

	for (; len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, bytes + at, sizeof(word));
		if (!are_plain(word))
			break;
		memcpy(out + at, &word, sizeof(word));
	}
	return at;
}

void json__string(struct strbuf *sb, const char *bytes, size_t len)
{
	char *start = strbuf__reserve(sb, len * ESCAPED_MAX + 2), *out = start;
	size_t plain;

	if (!start)
		return;
	*out++ = '"';
	plain = put_plain(out, bytes, len);
	out += plain;
	for (size_t i = plain, size; i < len; i += size) {
		if (is_plain(bytes[i])) {
			*out++ = bytes[i];
			size = 1;
		} else {
			out = put_special(out, bytes + i, len - i, &size);
		}
	}
	*out++ = '"';
	*out = '\0';
	sb->len += (size_t)(out - start);
}

static char *put_string(char *out, const char *text)
{
	*out++ = '"';
	out = put_bytes(out, text, strlen(text));
	*out++ = '"';
	return out;
}

/* Any value but text: at most NUMBER_MAX bytes. */
static char *put_value(char *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NONE:
	case VALUE_TEXT:
		return put_bytes(out, "null", 4);
	case VALUE_COUNT:
	case VALUE_BYTES:
	case VALUE_PORT:
		return out + fmt__u64(out, value->u);
	case VALUE_BOOL:
		return value->u ? put_bytes(out, "true", 4) : put_bytes(out, "false", 5);
	case VALUE_SIGNED:
		return out + fmt__i64(out, value->i);
	case VALUE_DURATION:
		return out + fmt__seconds(out, value->u);
	case VALUE_RATE:
		return out + fmt__thousandths(out, value->i);
	case VALUE_STATE:
		return put_string(out, tcp_state__name((unsigned)value->u));
	case VALUE_TIME:
	case VALUE_ADDR:
	case VALUE_ENDPOINT:
	case VALUE_HISTOGRAM:
		break;
	}
	*out++ = '"';
	if (value->kind == VALUE_TIME)
		out += fmt__time(out, value->u);
	else if (value->kind == VALUE_ADDR)
		out = address__put(out, value->addr, false);
	else
		out = endpoint__put(out, value->endpoint, false, false, NULL);
	*out++ = '"';
	return out;
}

/* Each bucket with something in it: its upper end (null: none) and how many it holds. */
static void add_histogram(struct strbuf *sb, const struct histogram *h)
{
	const char *comma = "";

	strbuf__addc(sb, '[');
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t limit_ns = histogram__limit(i);
		char *out;

		if (!h->bucket[i])
			continue;
		strbuf__adds(sb, comma);
		strbuf__adds(sb, "{\"below_seconds\":");
		out = strbuf__reserve(sb, FMT_SECONDS_MAX);
		if (!out)
			return;
		if (limit_ns == UINT64_MAX)
			strbuf__adds(sb, "null");
		else
			sb->len += fmt__seconds(out, limit_ns);
		strbuf__adds(sb, ",\"count\":");
		strbuf__addu(sb, h->bucket[i]);
		strbuf__addc(sb, '}');
		comma = ",";
	}
	strbuf__addc(sb, ']');
}

static void add_member(struct strbuf *sb, const struct field *field, const struct value *value)
{
	char *start = strbuf__reserve(sb, sizeof(field->json_key) + NUMBER_MAX), *out = start;

	if (!start)
		return;
	memcpy(out, field->json_key, sizeof(field->json_key));
	out += field->json_key_len;
	if (value->kind != VALUE_TEXT && value->kind != VALUE_HISTOGRAM)
		out = put_value(out, value);
	sb->len += (size_t)(out - start);
	if (value->kind == VALUE_TEXT)
		json__string(sb, value->text, value->text_len);
	else if (value->kind == VALUE_HISTOGRAM)
		add_histogram(sb, value->histogram);
}

static void begin_row(struct strbuf *sb, const struct field_table *table)
{
	strbuf__adds(sb, "{\"schema\":");
	json__string(sb, table->schema, strlen(table->schema));
}

static void add_field(struct strbuf *sb, const struct field *field, const void *row,
		      const struct moment *now)
{
	struct value value;

	field->get(row, now, &value);
	add_member(sb, field, &value);
}

void json__row(struct strbuf *sb, const struct field_table *table, const void *row,
	       const struct moment *now)
{
	begin_row(sb, table);
	for (size_t i = 0; i < table->count; i++)
		if (!table->fields[i].column_only)
			add_field(sb, &table->fields[i], row, now);
	strbuf__adds(sb, "}\n");
}

void json__chosen_row(struct strbuf *sb, const struct field_table *table,
		      const struct field_list *fields, const void *row, const struct moment *now)
{
	begin_row(sb, table);
	for (size_t i = 0; i < fields->count; i++)
		add_field(sb, fields->items[i], row, now);
	strbuf__adds(sb, "}\n");
}
