/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch sessions: the table once. By itself it looks at sockets alone, for an interface shows
 * nothing in an instant; told to watch interfaces it first does so for a while.
 */
#include <errno.h>

#include "cmd_list.h"
#include "gather.h"
#include "print.h"

#define WATCH_NS TW_NSEC_PER_SEC /* unless --duration says otherwise */

struct listing {
	struct options *options;
	struct live *live;
	struct session_groups *groups; /* NULL: a row for each session */
	struct moment now;
};

/* Of an opening or a close that finds no memory the sessions that are left still tell. */
static void count(void *ctx, const struct event *event)
{
	struct listing *l = ctx;

	if (event->session && options__wants(l->options, event->session, &l->now))
		(void)session_groups__note(l->groups, event, &l->now);
}

static int begin_groups(struct listing *l)
{
	struct live_options *live = &l->options->live;

	l->groups = session_groups__new(l->options->by, live->follow);
	l->now = live__now();
	if (!live->follow)
		return l->groups ? 0 : -ENOMEM;
	live->want_events = true;
	live->on_event = count;
	live->ctx = l;
	return l->groups ? 0 : -ENOMEM;
}

static int watch(struct live *live, uint64_t duration_ns)
{
	int err = gather(live, duration_ns);

	return err ? err : live__refresh(live);
}

static int print(struct listing *l, struct printer *printer)
{
	struct moment now = live__now();
	struct session_table *table = live__table(l->live);
	struct rows rows = {0};
	int err;

	if (l->groups)
		err = rows__collect_groups(&rows, table, l->groups, l->options, &now, 0);
	else
		err = rows__collect_sessions(&rows, table, l->options, &now, 0);
	printer__table(printer, &rows, &now);
	(void)printer__flush(printer); /* kept for printer__status() */
	rows__free(&rows);
	return err;
}

static enum exit_status list(struct listing *l, uint64_t duration_ns)
{
	const struct options *options = l->options;
	bool needs_close_wait = options__is_used(options, "close_wait_of_process") ||
				options__is_used(options, "close_wait_new");
	bool needs_owners = needs_close_wait || options__is_used(options, "pid") ||
			    options__is_used(options, "comm");
	struct printer printer;
	enum exit_status status;
	int err = 0;

	if (duration_ns)
		err = watch(l->live, duration_ns);
	if (!err && (needs_owners || live__needs_owners(l->live)))
		err = live__find_owners(l->live, true);
	if (!err && needs_close_wait)
		live__look_close_wait(l->live);
	printer__init(&printer, options, options__table(options, &session_fields));
	if (!err)
		err = print(l, &printer);
	status = printer__status(&printer);
	printer__free(&printer);
	return err ? EXIT_RUNTIME : status;
}

static enum exit_status run(struct options *options)
{
	uint64_t duration_ns = options->duration_ns;
	struct listing l = {.options = options};
	enum exit_status status;

	if (!duration_ns && options->live.views & VIEW_WIRE)
		duration_ns = WATCH_NS;
	options->live.follow = duration_ns;
	if (options->by && begin_groups(&l))
		return exit_status__of(-ENOMEM);
	status = live__open(&l.live, &options->live);
	if (status == EXIT_OK) {
		status = list(&l, duration_ns);
		live__close(l.live);
	}
	session_groups__free(l.groups);
	return status;
}

static const char *const examples[] = {
	"tcpwatch sessions state established '( dport = :443 or dst 10.0.0.0/8 )'",
	"tcpwatch sessions --sort -rtt --fields state,local,remote,rtt,comm",
	"tcpwatch sessions -N all --fields +pid,comm state time-wait",
	"tcpwatch sessions --json | jq -r 'select(.retransmits > 0) | .remote_addr'",
	"tcpwatch sessions -N all --by container --json",
	"tcpwatch sessions -i 'veth*' --duration 10",
	NULL,
};

const struct command cmd_sessions = {
	.name = "sessions",
	.summary = "print the table of sessions once",
	.examples = examples,
	.options = OPT_WATCH | OPT_ROWS | OPT_OUTPUT | OPT_DURATION | OPT_BY,
	.views = VIEW_SOCKET,
	.table = &session_fields,
	.default_fields = "state,rx_queue,tx_queue,local,remote,direction,rtt,tx_bytes,rx_bytes,"
			  "retransmits",
	.run = run,
};
