/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A wheel of one turn.
 */
#include "due_list.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 64 /* numbers, and bytes */

/* ---- which numbers are in it ---- */

static bool has(const struct due_list *list, uint32_t id)
{
	return id / 8 < list->is_in_len && list->is_in[id / 8] & 1u << id % 8;
}

static int note(struct due_list *list, uint32_t id)
{
	size_t len = list->is_in_len ? list->is_in_len : LEAST;
	uint8_t *more;

	while (len <= id / 8)
		len *= 2;
	if (len > list->is_in_len) {
		more = realloc(list->is_in, len);
		if (!more)
			return -ENOMEM;
		memset(more + list->is_in_len, 0, len - list->is_in_len);
		list->is_in = more;
		list->is_in_len = len;
	}
	list->is_in[id / 8] |= 1u << id % 8;
	return 0;
}

static void unnote(struct due_list *list, uint32_t id)
{
	list->is_in[id / 8] &= ~(1u << id % 8);
}

/* ---- when ---- */

/* The slot that is handed out now takes no more: what is added meanwhile comes later. */
static struct due_slot *slot_for(struct due_list *list, uint64_t due_ns)
{
	uint64_t tick = due_ns / DUE_SLOT_NS + 1, last = list->tick + DUE_SLOTS - 1;

	if (tick <= list->tick)
		tick = list->tick + 1;
	if (tick > last)
		tick = last;
	return &list->slots[tick % DUE_SLOTS];
}

static int append(struct due_slot *slot, uint32_t id)
{
	size_t room = slot->room ? 2 * slot->room : LEAST;
	uint32_t *more;

	if (slot->count == slot->room) {
		more = reallocarray(slot->ids, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		slot->ids = more;
		slot->room = room;
	}
	slot->ids[slot->count++] = id;
	return 0;
}

int due_list__add(struct due_list *list, uint32_t id, uint64_t due_ns)
{
	int err;

	if (has(list, id))
		return 0;
	err = note(list, id);
	if (err)
		return err;
	err = append(slot_for(list, due_ns), id);
	if (err)
		unnote(list, id);
	return err;
}

/* What a flood needed is given back. */
static void release(struct due_slot *slot)
{
	free(slot->ids);
	*slot = (struct due_slot){0};
}

uint32_t due_list__take(struct due_list *list, uint64_t now_ns)
{
	uint64_t now = now_ns / DUE_SLOT_NS;

	if (now > list->tick + DUE_SLOTS) /* all of them are due, whatever their place */
		list->tick = now - DUE_SLOTS;
	for (;;) {
		struct due_slot *slot = &list->slots[list->tick % DUE_SLOTS];

		if (slot->count) {
			uint32_t id = slot->ids[--slot->count];

			unnote(list, id);
			return id;
		}
		if (list->tick >= now)
			return 0;
		if (slot->room > LEAST)
			release(slot);
		list->tick++;
	}
}

void due_list__fini(struct due_list *list)
{
	for (unsigned i = 0; i < DUE_SLOTS; i++)
		release(&list->slots[i]);
	free(list->is_in);
}
