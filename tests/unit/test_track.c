/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sessions as scripts of segments, tracked as one CPU would, as two CPUs that see one direction
 * each, as CPUs that take turns, and from the reported segments alone: the verdict must be the
 * same.
 *
 * A script is words: "<" or ">" (responder, originator), then flags of S A F R and D for 100 bytes
 * of payload, then modifiers: "-" acknowledges no more than before, "=" sends the same sequence
 * number as this side's last segment, "~" adds 77777 to it, "*" begins at a fresh ISN, "_" is 70 s
 * later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tracker.h"

#define SEC	TW_NSEC_PER_SEC
#define CPUS	2
#define PAYLOAD 100

#define EST	TCPS_ESTABLISHED

static const struct script {
	const char *name, *words;
	uint8_t orig, resp; /* enum tcp_state */
	uint8_t conn;	    /* enum conn_state */
	const char *history;
	uint8_t end; /* enum session_end */
	char first;  /* who closed first: > or <, or - */
} scripts[] = {
	{"SYN", ">S", TCPS_SYN_SENT, TCPS_UNKNOWN, CONN_S0, "S", END_NOT, '-'},
	{"SYN retransmitted", ">S >S=", TCPS_SYN_SENT, TCPS_UNKNOWN, CONN_S0, "S", END_NOT, '-'},
	{"SYN-ACK", ">S <SA", TCPS_SYN_SENT, TCPS_SYN_RECV, CONN_S1, "Sh", END_NOT, '-'},
	{"SYN-ACK retransmitted", ">S <SA <SA=", TCPS_SYN_SENT, TCPS_SYN_RECV, CONN_S1, "Sh",
	 END_NOT, '-'},
	{"established", ">S <SA >A", EST, EST, CONN_S1, "ShA", END_NOT, '-'},
	{"stray ACK does not establish", ">S <SA >A~-", TCPS_SYN_SENT, TCPS_SYN_RECV, CONN_S1,
	 "ShA", END_NOT, '-'},
	{"data", ">S <SA >A >DA <A <DA >A", EST, EST, CONN_S1, "ShADad", END_NOT, '-'},
	{"retransmitted data", ">S <SA >A >DA >DA= <A", EST, EST, CONN_S1, "ShADTa", END_NOT, '-'},
	{"third step carries data", ">S <SA >DA <A", EST, EST, CONN_S1, "ShDa", END_NOT, '-'},
	{"FIN sent", ">S <SA >A >FA", TCPS_FIN_WAIT1, EST, CONN_S2, "ShAF", END_NOT, '>'},
	{"half-close", ">S <SA >A >FA <A", TCPS_FIN_WAIT2, TCPS_CLOSE_WAIT, CONN_S2, "ShAFa",
	 END_NOT, '>'},
	{"half-close, data goes on", ">S <SA >A >FA <A <DA >A", TCPS_FIN_WAIT2, TCPS_CLOSE_WAIT,
	 CONN_S2, "ShAFad", END_NOT, '>'},
	{"both FINs", ">S <SA >A >FA <A <FA", TCPS_FIN_WAIT2, TCPS_LAST_ACK, CONN_SF, "ShAFaf",
	 END_NOT, '>'},
	{"four-way close", ">S <SA >A >FA <A <FA >A", TCPS_TIME_WAIT, TCPS_CLOSED, CONN_SF,
	 "ShAFaf", END_FIN, '>'},
	{"three-way close", ">S <SA >A >FA <FA >A", TCPS_TIME_WAIT, TCPS_CLOSED, CONN_SF, "ShAFf",
	 END_FIN, '>'},
	{"server closes first", ">S <SA >A <FA >A >FA <A", TCPS_CLOSED, TCPS_TIME_WAIT, CONN_SF,
	 "ShAfFa", END_FIN, '<'},
	{"FIN retransmitted", ">S <SA >A >FA >FA= <A", TCPS_FIN_WAIT2, TCPS_CLOSE_WAIT, CONN_S2,
	 "ShAFa", END_NOT, '>'},
	{"simultaneous close, FINs cross", ">S <SA >A >FA <FA-", TCPS_FIN_WAIT1, TCPS_FIN_WAIT1,
	 CONN_SF, "ShAFf", END_NOT, '>'},
	{"simultaneous close, one acknowledged", ">S <SA >A >FA <FA- >A", TCPS_CLOSING,
	 TCPS_FIN_WAIT2, CONN_SF, "ShAFf", END_NOT, '>'},
	{"simultaneous close, both acknowledged", ">S <SA >A >FA <FA- >A <A", TCPS_TIME_WAIT,
	 TCPS_TIME_WAIT, CONN_SF, "ShAFfa", END_FIN, '>'},
	{"TIME_WAIT expires", ">S <SA >A >FA <FA >A _", TCPS_CLOSED, TCPS_CLOSED, CONN_SF, "ShAFf",
	 END_FIN, '>'},
	{"simultaneous open, SYNs cross", ">S <S", TCPS_SYN_SENT, TCPS_SYN_SENT, CONN_OTH, "Ss",
	 END_NOT, '-'},
	{"simultaneous open, one SYN-ACK", ">S <S >SA=", TCPS_SYN_RECV, TCPS_SYN_SENT, CONN_S1,
	 "Ss", END_NOT, '-'},
	{"simultaneous open", ">S <S >SA= <SA=", EST, EST, CONN_S1, "Ss", END_NOT, '-'},
	{"refused", ">S <RA", TCPS_CLOSED, TCPS_CLOSED, CONN_REJ, "Sr", END_REFUSED, '<'},
	{"client gives up", ">S <SA >R", TCPS_CLOSED, TCPS_CLOSED, CONN_RSTO, "ShR", END_RESET,
	 '>'},
	{"reset by client", ">S <SA >A >DA <A >RA", TCPS_CLOSED, TCPS_CLOSED, CONN_RSTO, "ShADaR",
	 END_RESET, '>'},
	{"reset by server", ">S <SA >A >DA <RA", TCPS_CLOSED, TCPS_CLOSED, CONN_RSTR, "ShADr",
	 END_RESET, '<'},
	{"reset after FIN", ">S <SA >A >FA <A <RA", TCPS_CLOSED, TCPS_CLOSED, CONN_RSTR, "ShAFar",
	 END_RESET, '>'},
	{"RST beside RCV.NXT is a challenge, not a close", ">S <SA >A >DA <A <R~", EST, EST,
	 CONN_S1, "ShADa", END_NOT, '-'},
	{"late data after a reset", ">S <SA >A >DA <A <DA >A <RA >DA >A", TCPS_CLOSED, TCPS_CLOSED,
	 CONN_RSTR, "ShADadr", END_RESET, '<'},
	{"unanswered", ">S _ _ _", TCPS_CLOSED, TCPS_CLOSED, CONN_S0, "S", END_TIMEOUT, '-'},
	{"half-open for ever", ">S <SA _ _ _", TCPS_CLOSED, TCPS_CLOSED, CONN_S1, "Sh", END_TIMEOUT,
	 '-'},
	{"midstream", ">DA <A", EST, EST, CONN_OTH, "Da", END_NOT, '-'},
	{"midstream, closed", ">DA <A >FA <FA >A", TCPS_TIME_WAIT, TCPS_CLOSED, CONN_SF, "DaFfA",
	 END_FIN, '>'},
	{"SYN-ACK first", "<SA >A >DA <A", EST, EST, CONN_S1, "^hADa", END_NOT, '-'},
	{"one direction only: the client's", ">S >A >DA", EST, EST, CONN_OTH, "SAD", END_NOT, '-'},
	{"new attempt on a half-open tuple", ">S >S* <SA", TCPS_SYN_SENT, TCPS_SYN_RECV, CONN_S1,
	 "Sh", END_NOT, '-'},
	{"same SYN after a refusal", ">S <RA >S=", TCPS_SYN_SENT, TCPS_UNKNOWN, CONN_S0, "S",
	 END_NOT, '-'},
	{"tuple reused", ">S <SA >A >FA <FA >A >S* <SA* >A", EST, EST, CONN_S1, "ShA", END_NOT,
	 '-'},
};

