/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is told once each way: TIME_WAIT near its limit, servers whose handshakes fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sample.h"
#include "user/model/handshake_alarm.h"
#include "user/model/time_wait_alarm.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_STEPS	8
#define SEC		TW_NSEC_PER_SEC

/* After each look what changed: r raised, c cleared, - nothing. */
static void test_time_wait(void **state __attribute__((unused)))
{
	static const struct {
		const char *name, *changes;
		struct {
			uint64_t count, refused;
		} looks[MAX_STEPS];
	} cases[] = {
		{"nine tenths, eight tenths", "-r-c", {{89, 0}, {90, 0}, {81, 0}, {80, 0}}},
		{"refused before the tool came", "--", {{10, 7}, {10, 7}}},
		{"refused between two looks", "-rc", {{10, 7}, {10, 8}, {10, 8}}},
		{"refused for long", "-r--c", {{10, 0}, {10, 1}, {10, 2}, {10, 3}, {10, 3}}},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct time_wait_alarm alarm = {0};
		char changes[MAX_STEPS + 1] = {0};

		for (size_t k = 0; k < strlen(cases[i].changes); k++)
			changes[k] = "-rc"[time_wait_alarm__observe(
				&alarm, cases[i].looks[k].count, 100, cases[i].looks[k].refused)];
		if (strcmp(changes, cases[i].changes))
			fail_msg("%s: %s, not %s", cases[i].name, changes, cases[i].changes);
	}
}

static void test_share(void **state __attribute__((unused)))
{
	static const struct {
		const char *name, *changes;
		struct {
			uint64_t after_s, completed, failed;
		} looks[MAX_STEPS];
	} cases[] = {
		{"too few to matter", "--", {{1, 0, 4}, {1, 100, 0}}},
		{"all of five", "r", {{1, 0, 5}}},
		{"less than a tenth", "-", {{1, 46, 5}}},
		{"a tenth", "r", {{1, 45, 5}}},
		{"few at a time add up",
		 "----r",
		 {{1, 0, 1}, {1, 0, 1}, {1, 0, 1}, {1, 0, 1}, {1, 0, 1}}},
		{"what is long past does not", "--", {{1, 0, 4}, {20, 0, 1}}},
		{"a twentieth ends it", "r-c", {{1, 0, 5}, {1, 94, 0}, {1, 1, 0}}},
		{"silence ends it", "r--c", {{1, 0, 5}, {8, 0, 0}, {9, 0, 0}, {10, 0, 0}}},
		{"and it begins anew", "rcr", {{1, 0, 5}, {20, 1, 0}, {1, 0, 5}}},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char changes[MAX_STEPS + 1] = {0};
		struct failing failing = {.newer_ns = 100 * SEC };
		uint64_t now_ns = 100 * SEC;

		for (size_t k = 0; k < strlen(cases[i].changes); k++) {
			now_ns += cases[i].looks[k].after_s * SEC;
			failing__add(&failing,
				     (struct handshake_ends){cases[i].looks[k].completed +
								     cases[i].looks[k].failed,
							     cases[i].looks[k].failed},
				     now_ns);
			changes[k] = "-rc"[failing__observe(&failing, now_ns)];
		}
		if (strcmp(changes, cases[i].changes))
			fail_msg("%s: %s, not %s", cases[i].name, changes, cases[i].changes);
	}
}

/* ---- whose ---- */

struct told {
	struct session place;
	enum sock_role role;
	struct handshake_ends ends;
	enum threshold_change change;
	unsigned times;
};

static void hear(void *ctx, const struct session *place, const struct handshake_ends *ends,
		 enum threshold_change change)
{
	struct told *told = ctx;

	*told = (struct told){*place, place->sock->role, *ends, change, told->times + 1};
}

static void add(struct handshake_alarm *alarm, enum event_kind kind, enum sock_role role,
		const char *server, unsigned times)
{
	struct sample s;
	struct event event = {.kind = kind, .time_ns = SAMPLE_NOW_NS, .session = &s.session};

	sample__init(&s);
	s.sock.role = role;
	if (role == ROLE_ACTIVE)
		sample__set_endpoints(&s, "10.0.0.9", 40000, server, 443);
	else
		sample__set_endpoints(&s, server, 443, "10.0.0.9", 40000);
	while (times--)
		assert_int_equal(handshake_alarm__add(alarm, &event), 0);
}

static void expect_place(const struct endpoint *server, const char *addr)
{
	struct ip_addr expected = sample__addr(addr);

	assert_memory_equal(&server->addr, &expected, sizeof(expected));
	assert_int_equal(server->port, 443);
}

