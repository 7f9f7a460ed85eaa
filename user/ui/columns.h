/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which columns of a table are on a screen that is narrower: the first ones, by which rows are
 * known apart, stay; the others are scrolled sideways. Not here: drawing them (screen.h).
 */
#ifndef TCPWATCH_COLUMNS_H
#define TCPWATCH_COLUMNS_H

#include "user/output/output.h"

/* As output/text.c puts between columns. */
#define COLUMN_GAP 2
/* What the columns that stay leave to the others, at least. */
#define COLUMNS_ROOM 20

struct columns_view {
	struct field_list fields; /* those that are shown, and perhaps cannot be for lack of room */
	struct text_layout layout;
	size_t n_fixed;		  /* of them: those that stay */
	bool has_left, has_right; /* others are out of sight on that side */
};

/*
 * columns__view() - the columns of @all for a screen of @width columns, without the first @skip of
 * those that do not stay
 *
 * Returns how many of these are left out: no more than it takes to see the last one.
 */
size_t columns__view(struct columns_view *view, const struct text_layout *all, unsigned width,
		     size_t skip);

/* columns__skip_to() - how many to leave out, beside @skip, so that column @index is seen */
size_t columns__skip_to(const struct text_layout *all, unsigned width, size_t skip, size_t index);

/* columns__width() - columns of a screen that the columns @from … @to - 1 take */
size_t columns__width(const struct text_layout *layout, size_t from, size_t to);

#endif
