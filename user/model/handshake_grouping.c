/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How to group handshakes, as words of a command line. Not here: the groups (handshake_stats.c).
 */
#include "handshake_stats.h"

#include <errno.h>
#include <stdlib.h>

#define V4_BITS 32
#define V6_BITS 128

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(text, word, len);
}

int handshake_grouping__parse_by(struct handshake_grouping *grouping, const char *text)
{
	bool by_server = false, by_network = false;
	size_t len;

	do {
		len = strcspn(text, ",");
		if (is_word(text, len, "server"))
			by_server = true;
		else if (is_word(text, len, "network"))
			by_network = true;
		else
			return -EINVAL;
		text += len;
	} while (*text++);
	grouping->by_server = by_server;
	grouping->by_network = by_network;
	return 0;
}

/* Moves *@text past the number. */
static int parse_bits(const char **text, unsigned long most, uint8_t *out)
{
	unsigned long bits;
	char *end;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	bits = strtoul(*text, &end, 10);
	if (bits > most)
		return -EINVAL;
	*text = end;
	*out = (uint8_t)bits;
	return 0;
}

int handshake_grouping__parse_prefix(struct handshake_grouping *grouping, const char *text)
{
	uint8_t v4, v6 = grouping->prefix_v6;
	int err = parse_bits(&text, V4_BITS, &v4);

	if (!err && *text == ',') {
		text++;
		err = parse_bits(&text, V6_BITS, &v6);
	}
	if (err || *text)
		return -EINVAL;
	grouping->prefix_v4 = v4;
	grouping->prefix_v6 = v6;
	return 0;
}
