/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The screen, by ncursesw.
 */
#include "screen.h"

#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include <ncurses.h>

#include "user/model/tcp_state.h"
#include "user/util/log.h"
#include "user/util/utf8.h"

#define CTRL_L 0x0c

struct screen {
	SCREEN *terminal;
	bool has_color;
	bool is_utf8;
	struct strbuf line;
	struct sigaction old_alarm;
};

/* ---- a terminal that takes no more ------------------------------------------------------------
 */

#define STUCK_SECONDS 1

static bool (*is_stopping)(void); /* for the handler, which has no other way to know */

/*
 * ncurses writes until all is written, whatever signals come. Restart what Ctrl-S stopped and throw
 * away what nobody reads, so that it comes to an end. Only functions that signal-safety(7) lists.
 */
static void on_stuck(int signum __attribute__((unused)))
{
	int saved = errno;

	if (is_stopping()) {
		(void)tcflow(STDOUT_FILENO, TCOOFF); /* without it, TCOON does not undo Ctrl-S */
		(void)tcflow(STDOUT_FILENO, TCOON);
		(void)tcflush(STDOUT_FILENO, TCOFLUSH);
	}
	alarm(STUCK_SECONDS);
	errno = saved;
}

static void begin_writing(void)
{
	alarm(STUCK_SECONDS);
}

static void end_writing(void)
{
	alarm(0);
}

/* ---- opening ----------------------------------------------------------------------------------
 */

/* Colour pairs, and attributes where there are no colours. */
enum pair { PAIR_NONE, PAIR_OPENING, PAIR_OPEN, PAIR_CLOSING, PAIR_LISTENING };

static const struct {
	short pair, color;
	attr_t plain;
} phases[] = {
	[PHASE_UNKNOWN] = {PAIR_NONE, -1, A_NORMAL},
	[PHASE_LISTENING] = {PAIR_LISTENING, COLOR_BLUE, A_NORMAL},
	[PHASE_OPENING] = {PAIR_OPENING, COLOR_YELLOW, A_NORMAL},
	[PHASE_OPEN] = {PAIR_OPEN, COLOR_GREEN, A_NORMAL},
	[PHASE_CLOSING] = {PAIR_CLOSING, COLOR_CYAN, A_NORMAL},
	[PHASE_OVER] = {PAIR_NONE, -1, A_DIM},
};

static void init_colors(void)
{
	start_color();
	use_default_colors();
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (phases[i].pair)
			init_pair(phases[i].pair, phases[i].color, -1);
}

/* NULL: there is none, or nothing can be drawn on it. */
static SCREEN *take_terminal(void)
{
	SCREEN *terminal;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return NULL;
	/* The terminal's own size: a shell that exports these two does not follow its changes. */
	unsetenv("LINES");
	unsetenv("COLUMNS");
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return NULL;
	set_term(terminal);
	if (tigetstr("cup")) /* it can move the cursor; a "dumb" one cannot */
		return terminal;
	endwin();
	delscreen(terminal);
	return NULL;
}

static void watch_for_stuck(struct screen *screen, bool (*stopping)(void))
{
	const struct sigaction action = {.sa_handler = on_stuck};

	is_stopping = stopping;
	(void)sigaction(SIGALRM, &action, &screen->old_alarm); /* fails only for bad arguments */
}

int screen__open(struct screen **out, bool color, bool (*stopping)(void))
{
	struct screen *screen = calloc(1, sizeof(*screen));

	if (!screen) {
		log_error("out of memory for the screen");
		return -ENOMEM;
	}
	screen->terminal = take_terminal();
	if (!screen->terminal) {
		log_error("no terminal to draw on (TERM is %s); print frames with -b",
			  getenv("TERM") ? getenv("TERM") : "not set");
		free(screen);
		return -ENOTTY;
	}
	watch_for_stuck(screen, stopping);
	screen->is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	screen->has_color = color && has_colors();
	if (screen->has_color)
		init_colors();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	(void)curs_set(0); /* not every terminal can hide it */
	log__hold();
	*out = screen;
	return 0;
}

void screen__close(struct screen *screen)
{
	if (!screen)
		return;
	begin_writing();
	endwin();
	end_writing();
	delscreen(screen->terminal);
	(void)sigaction(SIGALRM, &screen->old_alarm, NULL);
	strbuf__free(&screen->line);
	free(screen);
	log__release();
}

