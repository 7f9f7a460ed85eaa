/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a subcommand is: one file that defines a struct command, and one line in cmd.c's list.
 * Not here: the options themselves (options.h), exit() (main.c).
 */
#ifndef TCPWATCH_CMD_H
#define TCPWATCH_CMD_H

#include "options.h"

struct command {
	const char *name;
	const char *summary;	     /* one line of `tcpwatch --help` */
	const char *const *examples; /* lines of its own --help, NULL-terminated */
	unsigned options;	     /* groups it takes: OPT_WATCH | … */
	unsigned views;		     /* looked at unless --view says otherwise: VIEW_* */
	unsigned needs;		     /* of these, what --view may not leave out: VIEW_* */
	/* Of OPT_ROWS commands: whose fields --fields and --sort name, and the ones shown. */
	const struct field_table *table;
	const char *default_fields;
	const char *default_sort; /* NULL: as they come */
	enum exit_status (*run)(struct options *options);
};

extern const struct command *const commands[]; /* NULL-terminated, in the order of --help */

/* command__main() - tcpwatch with the arguments of main(): find the command, read options, run it
 */
enum exit_status command__main(int argc, char **argv);

#endif
