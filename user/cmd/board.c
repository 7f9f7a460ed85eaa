/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The loop of a board: frames at their times, records and keys in between.
 */
#include "board.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "print.h"
#include "stop.h"
#include "user/ui/screen.h"

struct showing {
	const struct board *board;
	struct options *options;
	struct screen *screen; /* NULL: frames go to the printer */
	struct printer printer;
	struct rows rows;
	struct strbuf header;
	struct moment now;
	size_t first; /* row at the top of the screen */
	struct columns_view columns;
	size_t n_skipped; /* columns that were scrolled out of sight on the left */
	uint64_t frames, next_ns;
	uint64_t end_ns; /* when the last frame is due; UINT64_MAX: never */
	bool is_paused, is_done;
};

/* ---- what is shown ----------------------------------------------------------------------------
 */

static int refresh(struct showing *show)
{
	int err = show->board->refresh(show->board->ctx, show->frames);

	if (!err)
		show->frames++;
	return err;
}

static int collect(struct showing *show, size_t limit)
{
	show->now = live__now();
	return show->board->collect(show->board->ctx, &show->rows, &show->now, limit);
}

static void write_header(struct showing *show, unsigned width)
{
	strbuf__clear(&show->header);
	show->board->write_header(show->board->ctx, &show->header, show->rows.count, width);
}

static void print_text(struct showing *show)
{
	struct strbuf *sb = &show->printer.sb;

	write_header(show, 0);
	strbuf__add(sb, show->header.data, show->header.len);
	printer__table(&show->printer, &show->rows, &show->now);
	strbuf__addc(sb, '\n');
}

static int print_frame(struct showing *show)
{
	const struct board *board = show->board;
	int err = collect(show, 0);

	if (err)
		return err;
	if (!show->options->json) {
		print_text(show);
	} else {
		printer__table(&show->printer, &show->rows, &show->now);
		if (board->write_json)
			board->write_json(board->ctx, &show->printer.sb, &show->now);
	}
	return printer__flush(&show->printer);
}

/* Rows on the screen; the header depends on their number, but not its height by more than a line.
 */
static unsigned page(const struct showing *show)
{
	unsigned rows =
		screen__rows_below(show->screen, show->header.data ? show->header.data : "");

	return rows ? rows : 1;
}

static void keep_in_range(struct showing *show)
{
	size_t last = show->rows.count > page(show) ? show->rows.count - page(show) : 0;

	if (show->first > last)
		show->first = last;
}

static int draw_frame(struct showing *show)
{
	const struct options *options = show->options;
	int err = collect(show, show->first + page(show) + 1);
	struct screen_frame frame = {
		.columns = &show->columns,
		.sort = options->sort.field,
		.status = show->is_paused ? "PAUSED" : NULL,
		.now = &show->now,
	};

	if (err)
		return err;
	write_header(show, screen__columns(show->screen));
	keep_in_range(show);
	frame.header = show->header.data;
	if (show->rows.count)
		frame.rows = show->rows.items + show->first;
	frame.n_rows = show->rows.count - show->first;
	if (frame.n_rows > page(show))
		frame.n_rows = page(show);
	text_layout__fit(&show->printer.layout, frame.rows, frame.n_rows, &show->now);
	show->n_skipped = columns__view(&show->columns, &show->printer.layout,
					screen__columns(show->screen), show->n_skipped);
	screen__draw(show->screen, &frame);
	return 0;
}

/* ---- keys -------------------------------------------------------------------------------------
 */

/* The column @step beside the one sorted by, which is brought into sight. */
static void move_sort(struct showing *show, int step)
{
	struct options *options = show->options;
	const struct field_list *fields = &options->fields;
	size_t at = 0;

	while (at < fields->count && fields->items[at] != options->sort.field)
		at++;
	if (at == fields->count)
		at = step > 0 ? fields->count - 1 : 0;
	at = (at + fields->count + step) % fields->count;
	options->sort.field = fields->items[at];
	show->n_skipped = columns__skip_to(&show->printer.layout, screen__columns(show->screen),
					   show->n_skipped, at);
}

static void scroll(struct showing *show, long rows)
{
	if (rows < 0 && (size_t)-rows > show->first)
		show->first = 0;
	else
		show->first += rows;
	keep_in_range(show);
}

