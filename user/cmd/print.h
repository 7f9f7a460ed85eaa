/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows to standard output, as text or JSON as the options say, in large writes. What the commands
 * that print share. Not here: the formats themselves (output/).
 */
#ifndef TCPWATCH_PRINT_H
#define TCPWATCH_PRINT_H

#include "rows.h"
#include "user/output/output.h"

/* print__flush() - write @sb to standard output, until a signal asks to stop. As strbuf__flush() */
int print__flush(struct strbuf *sb);

/* print__status() - the exit status that what print__flush() gave means; logs it. That nobody reads
 * any more is no error, nor is a signal */
enum exit_status print__status(int err);

/* print__whole() - both, of all there is to say; frees @sb */
enum exit_status print__whole(struct strbuf *sb);

struct printer {
	const struct options *options;
	const struct field_table *table;
	struct text_layout layout;
	struct strbuf sb;
	bool has_heading; /* the heading is out */
	int err;	  /* the first error of writing: from then on nothing is */
};

/* printer__init() - for rows of @table */
void printer__init(struct printer *p, const struct options *options,
		   const struct field_table *table);
void printer__free(struct printer *p);

/* printer__row() - append one row, before the first text row the heading; flushes when full */
void printer__row(struct printer *p, const void *row, const struct moment *now);

/* printer__table() - all of @rows, columns as wide as they need */
void printer__table(struct printer *p, const struct rows *rows, const struct moment *now);

/* printer__flush() - write what is there. Returns 0 or the first -errno (-EPIPE: nobody reads) */
int printer__flush(struct printer *p);

/* printer__status() - the exit status that the end of writing means; logs what went wrong */
enum exit_status printer__status(const struct printer *p);

#endif
