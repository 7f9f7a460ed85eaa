/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a session is seen: the taps it passes, of which one is counted. Not here: which evidence is
 * of one session (session_table_wire.c).
 */
#include <stdlib.h>
#include <string.h>

#include "session_table_internal.h"

bool legs__has_netns(const struct wire_session *wire, uint32_t netns)
{
	if (wire->row.netns == netns)
		return true;
	for (unsigned i = 0; wire->legs && i < wire->legs->count; i++)
		if (wire->legs->leg[i].netns == netns)
			return true;
	return false;
}

bool legs__has_tap(const struct wire_session *wire, uint16_t tap)
{
	if (wire->ev.key.tap == tap)
		return true;
	for (unsigned i = 0; wire->legs && i < wire->legs->count; i++)
		if (wire->legs->leg[i].tap == tap)
			return true;
	return false;
}

/* Without memory it has the one that is counted. */
static struct wire_legs *begin(struct wire_session *wire)
{
	struct wire_legs *legs = calloc(1, sizeof(*legs));

	if (!legs)
		return NULL;
	legs->leg[legs->count++] = (struct session_leg){wire->row.netns, wire->ev.key.tap};
	wire->legs = legs;
	return legs;
}

bool legs__add(struct session_table *table, struct wire_session *wire, uint16_t tap, uint32_t netns)
{
	struct wire_legs *legs = wire->legs;
	bool is_first;

	if (legs__has_tap(wire, tap))
		return false;
	is_first = !legs__has_netns(wire, netns);
	if (!legs)
		legs = begin(wire);
	if (!legs)
		return false;
	legs->is_cut |= legs->count == LEGS_MAX;
	if (legs->count == LEGS_MAX)
		return false;
	legs->leg[legs->count++] = (struct session_leg){netns, tap};
	legs__refresh_names(table, wire);
	return is_first;
}

/* The tap to name in a row of @netns: the counted one, but if that is elsewhere the lowest of those
 * there. */
static uint16_t find_tap_in(const struct wire_session *wire, uint32_t netns)
{
	uint16_t counted = wire->ev.key.tap, lowest = 0;

	for (unsigned i = 0; wire->legs && i < wire->legs->count; i++) {
		const struct session_leg *leg = &wire->legs->leg[i];

		if (leg->netns != netns)
			continue;
		if (leg->tap == counted)
			return counted;
		if (!lowest || leg->tap < lowest)
			lowest = leg->tap;
	}
	return lowest ? lowest : counted;
}

void legs__show(const struct wire_session *wire, struct session *row)
{
	const struct wire_legs *legs = wire ? wire->legs : NULL;

	row->tap = wire ? find_tap_in(wire, row->netns) : 0;
	row->legs = legs ? legs->leg : NULL;
	row->n_legs = legs ? legs->count : 0;
	row->taps = legs ? legs->names : NULL;
}

static char *put_name(struct session_table *table, char *out, uint16_t tap)
{
	const char *name = table__tap(table, tap)->ifname;

	return stpncpy(out, name ? name : "?", LEG_NAME_MAX - 1);
}

void legs__refresh_names(struct session_table *table, struct wire_session *wire)
{
	struct wire_legs *legs = wire->legs;
	char *out;

	if (!legs)
		return;
	out = put_name(table, legs->names, wire->ev.key.tap);
	for (unsigned i = 0; i < legs->count; i++) {
		if (legs->leg[i].tap == wire->ev.key.tap)
			continue;
		*out++ = ',';
		out = put_name(table, out, legs->leg[i].tap);
	}
	strcpy(out, legs->is_cut ? LEGS_CUT : "");
}

void legs__clear(struct wire_session *wire)
{
	free(wire->legs);
	wire->legs = NULL;
}
