/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of options, shared by its reader (options.c) and by --help (help.c). Nobody else needs
 * it.
 */
#ifndef TCPWATCH_OPTION_TABLE_H
#define TCPWATCH_OPTION_TABLE_H

#include "cmd.h"

#define OPT_ALL 0 /* every command takes it */

/* What .set returns after it printed all that was asked for, or could not. */
enum { OPTION_SAID_ALL = 1, OPTION_UNSAID };

static inline int option__said(enum exit_status printed)
{
	return printed == EXIT_OK ? OPTION_SAID_ALL : OPTION_UNSAID;
}

enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* What reading needs beside the result. */
struct reading {
	struct options *options;
	const struct command *command;
	enum color_mode color;
	const char *fields, *sort;
	bool has_view, has_taps;
};

struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *arg;				/* name of its value, NULL: it has none */
	unsigned group;					/* OPT_* */
	int (*set)(struct reading *r, const char *arg); /* 0, OPTION_…, or -errno, logged */
	const char *help;
};

#define OPTION_ROWS_MAX 64
extern const struct option_row option_rows[];
extern const size_t n_option_rows;

static inline bool option_row__is_of(const struct option_row *row, const struct command *command)
{
	return row->group == OPT_ALL || row->group & command->options;
}

/* help__command() - print the help of one command; help__tcpwatch() - of all; help__version() -
 * which tcpwatch this is. The status is that of writing. */
enum exit_status help__command(const struct command *command);
enum exit_status help__tcpwatch(void);
enum exit_status help__version(void);
/* help__fields() - print the fields of @table, one per line, the key first */
enum exit_status help__fields(const struct field_table *table);

#endif
