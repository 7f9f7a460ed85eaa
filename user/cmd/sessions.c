/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch sessions: the table once. By itself it looks at sockets alone, for an interface shows
 * nothing in an instant; told to watch interfaces it first does so for a while. Where each row can
 * be printed as it is found, none is kept.
 */
#include <errno.h>
#include <stdlib.h>

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

/* ---- a table --------------------------------------------------------------------------------- */

static int list(struct listing *l, struct printer *printer)
{
	const struct options *options = l->options;
	int err = 0;

	if (options->live.follow)
		err = watch(l->live, options->duration_ns);
	if (!err && (options__needs_owners(options) || live__needs_owners(l->live)))
		err = live__find_owners(l->live, true);
	if (!err && options__needs_close_wait(options))
		live__look_close_wait(l->live);
	return err ? err : print(l, printer);
}

/* ---- row by row ------------------------------------------------------------------------------ */

/* Columns are as wide as the first rows need, which wait for that. */
struct first_row {
	struct session session;
	struct sock_info sock;
};

struct passing {
	struct listing *l;
	struct printer *printer;
	struct first_row *first; /* NULL: nothing waits any more */
	size_t n_first;
	int err;
};

/* All is known from the socket, and nothing from the other rows. */
static bool can_pass(const struct options *options)
{
	const struct live_options *live = &options->live;

	return live->views == VIEW_SOCKET && !live->follow && !live->want_containers &&
	       !live->want_nat && !options->by && !options->sort.field &&
	       !options__needs_owners(options) && !options__is_used(options, "cookie");
}

static void print_first(struct passing *p)
{
	struct rows rows = {0};

	for (size_t i = 0; i < p->n_first; i++)
		rows__add(&rows, &p->first[i].session);
	p->err = rows__finish(&rows, &session_fields, p->l->options, &p->l->now, 0);
	printer__table(p->printer, &rows, &p->l->now);
	rows__free(&rows);
	free(p->first);
	p->first = NULL;
}

static void pass(void *ctx, const struct session *session)
{
	struct passing *p = ctx;
	struct first_row *row;

	if (!options__wants(p->l->options, session, &p->l->now))
		return;
	if (p->first && p->n_first == TEXT_FIT_ROWS)
		print_first(p);
	if (!p->first)
		return printer__row(p->printer, session, &p->l->now);
	row = &p->first[p->n_first++];
	row->session = *session;
	row->sock = *session->sock;
	row->session.sock = &row->sock;
}

static int list_passing(struct listing *l, struct printer *printer)
{
	struct passing p = {.l = l, .printer = printer};
	int err;

	l->now = live__now();
	if (!l->options->json) /* without memory no column is wider than its heading asks for */
		p.first = calloc(TEXT_FIT_ROWS, sizeof(*p.first));
	err = live__list(l->live, pass, &p);
	if (p.first)
		print_first(&p);
	(void)printer__flush(printer); /* kept for printer__status() */
	return err ? err : p.err;
}

/* ---- running --------------------------------------------------------------------------------- */

static enum exit_status show(struct listing *l)
{
	const struct options *options = l->options;
	struct printer printer;
	enum exit_status status;
	int err;

	printer__init(&printer, options, options__table(options, &session_fields));
	err = options->live.lean ? list_passing(l, &printer) : list(l, &printer);
	status = printer__status(&printer);
	printer__free(&printer);
	return err ? EXIT_RUNTIME : status;
}

static enum exit_status run(struct options *options)
{
	struct listing l = {.options = options};
	enum exit_status status;

	if (!options->duration_ns && options->live.views & VIEW_WIRE)
		options->duration_ns = WATCH_NS;
	options->live.follow = options->duration_ns;
	options->live.in_passing = options->live.lean = can_pass(options);
	if (options->by && begin_groups(&l))
		return exit_status__of(-ENOMEM);
	status = live__open(&l.live, &options->live);
	if (status == EXIT_OK) {
		status = show(&l);
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
