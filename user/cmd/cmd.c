/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The list of commands, and the way from main() into one of them.
 */
#include "cmd.h"

#include <locale.h>
#include <string.h>

#include "cmd_list.h"
#include "option_table.h"
#include "stop.h"
#include "user/util/log.h"
#include "user/util/nearest.h"

#define ENTRY(name) &cmd_##name,
const struct command *const commands[] = {COMMANDS(ENTRY) NULL};

static const struct command *find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

static enum exit_status complain(const char *name)
{
	struct nearest nearest;

	nearest__init(&nearest, name, strlen(name));
	for (const struct command *const *c = commands; *c; c++)
		nearest__offer(&nearest, (*c)->name);
	if (nearest.best)
		log_error("unknown command %s; did you mean %s?", name, nearest.best);
	else
		log_error("unknown command %s; try tcpwatch --help", name);
	return EXIT_USAGE;
}

/* "tcpwatch help" too, and "tcpwatch help COMMAND". */
static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
}

static enum exit_status help(const char *name)
{
	const struct command *command = name ? find(name) : NULL;

	if (name && !command)
		return complain(name);
	return command ? help__command(command) : help__tcpwatch();
}

static enum exit_status run(const struct command *command, int argc, char **argv)
{
	struct options options;
	int result = options__parse(&options, command, argc, argv);
	enum exit_status status;

	options.live.is_stopping = stop__is_asked;
	if (!result && stop__install()) {
		log_error("cannot handle signals: %s", strerror(errno));
		result = EXIT_RUNTIME;
	}
	if (result)
		status = result < 0 ? EXIT_OK : (enum exit_status)result;
	else
		status = command->run(&options);
	options__free(&options);
	return status == EXIT_STOPPED ? EXIT_OK : status;
}

enum exit_status command__main(int argc, char **argv)
{
	const struct command *command;

	setlocale(LC_CTYPE, "");
	log__capture_libbpf();
	if (argc < 2) {
		log_error("no command; try tcpwatch top, or tcpwatch --help");
		return EXIT_USAGE;
	}
	if (is_help(argv[1]))
		return help(argc > 2 ? argv[2] : NULL);
	if (!strcmp(argv[1], "--version"))
		return help__version();
	command = find(argv[1]);
	return command ? run(command, argc - 1, argv + 1) : complain(argv[1]);
}
