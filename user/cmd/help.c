/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The texts of --help, made of the tables of commands, options and fields.
 */
#include <stdio.h>

#include "option_table.h"
#include "print.h"

static void add_options(struct strbuf *sb, const struct command *command)
{
	strbuf__adds(sb, "\nOptions:\n");
	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		char names[40];

		if (!option_row__is_of(row, command))
			continue;
		snprintf(names, sizeof(names), "--%s%s%s", row->name, row->arg ? " " : "",
			 row->arg ? row->arg : "");
		if (row->letter)
			strbuf__addf(sb, "  -%c, %-20s %s\n", row->letter, names, row->help);
		else
			strbuf__addf(sb, "      %-20s %s\n", names, row->help);
	}
}

static void add_examples(struct strbuf *sb, const char *const *examples)
{
	strbuf__adds(sb, "\nExamples:\n");
	for (; *examples; examples++)
		strbuf__addf(sb, "  %s\n", *examples);
}

enum exit_status help__command(const struct command *command)
{
	bool has_filter = command->options & OPT_FILTER;
	struct strbuf sb = STRBUF_INIT;

	strbuf__addf(&sb, "Usage: tcpwatch %s [options]%s\n\n%s\n", command->name,
		     has_filter ? " [filter]" : "", command->summary);
	if (has_filter)
		strbuf__adds(&sb,
			     "\nThe filter is in the grammar of ss(8), on any field of a session:\n"
			     "  state NAME, exclude NAME, src and dst ADDR[/LEN][:PORT], "
			     "sport and dport OP :PORT,\n"
			     "  dev IFACE, fwmark MARK[/MASK], cgroup PATH, autobound,\n"
			     "  FIELD OP VALUE; and, or, not, ( ).\n");
	add_options(&sb, command);
	add_examples(&sb, command->examples);
	return print__whole(&sb);
}

enum exit_status help__tcpwatch(void)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf__adds(&sb, "Usage: tcpwatch COMMAND [options] [filter]\n\n"
			  "Shows the TCP sessions of this host and the state each is really in.\n\n"
			  "Commands:\n");
	for (const struct command *const *c = commands; *c; c++)
		strbuf__addf(&sb, "  %-10s %s\n", (*c)->name, (*c)->summary);
	strbuf__adds(&sb, "\ntcpwatch COMMAND --help tells a command's options; "
			  "tcpwatch --version the version.\n");
	for (const struct command *const *c = commands; *c; c++) {
		if (c == commands)
			strbuf__adds(&sb, "\nExamples:\n");
		strbuf__addf(&sb, "  %s\n", (*c)->examples[0]);
	}
	return print__whole(&sb);
}

enum exit_status help__version(void)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf__adds(&sb, "tcpwatch " TCPWATCH_VERSION "\n");
	return print__whole(&sb);
}

enum exit_status help__fields(const struct field_table *table)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];

		strbuf__addf(&sb, "%-18s %s%s%s%s\n", field->key, field->help,
			     *field->unit ? " (" : "", field->unit, *field->unit ? ")" : "");
	}
	return print__whole(&sb);
}
