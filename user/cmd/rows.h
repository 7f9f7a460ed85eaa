/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sessions a command shows: those of the table that the options want, in their order.
 * Not here: how they are written (output/, ui/).
 */
#ifndef TCPWATCH_ROWS_H
#define TCPWATCH_ROWS_H

#include "options.h"

struct rows {
	const struct session **items; /* valid until the table takes in something new */
	size_t count, size;
	bool failed; /* out of memory: some are missing */
};

/*
 * rows__collect() - what @table holds now, filtered and sorted
 *
 * @limit: only the first @limit need be in order, 0: all.
 * Keeps its memory from one call to the next. Returns 0 or -ENOMEM after logging.
 */
int rows__collect(struct rows *rows, struct session_table *table, const struct options *options,
		  const struct moment *now, size_t limit);
void rows__free(struct rows *rows);

#endif
