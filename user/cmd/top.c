/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch top: the live table, on the terminal or as frames for a pipe.
 */
#include <errno.h>

#include "board.h"
#include "cmd_list.h"
#include "user/ui/summary.h"

#define CONTAINER "container"

struct top {
	struct options *options;
	struct live *live;
	struct live_stats stats, before;
	struct rates rates;
	struct session_groups *groups; /* NULL: a row for each session */
	struct moment now;
	bool needs_owners;
	bool awaits_containers; /* they get a column once a row has one */
};

/* Of an opening or a close that finds no memory the header still tells. */
static void count(void *ctx, const struct event *event)
{
	struct top *top = ctx;

	if (event->session && options__wants(top->options, event->session, &top->now))
		(void)session_groups__note(top->groups, event, &top->now);
}

/* What was found when the source was opened is the first frame. */
static int refresh(void *ctx, uint64_t n_frames)
{
	struct top *top = ctx;
	int err = n_frames ? live__refresh(top->live) : 0;

	if (err)
		return err;
	top->now = live__now();
	if (top->needs_owners && live__find_owners(top->live, !n_frames))
		top->needs_owners = false; /* said by then; the sessions matter more */
	top->before = top->stats;
	live__stats(top->live, &top->stats);
	top->rates = rates__between(n_frames ? &top->before : NULL, &top->stats);
	return 0;
}

/* Where there are none the table is no wider for it. */
static void show_containers(struct top *top, const struct rows *rows)
{
	for (size_t i = 0; top->awaits_containers && i < rows->count; i++) {
		const struct session *session = rows->items[i];

		if (!session->container)
			continue;
		top->awaits_containers = false;
		field_list__insert(&top->options->fields,
				   field__find(&session_fields, CONTAINER, strlen(CONTAINER)),
				   "direction");
	}
}

static int collect(void *ctx, struct rows *rows, const struct moment *now, size_t limit)
{
	struct top *top = ctx;
	struct session_table *table = live__table(top->live);
	int err;

	if (top->groups)
		return rows__collect_groups(rows, table, top->groups, top->options, now, limit);
	err = rows__collect_sessions(rows, table, top->options, now, limit);
	show_containers(top, rows);
	return err;
}

static void write_header(void *ctx, struct strbuf *sb, size_t n_rows, unsigned width)
{
	struct top *top = ctx;
	const struct summary summary = {
		.stats = &top->stats,
		.rates = &top->rates,
		.taps = live__taps(top->live),
		.n_shown = top->groups ? top->stats.table.sessions : n_rows,
	};

	summary__write(sb, &summary, width);
}

/* Asked for with -N or --container, and no choice of fields or rows that says otherwise. */
static bool may_show_containers(const struct options *options)
{
	return (options->live.n_netns || options->live.n_containers) && !options->has_fields &&
	       !options->by && !options->json;
}

static bool begin_groups(struct top *top)
{
	struct live_options *live = &top->options->live;

	top->groups = session_groups__new(top->options->by, true);
	top->now = live__now();
	live->want_events = true;
	live->on_event = count;
	live->ctx = top;
	return top->groups;
}

static enum exit_status run(struct options *options)
{
	struct top top = {
		.options = options,
		.needs_owners = options__needs_owners(options),
	};
	enum exit_status status;

	if (options->by && !begin_groups(&top))
		return exit_status__of(-ENOMEM);
	top.awaits_containers = may_show_containers(options);
	options->live.want_containers |= top.awaits_containers;
	options->live.follow = true;
	options->live.watch_ports = options->live.watch_alarms = true;
	options->live.want_listeners = options->live.watch_listeners = true;
	status = live__open(&top.live, &options->live);
	if (status != EXIT_OK) {
		session_groups__free(top.groups);
		return status;
	}
	top.needs_owners |= live__needs_owners(top.live);
	status = board__run(
		&(struct board){
			.table = options__table(options, &session_fields),
			.live = top.live,
			.ctx = &top,
			.refresh = refresh,
			.collect = collect,
			.write_header = write_header,
		},
		options);
	live__close(top.live);
	session_groups__free(top.groups);
	return status;
}

static const char *const examples[] = {
	"tcpwatch top",
	"tcpwatch top state established '( sport = :443 )'",
	"tcpwatch top -i 'veth*' --hook tc -N all",
	"tcpwatch top -d 0.5 --sort -rtt --fields state,local,remote,rtt,cwnd,retransmits",
	"tcpwatch top -N all --by container",
	"tcpwatch top -b -n 1 | head -30",
	NULL,
};

const struct command cmd_top = {
	.name = "top",
	.summary = "show the live table of sessions",
	.examples = examples,
	.options = OPT_WATCH | OPT_ROWS | OPT_OUTPUT | OPT_REFRESH | OPT_BY,
	.views = VIEW_BOTH,
	.table = &session_fields,
	.default_fields = "state,local,remote,direction,rtt,tx_bytes,rx_bytes,retransmits,age,"
			  "pid,comm",
	.default_sort = "state",
	.run = run,
};
