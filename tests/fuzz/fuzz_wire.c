/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hostile frames through the parser, the tracker, the join and the verdict. An input is a row of
 * frames: two bytes of length (the top bit: jump 70 s ahead), then so many bytes. Beside memory
 * safety it checks what must hold of any traffic.
 */
#include "../unit/tracker.h"

/* The code under test, compiled with the fuzzer's instrumentation. */
#include "user/model/evidence.c"
#include "user/model/verdict.c"

#define MAX_FRAMES 64

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void check_verdict(const struct evidence *ev, uint64_t now_ns)
{
	struct evidence_verdict v;

	evidence__judge(ev, now_ns, &v);
	require(memchr(v.history, '\0', sizeof(v.history)));
	require(v.conn_state < CONN_COUNT && v.originator < DIR_COUNT);
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) /* who was sent a SYN need not be there */
		require(v.state[dir] < TCPS_COUNT &&
			(v.state[dir] != TCPS_UNKNOWN || v.state[!dir] == TCPS_SYN_SENT));
	require(!v.end == !v.end_ns);
}

/* Joining is commutative, and splitting a session over two CPUs invents no step. */
static void check_join(const struct fragment *a, const struct fragment *b, uint64_t now_ns)
{
	struct evidence ab, ba;

	evidence__init(&ab, &a->key);
	evidence__init(&ba, &a->key);
	evidence__add_fragment(&ab, a, now_ns);
	check_verdict(&ab, now_ns);
	evidence__add_fragment(&ab, b, now_ns);
	evidence__add_fragment(&ba, b, now_ns);
	evidence__add_fragment(&ba, a, now_ns);
	check_verdict(&ab, now_ns);
	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		require(ab.half[dir].segments == ba.half[dir].segments);
		require(ab.half[dir].bytes == ba.half[dir].bytes);
	}
	require(!memcmp(ab.step_ns, ba.step_ns, sizeof(ab.step_ns)));
	require(ab.flags == ba.flags && ab.first_ns == ba.first_ns && ab.last_ns == ba.last_ns);
}

/* Where a fragment has but counted on, what an open session proves stays as it is, if it is open.
 */
static void check_count(const struct fragment *before, const struct fragment *after,
			uint64_t now_ns)
{
	struct evidence_verdict was, is;
	struct evidence ev, whole;

	if (after->first_ns != before->first_ns || after->flags != before->flags)
		return;
	evidence__init(&ev, &before->key);
	whole = ev;
	require(evidence__add_fragment(&ev, before, now_ns));
	require(!evidence__add_fragment(&ev, after, now_ns));
	evidence__add_fragment(&whole, before, now_ns);
	evidence__judge(&whole, now_ns, &was);
	evidence__add_counts(&whole, after, now_ns);
	require(!memcmp(&ev, &whole, sizeof(ev)));
	evidence__judge(&ev, now_ns, &is);
	require(evidence__is_established(&ev) == is.established);
	require(!verdict__is_steady(&was) || !is.established || !memcmp(&was, &is, sizeof(was)));
}

static void one_frame(struct tracker *cpu, unsigned which, const uint8_t *bytes, size_t len,
		      uint64_t now_ns)
{
	/* A copy of its exact size, so that the sanitizer sees each read beyond it. */
	uint8_t *copy = malloc(len ? len : 1);
	struct frame frame = {
		.data = copy, .end = copy + len, .len = len, .segs = which, .mtu = 1500};
	struct rec_segment rec = {.hdr.time_ns = now_ns};
	enum segment_why why;
	struct fragment before;
	struct tracked *at, *after;
	bool is_short;

	if (!copy)
		abort();
	memcpy(copy, bytes, len);
	if (!parse__frame(&frame, 1, &rec.key, &rec.seg)) {
		require(rec.seg.payload <= len && rec.seg.dir < DIR_COUNT && rec.seg.segs);
		at = tracker__find(&cpu[which], &rec.key);
		require(!at || tracker__short_way_agrees(&at->frag, &rec.seg, now_ns, &is_short));
		if (at)
			before = at->frag;
		tracker__segment(&cpu[which], &rec.key, &rec.seg, now_ns, &why);
		after = tracker__find(&cpu[which], &rec.key);
		if (at && after)
			check_count(&before, &after->frag, now_ns);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tracker cpu[2] = {0};
	uint64_t now_ns = 1000 * TW_NSEC_PER_SEC;

	for (unsigned n = 0; n < MAX_FRAMES && size >= 2; n++) {
		size_t len = (data[0] | (data[1] & 0x3f) << 8);
		unsigned which = data[1] >> 6 & 1;

		now_ns += data[1] & 0x80 ? 70 * TW_NSEC_PER_SEC : 1000000;
		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		one_frame(cpu, which, data, len, now_ns);
		data += len;
		size -= len;
	}
	for (size_t i = 0; i < cpu[0].count; i++) {
		struct tracked *other = tracker__find(&cpu[1], &cpu[0].items[i].frag.key);

		check_join(&cpu[0].items[i].frag, other ? &other->frag : &cpu[0].items[i].frag,
			   now_ns);
	}
	tracker__free(&cpu[0]);
	tracker__free(&cpu[1]);
	return 0;
}
