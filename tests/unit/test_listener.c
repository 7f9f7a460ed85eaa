/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of listeners, its fields and alarms: driven by the records and counts of a source.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "user/model/listener_alarm.h"
#include "user/output/output.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define NETNS	    1
#define COOKIE	    7
#define SECOND	    TW_NSEC_PER_SEC

static const char *netns_name(void *ctx, uint32_t netns)
{
	(void)ctx;
	return netns == NETNS ? "self" : NULL;
}

static const char *ifname(void *ctx, uint32_t netns, uint32_t ifindex)
{
	static char name[IFNAMSIZ]; /* the next answer takes its place */

	(void)ctx;
	snprintf(name, sizeof(name), "if%u", ifindex);
	return netns == NETNS ? name : NULL;
}

struct fixture {
	struct listener_table *table;
	uint64_t now_ns;
};

static const struct listener_place usual_place = {
	.netns = NETNS,
	.is_followed = true,
	.has_taps = true,
	.has_limits = true,
	.syn_cookies = 1,
	.syn_backlog_max = 4096,
	.has_other_drops = true,
};

static int open_table(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->table = listener_table__new(&(struct listener_table_env){NULL, netns_name, ifname});
	f->now_ns = 100 * SECOND;
	assert_int_equal(listener_table__set_place(f->table, &usual_place), 0);
	*state = f;
	return 0;
}

static int close_table(void **state)
{
	struct fixture *f = *state;

	listener_table__free(f->table);
	free(f);
	return 0;
}

static void mark(struct fixture *f, uint16_t kind, bool ok)
{
	const union record rec = {.snapshot = {.hdr.kind = kind, .netns = NETNS, .ok = ok}};

	assert_int_equal(listener_table__apply(f->table, &rec), 0);
}

/* A listener with @cookie as a snapshot has it. */
static struct rec_listener listener_record(uint64_t cookie)
{
	return (struct rec_listener){
		.hdr = {.kind = REC_LISTENER, .size = sizeof(struct rec_listener)},
		.sock = {.cookie = cookie,
			 .netns = NETNS,
			 .state = TCPS_LISTEN,
			 .local_port = 8000 + cookie,
			 .tx_queue = 9},
	};
}

static void snapshot(struct fixture *f, const struct rec_listener *listeners, size_t count)
{
	union record rec;

	mark(f, REC_SNAPSHOT_BEGIN, false);
	for (size_t i = 0; i < count; i++) {
		rec.listener = listeners[i];
		assert_int_equal(listener_table__apply(f->table, &rec), 0);
	}
	mark(f, REC_SNAPSHOT_END, true);
}

static int count(struct fixture *f, uint64_t cookie, const struct listener_counters *counts)
{
	const struct listener_key key = {.cookie = cookie, .netns = NETNS};

	return listener_table__count(f->table, &key, counts);
}

/* @key of the listener's row, as JSON has it. */
static void assert_field(struct fixture *f, uint64_t cookie, const char *key, const char *expected)
{
	const struct listener *listener = listener_table__find(f->table, cookie);
	const struct field *field = field__find(&listener_fields, key, strlen(key));
	struct moment now = {.mono_ns = f->now_ns};
	struct field_list list = {.items = {field}, .count = 1};
	struct strbuf sb = {0};
	char want[128];

	assert_non_null(listener);
	assert_non_null(field);
	json__chosen_row(&sb, &listener_fields, &list, listener, &now);
	snprintf(want, sizeof(want), "{\"schema\":\"tcpwatch.listener.v1\",\"%s\":%s}\n", key,
		 expected);
	assert_string_equal(sb.data, want);
	strbuf__free(&sb);
}