static void obey(struct showing *show, enum screen_command command)
{
	switch (command) {
	case SCREEN_UP:
		return scroll(show, -1);
	case SCREEN_DOWN:
		return scroll(show, 1);
	case SCREEN_PAGE_UP:
		return scroll(show, -(long)page(show));
	case SCREEN_PAGE_DOWN:
		return scroll(show, page(show));
	case SCREEN_FIRST:
		return scroll(show, -(long)show->rows.count);
	case SCREEN_LAST:
		return scroll(show, (long)show->rows.count);
	case SCREEN_SORT_LEFT:
		return move_sort(show, -1);
	case SCREEN_SORT_RIGHT:
		return move_sort(show, 1);
	case SCREEN_LEFT:
		show->n_skipped -= show->n_skipped > 0;
		return;
	case SCREEN_RIGHT:
		show->n_skipped++; /* as far as there is something to see */
		return;
	case SCREEN_REVERSE:
		show->options->sort.descending = !show->options->sort.descending;
		return;
	case SCREEN_PAUSE:
		show->is_paused = !show->is_paused;
		return;
	case SCREEN_QUIT:
	case SCREEN_GONE:
		show->is_done = true;
		return;
	default:
		return;
	}
}

static int take_keys(struct showing *show)
{
	enum screen_command command;
	bool has_changed = false;

	while (!show->is_done && (command = screen__read(show->screen)) != SCREEN_NONE) {
		obey(show, command);
		has_changed = true;
	}
	return has_changed && !show->is_done ? draw_frame(show) : 0;
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

/* The last frame has all that came until the end. */
static void choose_next(struct showing *show, uint64_t now_ns)
{
	uint64_t delay_ns = show->options->delay_ns;

	if (now_ns >= show->end_ns)
		show->is_done = true;
	/* After a stop of the machine or a slow frame the beat goes on from here. */
	show->next_ns += delay_ns;
	if (show->next_ns < now_ns)
		show->next_ns = now_ns + delay_ns;
	if (show->next_ns > show->end_ns)
		show->next_ns = show->end_ns;
}

static int next_frame(struct showing *show)
{
	uint64_t now_ns = live__now().mono_ns;
	int err = 0;

	if (!show->is_paused)
		err = refresh(show);
	if (!err && !show->is_paused)
		err = show->screen ? draw_frame(show) : print_frame(show);
	choose_next(show, now_ns);
	if (show->options->count && show->frames >= show->options->count)
		show->is_done = true;
	return err;
}

static int timeout_ms(const struct showing *show)
{
	uint64_t now_ns = live__now().mono_ns, left_ms;

	if (show->next_ns <= now_ns)
		return 0;
	left_ms = (show->next_ns - now_ns) / TW_NSEC_PER_MSEC + 1;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static int wait(struct showing *show)
{
	struct pollfd fds[] = {
		{.fd = stop__fd(), .events = POLLIN},
		{.fd = live__fd(show->board->live), .events = POLLIN},
		{.fd = show->screen ? STDIN_FILENO : -1, .events = POLLIN},
	};
	int err = 0;

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms(show)) < 0 && errno != EINTR)
		return -errno;
	if (fds[1].revents)
		err = live__poll(show->board->live, 0);
	if (!err && show->screen)
		err = take_keys(show);
	return err == -EINTR ? 0 : err;
}

static int loop(struct showing *show)
{
	uint64_t now_ns = live__now().mono_ns, duration_ns = show->options->duration_ns;
	int err = 0;

	show->next_ns = now_ns;
	show->end_ns = show->options->watch && duration_ns ? now_ns + duration_ns : UINT64_MAX;
	while (!err && !show->is_done && !stop__is_asked()) {
		if (!timeout_ms(show))
			err = next_frame(show);
		if (!err && !show->is_done)
			err = wait(show);
	}
	return err;
}

static enum exit_status watch(struct showing *show)
{
	int err = 0;

	if (!show->options->batch)
		err = screen__open(&show->screen, show->options->color, stop__is_asked);
	if (err) /* said by then */
		return EXIT_USAGE;
	if (show->screen)
		show->printer.layout.color = false; /* the screen has its own */
	err = loop(show);
	screen__close(show->screen);
	if (show->printer.err)
		return printer__status(&show->printer);
	return err ? EXIT_RUNTIME : EXIT_OK;
}

enum exit_status board__run(const struct board *board, struct options *options)
{
	struct showing show = {.board = board, .options = options};
	enum exit_status status;

	printer__init(&show.printer, options, board->table);
	status = watch(&show);
	printer__free(&show.printer);
	rows__free(&show.rows);
	strbuf__free(&show.header);
	return status;
}
