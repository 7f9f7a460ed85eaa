/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch top: the live table, on the terminal or as frames for a pipe.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cmd_list.h"
#include "print.h"
#include "stop.h"
#include "user/ui/screen.h"
#include "user/ui/summary.h"
#include "user/util/log.h"

struct top {
	struct options *options;
	struct live *live;
	struct screen *screen; /* NULL: frames go to the printer */
	struct printer printer;
	struct rows rows;
	struct strbuf header;
	struct live_stats stats, before;
	struct rates rates;
	struct moment now;
	size_t first; /* row at the top of the screen */
	uint64_t frames, next_ns;
	bool needs_owners, is_paused, is_done;
};

/* ---- what is shown ----------------------------------------------------------------------------
 */

static int refresh(struct top *top)
{
	int err = live__refresh(top->live);

	if (err)
		return err;
	if (top->needs_owners && live__find_owners(top->live, !top->frames))
		top->needs_owners = false; /* said by then; the sessions matter more */
	top->before = top->stats;
	live__stats(top->live, &top->stats);
	top->rates = rates__between(top->frames ? &top->before : NULL, &top->stats);
	top->frames++;
	return 0;
}

static int collect(struct top *top, size_t limit)
{
	top->now = live__now();
	return rows__collect(&top->rows, live__table(top->live), top->options, &top->now, limit);
}

static void write_header(struct top *top, unsigned width)
{
	const struct summary summary = {
		.stats = &top->stats,
		.rates = &top->rates,
		.taps = live__taps(top->live),
		.n_shown = top->rows.count,
	};

	strbuf__clear(&top->header);
	summary__write(&top->header, &summary, width);
}

static int print_frame(struct top *top)
{
	int err = collect(top, 0);

	if (err)
		return err;
	if (!top->options->json) {
		write_header(top, 0);
		strbuf__add(&top->printer.sb, top->header.data, top->header.len);
	}
	printer__table(&top->printer, &top->rows, &top->now);
	if (!top->options->json)
		strbuf__addc(&top->printer.sb, '\n');
	return printer__flush(&top->printer);
}

/* Rows on the screen; the header depends on their number, but not its height by more than a line.
 */
static unsigned page(const struct top *top)
{
	unsigned rows = screen__rows_below(top->screen, top->header.data ? top->header.data : "");

	return rows ? rows : 1;
}

static void keep_in_range(struct top *top)
{
	size_t last = top->rows.count > page(top) ? top->rows.count - page(top) : 0;

	if (top->first > last)
		top->first = last;
}

static int draw_frame(struct top *top)
{
	const struct options *options = top->options;
	int err = collect(top, top->first + page(top) + 1);
	struct screen_frame frame = {
		.layout = &top->printer.layout,
		.sort = options->sort.field,
		.status = top->is_paused ? "PAUSED" : NULL,
		.now = &top->now,
	};

	if (err)
		return err;
	write_header(top, screen__columns(top->screen));
	keep_in_range(top);
	frame.header = top->header.data;
	frame.rows = (const void *const *)top->rows.items + top->first;
	frame.n_rows = top->rows.count - top->first;
	if (frame.n_rows > page(top))
		frame.n_rows = page(top);
	text_layout__fit(&top->printer.layout, frame.rows, frame.n_rows, &top->now);
	screen__draw(top->screen, &frame);
	return 0;
}

/* ---- keys -------------------------------------------------------------------------------------
 */

/* The column @step beside the one sorted by. */
static void move_sort(struct options *options, int step)
{
	const struct field_list *fields = &options->fields;
	size_t at = 0;

	while (at < fields->count && fields->items[at] != options->sort.field)
		at++;
	if (at == fields->count)
		at = step > 0 ? fields->count - 1 : 0;
	options->sort.field = fields->items[(at + fields->count + step) % fields->count];
}

static void scroll(struct top *top, long rows)
{
	if (rows < 0 && (size_t)-rows > top->first)
		top->first = 0;
	else
		top->first += rows;
	keep_in_range(top);
}

