/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a session is seen: the taps it passes, of which one is counted. Not here: which evidence is
 * of one session (session_table_wire.c).
 */
#include <stdlib.h>
#include <string.h>

#include "session_table_internal.h"
#include "user/util/strbuf.h"

bool legs__has_netns(const struct wire_session *wire, uint32_t netns)
{
	if (wire->row.netns == netns)
		return true;
	for (unsigned i = 0; wire->legs && i < wire->legs->count; i++)
		if (wire->legs->leg[i].netns == netns)
			return true;
	return false;
}

static struct session_leg *find_tap(struct wire_legs *legs, uint16_t tap)
{
	for (unsigned i = 0; legs && i < legs->count; i++)
		if (legs->leg[i].tap == tap)
			return &legs->leg[i];
	return NULL;
}

bool legs__has_tap(const struct wire_session *wire, uint16_t tap, uint32_t netns)
{
	if (wire->ev.key.tap == tap || find_tap(wire->legs, tap))
		return true;
	return wire->legs && wire->legs->is_cut && legs__has_netns(wire, netns);
}

static uint64_t syn_ns_of_evidence(const struct evidence *ev)
{
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		if (ev->flags & FRAG_SYN(dir))
			return ev->step_ns[dir][STEP_SYN];
	return 0;
}

static uint64_t syn_ns_of(const struct sighting *seen)
{
	const struct fragment *frag = seen->frag;

	if (!frag)
		return (seen->rec->seg.flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN
			       ? seen->rec->hdr.time_ns
			       : 0;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		if (frag->flags & FRAG_SYN(dir) && frag->step_at[dir][STEP_SYN])
			return frag->first_ns + step_time__decode(frag->step_at[dir][STEP_SYN]);
	return 0;
}

/* Without memory it has the one that is counted. */
static struct wire_legs *begin(struct wire_session *wire)
{
	struct wire_legs *legs = calloc(1, sizeof(*legs));

	if (!legs)
		return NULL;
	legs->leg[legs->count++] = (struct session_leg){
		.netns = wire->row.netns,
		.tap = wire->ev.key.tap,
		.syn_ns = syn_ns_of_evidence(&wire->ev),
	};
	wire->legs = legs;
	return legs;
}

static void forget_names(struct wire_legs *legs)
{
	free(legs->names);
	legs->names = NULL;
}

bool legs__add(struct session_table *table, struct wire_session *wire, const struct sighting *seen)
{
	struct session_leg *known = find_tap(wire->legs, seen->key->tap);
	struct wire_legs *legs = wire->legs;
	bool is_first;

	if (known && !known->syn_ns)
		known->syn_ns = syn_ns_of(seen);
	if (known || seen->key->tap == wire->ev.key.tap)
		return false;
	is_first = !legs__has_netns(wire, seen->netns);
	if (!legs)
		legs = begin(wire);
	if (!legs)
		return false;
	if (legs->count == LEGS_MAX) {
		if (legs->is_cut)
			return false;
		legs->is_cut = true;
		forget_names(legs);
		legs__refresh_names(table, wire);
		return false;
	}
	legs->leg[legs->count++] = (struct session_leg){
		.netns = seen->netns, .tap = seen->key->tap, .syn_ns = syn_ns_of(seen)};
	forget_names(legs);
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

/* Several are called so: eth0 of this container and of that. */
static bool is_ambiguous(const struct wire_legs *legs, unsigned at)
{
	for (unsigned i = 0; i < legs->count; i++)
		if (i != at && legs->leg[i].netns != legs->leg[at].netns &&
		    !strncmp(legs->ifname[i], legs->ifname[at], LEG_NAME_MAX))
			return true;
	return false;
}

static void put_name(struct session_table *table, const struct wire_legs *legs, unsigned at,
		     struct strbuf *out)
{
	uint32_t netns = legs->leg[at].netns;
	const char *name;

	if (out->len)
		strbuf__addc(out, ',');
	strbuf__add(out, legs->ifname[at], strnlen(legs->ifname[at], LEG_NAME_MAX));
	if (!is_ambiguous(legs, at))
		return;
	strbuf__addc(out, '@');
	name = table__netns_name(table, netns);
	if (name)
		strbuf__adds(out, name);
	else
		strbuf__addu(out, netns);
}

/* The counted one first. */
static void make_names(struct session_table *table, const struct wire_session *wire)
{
	struct wire_legs *legs = wire->legs;
	struct strbuf out = STRBUF_INIT;

	for (int is_counted = 1; is_counted >= 0; is_counted--)
		for (unsigned i = 0; i < legs->count; i++)
			if ((legs->leg[i].tap == wire->ev.key.tap) == is_counted)
				put_name(table, legs, i, &out);
	if (legs->is_cut)
		strbuf__adds(&out, LEGS_CUT);
	if (!out.failed)
		legs->names = strdup(out.data);
	strbuf__free(&out);
}

void legs__refresh_names(struct session_table *table, struct wire_session *wire)
{
	struct wire_legs *legs = wire->legs;
	bool has_changed;

	if (!legs)
		return;
	has_changed = !legs->names || legs->counted != wire->ev.key.tap;
	legs->counted = wire->ev.key.tap;
	for (unsigned i = 0; i < legs->count; i++) {
		const char *name = table__tap(table, legs->leg[i].tap)->ifname;

		if (!strncmp(legs->ifname[i], name ? name : "?", LEG_NAME_MAX - 1))
			continue;
		strncpy(legs->ifname[i], name ? name : "?", LEG_NAME_MAX - 1);
		has_changed = true;
	}
	if (!has_changed)
		return;
	forget_names(legs);
	make_names(table, wire);
	legs__show(wire, &wire->row);
}

void legs__clear(struct wire_session *wire)
{
	if (wire->legs)
		free(wire->legs->names);
	free(wire->legs);
	wire->legs = NULL;
}
