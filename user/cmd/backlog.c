/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch backlog: each listener, its queues, and what became of the SYNs that came for it. Once,
 * or again and again.
 */
#include "board.h"
#include "cmd_list.h"
#include "gather.h"
#include "stop.h"
#include "user/output/output.h"
#include "user/source/syn_totals.h"
#include "user/ui/backlog_summary.h"

struct backlog {
	const struct options *options;
	struct live *live;
	bool needs_owners;
	struct syn_fates chosen; /* of the listeners that the filter lets through */
};

static int refresh(void *ctx, uint64_t n_frames)
{
	struct backlog *b = ctx;
	int err = live__refresh(b->live);

	if (!err)
		err = live__refresh_listeners(b->live);
	if (!err && b->needs_owners && live__find_listener_owners(b->live, !n_frames))
		b->needs_owners = false; /* said by then; the queues matter more */
	return err;
}

struct collecting {
	struct rows *rows;
	struct backlog *backlog;
	const struct moment *now;
};

static void collect_one(void *ctx, const struct listener *listener)
{
	struct collecting *c = ctx;

	if (!filter__match(c->backlog->options->filter, &listener->session, c->now))
		return;
	rows__add(c->rows, listener);
	syn_fates__add(&c->backlog->chosen, listener);
}

static int collect(void *ctx, struct rows *rows, const struct moment *now, size_t limit)
{
	struct backlog *b = ctx;
	struct collecting c = {rows, b, now};

	rows__clear(rows);
	b->chosen = (struct syn_fates){0};
	listener_table__visit(live__listeners(b->live), collect_one, &c);
	return rows__finish(rows, &listener_fields, b->options, now, limit);
}

static void write_header(void *ctx, struct strbuf *sb, size_t n_rows __attribute__((unused)),
			 unsigned width)
{
	struct backlog *b = ctx;
	struct syn_totals totals;

	syn_totals__take(&totals, b->live, 0);
	backlog_summary__write(sb, &totals, b->options->filter ? &b->chosen : NULL,
			       live__taps(b->live), width);
}

/* The two accounts of each namespace. */
static void write_json(void *ctx, struct strbuf *sb, const struct moment *now)
{
	struct backlog *b = ctx;
	const struct netns_list *list = live__netns(b->live);

	for (size_t i = 0; !b->options->has_fields && i < list->count; i++) {
		struct syn_totals totals;

		syn_totals__take(&totals, b->live, list->items[i].inum);
		json__row(sb, &syn_totals_fields, &totals, now);
	}
}

static enum exit_status show(struct backlog *b, struct options *options)
{
	const struct board board = {
		.table = &listener_fields,
		.live = b->live,
		.ctx = b,
		.refresh = refresh,
		.collect = collect,
		.write_header = write_header,
		.write_json = write_json,
	};

	if (!options->watch && options->duration_ns) {
		if (live__refresh_listeners(b->live) || gather(b->live, options->duration_ns))
			return EXIT_RUNTIME;
		stop__forget(); /* a signal ended the wait for the frame */
	}
	return board__run(&board, options);
}

static enum exit_status run(struct options *options)
{
	struct backlog b = {
		.options = options,
		.needs_owners =
			options__is_used(options, "pid") || options__is_used(options, "comm"),
	};
	enum exit_status status;

	/* What comes for listeners takes time to come: without any, queues are all there is. */
	options->live.follow = options->watch || options->duration_ns;
	if (options->live.follow && !options->has_view)
		options->live.views = VIEW_BOTH;
	options->live.lean = true;
	options->live.want_listeners = true;
	options->live.want_owners = b.needs_owners;
	options->live.want_ages = options__is_used(options, "syn_queue_oldest_seconds");
	status = live__open(&b.live, &options->live);
	if (status != EXIT_OK)
		return status;
	status = show(&b, options);
	live__close(b.live);
	return status;
}

static const char *const examples[] = {
	"tcpwatch backlog",
	"tcpwatch backlog --watch -d 1",
	"tcpwatch backlog -N all --fields netns,local,accept_queue,accept_queue_limit,comm",
	"tcpwatch backlog --duration 10 --json sport = :443 | jq .syns_dropped_accept_queue",
	NULL,
};

const struct command cmd_backlog = {
	.name = "backlog",
	.summary = "show each listener's queues and what became of its SYNs, the worst first",
	.examples = examples,
	.options = OPT_WATCH | OPT_ROWS | OPT_OUTPUT | OPT_REFRESH | OPT_DURATION | OPT_AGAIN,
	.views = VIEW_SOCKET,
	.needs = VIEW_SOCKET, /* a listener is a socket */
	.table = &listener_fields,
	/* What matters most is within 80 columns. */
	.default_fields = "local,comm,syn_queue,syn_queue_limit,accept_queue,accept_queue_limit,"
			  "accept_queue_oldest_seconds,drops,syns_per_second,"
			  "syns_dropped_accept_queue,syns_dropped_syn_queue,syns_cookie,"
			  "syns_queued,completed,syns_unseen,drops_difference,syn_queue_young,syn_"
			  "queue_oldest_seconds,"
			  "synack_retransmits,expired",
	.default_sort = "-badness",
	.run = run,
};