static void test_fields(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);
	const struct listener_counters none = {0};
	const struct listener_counters counts = {
		.fate = {[SYN_QUEUED] = 20, [SYN_ACCEPT_FULL] = 8, [SYN_REPEATED] = 2},
		.value = {[LISTENER_COMPLETED] = 11, [LISTENER_SYNACK_RETRANSMIT] = 5},
	};
	static const struct {
		const char *key, *value;
	} cases[] = {
		{"local_port", "8007"},
		{"netns", "\"self\""},
		{"syn_queue", "4"},
		{"syn_queue_limit", "9"},
		{"syn_queue_young", "3"},
		{"accept_queue", "10"},
		{"accept_queue_limit", "9"},
		{"accept_queue_oldest_seconds", "2"},
		{"syn_queue_oldest_seconds", "null"},
		{"syns", "30"},
		{"syns_per_second", "15"},
		{"syns_queued", "20"},
		{"syns_dropped_other", "0"},
		{"syns_dropped_accept_queue", "8"},
		{"syns_dropped_accept_queue_per_second", "4"},
		{"syns_cookie", "0"},
		{"completed", "11"},
		{"synack_retransmits", "5"},
		{"expired", "5"}, /* 20 queued, 11 done, 4 still wait */
		{"drops", "9"},
		{"drops_seen", "10"}, /* a SYN sent again counts there too */
		{"drops_difference", "-1"},
		{"drops_ever", "109"},
		{"pid", "null"},
	};

	rec.drops = 100;
	snapshot(f, &rec, 1);
	assert_int_equal(count(f, COOKIE, &none), 0);
	listener_table__end_counts(f->table, f->now_ns, false);
	f->now_ns += 2 * SECOND;
	rec.drops = 109;
	rec.sock.syn_queue = 4;
	rec.sock.syn_young = 3;
	rec.sock.rx_queue = 10;
	rec.oldest_accept_ns = f->now_ns - 2 * SECOND;
	snapshot(f, &rec, 1);
	assert_int_equal(count(f, COOKIE, &counts), 0);
	listener_table__end_counts(f->table, f->now_ns, false);
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_field(f, COOKIE, cases[i].key, cases[i].value);
}

static void test_unknown_is_unknown(void **state)
{
	struct fixture *f = *state;
	const struct listener_place place = {.netns = NETNS};
	struct rec_listener rec = listener_record(COOKIE);
	static const char *const unknown[] = {"syn_queue_limit",    "syns",
					      "syns_queued",	    "syns_per_second",
					      "drops_seen",	    "drops_difference",
					      "completed",	    "expired",
					      "synack_retransmits", "drops_per_second",
					      "syns_dropped_other"};

	assert_int_equal(listener_table__set_place(f->table, &place), 0);
	snapshot(f, &rec, 1);
	for (size_t i = 0; i < N_OF(unknown); i++)
		assert_field(f, COOKIE, unknown[i], "null");
	assert_field(f, COOKIE, "drops", "0");
}

/* Cookies and guesses are borne out by the kernel's counters, or it is not told. */
static void test_expired(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		struct listener_counters counts;
		bool has_kernel;
		uint64_t sent, received, drops;
		const char *expired;
	} cases[] = {
		{"queued", {.fate = {[SYN_QUEUED] = 5}}, false, 0, 0, 0, "5"},
		{"more went on than began",
		 {.fate = {[SYN_QUEUED] = 5}, .value = {[LISTENER_COMPLETED] = 6}},
		 true,
		 0,
		 0,
		 0,
		 "null"},
		{"a cookie, and who knows",
		 {.fate = {[SYN_QUEUED] = 5, [SYN_COOKIE] = 1}},
		 false,
		 0,
		 0,
		 0,
		 "null"},
		{"no cookie came back",
		 {.fate = {[SYN_QUEUED] = 5, [SYN_COOKIE] = 1}},
		 true,
		 1,
		 0,
		 0,
		 "5"},
		{"a cookie came back",
		 {.fate = {[SYN_QUEUED] = 5, [SYN_COOKIE] = 1}},
		 true,
		 1,
		 1,
		 0,
		 "null"},
		{"a guess, and who knows",
		 {.fate = {[SYN_QUEUED] = 5}, .n_inferred = 1},
		 false,
		 0,
		 0,
		 0,
		 "null"},
		{"a guess that the kernel bears out",
		 {.fate = {[SYN_QUEUED] = 5, [SYN_COOKIE] = 3, [SYN_ACCEPT_FULL] = 2},
		  .n_inferred = 4},
		 true,
		 3,
		 0,
		 2,
		 "5"},
		{"more cookies than were counted",
		 {.fate = {[SYN_QUEUED] = 5, [SYN_COOKIE] = 3}, .n_inferred = 4},
		 true,
		 4,
		 0,
		 0,
		 "null"},
		{"more drops than were counted",
		 {.fate = {[SYN_QUEUED] = 5, [SYN_ACCEPT_FULL] = 2}, .n_inferred = 4},
		 true,
		 0,
		 0,
		 3,
		 "null"},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct listener_place place = {
			.netns = NETNS,
			.is_followed = true,
			.has_taps = true,
			.has_cookie_counts = cases[i].has_kernel,
			.has_other_drops = true,
			.cookies_sent = cases[i].sent,
			.cookies_received = cases[i].received,
		};
		struct rec_listener rec = listener_record(COOKIE + i);

		assert_int_equal(listener_table__set_place(f->table, &place), 0);
		snapshot(f, &rec, 1);
		rec.drops = cases[i].drops;
		snapshot(f, &rec, 1);
		assert_int_equal(count(f, COOKIE + i, &cases[i].counts), 0);
		listener_table__end_counts(f->table, f->now_ns, false);
		print_message("%s\n", cases[i].name);
		assert_field(f, COOKIE + i, "expired", cases[i].expired);
		listener_table__forget_netns(f->table, NETNS);
	}
}