struct side {
	uint32_t isn, nxt, last_seq, acked; /* acked: what it acknowledged of the other */
};

struct wire_script {
	struct side side[2]; /* 0: originator */
	struct flow_key key;
	unsigned orig_dir;
	uint64_t now_ns;
};

static struct segment make_segment(struct wire_script *w, const char *word, size_t len)
{
	unsigned who = word[0] == '<';
	struct side *me = &w->side[who], *peer = &w->side[!who];
	struct segment seg = {.dir = who ? !w->orig_dir : w->orig_dir, .segs = 1, .window = 1000};

	seg.flags =
		(memchr(word, 'S', len) ? TCPF_SYN : 0) | (memchr(word, 'F', len) ? TCPF_FIN : 0) |
		(memchr(word, 'R', len) ? TCPF_RST : 0) | (memchr(word, 'A', len) ? TCPF_ACK : 0);
	seg.payload = memchr(word, 'D', len) ? PAYLOAD : 0;
	if (memchr(word, '*', len))
		me->isn = me->nxt = me->nxt + 1000003;
	seg.seq = memchr(word, '=', len) ? me->last_seq : me->nxt;
	if (memchr(word, '~', len))
		seg.seq += 77777;
	if (seg.flags & TCPF_ACK && !memchr(word, '-', len))
		me->acked = peer->nxt;
	seg.ack = seg.flags & TCPF_ACK ? me->acked : 0;
	if (memchr(word, '~', len) && memchr(word, '-', len))
		seg.ack = peer->nxt + (1u << 28); /* a stray acknowledgement */
	me->last_seq = seg.seq;
	if (!memchr(word, '~', len))
		me->nxt =
			seg.seq + seg.payload + !!(seg.flags & TCPF_SYN) + !!(seg.flags & TCPF_FIN);
	return seg;
}

