/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a subcommand is, and the options they share. One file and one line in cmd_list.h for each command.
 * Not here: exit() (main.c).
 */
#ifndef TCPWATCH_CMD_H
#define TCPWATCH_CMD_H

#include "user/model/filter.h"
#include "user/source/live.h"

enum exit_status { EXIT_OK, EXIT_RUNTIME, EXIT_USAGE, EXIT_PRIVILEGE, EXIT_KERNEL };

struct command {
	const char *name;
	const char *summary;	   /* one line of tcpwatch --help */
	const char *const *examples; /* NULL-terminated */
	unsigned options;	   /* OPTIONS_* groups it takes beside --help */
	int (*run)(int argc, char **argv); /* returns enum exit_status */
};

#endif
