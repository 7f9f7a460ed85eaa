/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch handshakes: how long handshakes take and where those that fail break; a report at the
 * end, or a board.
 */
#include <errno.h>

#include "board.h"
#include "cmd_list.h"
#include "gather.h"
#include "stop.h"
#include "user/output/output.h"
#include "user/ui/handshake_summary.h"
#include "user/util/log.h"

#define FIGURE(id, key, label, help) NETNS_SET(id) |
#define FIGURES			     (HANDSHAKE_FIGURES(FIGURE) 0)

struct counting {
	const struct options *options;
	struct live *live;
	struct handshake_stats *stats;
	struct netns_values kernel;
	struct session_table_stats table;
	struct moment now;
	bool is_short; /* of memory: some groups are missing, said by then */
};

static void note_result(struct counting *c, int err)
{
	if (err && !c->is_short)
		log_error("out of memory: some handshakes are in the totals alone");
	c->is_short |= err != 0;
}

static void count(void *ctx, const struct event *event)
{
	struct counting *c = ctx;

	/* That something was lost is for everybody. */
	if (event->session && !options__wants(c->options, event->session, &c->now))
		return;
	note_result(c, handshake_stats__add(c->stats, event));
}

static void count_pending(void *ctx, const struct attempt *attempt)
{
	struct counting *c = ctx;

	if (options__wants(c->options, attempt->session, &c->now))
		note_result(c, handshake_stats__add_pending(c->stats, attempt, c->now.mono_ns));
}

/* What is in the ring by now, and then the ends that waited for all of their fragments. */
static int refresh(void *ctx, uint64_t n_frames __attribute__((unused)))
{
	struct counting *c = ctx;
	int err = 0;

	c->now = live__now();
	for (int i = 0; i < 2 && !err; i++)
		err = live__poll(c->live, 0);
	handshake_stats__forget_pending(c->stats);
	session_table__visit_attempts(live__table(c->live), c->now.mono_ns, count_pending, c);
	live__kernel_counts(c->live, 0, false, &c->kernel);
	session_table__stats(live__table(c->live), &c->table);
	return err == -EINTR ? 0 : err;
}

/* ---- what is shown --------------------------------------------------------------------------- */

static void add_row(void *ctx, const struct handshake_group *group)
{
	struct rows *rows = ctx;

	rows__add(rows, group);
}

static int collect(void *ctx, struct rows *rows, const struct moment *now, size_t limit)
{
	struct counting *c = ctx;
	int err;

	rows__clear(rows);
	handshake_stats__visit(c->stats, add_row, rows);
	err = rows__finish(rows, &handshake_fields, c->options, now, limit);
	if (c->options->rows && rows->count > c->options->rows)
		rows->count = c->options->rows;
	return err;
}

static void write_header(void *ctx, struct strbuf *sb, size_t n_rows __attribute__((unused)),
			 unsigned width)
{
	struct counting *c = ctx;
	const struct handshake_summary summary = {c->stats, &c->kernel, c->table.wire_forgotten};

	handshake_summary__write(sb, &summary, width);
	if (c->options->watch)
		return;
	strbuf__addc(sb, '\n');
	handshake_summary__histograms(sb, c->stats);
	strbuf__addc(sb, '\n');
}

/* ---- the kernel's counters as JSON ----------------------------------------------------------- */

#define GET_FIGURE(id, key, label, help)                                           \
	GETTER(key)                                                                \
	{                                                                          \
		const struct counting *c = row;                                    \
                                                                                   \
		value__set_known(out, c->kernel.known &NETNS_SET(id), VALUE_COUNT, \
				 c->kernel.value[NETNS_##id]);                     \
	}
HANDSHAKE_FIGURES(GET_FIGURE)

GETTER(records_lost)
{
	const struct counting *c = row;

	value__set_u64(out, VALUE_COUNT, handshake_stats__lost(c->stats));
}

GETTER(not_followed)
{
	const struct counting *c = row;

	value__set_u64(out, VALUE_COUNT, c->table.wire_forgotten);
}

#define FIELD(name, its_help)                                                  \
	{                                                                      \
		FIELD_KEY(name), .title = #name, .unit = "", .help = its_help, \
				 .kind = VALUE_COUNT, .get = get_##name        \
	}
#define FIGURE_FIELD(id, key, label, help) FIELD(key, help),

static const struct field figure_rows[] = {
	/* clang-format off */
	HANDSHAKE_FIGURES(FIGURE_FIELD)
	FIELD(records_lost, "records lost because the ring buffer was full"),
	FIELD(not_followed, "sessions forgotten before their end, as there were too many"),
	/* clang-format on */
};

static const struct field_table figure_fields = {
	.schema = "tcpwatch.handshakes_kernel.v1",
	.fields = figure_rows,
	.count = sizeof(figure_rows) / sizeof(figure_rows[0]),
};

static void write_json(void *ctx, struct strbuf *sb, const struct moment *now)
{
	json__row(sb, &figure_fields, ctx, now);
}

/* ---- running --------------------------------------------------------------------------------- */

/* A report comes after the signal that ended the counting; a second one ends the report. */
static enum exit_status show(struct counting *c, struct options *options)
{
	const struct board board = {
		.table = &handshake_fields,
		.live = c->live,
		.ctx = c,
		.refresh = refresh,
		.collect = collect,
		.write_header = write_header,
		.write_json = write_json,
	};

	if (!options->watch) {
		if (gather(c->live, options->duration_ns))
			return EXIT_RUNTIME;
		stop__forget();
	}
	return board__run(&board, options);
}

static enum exit_status run(struct options *options)
{
	struct counting c = {.options = options, .now = live__now()};
	enum exit_status status;

	options->handshakes.has_socket_view = options->live.views & VIEW_SOCKET;
	c.stats = handshake_stats__new(&options->handshakes);
	if (!c.stats)
		return exit_status__of(-ENOMEM);
	options->live.want_events = true;
	/* Which queue dropped a SYN. */
	options->live.want_listeners = options->live.watch_listeners = true;
	options->live.on_event = count;
	options->live.ctx = &c;
	options->live.figures = FIGURES;
	status = live__open(&c.live, &options->live);
	if (status == EXIT_OK) {
		status = show(&c, options);
		live__close(c.live);
	}
	handshake_stats__free(c.stats);
	return status;
}

static const char *const examples[] = {
	"tcpwatch handshakes",
	"tcpwatch handshakes --duration 30 --by server",
	"tcpwatch handshakes --watch -d 5 sport = :443",
	"tcpwatch handshakes -N all --prefix 16,48",
	"tcpwatch handshakes --duration 60 --json | jq 'select(.failed > 0)'",
	NULL,
};

const struct command cmd_handshakes = {
	.name = "handshakes",
	.summary = "tell how long handshakes take, and where those that fail break",
	.examples = examples,
	.options = OPT_WATCH | OPT_ROWS | OPT_OUTPUT | OPT_REFRESH | OPT_DURATION | OPT_AGAIN |
		   OPT_CUT | OPT_GROUPS,
	.views = VIEW_BOTH,
	.table = &handshake_fields,
	/* What matters most is within 80 columns. */
	.default_fields = "side,server,client_network,completed,failed,broke,pending,held_up,total_"
			  "p50,total_p99,"
			  "network_p50,network_p99,host_p50,host_p99,syn_retransmits,"
			  "syn_ack_retransmits",
	.default_sort = "-failed",
	.run = run,
};
