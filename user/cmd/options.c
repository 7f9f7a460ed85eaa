/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the arguments of a subcommand by the table of options. Not here: the text of --help
 * (help.c), what the options mean to a command.
 */
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "option_table.h"
#include "user/model/session_values.h"
#include "user/util/log.h"
#include "user/util/nearest.h"

/* ---- the table as getopt wants it ---------------------------------------------------------- */

struct getopt_tables {
	char shorts[2 * OPTION_ROWS_MAX + 2];
	struct option longs[OPTION_ROWS_MAX + 1];
};

/* Each long option returns LONG_BASE and its row's number; each short one its letter. */
#define LONG_BASE 1000

static void make_tables(struct getopt_tables *tables, const struct command *command)
{
	char *shorts = tables->shorts;
	size_t n = 0;

	*shorts++ = ':';
	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];

		if (!option_row__is_of(row, command))
			continue;
		if (row->letter) {
			*shorts++ = row->letter;
			if (row->arg)
				*shorts++ = ':';
		}
		tables->longs[n++] =
			(struct option){row->name, row->arg ? required_argument : no_argument, NULL,
					LONG_BASE + (int)i};
	}
	*shorts = '\0';
	tables->longs[n] = (struct option){0};
}

static const struct option_row *row_of(int code)
{
	if (code >= LONG_BASE)
		return &option_rows[code - LONG_BASE];
	for (size_t i = 0; i < n_option_rows; i++)
		if (option_rows[i].letter == code)
			return &option_rows[i];
	return NULL;
}

static int complain_unknown(const struct command *command, const char *word)
{
	const char *name = word + strspn(word, "-");
	struct nearest nearest;

	nearest__init(&nearest, name, strlen(name));
	for (size_t i = 0; i < n_option_rows; i++)
		if (option_row__is_of(&option_rows[i], command))
			nearest__offer(&nearest, option_rows[i].name);
	if (nearest.best)
		log_error("unknown option %s; did you mean --%s?", word, nearest.best);
	else
		log_error("unknown option %s; try tcpwatch %s --help", word, command->name);
	return -EINVAL;
}

static int complain(const struct command *command, int code, char **argv)
{
	char letter[] = {'-', (char)optopt, '\0'};
	const char *word = optopt && optopt < LONG_BASE ? letter : argv[optind - 1];

	if (code == ':') {
		log_error("%s needs a value; try tcpwatch %s --help", word, command->name);
		return -EINVAL;
	}
	return complain_unknown(command, word);
}

