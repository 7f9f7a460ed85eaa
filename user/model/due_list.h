/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers of objects to be looked at when their time comes: a wheel of slots, so that waiting costs
 * nothing, however many wait. Not here: what is looked for.
 */
#ifndef TCPWATCH_DUE_LIST_H
#define TCPWATCH_DUE_LIST_H

#include <stddef.h>
#include <stdint.h>

#define DUE_SLOT_NS (64ull * 1000 * 1000)
#define DUE_SLOTS   32
#define DUE_SPAN_NS (DUE_SLOTS * DUE_SLOT_NS) /* what is due later is handed out too early */

/* Zeroed at first. */
struct due_list {
	struct due_slot {
		uint32_t *ids;
		size_t count, room;
	} slots[DUE_SLOTS];
	uint64_t tick;	  /* all slots before it are empty */
	uint8_t *is_in;	  /* a bit for each number */
	size_t is_in_len; /* bytes */
};

/*
 * due_list__add() - hand out @id at @due_ns or a little later
 *
 * A number is in it once: it may still be there for an object that is gone, whose time comes within
 * DUE_SPAN_NS. So memory is bounded by how many objects there are, not by how many there were.
 * Returns 0 or -ENOMEM.
 */
int due_list__add(struct due_list *list, uint32_t id, uint64_t due_ns);

/*
 * due_list__take() - a number whose time has come by @now_ns, or 0: there is none
 *
 * It may be early, and its object may be another by now: the caller looks, and adds it anew if it
 * is still to be waited for.
 */
uint32_t due_list__take(struct due_list *list, uint64_t now_ns);

void due_list__fini(struct due_list *list);

#endif