/* SYNs that found room and were dropped: how many is the kernel's count for the namespace, whose
 * they were follows where no other listener can have had them. */
static void test_dropped_for_other_reasons(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		uint64_t before, after; /* the kernel's count */
		struct {
			uint64_t queued, backlog_full, drops;
			const char *other, *left;
		} rows[2];
		uint64_t gone; /* SYNs of a listener that is no more */
		bool has_other;
		uint64_t other;
	} cases[] = {
		{"none", 7, 7, {{5, 0, 0, "0", "5"}, {6, 0, 0, "0", "6"}}, 0, true, 0},
		{"of one", 7, 11, {{5, 0, 4, "4", "1"}, {6, 0, 0, "0", "6"}}, 0, true, 4},
		{"of both", 7, 16, {{5, 0, 4, "4", "1"}, {6, 0, 5, "5", "1"}}, 0, true, 9},
		{"resets of half-open ones count as drops of the one",
		 7,
		 11,
		 {{5, 0, 5, "4", "1"}, {6, 0, 0, "0", "6"}},
		 0,
		 true,
		 4},
		{"… or of the other, and who knows whose they were",
		 7,
		 11,
		 {{5, 0, 4, "null", "5"}, {6, 0, 3, "null", "6"}},
		 0,
		 true,
		 4},
		{"a listener that is gone may have had them",
		 7,
		 11,
		 {{5, 0, 4, "null", "5"}, {6, 0, 0, "0", "6"}},
		 9,
		 true,
		 4},
		{"tcp_max_syn_backlog has no counter of its own",
		 7,
		 11,
		 {{5, 3, 4, "1", "4"}, {6, 0, 0, "0", "6"}},
		 0,
		 true,
		 1},
		{"more than came to a tap",
		 7,
		 27,
		 {{5, 0, 20, "null", "5"}, {6, 0, 0, "null", "6"}},
		 0,
		 false,
		 0},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct listener_place place = {.netns = NETNS,
					       .is_followed = true,
					       .has_taps = true,
					       .has_other_drops = true,
					       .other_drops = cases[i].before};
		struct rec_listener recs[3] = {listener_record(COOKIE), listener_record(COOKIE + 1),
					       listener_record(COOKIE + 2)};
		const struct listener_counters gone = {.fate = {[SYN_QUEUED] = cases[i].gone}};
		struct syn_fates all;

		print_message("%s\n", cases[i].name);
		assert_int_equal(listener_table__set_place(f->table, &place), 0);
		snapshot(f, recs, 3);
		listener_table__end_counts(f->table, f->now_ns, false);
		place.other_drops = cases[i].after;
		assert_int_equal(listener_table__set_place(f->table, &place), 0);
		for (size_t k = 0; k < 2; k++)
			recs[k].drops = cases[i].rows[k].drops;
		snapshot(f, recs, 2);
		assert_int_equal(count(f, COOKIE + 2, &gone), LISTENER_GONE);
		for (size_t k = 0; k < 2; k++) {
			const struct listener_counters counts = {
				.fate = {[SYN_QUEUED] = cases[i].rows[k].queued,
					 [SYN_BACKLOG_FULL] = cases[i].rows[k].backlog_full}};

			assert_int_equal(count(f, COOKIE + k, &counts), 0);
		}
		listener_table__end_counts(f->table, f->now_ns, false);
		for (size_t k = 0; k < 2; k++) {
			assert_field(f, COOKIE + k, "syns_dropped_other", cases[i].rows[k].other);
			assert_field(f, COOKIE + k, "syns_queued", cases[i].rows[k].left);
		}
		listener_table__fates(f->table, 0, &all);
		assert_int_equal(all.has_other, cases[i].has_other);
		assert_int_equal(all.other, cases[i].other);
		assert_int_equal(syn_fates__queued(&all), all.fate[SYN_QUEUED] - all.other);
		close_table(state);
		open_table(state);
		f = *state;
	}
}