static int read_options(struct reading *r, int argc, char **argv)
{
	struct getopt_tables tables = {0};
	int code, result;

	make_tables(&tables, r->command);
	opterr = 0;
	while ((code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		if (code == '?' || code == ':')
			return complain(r->command, code, argv);
		result = row_of(code)->set(r, optarg);
		if (result)
			return result;
	}
	return 0;
}

/* ---- what follows from several of them ------------------------------------------------------ */

/* What of a group of sessions is shown. */
#define GROUP_FIELDS                                                                       \
	"group,sessions,established,syn_recv,close_wait,time_wait,opens_per_second,opens," \
	"closes,failures,tx_bytes,rx_bytes,retransmits"
#define GROUP_SORT "-sessions"

const struct field_table *options__table(const struct options *options,
					 const struct field_table *usual)
{
	return options->by ? &session_group_fields : usual;
}

static bool has_many_netns(const struct live_options *live)
{
	return live->n_netns > 1 || live->n_containers > 1 ||
	       (live->n_netns && !strcmp(live->netns[0], "all"));
}

/* Rows of several namespaces say of which they are, before whose they are. */
static void add_netns(struct field_list *fields, const struct field_table *table)
{
	static const char key[] = "netns";
	const struct field *netns = field__find(table, key, strlen(key));
	size_t at = 0;

	while (at < fields->count && fields->items[at]->kind != VALUE_ENDPOINT)
		at++;
	if (netns && at < fields->count)
		field_list__insert(fields, netns, fields->items[at]->key);
}

static int choose_rows(struct reading *r)
{
	const struct command *command = r->command;
	struct options *options = r->options;
	const struct field_table *table = options__table(options, command->table);
	const char *sort = options->by ? GROUP_SORT : command->default_sort;
	int err;

	if (!table)
		return 0;
	if (r->fields && !strcmp(r->fields, "help"))
		return option__said(help__fields(table));
	err = field_list__parse(&options->fields, table,
				options->by ? GROUP_FIELDS : command->default_fields);
	if (!err && !options->by && has_many_netns(&options->live))
		add_netns(&options->fields, table);
	if (!err && r->fields)
		err = field_list__parse(&options->fields, table, r->fields);
	if (r->sort)
		sort = r->sort;
	if (!err && sort)
		err = sort_spec__parse(&options->sort, table, sort);
	options->has_fields = r->fields;
	return err;
}

static bool wants_color(enum color_mode mode)
{
	const char *no_color = getenv("NO_COLOR");

	if (mode != COLOR_AUTO)
		return mode == COLOR_ALWAYS;
	return !(no_color && *no_color) && isatty(STDOUT_FILENO);
}

static int read_filter(struct reading *r, int argc, char **argv)
{
	if (r->command->options & OPT_FILTER)
		return filter__parse(&r->options->filter, argc, (const char *const *)argv);
	if (!argc)
		return 0;
	log_error("tcpwatch %s takes no argument %s", r->command->name, argv[0]);
	return -EINVAL;
}

static int check_views(const struct reading *r)
{
	if (!(r->command->needs & ~r->options->live.views))
		return 0;
	log_error("tcpwatch %s shows what only the socket view has: give --view socket or both, "
		  "or leave --view away",
		  r->command->name);
	return -EINVAL;
}

/* A screen is for somebody who looks at it, and goes on looking. */
static void choose_frames(const struct command *command, struct options *options)
{
	bool is_once = command->options & OPT_AGAIN && !options->watch;

	if (is_once)
		options->count = 1;
	if (is_once || options->json || !isatty(STDOUT_FILENO))
		options->batch = true;
}

#define USES(key, ...) || options__is_used(options, #key)

/* Some field of a container is shown, sorted by or in the filter. */
static bool uses_containers(const struct options *options)
{
	return options->live.n_containers CONTAINER_FIELDS(USES);
}

/* Likewise of a translation of addresses. */
static bool uses_nat(const struct options *options)
{
	return false NAT_FIELDS(USES) NAT_COLUMN_FIELDS(USES);
}

int options__parse(struct options *options, const struct command *command, int argc, char **argv)
{
	struct reading r = {.options = options, .command = command};
	int result;

	*options = (struct options){
		.delay_ns = 2 * TW_NSEC_PER_SEC,
		.handshakes = {.by_server = true,
			       .by_network = true,
			       .prefix_v4 = 24,
			       .prefix_v6 = 64,
			       .max_groups = 1024},
	};
	options->live.views = command->views;
	options->export.max_listeners = 64;
	result = read_options(&r, argc, argv);
	if (!result)
		result = check_views(&r);
	if (!result)
		result = choose_rows(&r);
	if (!result)
		result = read_filter(&r, argc - optind, argv + optind);
	options->color = wants_color(r.color);
	choose_frames(command, options);
	options->live.want_containers = uses_containers(options);
	options->live.want_nat = uses_nat(options);
	if (r.has_taps && !r.has_view)
		options->live.views |= VIEW_WIRE;
	options->has_view = r.has_view;
	if (result < 0)
		return result == -EINVAL ? EXIT_USAGE : EXIT_RUNTIME;
	if (result == OPTION_UNSAID)
		return EXIT_RUNTIME;
	return result == OPTION_SAID_ALL ? -1 : 0;
}

void options__free(struct options *options)
{
	free((void *)options->live.ifaces);
	free((void *)options->live.netns);
	free((void *)options->live.containers);
	filter__free(options->filter);
}

bool options__is_used(const struct options *options, const char *key)
{
	if (options->sort.field && !strcmp(options->sort.field->key, key))
		return true;
	for (size_t i = 0; i < options->fields.count; i++)
		if (!strcmp(options->fields.items[i]->key, key))
			return true;
	if (options->by)
		return !strcmp(options->by->key, key) || filter__uses(options->filter, key);
	return (options->json && !options->has_fields) || filter__uses(options->filter, key);
}

bool options__needs_close_wait(const struct options *options)
{
	return options__is_used(options, "close_wait_of_process") ||
	       options__is_used(options, "close_wait_new");
}

bool options__needs_owners(const struct options *options)
{
	return options__needs_close_wait(options) || options__is_used(options, "pid") ||
	       options__is_used(options, "comm");
}

bool options__wants(const struct options *options, const struct session *session,
		    const struct moment *now)
{
	if (options->live.n_containers && !(session->container && session->container->is_chosen))
		return false;
	if (!filter__names_states(options->filter) && session->sock &&
	    session->sock->state == TCPS_LISTEN)
		return false;
	return filter__match(options->filter, session, now);
}
