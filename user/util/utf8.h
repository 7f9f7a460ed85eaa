/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hostile bytes: names of processes, interfaces and namespaces are chosen by others. Decoding of
 * UTF-8, and the escaping that makes such bytes safe to show on a terminal. Not here: JSON's
 * escaping (output/json.c).
 */
#ifndef TCPWATCH_UTF8_H
#define TCPWATCH_UTF8_H

#include "strbuf.h"

/*
 * utf8__decode() - the character that starts at @bytes, of which @len are there
 *
 * Returns its length (1 … 4) and sets *@code; or 0 if the bytes are no well-formed UTF-8 (RFC 3629:
 * no overlong forms, no surrogates, nothing above U+10FFFF).
 */
size_t utf8__decode(const char *bytes, size_t len, uint32_t *code);

/* utf8__is_unsafe() - a character that moves the cursor, hides or reorders text: C0, C1, bidi
 * controls, separators */
bool utf8__is_unsafe(uint32_t code);

/* utf8__add_escaped() - append @bytes; each unsafe or malformed byte as \xNN */
void utf8__add_escaped(struct strbuf *sb, const char *bytes, size_t len);

#endif
