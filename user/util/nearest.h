/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "Did you mean …?": the known name nearest to a word that is none. Not here: the lists of names.
 */
#ifndef TCPWATCH_NEAREST_H
#define TCPWATCH_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word;
	size_t len;
	const char *best; /* NULL: nothing offered comes near */
	unsigned distance;
};

/* nearest__init() - look for names like the @len bytes at @word */
void nearest__init(struct nearest *nearest, const char *word, size_t len);

/*
 * nearest__offer() - @name is one of the known names; it must outlive @nearest
 *
 * Distance is that of optimal string alignment (insert, delete, replace, swap neighbours), without
 * regard to case; a name that starts with the word counts as near.
 */
void nearest__offer(struct nearest *nearest, const char *name);

#endif