static void test_limit_of_the_syn_queue(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		uint64_t cookies, backlog_max;
		const char *limit;
	} cases[] = {
		{"cookies: the listener's own", 1, 4, "9"},
		{"no cookies: three quarters of tcp_max_syn_backlog", 0, 8, "6"},
		{"… unless the listener's own is less", 0, 4096, "9"},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct listener_place place = {.netns = NETNS,
						     .has_limits = true,
						     .syn_cookies = cases[i].cookies,
						     .syn_backlog_max = cases[i].backlog_max};
		struct rec_listener rec = listener_record(COOKIE);

		assert_int_equal(listener_table__set_place(f->table, &place), 0);
		snapshot(f, &rec, 1);
		assert_field(f, COOKIE, "syn_queue_limit", cases[i].limit);
	}
}

static void test_oldest_request(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);
	const uint64_t ages_s[] = {1, 3, 2};

	rec.sock.syn_queue = 3;
	snapshot(f, &rec, 1);
	for (size_t i = 0; i < N_OF(ages_s); i++) {
		const union record request = {
			.request = {.hdr.kind = REC_REQUEST,
				    .listener = COOKIE,
				    .syn_ns = f->now_ns - ages_s[i] * SECOND}};

		assert_int_equal(listener_table__apply(f->table, &request), 0);
	}
	assert_field(f, COOKIE, "syn_queue_oldest_seconds", "3");
}

static void test_drops_wrap(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);

	rec.drops = UINT32_MAX - 1;
	snapshot(f, &rec, 1);
	rec.drops = 3;
	snapshot(f, &rec, 1);
	assert_field(f, COOKIE, "drops", "5");
	assert_field(f, COOKIE, "drops_ever", "4294967299");
}

/* What was counted for a listener outlives it, and is told to be deleted once. */
static void test_a_listener_that_closes(void **state)
{
	struct fixture *f = *state;
	struct rec_listener recs[] = {listener_record(COOKIE), listener_record(COOKIE + 1)};
	const struct listener_counters counts = {.fate = {[SYN_QUEUED] = 3}};
	const struct listener_counters last = {.fate = {[SYN_QUEUED] = 4}};
	struct syn_fates fates;

	snapshot(f, recs, 2);
	assert_int_equal(count(f, COOKIE, &counts), 0);
	snapshot(f, recs + 1, 1);
	assert_null(listener_table__find(f->table, COOKIE));
	assert_int_equal(count(f, COOKIE, &last), LISTENER_GONE);
	listener_table__fates(f->table, NETNS, &fates);
	assert_int_equal(fates.fate[SYN_QUEUED], 4);
	assert_int_equal(fates.n_listeners, 1);
	listener_table__fates(f->table, NETNS + 1, &fates);
	assert_int_equal(fates.fate[SYN_QUEUED], 0);
}

/* One that lives between two snapshots is never listed; its SYNs count all the same. */
static void test_a_listener_that_was_never_listed(void **state)
{
	struct fixture *f = *state;
	const struct listener_counters counts = {.fate = {[SYN_QUEUED] = 3}};
	struct syn_fates fates;

	snapshot(f, NULL, 0);
	assert_int_equal(count(f, COOKIE, &counts), 0);
	assert_null(listener_table__find(f->table, COOKIE));
	listener_table__fates(f->table, 0, &fates);
	assert_int_equal(fates.fate[SYN_QUEUED], 3);
	assert_int_equal(fates.n_listeners, 0);
	snapshot(f, NULL, 0);
	assert_int_equal(count(f, COOKIE, &counts), LISTENER_GONE);
	listener_table__fates(f->table, 0, &fates);
	assert_int_equal(fates.fate[SYN_QUEUED], 3);
}

static void test_a_snapshot_that_is_not_whole(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);

	snapshot(f, &rec, 1);
	mark(f, REC_SNAPSHOT_BEGIN, false);
	mark(f, REC_SNAPSHOT_END, false);
	assert_non_null(listener_table__find(f->table, COOKIE));
}