static void test_whose(void **state __attribute__((unused)))
{
	struct handshake_alarm *alarm = handshake_alarm__new();
	struct told told = {.times = 0};

	add(alarm, EVENT_HANDSHAKE_FAILED, ROLE_ACTIVE, "10.0.0.1", 5);
	add(alarm, EVENT_ESTABLISHED, ROLE_ACTIVE, "10.0.0.1", 1);
	add(alarm, EVENT_ESTABLISHED, ROLE_ACTIVE, "10.0.0.2", 50);
	add(alarm, EVENT_SYN, ROLE_ACTIVE, "10.0.0.2", 50);
	handshake_alarm__observe(alarm, SAMPLE_NOW_NS, hear, &told);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.change, THRESHOLD_RAISED);
	assert_int_equal(told.role, ROLE_ACTIVE);
	assert_int_equal(told.ends.failed, 5);
	assert_int_equal(told.ends.all, 6);
	expect_place(&told.place.remote, "10.0.0.1");
	assert_int_equal(told.place.local.port, 0);

	add(alarm, EVENT_HANDSHAKE_FAILED, ROLE_PASSIVE, "10.0.0.1", 5);
	handshake_alarm__observe(alarm, SAMPLE_NOW_NS, hear, &told);
	assert_int_equal(told.times, 2);
	assert_int_equal(told.role, ROLE_PASSIVE);
	expect_place(&told.place.local, "10.0.0.1");
	handshake_alarm__observe(alarm, SAMPLE_NOW_NS + 2 * FAILING_SPAN_NS, hear, &told);
	assert_int_equal(told.times, 4);
	assert_int_equal(told.change, THRESHOLD_CLEARED);
	handshake_alarm__free(alarm);
}

/* Those that are under way for long count while they last, unless nobody knows whether they are. */
static void test_under_way(void **state __attribute__((unused)))
{
	static const struct {
		const char *name;
		uint64_t age_ns;
		bool may_be_forgotten, is_raised;
	} cases[] = {
		{"just begun", STALLED_NS - 1, false, false},
		{"for long", STALLED_NS, false, true},
		{"since nobody knows when", SAMPLE_NOW_NS, false, false},
		{"perhaps a cookie", STALLED_NS, true, false},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct handshake_alarm *alarm = handshake_alarm__new();
		struct told told = {.times = 0};
		struct sample s;
		const struct attempt attempt = {&s.session, SAMPLE_NOW_NS - cases[i].age_ns,
						cases[i].may_be_forgotten};

		sample__init(&s);
		for (unsigned look = 0; look < 2; look++) {
			handshake_alarm__forget_stalled(alarm);
			for (unsigned k = 0; k < FAILING_LEAST; k++)
				assert_int_equal(handshake_alarm__add_attempt(alarm, &attempt,
									      SAMPLE_NOW_NS),
						 0);
			handshake_alarm__observe(alarm, SAMPLE_NOW_NS, hear, &told);
		}
		if (told.times != cases[i].is_raised)
			fail_msg("%s: told %u times", cases[i].name, told.times);
		if (told.times)
			assert_int_equal(told.ends.failed, FAILING_LEAST);
		handshake_alarm__forget_stalled(alarm);
		handshake_alarm__observe(alarm, SAMPLE_NOW_NS, hear, &told);
		assert_int_equal(told.times, cases[i].is_raised ? 2 : 0);
		handshake_alarm__free(alarm);
	}
}

/* Servers that answer give way to one that does not, and not the other way round. */
static void test_many_servers(void **state __attribute__((unused)))
{
	struct handshake_alarm *alarm = handshake_alarm__new();
	struct told told = {.times = 0};
	char server[16];

	add(alarm, EVENT_HANDSHAKE_FAILED, ROLE_ACTIVE, "10.9.9.9", 4);
	for (unsigned i = 0; i < 2 * FAILING_PLACES; i++) {
		snprintf(server, sizeof(server), "10.1.%u.%u", i >> 8, i & 255);
		add(alarm, EVENT_ESTABLISHED, ROLE_ACTIVE, server, 1);
	}
	add(alarm, EVENT_HANDSHAKE_FAILED, ROLE_ACTIVE, "10.9.9.9", 1);
	add(alarm, EVENT_HANDSHAKE_FAILED, ROLE_ACTIVE, "10.8.8.8", 5);
	handshake_alarm__observe(alarm, SAMPLE_NOW_NS, hear, &told);
	assert_int_equal(told.times, 2);
	handshake_alarm__free(alarm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_wait),    cmocka_unit_test(test_share),
		cmocka_unit_test(test_whose),	     cmocka_unit_test(test_under_way),
		cmocka_unit_test(test_many_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