enum mode { ONE_CPU, CPU_PER_DIRECTION, CPUS_TAKE_TURNS, FROM_REPORTS, MODES };
static const char *const mode_names[] = {"one CPU", "a CPU for each direction", "CPUs take turns",
					 "from reports"};

struct play {
	struct wire_script wire;
	struct tracker cpu[CPUS];
	struct evidence reported;
	unsigned turn, short_ways; /* segments that the short way takes */
};

static void report(struct play *p, const struct segment *seg, enum segment_why why)
{
	struct rec_segment rec = {
		.hdr = {REC_SEGMENT, sizeof(rec), 0, p->wire.now_ns},
		.key = p->wire.key,
		.seg = *seg,
		.why = why,
	};

	if (!evidence__fits_segment(&p->reported, &rec) ||
	    (seg->flags & TCPF_SYN && p->reported.step_ns[!seg->dir][STEP_RST]))
		evidence__init(&p->reported, &p->wire.key);
	evidence__add_segment(&p->reported, &rec);
}

static void play_segment(struct play *p, enum mode mode, const struct segment *seg)
{
	unsigned cpu = mode == CPU_PER_DIRECTION ? seg->dir
		       : mode == CPUS_TAKE_TURNS ? p->turn++ % CPUS
						 : 0;
	struct tracked *at = tracker__find(&p->cpu[cpu], &p->wire.key);
	enum segment_why why;
	bool is_short = false;

	assert_true(!at || tracker__short_way_agrees(&at->frag, seg, p->wire.now_ns, &is_short));
	p->short_ways += is_short;
	tracker__segment(&p->cpu[cpu], &p->wire.key, seg, p->wire.now_ns, &why);
	if (why)
		report(p, seg, why);
}

static void play(struct play *p, const struct script *script, enum mode mode)
{
	struct ip_addr a, b;

	memset(p, 0, sizeof(*p));
	ip_addr__set_v4(&a, TW_BE32(0x0a000001));
	ip_addr__set_v4(&b, TW_BE32(0x0a000002));
	p->wire.orig_dir = flow_key__set(&p->wire.key, &b, TW_BE16(50000), &a, TW_BE16(80), 1);
	p->wire.side[0] = (struct side){.isn = 0xfffffff0, .nxt = 0xfffffff0};
	p->wire.side[1] = (struct side){.isn = 5000, .nxt = 5000};
	p->wire.now_ns = 1000 * SEC;
	evidence__init(&p->reported, &p->wire.key);
	for (const char *word = script->words; *word;) {
		size_t len = strcspn(word, " ");
		struct segment seg;

		p->wire.now_ns += 1000000;
		if (*word == '_') {
			p->wire.now_ns += 70 * SEC;
		} else {
			seg = make_segment(&p->wire, word, len);
			play_segment(p, mode, &seg);
		}
		word += len + (word[len] == ' ');
	}
}

/* The latest session on each CPU, joined in the order of CPUs or in the reverse one. */
static void joined(struct play *p, enum mode mode, bool reverse, struct evidence *ev)
{
	if (mode == FROM_REPORTS) {
		*ev = p->reported;
		return;
	}
	evidence__init(ev, &p->wire.key);
	for (unsigned i = 0; i < CPUS; i++) {
		struct tracker *t = &p->cpu[reverse ? CPUS - 1 - i : i];

		if (t->count && evidence__fits(ev, &t->items[t->count - 1].frag))
			evidence__add_fragment(ev, &t->items[t->count - 1].frag, p->wire.now_ns);
	}
}

static char closer(const struct evidence_verdict *v)
{
	return v->closed_first == DIR_COUNT ? '-' : v->closed_first == v->originator ? '>' : '<';
}

/* What only one CPU can know: that a number seen nowhere else is wrong, what came before a new SYN.
 */
static bool needs_one_cpu(const struct script *s)
{
	return strpbrk(s->words, "~*") || strstr(s->words, "<RA >S=") || strstr(s->words, ">DA=");
}