static void test_owner(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);
	const union record owner = {.owner = {.hdr.kind = REC_OWNER,
					      .cookie = COOKIE,
					      .pid = 42,
					      .comm = "sixteen bytes!!!"}};

	snapshot(f, &rec, 1);
	assert_int_equal(listener_table__unowned(f->table, NULL, 0), 1);
	assert_int_equal(listener_table__apply(f->table, &owner), 0);
	assert_int_equal(listener_table__unowned(f->table, NULL, 0), 0);
	snapshot(f, &rec, 1);
	assert_field(f, COOKIE, "pid", "42");
	assert_field(f, COOKIE, "comm", "\"sixteen bytes!!\"");
}

static void test_scope(void **state)
{
	struct fixture *f = *state;
	struct rec_listener recs[] = {listener_record(COOKIE), listener_record(COOKIE + 1),
				      listener_record(COOKIE + 2)};

	recs[0].sock.ifindex = 2;
	recs[1].sock.ifindex = 3;
	snapshot(f, recs, 3);
	assert_field(f, COOKIE, "scope", "\"if2\"");
	assert_field(f, COOKIE + 1, "scope", "\"if3\"");
	assert_field(f, COOKIE + 2, "scope", "null");
}

/* Of MPTCP: it is looked for by the cookie of the socket that processes hold. */
static void test_owner_of_a_held_listener(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);
	const union record owner = {.owner = {.hdr.kind = REC_OWNER, .cookie = 7, .pid = 42}};
	uint64_t cookie;

	rec.sock.holder = 7;
	snapshot(f, &rec, 1);
	assert_int_equal(listener_table__unowned(f->table, &cookie, 1), 1);
	assert_int_equal(cookie, 7);
	assert_int_equal(listener_table__apply(f->table, &owner), 0);
	assert_field(f, COOKIE, "pid", "42");
}

struct alarms {
	char said[128];
};

static void note(void *ctx, const struct listener *listener, enum listener_queue queue,
		 const struct queue_level *level, enum threshold_change change)
{
	struct alarms *alarms = ctx;
	size_t len = strlen(alarms->said);

	snprintf(alarms->said + len, sizeof(alarms->said) - len, "%u %s %u %s;",
		 (unsigned)listener->sock.cookie, listener_queue__name(queue),
		 (unsigned)level->used, threshold_change__name(change));
}

static void test_alarms(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		unsigned accept, syn;
		unsigned accept_drops, cookies; /* since the step before */
		const char *said;
	} steps[] = {
		{"at the limit is not full yet", 9, 9, 0, 0, ""},
		{"one more is", 10, 0, 0, 0, "7 accept 10 raised;"},
		{"told once", 10, 0, 3, 0, ""},
		{"not over until it is half empty", 6, 0, 0, 0, ""},
		{"over", 5, 0, 0, 0, "7 accept 5 cleared;"},
		{"full between two looks", 0, 0, 1, 0, "7 accept 10 raised;"},
		{"over again", 0, 0, 0, 0, "7 accept 0 cleared;"},
		{"a cookie means that the SYN queue was full", 0, 3, 0, 1, "7 syn 10 raised;"},
		{"both", 10, 10, 0, 0, "7 accept 10 raised;"},
		{"both over", 0, 0, 0, 0, "7 accept 0 cleared;7 syn 0 cleared;"},
	};
	struct listener_counters counts = {0};
	enum listener_queue queue;

	for (size_t i = 0; i < N_OF(steps); i++) {
		struct rec_listener rec = listener_record(COOKIE);
		struct alarms alarms = {0};

		rec.sock.rx_queue = steps[i].accept;
		rec.sock.syn_queue = steps[i].syn;
		counts.fate[SYN_ACCEPT_FULL] += steps[i].accept_drops;
		counts.fate[SYN_COOKIE] += steps[i].cookies;
		snapshot(f, &rec, 1);
		assert_int_equal(count(f, COOKIE, &counts), 0);
		listener_table__observe(f->table, note, &alarms);
		if (strcmp(alarms.said, steps[i].said))
			fail_msg("%s: said \"%s\"", steps[i].name, alarms.said);
	}
	assert_null(listener_table__worst(f->table, &queue));
}

