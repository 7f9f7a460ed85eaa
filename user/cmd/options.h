/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The options of all subcommands: one table gives the parser, --help and the manual's list.
 * Not here: what they mean to a command.
 */
#ifndef TCPWATCH_OPTIONS_H
#define TCPWATCH_OPTIONS_H

#include "user/model/filter.h"
#include "user/model/handshake_stats.h"
#include "user/model/session_group.h"
#include "user/source/live.h"
#include "user/util/exit_status.h"

/* Groups of options that a command takes; every one takes --help and --verbose. */
#define OPT_TAPS     (1u << 0)	/* -i, --hook, --view, --cache: which wires are looked at */
#define OPT_FILTER   (1u << 1)	/* the filter */
#define OPT_OUTPUT   (1u << 2)	/* --json, --color */
#define OPT_REFRESH  (1u << 3)	/* -d, -n, -b */
#define OPT_DURATION (1u << 4)	/* --duration */
#define OPT_TRY	     (1u << 5)	/* --try */
#define OPT_NETNS    (1u << 6)	/* -N */
#define OPT_FIELDS   (1u << 7)	/* --fields */
#define OPT_AGAIN    (1u << 8)	/* --watch: without it one frame is all */
#define OPT_GROUPS   (1u << 9)	/* --by, --prefix, --groups */
#define OPT_EXPORT   (1u << 10) /* --textfile, --interval, --once, --stdout, --listen */
#define OPT_BY	     (1u << 11) /* --by FIELD */
#define OPT_SORT     (1u << 12) /* --sort */
#define OPT_CUT	     (1u << 13) /* --rows */
#define OPT_CHOICE   (1u << 14) /* --container */
#define OPT_WATCH    (OPT_TAPS | OPT_NETNS | OPT_CHOICE)
#define OPT_ROWS     (OPT_FIELDS | OPT_SORT | OPT_FILTER)

struct command;

/* Where `tcpwatch export` writes, and when. */
struct export_options {
	const char *textfile, *listen; /* NULL: not there */
	bool once, to_stdout, describe;
	uint64_t interval_ns;	/* 0: not given */
	uint64_t max_listeners; /* with series of their own */
};

struct options {
	struct live_options live;
	struct export_options export;
	struct field_list fields;
	struct sort_spec sort; /* .field NULL: as they come */
	struct filter *filter; /* NULL: everything */
	bool json;
	bool color;		/* decided: --color, NO_COLOR, and whether stdout is a terminal */
	bool has_fields;	/* --fields was given */
	const struct field *by; /* one row for all sessions with the same value; NULL: for each */
	bool batch; /* frames are printed: -b, --json, no terminal, or only one is wanted */
	bool try_hooks;
	bool watch;
	struct handshake_grouping handshakes;
	bool has_view; /* --view was given, or options that imply one */
	uint64_t delay_ns;
	uint64_t duration_ns; /* 0: no limit */
	uint64_t count;	      /* of frames, 0: no limit */
	uint64_t rows;	      /* of each group, 0: as many as fit */
};

/*
 * options__parse() - what the arguments after the command's name say; argv[0] is the command
 *
 * Returns 0; EXIT_USAGE or EXIT_RUNTIME after logging one line; or -1 if all was said (--help,
 * --fields help).
 */
int options__parse(struct options *options, const struct command *command, int argc, char **argv);
void options__free(struct options *options);

/* options__table() - the table of the rows that are shown: that of groups with --by, else @usual */
const struct field_table *options__table(const struct options *options,
					 const struct field_table *usual);

/* options__is_used() - @key is shown, sorted by, or in the filter: an expensive field is needed */
bool options__is_used(const struct options *options, const char *key);

/* options__needs_close_wait() - what processes have in CLOSE_WAIT is; options__needs_owners() -
 * which processes hold sockets is, at least */
bool options__needs_close_wait(const struct options *options);
bool options__needs_owners(const struct options *options);

/* options__wants() - @session is to be shown: the filter passes it; without "state" no listeners */
bool options__wants(const struct options *options, const struct session *session,
		    const struct moment *now);

#endif
