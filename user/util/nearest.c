/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The nearest of a list of names.
 */
#include "nearest.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 48 /* longer words are not looked at: no name is that long */

void nearest__init(struct nearest *nearest, const char *word, size_t len)
{
	*nearest = (struct nearest){.word = word, .len = len, .distance = UINT_MAX};
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static int is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Three rows of the table of distances: the one being made and the two above it. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][WORD_MAX + 1];

	for (size_t k = 0; k <= b_len; k++)
		rows[0][k] = (unsigned)k;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3],
			 *two_above = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t k = 1; k <= b_len; k++) {
			unsigned replaced = above[k - 1] + !is_same(a[i - 1], b[k - 1]);

			row[k] = min3(above[k] + 1, row[k - 1] + 1, replaced);
			if (i > 1 && k > 1 && is_same(a[i - 1], b[k - 2]) &&
			    is_same(a[i - 2], b[k - 1]) && two_above[k - 2] + 1 < row[k])
				row[k] = two_above[k - 2] + 1;
		}
	}
	return rows[a_len % 3][b_len];
}

void nearest__offer(struct nearest *nearest, const char *name)
{
	size_t len = strlen(name);
	unsigned d;

	if (!nearest->len || nearest->len > WORD_MAX || len > WORD_MAX)
		return;
	d = distance(nearest->word, nearest->len, name, len);
	if (d > 1 && nearest->len >= 2 && !strncasecmp(nearest->word, name, nearest->len))
		d = 1;
	/* A third of the letters may be wrong. */
	if (d <= 1 + nearest->len / 4 && d < nearest->len && d < nearest->distance) {
		nearest->best = name;
		nearest->distance = d;
	}
}