/* Whether it closes or its namespace goes: what was told as begun is told as over, once. */
static void test_alarms_of_those_that_go(void **state)
{
	struct fixture *f = *state;
	struct rec_listener recs[] = {listener_record(COOKIE), listener_record(COOKIE + 1)};
	const struct listener_counters counts = {.fate = {[SYN_ACCEPT_FULL] = 1}};

	for (int way = 0; way < 3; way++) {
		struct alarms alarms = {0};

		assert_int_equal(listener_table__set_place(f->table, &usual_place), 0);
		recs[0].sock.rx_queue = recs[0].sock.syn_queue = 10;
		snapshot(f, recs, 2);
		listener_table__observe(f->table, note, &alarms);
		assert_string_equal(alarms.said, "7 accept 10 raised;7 syn 10 raised;");
		alarms = (struct alarms){0};
		if (way == 0)
			snapshot(f, recs + 1, 1);
		else if (way == 1)
			listener_table__forget_netns(f->table, NETNS);
		else
			snapshot(f, NULL, 0);
		if (way == 2) /* SYNs came between the last look and the end */
			assert_int_equal(count(f, COOKIE, &counts), LISTENER_GONE);
		listener_table__end_counts(f->table, f->now_ns += SECOND, false);
		listener_table__observe(f->table, note, &alarms);
		assert_string_equal(alarms.said, "7 accept 0 cleared;7 syn 0 cleared;");
		alarms = (struct alarms){0};
		listener_table__observe(f->table, note, &alarms);
		assert_string_equal(alarms.said, "");
	}
}

static void test_worst(void **state)
{
	struct fixture *f = *state;
	struct rec_listener recs[] = {listener_record(1), listener_record(2), listener_record(3)};
	enum listener_queue queue;
	struct alarms alarms = {0};

	const struct listener_counters refused = {.fate = {[SYN_ACCEPT_FULL] = 1}};

	recs[0].sock.rx_queue = 9;
	recs[1].sock.syn_queue = 12;
	recs[2].sock.rx_queue = 10;
	snapshot(f, recs, 3);
	listener_table__observe(f->table, note, &alarms);
	assert_int_equal(listener_table__worst(f->table, &queue)->sock.cookie, 2);
	assert_int_equal(queue, QUEUE_SYN);
	/* Who drops is worse than who is fuller. */
	listener_table__end_counts(f->table, f->now_ns, false);
	assert_int_equal(count(f, 3, &refused), 0);
	listener_table__end_counts(f->table, f->now_ns + SECOND, false);
	assert_int_equal(listener_table__worst(f->table, &queue)->sock.cookie, 3);
	assert_int_equal(queue, QUEUE_ACCEPT);
}

static void test_no_alarm_where_all_get_cookies(void **state)
{
	struct fixture *f = *state;
	const struct listener_place place = {.netns = NETNS,
					     .has_taps = true,
					     .has_limits = true,
					     .syn_cookies = 2,
					     .syn_backlog_max = 4096};
	const struct listener_counters counts = {.fate = {[SYN_COOKIE] = 3}};
	struct rec_listener rec = listener_record(COOKIE);
	struct alarms alarms = {0};

	assert_int_equal(listener_table__set_place(f->table, &place), 0);
	snapshot(f, &rec, 1);
	assert_int_equal(count(f, COOKIE, &counts), 0);
	listener_table__observe(f->table, note, &alarms);
	assert_string_equal(alarms.said, "");
}

/* What happened to one that was born while we watched is all ours; to an older one it is not. */
static void test_drops_of_a_new_listener(void **state)
{
	struct fixture *f = *state;
	struct rec_listener recs[] = {listener_record(1), listener_record(2)};

	recs[0].drops = recs[1].drops = 5;
	snapshot(f, recs, 1);
	snapshot(f, recs, 2);
	assert_field(f, 1, "drops", "0");
	assert_field(f, 2, "drops", "5");
}

static void test_older_kernels_are_full_at_the_limit(void **state)
{
	struct fixture *f = *state;
	const struct listener_place place = {.netns = NETNS,
					     .has_limits = true,
					     .syn_cookies = 1,
					     .syn_backlog_max = 4096,
					     .full_at_limit = true};
	struct rec_listener rec = listener_record(COOKIE);

	assert_int_equal(listener_table__set_place(f->table, &place), 0);
	rec.sock.syn_queue = 9;
	snapshot(f, &rec, 1);
	assert_field(f, COOKIE, "syn_queue_limit", "8");
	assert_true(listener__is_syn_full(listener_table__find(f->table, COOKIE)));
}