unsigned screen__columns(const struct screen *screen __attribute__((unused)))
{
	return COLS > 0 ? COLS : 1;
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

/* The header never takes the last lines: heading, one row and the keys stay. */
static unsigned header_lines(const char *header)
{
	unsigned lines = count_lines(header), room = LINES > 3 ? LINES - 3 : 0;

	return lines < room ? lines : room;
}

unsigned screen__rows_below(const struct screen *screen __attribute__((unused)), const char *header)
{
	int rows = LINES - (int)header_lines(header) - 2;

	return rows > 0 ? rows : 0;
}

/* ---- drawing ----------------------------------------------------------------------------------
 */

/* The character as this terminal can show it, and the columns it takes. */
static wchar_t drawable(const struct screen *screen, uint32_t code, int *width)
{
	*width = code < 0x80 || screen->is_utf8 ? wcwidth((wchar_t)code) : -1;
	if (*width >= 0)
		return (wchar_t)code;
	*width = 1;
	return L'?';
}

/* Draws the first @left columns of a line of UTF-8, and clears the rest. */
static void draw_columns(const struct screen *screen, int y, const char *text, size_t len, int left)
{
	int width;
	uint32_t code;
	wchar_t wide;

	move(y, 0);
	clrtoeol();
	while (len && left > 0) {
		size_t size = utf8__decode(text, len, &code);

		if (!size)
			break; /* the line is well-formed, this cannot be */
		wide = drawable(screen, code, &width);
		if (width > left)
			break;
		addnwstr(&wide, 1);
		left -= width;
		text += size;
		len -= size;
	}
}

static void draw_line(const struct screen *screen, int y, const char *text, size_t len)
{
	draw_columns(screen, y, text, len, COLS);
}

/* How much of a row fits: the beginning of a word tells something, that of a number another number.
 */
static int row_width(const struct text_layout *layout)
{
	int x = 0;

	for (size_t i = 0; i < layout->fields->count; i++) {
		if (x + layout->width[i] > COLS)
			return field__align(layout->fields->items[i]) == ALIGN_RIGHT ? x : COLS;
		x += layout->width[i] + COLUMN_GAP;
	}
	return COLS;
}

static int draw_lines(const struct screen *screen, int y, const char *text, unsigned count)
{
	for (; count; count--, y++) {
		size_t len = strcspn(text, "\n");

		draw_line(screen, y, text, len);
		text += len + (text[len] == '\n');
	}
	return y;
}

/* Where column @index of the layout begins. */
static int column_start(const struct text_layout *layout, size_t index)
{
	return index ? (int)columns__width(layout, 0, index) + COLUMN_GAP : 0;
}

static void mark(int y, const struct text_layout *layout, size_t index, attr_t attrs, short pair)
{
	int x = column_start(layout, index);

	if (x < row_width(layout) && (attrs || pair))
		mvchgat(y, x, layout->width[index], attrs, pair, NULL);
}

/* Columns of the screen up to the last that is there as a whole. */
static int whole_width(const struct text_layout *layout)
{
	size_t n = layout->fields->count;

	while (n && (int)columns__width(layout, 0, n) > COLS)
		n--;
	return (int)columns__width(layout, 0, n);
}

/* Where there are more columns: in the gap before the first that is shown, and behind the last. */
static void point_to_hidden(int y, const struct columns_view *columns)
{
	int start = column_start(&columns->layout, columns->n_fixed);

	if (columns->has_left)
		mvaddch(y, start ? start - 1 : 0, '<');
	if (columns->has_right && whole_width(&columns->layout) < COLS)
		mvaddch(y, COLS - 1, '>');
}

static void draw_heading(struct screen *screen, int y, const struct screen_frame *frame)
{
	const struct text_layout *layout = &frame->columns->layout;

	strbuf__clear(&screen->line);
	text__heading(&screen->line, layout);
	if (screen->line.len)
		draw_columns(screen, y, screen->line.data, screen->line.len - 1, row_width(layout));
	point_to_hidden(y, frame->columns);
	mvchgat(y, 0, -1, A_REVERSE, 0, NULL);
	for (size_t i = 0; i < layout->fields->count; i++)
		if (layout->fields->items[i] == frame->sort)
			mark(y, layout, i, A_REVERSE | A_BOLD | A_UNDERLINE, 0);
}

static void color_states(const struct screen *screen, int y, const struct screen_frame *frame,
			 const void *row)
{
	const struct text_layout *layout = &frame->columns->layout;
	struct value value;

	for (size_t i = 0; i < layout->fields->count; i++) {
		enum state_phase phase;

		if (layout->fields->items[i]->kind != VALUE_STATE)
			continue;
		layout->fields->items[i]->get(row, frame->now, &value);
		if (value.kind != VALUE_STATE)
			continue;
		phase = tcp_state__phase((unsigned)value.u);
		mark(y, layout, i, phases[phase].plain, screen->has_color ? phases[phase].pair : 0);
	}
}

static void draw_row(struct screen *screen, int y, const struct screen_frame *frame,
		     const void *row)
{
	const struct text_layout *layout = &frame->columns->layout;

	strbuf__clear(&screen->line);
	text__row(&screen->line, layout, row, frame->now);
	if (!screen->line.len)
		return;
	draw_columns(screen, y, screen->line.data, screen->line.len - 1, row_width(layout));
	color_states(screen, y, frame, row);
}

static const struct {
	const char *key, *help;
} commands[] = {
#define X(id, key, help) [SCREEN_##id] = {key, help},
	SCREEN_COMMANDS(X)
#undef X
};

static void draw_keys(struct screen *screen, const char *status)
{
	const char *message = log__last();

	strbuf__clear(&screen->line);
	if (status)
		strbuf__addf(&screen->line, "%s  ", status);
	for (size_t i = 0; !message && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (*commands[i].key)
			strbuf__addf(&screen->line, "%s %s  ", commands[i].key, commands[i].help);
	if (message)
		strbuf__adds(&screen->line, message);
	if (screen->line.len)
		draw_line(screen, LINES - 1, screen->line.data, screen->line.len);
	mvchgat(LINES - 1, 0, -1, message ? A_BOLD : A_DIM, 0, NULL);
}

void screen__draw(struct screen *screen, const struct screen_frame *frame)
{
	int y = draw_lines(screen, 0, frame->header, header_lines(frame->header));

	if (y < LINES - 1)
		draw_heading(screen, y++, frame);
	for (size_t i = 0; i < frame->n_rows && y < LINES - 1; i++)
		draw_row(screen, y++, frame, frame->rows[i]);
	for (; y < LINES - 1; y++)
		draw_line(screen, y, "", 0);
	draw_keys(screen, frame->status);
	begin_writing();
	refresh();
	end_writing();
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static const struct {
	int key;
	enum screen_command command;
} keys[] = {
	{'q', SCREEN_QUIT},	     {'Q', SCREEN_QUIT},
	{KEY_UP, SCREEN_UP},	     {'k', SCREEN_UP},
	{KEY_DOWN, SCREEN_DOWN},     {'j', SCREEN_DOWN},
	{KEY_PPAGE, SCREEN_PAGE_UP}, {KEY_NPAGE, SCREEN_PAGE_DOWN},
	{' ', SCREEN_PAGE_DOWN},     {KEY_HOME, SCREEN_FIRST},
	{'g', SCREEN_FIRST},	     {KEY_END, SCREEN_LAST},
	{'G', SCREEN_LAST},	     {KEY_LEFT, SCREEN_LEFT},
	{'h', SCREEN_LEFT},	     {KEY_RIGHT, SCREEN_RIGHT},
	{'l', SCREEN_RIGHT},	     {'<', SCREEN_SORT_LEFT},
	{'>', SCREEN_SORT_RIGHT},    {'r', SCREEN_REVERSE},
	{'p', SCREEN_PAUSE},	     {KEY_RESIZE, SCREEN_REDRAW},
	{CTRL_L, SCREEN_REDRAW},
};

/* It writes, too: after a change of size what is on the screen. */
static int read_key(void)
{
	int key;

	begin_writing();
	key = getch();
	end_writing();
	return key;
}

enum screen_command screen__read(struct screen *screen __attribute__((unused)))
{
	int key;

	while ((key = read_key()) != ERR) {
		if (key == KEY_RESIZE || key == CTRL_L)
			clearok(curscr, TRUE); /* what the terminal made of its lines is unknown */
		if (key != KEY_RESIZE)
			log__dismiss();
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (keys[i].key == key)
				return keys[i].command;
	}
	return isatty(STDIN_FILENO) ? SCREEN_NONE : SCREEN_GONE;
}
