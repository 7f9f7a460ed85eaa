/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A board: a header and a table that are drawn anew every few seconds, on the terminal with keys to
 * scroll and sort, or as frames for a pipe. What the commands that go on showing something share.
 * Not here: what is shown.
 */
#ifndef TCPWATCH_BOARD_H
#define TCPWATCH_BOARD_H

#include "rows.h"
#include "user/util/strbuf.h"

struct board {
	const struct field_table *table;
	struct live *live; /* polled between frames */
	void *ctx;	   /* for the functions below */

	/* Take in what happened since the last frame, of which there were @n_frames. 0 or -errno */
	int (*refresh)(void *ctx, uint64_t n_frames);
	/* The rows to show, the first @limit of them in order (0: all). 0 or -errno */
	int (*collect)(void *ctx, struct rows *rows, const struct moment *now, size_t limit);
	/* Append lines; @width of the terminal, 0: not on one. Not called for --json. */
	void (*write_header)(void *ctx, struct strbuf *sb, size_t n_rows, unsigned width);
	/* Append JSON lines after the rows of a frame; NULL: there are none */
	void (*write_json)(void *ctx, struct strbuf *sb, const struct moment *now);
};

/*
 * board__run() - until a key, a signal, or as many frames or so long as @options say; a frame more
 * is shown when the time is over. Logs what goes wrong
 */
enum exit_status board__run(const struct board *board, struct options *options);

#endif