/* A tap elsewhere sees nothing of what comes for a loopback address. */
static void test_loopback_needs_a_tap_of_its_own(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		struct ip_addr local;
		bool has_lo;
		const char *syns;
	} cases[] = {
		{"IPv4", {.bytes = {[10] = 255, [11] = 255, [12] = 127, [15] = 3}}, false, "null"},
		{"… watched", {.bytes = {[10] = 255, [11] = 255, [12] = 127, [15] = 3}}, true, "0"},
		{"IPv6", {.bytes = {[15] = 1}}, false, "null"},
		{"any address", {{{0}}}, false, "0"},
		{"another", {.bytes = {[10] = 255, [11] = 255, [12] = 10, [15] = 127}}, false, "0"},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct listener_place place = {
			.netns = NETNS, .has_taps = true, .has_lo = cases[i].has_lo};
		struct rec_listener rec = listener_record(COOKIE);

		rec.sock.local = cases[i].local;
		assert_int_equal(listener_table__set_place(f->table, &place), 0);
		snapshot(f, &rec, 1);
		assert_field(f, COOKIE, "syns", cases[i].syns);
	}
}

/* What sockets and the kernel tell shows that SYNs came which no tap saw. */
static void test_syns_that_no_tap_saw(void **state)
{
	static const struct {
		const char *name;
		struct listener_counters counts;
		uint64_t drops, half_open_before;
		const char *syns, *unseen, *drops_seen;
	} cases[] = {
		{"nothing came", {.fate = {0}}, 0, 0, "0", "0", "0"},
		{"all were seen",
		 {.fate = {[SYN_QUEUED] = 5, [SYN_COOKIE] = 2},
		  .value = {[LISTENER_COMPLETED] = 7}},
		 0,
		 0,
		 "7",
		 "0",
		 "0"},
		{"it was half open before",
		 {.value = {[LISTENER_COMPLETED] = 1}},
		 1,
		 1,
		 "0",
		 "0",
		 "0"},
		{"none was seen",
		 {.value = {[LISTENER_COMPLETED] = 3}},
		 6,
		 0,
		 "null",
		 "null",
		 "null"},
		{"none was seen, and all were dropped",
		 {.fate = {0}},
		 6,
		 0,
		 "null",
		 "null",
		 "null"},
		{"some were seen",
		 {.fate = {[SYN_QUEUED] = 5}, .value = {[LISTENER_COMPLETED] = 7}},
		 0,
		 1,
		 "5",
		 "1",
		 "0"},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct rec_listener rec = listener_record(COOKIE);
		void *fresh;
		struct fixture *f;

		assert_int_equal(open_table(&fresh), 0);
		f = fresh;
		rec.sock.syn_queue = cases[i].half_open_before;
		snapshot(f, &rec, 1);
		rec.sock.syn_queue = 0;
		rec.drops = cases[i].drops;
		snapshot(f, &rec, 1);
		assert_int_equal(count(f, COOKIE, &cases[i].counts), 0);
		listener_table__end_counts(f->table, f->now_ns, false);
		assert_field(f, COOKIE, "syns", cases[i].syns);
		assert_field(f, COOKIE, "syns_unseen", cases[i].unseen);
		assert_field(f, COOKIE, "drops_seen", cases[i].drops_seen);
		close_table(&fresh);
	}
}

static void test_no_room(void **state)
{
	struct fixture *f = *state;
	struct rec_listener recs[] = {listener_record(1), listener_record(2)};
	const struct listener_counters counts = {.fate = {[SYN_QUEUED] = 1}};

	snapshot(f, recs, 2);
	assert_int_equal(count(f, 1, &counts), 0);
	listener_table__end_counts(f->table, f->now_ns, true);
	assert_field(f, 1, "syns", "1");
	assert_field(f, 2, "syns", "null");
	assert_field(f, 2, "completed", "null");
}

/* Listeners of several namespaces come and go at once; their last counts are still to come. */
static void test_namespaces_in_turn(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);
	const struct listener_counters counts = {.fate = {[SYN_QUEUED] = 3}};
	const union record other[] = {
		{.snapshot = {.hdr.kind = REC_SNAPSHOT_BEGIN, .netns = NETNS + 1}},
		{.snapshot = {.hdr.kind = REC_SNAPSHOT_END, .netns = NETNS + 1, .ok = 1}},
	};

	snapshot(f, &rec, 1);
	assert_int_equal(count(f, COOKIE, &counts), 0);
	listener_table__end_counts(f->table, f->now_ns, false);
	snapshot(f, NULL, 0);
	for (size_t i = 0; i < N_OF(other); i++)
		assert_int_equal(listener_table__apply(f->table, &other[i]), 0);
	assert_int_equal(count(f, COOKIE, &counts), LISTENER_GONE);
}

