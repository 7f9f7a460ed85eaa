/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of a reading.
 */
#include "figures.h"

#include <stdlib.h>
#include <string.h>

/* A zeroed element more at the end of *@rows, or NULL. */
static void *grow(void **rows, size_t *count, size_t size)
{
	char *more = reallocarray(*rows, *count + 1, size);

	if (!more)
		return NULL;
	*rows = more;
	return memset(more + size * (*count)++, 0, size);
}

struct netns_figures *figures__add_netns(struct figures *figures)
{
	return grow((void **)&figures->netns, &figures->n_netns, sizeof(*figures->netns));
}

struct tap_figures *figures__add_tap(struct figures *figures)
{
	return grow((void **)&figures->taps, &figures->n_taps, sizeof(*figures->taps));
}

struct listener_figures *figures__add_listener(struct figures *figures)
{
	return grow((void **)&figures->listeners, &figures->n_listeners,
		    sizeof(*figures->listeners));
}

static int compare_listeners(const void *one, const void *other)
{
	const struct listener_figures *a = one, *b = other;
	int order = strcmp(a->netns, b->netns);

	if (!order)
		order = a->port - b->port;
	if (!order)
		order = a->is_v6 - b->is_v6;
	return order ? order : memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

static void add_listener(struct listener_figures *to, const struct listener_figures *from)
{
	to->syn_queue += from->syn_queue;
	to->accept_queue += from->accept_queue;
	to->accept_queue_limit += from->accept_queue_limit;
	to->overflows += from->overflows;
	to->syn_queue_limit.is_known &= from->syn_queue_limit.is_known;
	to->syn_queue_limit.value += from->syn_queue_limit.value;
}

void figures__bound_listeners(struct figures *figures, size_t max)
{
	struct listener_figures *rows = figures->listeners;
	size_t n = 0;

	if (!figures->n_listeners)
		return;
	qsort(rows, figures->n_listeners, sizeof(*rows), compare_listeners);
	for (size_t i = 0; i < figures->n_listeners; i++) {
		if (n && (n > max || !compare_listeners(&rows[n - 1], &rows[i]))) {
			add_listener(&rows[n - 1], &rows[i]);
			continue;
		}
		rows[n] = rows[i];
		if (n++ == max)
			rows[max].is_other = true;
	}
	figures->n_listeners = n;
}

void figures__free(struct figures *figures)
{
	free(figures->netns);
	free(figures->taps);
	free(figures->listeners);
}
