/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch timewait: what TIME_WAIT costs, whose it is, and how near to running out of ports this
 * host is. Once, or again and again.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "board.h"
#include "cmd_list.h"
#include "gather.h"
#include "stop.h"
#include "user/model/timewait_fields.h"
#include "user/output/output.h"
#include "user/source/timewait_figures.h"
#include "user/ui/timewait_summary.h"
#include "user/util/log.h"

#define ROWS_SHOWN 10 /* of each group, where nobody can scroll */

struct counting {
	const struct options *options;
	struct live *live;
	struct timewait **accounts; /* one for each namespace that could be listed */
	size_t n_accounts;
	struct timewait *current; /* the one whose sockets come */
	bool counts_ends;
	uint64_t lost; /* records of who opens and closes, ever */
	int err;       /* the first of a look */
	uint64_t tick_ns, seed;
};

/* ---- accounts -------------------------------------------------------------------------------- */

static struct timewait **find_account(struct counting *c, uint32_t netns)
{
	for (size_t i = 0; i < c->n_accounts; i++)
		if (timewait__totals(c->accounts[i])->netns == netns)
			return &c->accounts[i];
	return NULL;
}

static struct timewait *add_account(struct counting *c, uint32_t netns)
{
	struct timewait **more = reallocarray(c->accounts, c->n_accounts + 1, sizeof(*c->accounts));

	if (!more)
		return NULL;
	c->accounts = more;
	more[c->n_accounts] = timewait__new(netns, c->seed, c->options->live.follow);
	return more[c->n_accounts] ? more[c->n_accounts++] : NULL;
}

static void drop_account(struct counting *c, uint32_t netns)
{
	struct timewait **at = find_account(c, netns);

	if (!at)
		return;
	timewait__free(*at);
	*at = c->accounts[--c->n_accounts];
}

/* Namespaces that vanished since the last look. */
static void drop_gone(struct counting *c)
{
	const struct netns_list *list = live__netns(c->live);

	for (size_t i = c->n_accounts; i-- > 0;) {
		uint32_t netns = timewait__totals(c->accounts[i])->netns;

		if (!netns_list__name(list, netns))
			drop_account(c, netns);
	}
}

/* ---- a look ---------------------------------------------------------------------------------- */

static void note(struct counting *c, int err)
{
	if (err && !c->err)
		c->err = err;
}

static void begin(struct counting *c, uint32_t netns)
{
	const struct netns_stats *stats = live__netns_stats(c->live, netns);
	const char *name = netns_list__name(live__netns(c->live), netns);
	struct timewait **known = find_account(c, netns);
	struct timewait_kernel kernel;
	struct port_range range;

	c->current = NULL;
	if (!stats || !name)
		return; /* gone by now */
	c->current = known ? *known : add_account(c, netns);
	if (!c->current)
		return note(c, -ENOMEM);
	timewait_figures__read(stats, &kernel);
	timewait_figures__ports(stats, &range);
	timewait__begin(c->current, name, &range, &kernel);
}

static void end(struct counting *c, const struct rec_snapshot *snapshot)
{
	const struct netns_stats *stats = live__netns_stats(c->live, snapshot->netns);
	struct timewait_kernel kernel;

	if (!snapshot->ok || !c->current || !stats)
		return drop_account(c, snapshot->netns);
	timewait_figures__read(stats, &kernel);
	timewait__note_lost(c->current, c->lost);
	timewait__end(c->current, &kernel, c->counts_ends, live__now().mono_ns, NULL, NULL);
}

static void take(void *ctx, const union record *rec)
{
	struct counting *c = ctx;

	switch (rec->hdr.kind) {
	case REC_SNAPSHOT_BEGIN:
		return begin(c, rec->snapshot.netns);
	case REC_TUPLE:
		if (c->current)
			note(c, timewait__add(c->current, &rec->tuple, c->tick_ns));
		return;
	case REC_TUPLES_END:
		c->counts_ends = rec->tuples_end.counts_ends;
		return;
	case REC_SNAPSHOT_END:
		return end(c, &rec->snapshot);
	}
}

/* Between two looks. */
static void follow(void *ctx, const union record *rec)
{
	bool is_opening = rec->hdr.kind == REC_OPENING;
	struct counting *c = ctx;
	struct timewait **account =
		find_account(c, is_opening ? rec->tuple.netns : rec->closing.netns);

	if (!account)
		return;
	if (is_opening)
		timewait__note_opening(*account, &rec->tuple);
	else
		note(c, timewait__note_closing(*account, &rec->closing));
}

static int refresh(void *ctx, uint64_t n_frames __attribute__((unused)))
{
	struct counting *c = ctx;
	struct live_stats stats;
	int err;

	live__stats(c->live, &stats);
	c->lost = stats.lost.value[REC_OPENING] + stats.lost.value[REC_CLOSING];
	err = live__tuples(c->live, take, c);
	drop_gone(c);
	if (c->err)
		log_error("out of memory: TIME_WAIT is not counted in full");
	err = err ? err : c->err;
	c->err = 0;
	return err;
}

/* ---- what is shown --------------------------------------------------------------------------- */

/* How much there is of what the group is about. */
static uint64_t weight(const struct timewait_row *row)
{
	return row->key.by == TIMEWAIT_BY_PORTS ? port_use__taken(row)
						: row->time_wait + row->fin_wait2;
}

