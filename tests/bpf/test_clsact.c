/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tc filters on clsact, which kernels before 6.6 need: they count, go with the run that made them,
 * those of killed runs with the next one, and those of others stay.
 */
#include "tap_fixture.h"

#include "tests/unit/capture.h"

/* Both directions, by clsact. */
struct pair {
	struct tap_fixture *f;
	struct shared_taps *programs;
	struct attachment ingress, egress;
};

static struct tap_fixture *fixture_of(void **state)
{
	struct tap_fixture *f = *state;

	if (!f->set)
		skip();
	return f;
}

static bool open_side(struct pair *pair, struct attachment *side, bool is_egress)
{
	static const enum attach_kind kinds[] = {ATTACH_CLSACT, ATTACH_NONE};
	const struct tap_fixture *f = pair->f;
	const struct tap tap = {
		.id = 1, .netns = f->near.inum, .iface = tap_fixture__iface(&f->near, "near0")};

	if (!pair->programs)
		pair->programs = shared_taps__new();
	return pair->programs && !attachment__open(side, &f->shared, pair->programs, &f->near, &tap,
						   is_egress, kinds);
}

static bool pair__open(void *ctx)
{
	struct pair *pair = ctx;

	return open_side(pair, &pair->ingress, false) && open_side(pair, &pair->egress, true);
}

/* As beside XDP, which is the ingress. */
static bool egress__open(void *ctx)
{
	struct pair *pair = ctx;

	return open_side(pair, &pair->egress, true);
}

static void pair__close(struct pair *pair)
{
	attachment__close(&pair->egress);
	attachment__close(&pair->ingress);
	shared_taps__free(pair->programs);
	pair->programs = NULL;
}

static uint64_t syns_of(const struct attachment *a)
{
	struct wire_counters counters = {0};

	assert_int_equal(attachment__add_counters(a, &counters), 0);
	return counters.value[WIRE_SYN];
}

static bool has_counted(void *ctx)
{
	const struct pair *pair = ctx;

	return syns_of(&pair->ingress) == RECEIVED && syns_of(&pair->egress) == SENT;
}

/* @count filters of ours in each direction, and whether there is a qdisc */
static void assert_filters(const struct tap_fixture *f, int count, bool has_qdisc)
{
	assert_int_equal(tap_fixture__count(&f->near,
					    "tc filter show dev near0 ingress 2>&1 | grep "
					    "wire_tc_ingress"),
			 count);
	assert_int_equal(tap_fixture__count(&f->near, "tc filter show dev near0 egress 2>&1 | grep "
						      "wire_tc_egress"),
			 count);
	assert_int_equal(tap_fixture__count(&f->near, "tc qdisc show dev near0 | grep clsact"),
			 has_qdisc);
}

static void test_counts_and_leaves_nothing(void **state)
{
	struct pair pair = {.f = fixture_of(state)};

	assert_true(pair__open(&pair));
	assert_int_equal(pair.ingress.kind, ATTACH_CLSACT);
	assert_string_equal(pair.ingress.why, "");
	assert_filters(pair.f, 1, true);
	tap_fixture__exchange(pair.f, "near0");
	assert_true(fixture_until(has_counted, &pair));
	pair__close(&pair);
	assert_filters(pair.f, 0, false);
	pair__close(&pair); /* once more does no harm */
}

static void test_qdisc_of_others_stays(void **state)
{
	struct pair pair = {.f = fixture_of(state)};

	tap_fixture__in(&pair.f->near, "tc qdisc add dev near0 clsact");
	assert_true(pair__open(&pair));
	assert_filters(pair.f, 1, true);
	pair__close(&pair);
	assert_filters(pair.f, 0, true);
}

static void test_killed_run_is_cleaned_up_after(void **state)
{
	struct pair pair = {.f = fixture_of(state)}, another = {.f = pair.f};
	pid_t first, second;

	first = fixture_child(pair__open, &another);
	second = fixture_child(pair__open, &another);
	assert_true(first > 0 && second > 0);
	assert_filters(pair.f, 2, true);
	fixture_kill(first);
	fixture_kill(second);
	assert_filters(pair.f, 2, true);
	assert_true(pair__open(&pair));
	assert_filters(pair.f, 1, true);
	tap_fixture__exchange(pair.f, "near0");
	assert_true(fixture_until(has_counted, &pair));
	pair__close(&pair);
	assert_filters(pair.f, 0, false);
}

static void test_killed_run_left_egress_alone(void **state)
{
	struct pair pair = {.f = fixture_of(state)}, another = {.f = pair.f};
	pid_t child = fixture_child(egress__open, &another);

	assert_true(child > 0);
	fixture_kill(child);
	assert_true(pair__open(&pair));
	assert_filters(pair.f, 1, true);
	pair__close(&pair);
	assert_filters(pair.f, 0, false);
}

static void test_living_run_is_left_alone(void **state)
{
	struct pair pair = {.f = fixture_of(state)}, another = {.f = pair.f};
	pid_t child = fixture_child(pair__open, &another);

	assert_true(child > 0);
	assert_true(pair__open(&pair));
	assert_filters(pair.f, 2, true);
	tap_fixture__exchange(pair.f, "near0");
	assert_true(fixture_until(has_counted, &pair));
	pair__close(&pair);
	assert_filters(pair.f, 1, true);
	fixture_kill(child);
}

static void test_deleted_interface(void **state)
{
	struct pair pair = {.f = fixture_of(state)};
	struct capture said;

	assert_true(pair__open(&pair));
	tap_fixture__in(&pair.f->near, "ip link del near0");
	capture__begin(&said);
	pair__close(&pair);
	assert_string_equal(capture__end(&said), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tap_fixture__open, tap_fixture__close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counts_and_leaves_nothing),	   TEST(test_qdisc_of_others_stays),
		TEST(test_killed_run_is_cleaned_up_after), TEST(test_killed_run_left_egress_alone),
		TEST(test_living_run_is_left_alone),	   TEST(test_deleted_interface),
	};

	return cmocka_run_group_tests(tests, tap_fixture__begin, NULL);
}
