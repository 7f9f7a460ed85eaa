/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which fragments a wire session was joined from, so that each is counted once however often a copy
 * of it is read. Not here: whether a fragment belongs to the session (session_table_wire.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session_table_internal.h"

/*
 * Fragments of one CPU that may be known at a time: the one in the cache, and those handed over
 * whose records are still on their way. Beyond that the oldest one's record was lost.
 */
#define PARTS_PER_CPU 4

static struct wire_part *part_at(struct wire_session *wire, unsigned i)
{
	return i ? &wire->more[i - 1] : &wire->part;
}

struct wire_part *parts__find(struct wire_session *wire, uint32_t cpu, uint64_t first_ns)
{
	for (unsigned i = 0; i < wire->n_parts; i++) {
		struct wire_part *part = part_at(wire, i);

		if (part->first_ns == first_ns && part->cpu == (uint16_t)cpu)
			return part;
	}
	return NULL;
}

void parts__clear(struct wire_session *wire)
{
	free(wire->more);
	wire->more = NULL;
	wire->n_parts = 0;
	wire->cpus_heard = wire->cpus_read = 0;
}

static void remove_part(struct wire_session *wire, struct wire_part *part)
{
	*part = *part_at(wire, --wire->n_parts);
	if (wire->n_parts == 1) {
		free(wire->more);
		wire->more = NULL;
	}
}

static struct wire_part *oldest_of(struct wire_session *wire, uint16_t cpu, unsigned *count)
{
	struct wire_part *oldest = NULL;

	*count = 0;
	for (unsigned i = 0; i < wire->n_parts; i++) {
		struct wire_part *part = part_at(wire, i);

		if (part->cpu != cpu)
			continue;
		++*count;
		if (!oldest || part->first_ns < oldest->first_ns)
			oldest = part;
	}
	return oldest;
}

/* One more at the front: what is read next is most likely the latest. NULL: out of memory. */
static struct wire_part *push_part(struct wire_session *wire)
{
	struct wire_part *more;

	if (wire->n_parts) {
		more = realloc(wire->more, wire->n_parts * sizeof(*more));
		if (!more)
			return NULL;
		wire->more = more;
		more[wire->n_parts - 1] = wire->part;
	}
	wire->n_parts++;
	return &wire->part;
}

/* A new part, in place of this CPU's oldest if it has too many. */
static struct wire_part *add_part(struct wire_session *wire, const struct rec_fragment *rec)
{
	uint16_t cpu = (uint16_t)rec->hdr.cpu;
	unsigned count;
	struct wire_part *part = oldest_of(wire, cpu, &count);

	if (count < PARTS_PER_CPU)
		part = push_part(wire);
	if (!part)
		return NULL;
	part->first_ns = rec->frag.first_ns;
	part->cpu = cpu;
	return part;
}

static void remember(struct wire_part *part, const struct fragment *frag)
{
	part->flags = frag->flags;
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		const struct fragment_half *half = &frag->half[dir];

		part->segments[dir] = half->segments;
		part->bytes[dir] = half->bytes;
		part->nxt[dir] = half->nxt;
		part->ack[dir] = half->ack;
		part->retransmits[dir] = frag->retransmits[dir];
		part->syn_retransmits[dir] = frag->syn_retransmits[dir];
		part->fin_retransmits[dir] = frag->fin_retransmits[dir];
	}
}

/* Leaves in @frag only what its counters gained since @part was read. */
static void subtract(struct fragment *frag, const struct wire_part *part)
{
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		frag->half[dir].segments -= part->segments[dir];
		frag->half[dir].bytes -= part->bytes[dir];
		frag->retransmits[dir] -= part->retransmits[dir];
		frag->syn_retransmits[dir] -= part->syn_retransmits[dir];
		frag->fin_retransmits[dir] -= part->fin_retransmits[dir];
	}
}

/*
 * Where this very fragment knew the farthest sequence numbers, its newer ones go farther, even if
 * more than 2^31 bytes passed since, when comparing them modulo 2^32 says otherwise.
 */
static void advance(struct evidence *ev, const struct fragment *frag, const struct wire_part *part)
{
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		if (frag->flags & FRAG_SEQ_VALID(dir) && ev->half[dir].nxt == part->nxt[dir])
			ev->half[dir].nxt = frag->half[dir].nxt;
		if (frag->flags & FRAG_ACK_VALID(dir) && ev->half[dir].ack == part->ack[dir])
			ev->half[dir].ack = frag->half[dir].ack;
	}
}

bool parts__is_counting(const struct wire_session *wire, const struct wire_part *part,
			const struct rec_fragment *rec)
{
	return part && wire->is_steady && part->flags == rec->frag.flags &&
	       rec->why == FRAGMENT_LIVE;
}

int parts__take(struct session_table *table, struct wire_session *wire, struct wire_part *part,
		const struct rec_fragment *rec)
{
	bool is_live = rec->why == FRAGMENT_LIVE;
	bool has_more = !part || part->flags != rec->frag.flags; /* than counts */
	struct fragment frag = rec->frag;

	if (part) {
		advance(&wire->ev, &frag, part);
		subtract(&frag, part);
	} else if (is_live) {
		part = add_part(wire, rec);
		if (!part)
			return -ENOMEM;
	}
	table->stats.wire_retransmits += frag.retransmits[DIR_LOW] + frag.retransmits[DIR_HIGH];
	if (has_more) {
		wire->is_steady &= !evidence__add_fragment(&wire->ev, &frag, table->now_ns);
		wire->cpus_read |= 1ULL << (rec->hdr.cpu & 63);
	} else {
		evidence__add_counts(&wire->ev, &frag, table->now_ns);
	}
	wire->is_steady = wire->is_steady && evidence__is_established(&wire->ev);
	if (is_live) {
		remember(part, &rec->frag);
		part->confirmed = true;
	} else if (part) {
		remove_part(wire, part);
	}
	return 0;
}

bool parts__pull(struct session_table *table, struct wire_session *wire)
{
	struct flow_key key = wire->ev.key;

	if (!table->env.pull)
		return true;
	for (unsigned i = 0; i < wire->n_parts; i++)
		part_at(wire, i)->confirmed = false;
	table->pulling = wire;
	table->env.pull(table->env.ctx, table, &key);
	table->pulling = NULL;
	for (unsigned i = 0; i < wire->n_parts; i++)
		if (!part_at(wire, i)->confirmed)
			return false;
	return !(wire->cpus_heard & ~wire->cpus_read);
}
