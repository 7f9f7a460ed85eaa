/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows a command shows: those that the options want, in their order. Not here: how they are
 * written (output/, ui/).
 */
#ifndef TCPWATCH_ROWS_H
#define TCPWATCH_ROWS_H

#include "options.h"

/* Keeps its memory from one collection to the next. */
struct rows {
	const void **items; /* of the table that the command shows; valid until that changes */
	size_t count, size;
	bool failed; /* out of memory: some are missing */
};

void rows__clear(struct rows *rows);
void rows__add(struct rows *rows, const void *row);

/*
 * rows__finish() - sort what was added, rows of @table, as the options say
 *
 * @limit: only the first @limit need be in order, 0: all.
 * Returns 0 or -ENOMEM after logging.
 */
int rows__finish(struct rows *rows, const struct field_table *table, const struct options *options,
		 const struct moment *now, size_t limit);

/* rows__collect_sessions() - all of this: the sessions that @table holds now, filtered and sorted
 */
int rows__collect_sessions(struct rows *rows, struct session_table *table,
			   const struct options *options, const struct moment *now, size_t limit);
/* rows__collect_groups() - likewise of @groups, to which those sessions are added */
int rows__collect_groups(struct rows *rows, struct session_table *table,
			 struct session_groups *groups, const struct options *options,
			 const struct moment *now, size_t limit);
void rows__free(struct rows *rows);

#endif
