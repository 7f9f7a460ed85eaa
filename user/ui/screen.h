/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The full screen: what is on it is given as text, keys come out as commands. The only code that
 * knows the terminal. Not here: what the rows are and when they change (cmd/top.c).
 */
#ifndef TCPWATCH_SCREEN_H
#define TCPWATCH_SCREEN_H

#include "columns.h"

/* Commands of keys. X(enumerator, key as shown, help); those without a key shown are
 * beside another, or are known */
#define SCREEN_COMMANDS(X)               \
	X(NONE, "", "")                  \
	X(QUIT, "q", "quit")             \
	X(UP, "", "")                    \
	X(DOWN, "", "")                  \
	X(PAGE_UP, "PgUp/PgDn", "page")  \
	X(PAGE_DOWN, "", "")             \
	X(FIRST, "", "")                 \
	X(LAST, "", "")                  \
	X(LEFT, "Left/Right", "columns") \
	X(RIGHT, "", "")                 \
	X(SORT_LEFT, "</>", "sort")      \
	X(SORT_RIGHT, "", "")            \
	X(REVERSE, "r", "reverse")       \
	X(PAUSE, "p", "pause")           \
	X(REDRAW, "", "")                \
	X(GONE, "", "")

enum screen_command {
#define X(id, key, help) SCREEN_##id,
	SCREEN_COMMANDS(X)
#undef X
};

struct screen;

/* What is drawn. Texts are lines ended by newlines; bytes that could move the cursor are escaped.
 */
struct screen_frame {
	const char *header;
	const struct columns_view *columns;
	const struct field *sort; /* its heading is marked; NULL: none */
	const void *const *rows;  /* the first is the topmost shown */
	size_t n_rows;
	const char *status; /* left of the keys' help; NULL: none */
	const struct moment *now;
};

/*
 * screen__open() - take the terminal; until screen__close() messages are held back
 *
 * @is_stopping: the process has been told to end. Called from a signal handler: what a terminal
 * that takes no more (Ctrl-S, a connection that hangs) still holds is thrown away then.
 * There is one screen at a time; it uses SIGALRM.
 * Returns 0, or -ENOTTY or -ENOMEM after logging.
 */
int screen__open(struct screen **out, bool color, bool (*is_stopping)(void));
/* screen__close() - give it back as it was; @screen may be NULL */
void screen__close(struct screen *screen);

unsigned screen__columns(const struct screen *screen);
/* screen__rows_below() - how many rows of sessions fit below @header */
unsigned screen__rows_below(const struct screen *screen, const char *header);

void screen__draw(struct screen *screen, const struct screen_frame *frame);

/*
 * screen__read() - the next command, SCREEN_NONE: no more keys, SCREEN_GONE: the terminal is gone
 *
 * A key takes the message off the last line.
 */
enum screen_command screen__read(struct screen *screen);

#endif
