/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The subcommands, in the order of --help. Each is a file of its own that defines cmd_NAME.
 */
#ifndef TCPWATCH_CMD_LIST_H
#define TCPWATCH_CMD_LIST_H

#include "cmd.h"

#define COMMANDS(X)   \
	X(top)        \
	X(sessions)   \
	X(events)     \
	X(handshakes) \
	X(backlog)    \
	X(timewait)   \
	X(export)     \
	X(doctor)

#define DECLARE(name) extern const struct command cmd_##name;
COMMANDS(DECLARE)
#undef DECLARE

#endif
