/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decoding of UTF-8 and escaping for terminals.
 */
#include "utf8.h"

#define ESCAPE_BYTES 4 /* \xNN */

/* A character of @size bytes: what its first byte says, and the least code that needs so many
 * bytes. */
struct utf8_form {
	uint8_t mask, lead;
	uint32_t least;
};

static const struct utf8_form forms[] = {
	{0x80, 0x00, 0},
	{0xe0, 0xc0, 0x80},
	{0xf0, 0xe0, 0x800},
	{0xf8, 0xf0, 0x10000},
};

size_t utf8__decode(const char *bytes, size_t len, uint32_t *code)
{
	const uint8_t *b = (const uint8_t *)bytes;
	size_t size = 0;
	uint32_t c;

	if (!len)
		return 0;
	while (size < 4 && (b[0] & forms[size].mask) != forms[size].lead)
		size++;
	if (size == 4 || size >= len)
		return 0;
	c = b[0] & (uint8_t)~forms[size].mask;
	for (size_t i = 1; i <= size; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3f);
	}
	if (c < forms[size].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return size + 1;
}

bool utf8__is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0xfeff ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f);
}

static char *put_escaped(char *at, const char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*at++ = '\\';
		*at++ = 'x';
		*at++ = digits[(uint8_t)bytes[i] >> 4];
		*at++ = digits[(uint8_t)bytes[i] & 0xf];
	}
	return at;
}

/* A character of one byte, and no control: most that there are. */
static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f;
}

void utf8__add_escaped(struct strbuf *sb, const char *bytes, size_t len)
{
	char *start = strbuf__reserve(sb, len * ESCAPE_BYTES), *at = start;

	if (!start)
		return;
	for (size_t i = 0; i < len;) {
		uint32_t code;
		size_t size;

		if (is_plain(bytes[i])) {
			*at++ = bytes[i++];
			continue;
		}
		size = utf8__decode(bytes + i, len - i, &code);
		if (!size || utf8__is_unsafe(code)) {
			size = size ? size : 1;
			at = put_escaped(at, bytes + i, size);
		} else {
			for (size_t k = 0; k < size; k++)
				*at++ = bytes[i + k];
		}
		i += size;
	}
	*at = '\0';
	sb->len += (size_t)(at - start);
}