static int compare_weight(const void *x, const void *y)
{
	const struct timewait_row *a = *(const void *const *)x, *b = *(const void *const *)y;
	uint64_t of_a = weight(a), of_b = weight(b);

	if (a->key.by != b->key.by)
		return a->key.by - b->key.by;
	if (of_a != of_b)
		return of_a > of_b ? -1 : 1;
	return timewait_row__compare(a, b);
}

static void collect_account(const struct timewait *account, struct rows *rows)
{
	const struct timewait_rows *all = timewait__rows(account);

	for (struct timewait_row *row = NULL; (row = timewait_rows__next(all, row));)
		rows__add(rows, row);
}

/* Leaves the first @shown of each group. */
static void cut(struct rows *rows, uint64_t shown)
{
	uint64_t count[TIMEWAIT_BY_COUNT] = {0};
	size_t n = 0;

	for (size_t i = 0; i < rows->count; i++) {
		const struct timewait_row *row = rows->items[i];

		if (count[row->key.by]++ < shown)
			rows->items[n++] = row;
	}
	rows->count = n;
}

static int collect(void *ctx, struct rows *rows, const struct moment *now, size_t limit)
{
	struct counting *c = ctx;

	rows__clear(rows);
	for (size_t i = 0; i < c->n_accounts; i++)
		collect_account(c->accounts[i], rows);
	if (rows->count)
		qsort(rows->items, rows->count, sizeof(*rows->items), compare_weight);
	if (c->options->rows)
		cut(rows, c->options->rows);
	return rows__finish(rows, &timewait_fields, c->options, now, limit);
}

/* One of many namespaces that has nothing to tell. */
static bool is_quiet(const struct timewait *account)
{
	const struct timewait_totals *t = timewait__totals(account);

	return !t->time_wait && !t->fin_wait2 && !(t->worst && t->worst->is_low);
}

static void write_header(void *ctx, struct strbuf *sb, size_t n_rows __attribute__((unused)),
			 unsigned width)
{
	struct counting *c = ctx;
	size_t n_left_out = 0;

	for (size_t i = 0; i < c->n_accounts; i++) {
		if (c->n_accounts > 1 && is_quiet(c->accounts[i]))
			n_left_out++;
		else
			timewait_summary__write(sb, c->accounts[i], c->n_accounts > 1, width);
	}
	if (n_left_out)
		strbuf__addf(sb, "%zu namespaces without TIME-WAIT and with ports to spare\n",
			     n_left_out);
}

static void write_json(void *ctx, struct strbuf *sb, const struct moment *now)
{
	struct counting *c = ctx;

	for (size_t i = 0; !c->options->has_fields && i < c->n_accounts; i++)
		json__row(sb, &timewait_netns_fields, timewait__totals(c->accounts[i]), now);
}

/* ---- running --------------------------------------------------------------------------------- */

static int prepare(struct counting *c)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) ||
	    getrandom(&c->seed, sizeof(c->seed), 0) < 0)
		return -errno;
	c->tick_ns = tick.tv_nsec; /* as long as one of the kernel's jiffies */
	return 0;
}

/* Rates and ends are those between two looks: without --watch, this one and the report's. */
static int measure(struct counting *c, const struct options *options)
{
	int err;

	if (options->watch || !options->duration_ns)
		return 0;
	err = refresh(c, 0);
	if (!err)
		err = gather(c->live, options->duration_ns);
	stop__forget(); /* a signal ended the wait for the report */
	return err;
}

static enum exit_status show(struct counting *c, struct options *options)
{
	const struct board board = {
		.table = &timewait_fields,
		.live = c->live,
		.ctx = c,
		.refresh = refresh,
		.collect = collect,
		.write_header = write_header,
		.write_json = write_json,
	};
	enum exit_status status = EXIT_RUNTIME;

	if (!measure(c, options))
		status = board__run(&board, options);
	while (c->n_accounts)
		timewait__free(c->accounts[--c->n_accounts]);
	free(c->accounts);
	return status;
}

static enum exit_status run(struct options *options)
{
	struct counting c = {.options = options};
	struct live_options *live = &options->live;
	enum exit_status status;
	int err = prepare(&c);

	if (err)
		return exit_status__of(err);
	if (!options->rows && options->batch && !options->json)
		options->rows = ROWS_SHOWN;
	live->lean = true;
	live->follow = options->watch || options->duration_ns;
	live->figures = TIMEWAIT_FIGURES;
	live->on_record = follow;
	live->ctx = &c;
	status = live__open(&c.live, live);
	if (status != EXIT_OK)
		return status;
	status = show(&c, options);
	live__close(c.live);
	return status;
}

static const char *const examples[] = {
	"tcpwatch timewait",
	"tcpwatch timewait --watch -d 5",
	"tcpwatch timewait --duration 30",
	"tcpwatch timewait -N all --rows 3",
	"tcpwatch timewait --json | jq 'select(.ports_low)'",
	NULL,
};

const struct command cmd_timewait = {
	.name = "timewait",
	.summary = "say what TIME_WAIT costs and how near ports are to running out",
	.examples = examples,
	.options = OPT_NETNS | OPT_CHOICE | OPT_FIELDS | OPT_SORT | OPT_OUTPUT | OPT_REFRESH |
		   OPT_DURATION | OPT_AGAIN | OPT_CUT,
	.views = VIEW_SOCKET,
	.table = &timewait_fields,
	/* What matters most is within 80 columns. */
	.default_fields = "by,time_wait,local,remote,comm,ports_used,ports_free,ports_left,"
			  "ports_per_second,role,should_close_first,pid,fin_wait2",
	.run = run,
};