static void test_a_namespace_that_is_gone(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);
	const struct listener_counters counts = {.fate = {[SYN_QUEUED] = 3}};
	const struct listener_counters stray = {.fate = {[SYN_NO_LISTENER] = 2}};
	struct syn_fates fates;

	snapshot(f, &rec, 1);
	assert_int_equal(count(f, COOKIE, &counts), 0);
	assert_int_equal(count(f, 0, &stray), 0);
	listener_table__forget_netns(f->table, NETNS);
	assert_null(listener_table__find(f->table, COOKIE));
	assert_int_equal(count(f, COOKIE, &counts), LISTENER_GONE);
	listener_table__end_counts(f->table, f->now_ns, false);
	listener_table__fates(f->table, 0, &fates);
	assert_int_equal(fates.fate[SYN_QUEUED], 3);
	assert_int_equal(fates.fate[SYN_NO_LISTENER], 2);
	assert_int_equal(fates.n_listeners, 0);
	listener_table__fates(f->table, NETNS, &fates);
	assert_int_equal(fates.fate[SYN_QUEUED], 0);
}

static bool is_not_42(uint32_t pid)
{
	return pid != 42;
}

static void test_an_owner_that_ended(void **state)
{
	struct fixture *f = *state;
	struct rec_listener rec = listener_record(COOKIE);

	rec.sock.pid = 42; /* it called listen() */
	memcpy(rec.sock.comm, "parent", sizeof("parent"));
	snapshot(f, &rec, 1);
	assert_field(f, COOKIE, "pid", "42");
	listener_table__check_owners(f->table, is_not_42);
	snapshot(f, &rec, 1);
	assert_field(f, COOKIE, "pid", "null");
	assert_int_equal(listener_table__unowned(f->table, NULL, 0), 1);
}

/* Of three on one port the drops are the same whichever goes; another port has none of them. */
static void test_group_keeps_the_drops_of_who_is_gone(void **state)
{
	struct fixture *f = *state;
	struct rec_listener group[] = {listener_record(1), listener_record(2), listener_record(3),
				       listener_record(4)};

	group[1].sock.local_port = group[2].sock.local_port = group[0].sock.local_port;
	for (uint32_t i = 0; i < 3; i++)
		group[i].drops = 10 + i;
	snapshot(f, group, 4);
	group[3].drops = 0;
	snapshot(f, group + 1, 3);
	assert_int_equal(listener_table__find(f->table, 2)->drops_inherited, 10);
	snapshot(f, group + 2, 2);
	assert_int_equal(listener_table__find(f->table, 3)->drops_inherited, 10 + 11);
	assert_int_equal(listener_table__find(f->table, 3)->drops_ever, 12);
	snapshot(f, group + 3, 1);
	assert_int_equal(listener_table__find(f->table, 4)->drops_inherited, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_table, close_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fields),
		TEST(test_unknown_is_unknown),
		TEST(test_expired),
		TEST(test_dropped_for_other_reasons),
		TEST(test_limit_of_the_syn_queue),
		TEST(test_oldest_request),
		TEST(test_drops_wrap),
		TEST(test_a_listener_that_closes),
		TEST(test_a_listener_that_was_never_listed),
		TEST(test_a_snapshot_that_is_not_whole),
		TEST(test_owner),
		TEST(test_owner_of_a_held_listener),
		TEST(test_scope),
		TEST(test_alarms),
		TEST(test_alarms_of_those_that_go),
		TEST(test_worst),
		TEST(test_group_keeps_the_drops_of_who_is_gone),
		TEST(test_no_alarm_where_all_get_cookies),
		TEST(test_drops_of_a_new_listener),
		TEST(test_older_kernels_are_full_at_the_limit),
		TEST(test_loopback_needs_a_tap_of_its_own),
		TEST(test_syns_that_no_tap_saw),
		TEST(test_no_room),
		TEST(test_namespaces_in_turn),
		TEST(test_a_namespace_that_is_gone),
		TEST(test_an_owner_that_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