static void check(const struct script *s, enum mode mode, bool reverse)
{
	struct evidence_verdict v;
	struct evidence ev;
	struct play p;
	bool ok;

	play(&p, s, mode);
	joined(&p, mode, reverse, &ev);
	evidence__judge(&ev, p.wire.now_ns, &v);
	ok = v.originator == p.wire.orig_dir && v.state[v.originator] == s->orig &&
	     v.state[!v.originator] == s->resp && v.conn_state == s->conn && v.end == s->end &&
	     closer(&v) == s->first && !strcmp(v.history, s->history);
	if (!ok)
		print_error("%s: orig %d resp %d %s %s end %d first %c\n", mode_names[mode],
			    v.state[v.originator], v.state[!v.originator],
			    conn_state__name(v.conn_state), v.history, v.end, closer(&v));
	for (unsigned i = 0; i < CPUS; i++)
		tracker__free(&p.cpu[i]);
	assert_true(ok);
}

static void test_script(void **state)
{
	const struct script *s = *state;

	for (enum mode mode = 0; mode < MODES; mode++) {
		if (mode != ONE_CPU && mode != FROM_REPORTS && needs_one_cpu(s))
			continue;
		/* Reports leave out what adds nothing, a retransmission's place in the history
		 * included. */
		check(s, mode, false);
		check(s, mode, true);
	}
}

static void test_step_time_keeps_order(void **state)
{
	static const uint64_t times[] = {
		0,
		1,
		63,
		64,
		1000,
		SEC,
		137 * SEC,
		138 * SEC,
		3600 * SEC,
		86400 * SEC,
		26 * 86400 * SEC,
		400 * 86400 * SEC
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		uint32_t t = step_time__encode(times[i]);
		uint64_t back = step_time__decode(t);

		assert_int_not_equal(t, 0);
		assert_true(i == 0 || t >= step_time__encode(times[i - 1]));
		if (times[i] <= 26 * 86400 * SEC)
			assert_true(times[i] - back < (times[i] < 137 * SEC ? 64 : 1 << 20));
	}
}

/* The short way is open to segments in order, from the second of their kind on, until a FIN. */
static void test_short_way(void **state)
{
	static const struct {
		const char *name, *words;
		unsigned short_ways;
	} cases[] = {
		{"handshake", ">S <SA >A", 0},
		{"first of its kind", ">S <SA >A >DA <DA <A", 0},
		{"acknowledgement before payload", ">S <SA >A >A", 1},
		{"bulk", ">S <SA >DA <A >DA <A >DA <A", 4},
		{"retransmitted", ">S <SA >DA <A >DA=", 0},
		{"after a gap", ">S <SA >DA <A >DA~", 0},
		{"midstream", ">DA <A >DA <A", 2},
		{"after an accepted reset", ">S <SA >A >DA <A <RA >DA >A", 2},
		{"after an ignored reset", ">S <SA >A >DA <A <R~ >DA", 1},
		{"after a FIN", ">S <SA >DA <A >FA <A <DA <DA", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct script script = {.words = cases[i].words};
		struct play p;

		play(&p, &script, ONE_CPU);
		if (p.short_ways != cases[i].short_ways)
			fail_msg("%s: %u", cases[i].name, p.short_ways);
		tracker__free(&p.cpu[0]);
	}
}

/* A fragment that is handed over before a counter wraps loses nothing, and the tracker goes on. */
static void test_full_fragment_goes_on(void **state)
{
	const struct script *s = &scripts[6];
	struct evidence ev;
	struct play p;
	struct segment seg;
	struct fragment *frag;
	uint64_t want;

	(void)state;
	play(&p, s, ONE_CPU);
	frag = &p.cpu[0].items[0].frag;
	evidence__init(&ev, &frag->key);
	want = frag->half[p.wire.orig_dir].bytes;
	for (unsigned i = 0; i < 100000; i++) {
		seg = make_segment(&p.wire, ">DA", 3);
		seg.payload = 60000;
		p.wire.side[0].nxt += 60000 - PAYLOAD;
		want += 60000;
		if (fragment__is_full(frag)) {
			evidence__add_fragment(&ev, frag, p.wire.now_ns);
			fragment__continue(frag, p.wire.now_ns);
		}
		assert_int_equal(track__place(frag, &seg, p.wire.now_ns), PLACE_ADD);
		track__segment(frag, &seg, p.wire.now_ns);
	}
	evidence__add_fragment(&ev, frag, p.wire.now_ns);
	assert_int_equal(ev.half[p.wire.orig_dir].bytes, want);
	assert_true(want > UINT32_MAX);
	assert_true(ev.flags & FRAG_SYN(p.wire.orig_dir));
	tracker__free(&p.cpu[0]);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(scripts) / sizeof(scripts[0]) + 3];
	size_t n = 0;

	for (; n < sizeof(scripts) / sizeof(scripts[0]); n++)
		tests[n] = (struct CMUnitTest){scripts[n].name, test_script, NULL, NULL,
					       (void *)&scripts[n]};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_step_time_keeps_order);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_short_way);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_full_fragment_goes_on);
	return _cmocka_run_group_tests("track", tests, n, NULL, NULL);
}
