/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet path of bpf/wire.bpf.c in native code, for tests and the fuzzer: the same parser and
 * tracker, an unbounded list in place of the cache. A fragment that would be handed over ends its
 * session here.
 */
#ifndef TCPWATCH_TESTS_TRACKER_H
#define TCPWATCH_TESTS_TRACKER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/shared/evidence.h"
#include "bpf/shared/parse.h"
#include "bpf/shared/track.h"

struct tracked {
	struct fragment frag;
	bool is_over; /* a later session has its tuple */
};

struct tracker {
	struct tracked *items;
	size_t count, size;
	uint64_t refused[WIRE_COUNTER_COUNT]; /* frames not parsed, segments not tracked, by reason
					       */
};

static inline struct tracked *tracker__find(struct tracker *t, const struct flow_key *key)
{
	for (size_t i = t->count; i-- > 0;)
		if (!t->items[i].is_over && flow_key__equal(&t->items[i].frag.key, key))
			return &t->items[i];
	return NULL;
}

static inline struct tracked *tracker__begin(struct tracker *t, const struct flow_key *key,
					     uint64_t now_ns)
{
	if (t->count == t->size) {
		t->size = t->size ? t->size * 2 : 64;
		t->items = realloc(t->items, t->size * sizeof(*t->items));
		if (!t->items)
			abort();
	}
	t->items[t->count].is_over = false;
	fragment__init(&t->items[t->count].frag, key, now_ns);
	return &t->items[t->count++];
}

/*
 * tracker__short_way_agrees() - false if the short way would take @seg and do otherwise than the
 * long way
 *
 * *@taken says whether it would take it at all.
 */
static inline bool tracker__short_way_agrees(const struct fragment *before,
					     const struct segment *seg, uint64_t now_ns,
					     bool *taken)
{
	struct fragment by_short = *before, by_long = *before;

	*taken = !fragment__is_full(before) && track__is_next(before, seg);
	if (!*taken)
		return true;
	if (track__place(before, seg, now_ns) != PLACE_ADD ||
	    track__wants_precise_time(before, seg))
		return false;
	track__next(&by_short, seg, now_ns);
	return !track__segment(&by_long, seg, now_ns) &&
	       !memcmp(&by_short, &by_long, sizeof(by_long));
}

/* tracker__segment() - track one parsed segment; returns its fragment, or NULL if it was not
 * tracked */
static inline struct fragment *tracker__segment(struct tracker *t, const struct flow_key *key,
						const struct segment *seg, uint64_t now_ns,
						enum segment_why *why)
{
	struct tracked *at = tracker__find(t, key);

	*why = 0;
	if (at) {
		if (fragment__is_full(&at->frag))
			fragment__continue(&at->frag, now_ns);
		switch (track__place(&at->frag, seg, now_ns)) {
		case PLACE_ADD:
			break;
		case PLACE_OUTSIDE:
			t->refused[WIRE_OUT_OF_WINDOW]++;
			return NULL;
		case PLACE_REUSED:
		case PLACE_RESYNC:
			at->is_over = true;
			at = NULL;
		}
	}
	if (!at)
		at = tracker__begin(t, key, now_ns);
	*why = track__segment(&at->frag, seg, now_ns);
	return &at->frag;
}

/* tracker__frame() - parse and track @frame; returns 0 or the counter that says why it was not
 * parsed */
static inline int tracker__frame(struct tracker *t, const struct frame *frame, uint64_t now_ns)
{
	enum segment_why why;
	struct flow_key key;
	struct segment seg;
	int err = parse__frame(frame, 1, &key, &seg);

	if (err)
		t->refused[err]++;
	else
		tracker__segment(t, &key, &seg, now_ns, &why);
	return err;
}

static inline void tracker__free(struct tracker *t)
{
	free(t->items);
	*t = (struct tracker){0};
}

#endif
