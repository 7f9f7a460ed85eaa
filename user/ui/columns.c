/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Choosing columns, from their widths alone.
 */
#include "columns.h"

size_t columns__width(const struct text_layout *layout, size_t from, size_t to)
{
	size_t width = 0;

	for (size_t i = from; i < to; i++)
		width += layout->width[i] + (i > from ? COLUMN_GAP : 0);
	return width;
}

/* Names stand at the front and to the left: states, endpoints, processes. Numbers go by. */
static size_t count_fixed(const struct text_layout *all, unsigned width)
{
	size_t n = 0;

	if (columns__width(all, 0, all->fields->count) <= width)
		return all->fields->count;
	while (n < all->fields->count && field__align(all->fields->items[n]) == ALIGN_LEFT &&
	       columns__width(all, 0, n + 1) + COLUMN_GAP + COLUMNS_ROOM <= width)
		n++;
	return n;
}

/* The columns from @index to the last fit beside the @n_fixed first. */
static bool fits(const struct text_layout *all, unsigned width, size_t n_fixed, size_t index,
		 size_t end)
{
	size_t fixed = n_fixed ? columns__width(all, 0, n_fixed) + COLUMN_GAP : 0;

	return fixed + columns__width(all, index, end) <= width;
}

/* The fewest that let the last one be seen. */
static size_t most_to_skip(const struct text_layout *all, unsigned width, size_t n_fixed)
{
	size_t count = all->fields->count, index = n_fixed;

	while (index + 1 < count && !fits(all, width, n_fixed, index, count))
		index++;
	return index - n_fixed;
}

static void add(struct columns_view *view, const struct text_layout *all, size_t index)
{
	view->layout.width[view->fields.count] = all->width[index];
	view->fields.items[view->fields.count++] = all->fields->items[index];
}

size_t columns__view(struct columns_view *view, const struct text_layout *all, unsigned width,
		     size_t skip)
{
	size_t n_fixed = count_fixed(all, width), count = all->fields->count;
	size_t most = most_to_skip(all, width, n_fixed);

	skip = skip < most ? skip : most;
	view->fields.count = 0;
	for (size_t i = 0; i < n_fixed; i++)
		add(view, all, i);
	for (size_t i = n_fixed + skip; i < count; i++)
		add(view, all, i);
	view->layout.fields = &view->fields;
	view->layout.color = all->color;
	view->n_fixed = n_fixed;
	view->has_left = skip;
	view->has_right = skip < most;
	return skip;
}

size_t columns__skip_to(const struct text_layout *all, unsigned width, size_t skip, size_t index)
{
	size_t n_fixed = count_fixed(all, width);

	if (index < n_fixed)
		return skip;
	if (index < n_fixed + skip)
		return index - n_fixed;
	while (n_fixed + skip < index && !fits(all, width, n_fixed, n_fixed + skip, index + 1))
		skip++;
	return skip;
}