static void obey(struct top *top, enum screen_command command)
{
	switch (command) {
	case SCREEN_UP:
		return scroll(top, -1);
	case SCREEN_DOWN:
		return scroll(top, 1);
	case SCREEN_PAGE_UP:
		return scroll(top, -(long)page(top));
	case SCREEN_PAGE_DOWN:
		return scroll(top, page(top));
	case SCREEN_FIRST:
		return scroll(top, -(long)top->rows.count);
	case SCREEN_LAST:
		return scroll(top, (long)top->rows.count);
	case SCREEN_SORT_LEFT:
		return move_sort(top->options, -1);
	case SCREEN_SORT_RIGHT:
		return move_sort(top->options, 1);
	case SCREEN_REVERSE:
		top->options->sort.descending = !top->options->sort.descending;
		return;
	case SCREEN_PAUSE:
		top->is_paused = !top->is_paused;
		return;
	case SCREEN_QUIT:
	case SCREEN_GONE:
		top->is_done = true;
		return;
	default:
		return;
	}
}

static int take_keys(struct top *top)
{
	enum screen_command command;
	bool has_changed = false;

	while (!top->is_done && (command = screen__read(top->screen)) != SCREEN_NONE) {
		obey(top, command);
		has_changed = true;
	}
	return has_changed && !top->is_done ? draw_frame(top) : 0;
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static int next_frame(struct top *top)
{
	uint64_t delay_ns = top->options->delay_ns, now_ns = live__now().mono_ns;
	int err = 0;

	if (!top->is_paused)
		err = refresh(top);
	if (!err && !top->is_paused)
		err = top->screen ? draw_frame(top) : print_frame(top);
	/* After a stop of the machine or a slow frame the beat goes on from here. */
	top->next_ns += delay_ns;
	if (top->next_ns < now_ns)
		top->next_ns = now_ns + delay_ns;
	if (top->options->count && top->frames >= top->options->count)
		top->is_done = true;
	return err;
}

static int timeout_ms(const struct top *top)
{
	uint64_t now_ns = live__now().mono_ns, left_ms;

	if (top->next_ns <= now_ns)
		return 0;
	left_ms = (top->next_ns - now_ns) / TW_NSEC_PER_MSEC + 1;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static int wait(struct top *top)
{
	struct pollfd fds[] = {
		{.fd = stop__fd(), .events = POLLIN},
		{.fd = live__fd(top->live), .events = POLLIN},
		{.fd = top->screen ? STDIN_FILENO : -1, .events = POLLIN},
	};
	int err = 0;

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms(top)) < 0 && errno != EINTR)
		return -errno;
	if (fds[1].revents)
		err = live__poll(top->live, 0);
	if (!err && top->screen)
		err = take_keys(top);
	return err == -EINTR ? 0 : err;
}

static int loop(struct top *top)
{
	int err = 0;

	top->next_ns = live__now().mono_ns;
	while (!err && !top->is_done && !stop__is_asked()) {
		if (!timeout_ms(top))
			err = next_frame(top);
		if (!err && !top->is_done)
			err = wait(top);
	}
	return err;
}

static enum exit_status watch(struct top *top)
{
	int err = 0;

	printer__init(&top->printer, top->options, &session_fields);
	if (!top->options->batch)
		err = screen__open(&top->screen, top->options->color, stop__is_asked);
	if (err) /* said by then */
		return EXIT_USAGE;
	if (top->screen)
		top->printer.layout.color = false; /* the screen has its own */
	err = loop(top);
	screen__close(top->screen);
	if (top->printer.err)
		return printer__status(&top->printer);
	return err ? EXIT_RUNTIME : EXIT_OK;
}

static enum exit_status run(struct options *options)
{
	struct top top = {
		.options = options,
		.needs_owners =
			options__is_used(options, "pid") || options__is_used(options, "comm"),
	};
	enum exit_status status;

	options->live.follow = true;
	status = live__open(&top.live, &options->live);
	if (status != EXIT_OK)
		return status;
	status = watch(&top);
	printer__free(&top.printer);
	rows__free(&top.rows);
	strbuf__free(&top.header);
	live__close(top.live);
	return status;
}

static const char *const examples[] = {
	"tcpwatch top",
	"tcpwatch top state established '( sport = :443 )'",
	"tcpwatch top -i 'veth*' --hook tc -N all",
	"tcpwatch top -d 0.5 --sort -rtt --fields state,local,remote,rtt,cwnd,retransmits",
	"tcpwatch top -b -n 1 | head -30",
	NULL,
};

const struct command cmd_top = {
	.name = "top",
	.summary = "show the live table of sessions",
	.examples = examples,
	.options = OPT_WATCH | OPT_ROWS | OPT_OUTPUT | OPT_REFRESH,
	.views = VIEW_BOTH,
	.table = &session_fields,
	.default_fields = "state,local,remote,direction,rtt,tx_bytes,rx_bytes,retransmits,age,"
			  "pid,comm",
	.default_sort = "state",
	.run = run,
};
