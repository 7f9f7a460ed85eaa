/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of taps when interfaces and namespaces are renamed, deleted and made anew: the rest
 * goes on, and nothing that was counted is lost.
 */
#include "tap_fixture.h"

#include <poll.h>
#include <sys/resource.h>

#include "tests/unit/capture.h"
#include "user/tap/tap_internal.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The namespace and the pattern that each test begins with. */
static struct tap_fixture *watch(void **state, const char *pattern)
{
	struct tap_fixture *f = *state;

	if (!f->set)
		skip();
	assert_int_equal(tap_set__add(f->set, &f->near, pattern, HOOK_AUTO), 1);
	return f;
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct awaited {
	struct tap_set *set;
	size_t index;
	const char *name;
	bool is_up, is_gone;
};

static bool is_so(void *ctx)
{
	const struct awaited *awaited = ctx;
	const struct tap *tap;

	tap_set__follow(awaited->set);
	if (tap_set__count(awaited->set) <= awaited->index)
		return false;
	tap = tap_set__get(awaited->set, awaited->index);
	return !strcmp(tap->iface.name, awaited->name) && tap->is_gone == awaited->is_gone &&
	       (tap->is_gone || !!(tap->iface.flags & IFF_UP) == awaited->is_up);
}

static void await(const struct tap_fixture *f, size_t index, const char *name, bool is_up)
{
	struct awaited awaited = {f->set, index, name, is_up, false};

	assert_true(fixture_until(is_so, &awaited));
}

static void await_end(const struct tap_fixture *f, size_t index, const char *name, const char *why)
{
	struct awaited awaited = {f->set, index, name, false, true};
	const struct tap *tap = tap_set__get(f->set, index);

	assert_true(fixture_until(is_so, &awaited));
	assert_string_equal(tap->note, why);
	assert_int_equal(tap->ingress, ATTACH_NONE);
	assert_int_equal(tap->egress, ATTACH_NONE);
}

static void await_gone(const struct tap_fixture *f, size_t index, const char *name)
{
	await_end(f, index, name, "the interface was deleted");
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_renamed_down_and_up(void **state)
{
	struct tap_fixture *f = watch(state, "near0");
	static const struct {
		const char *name, *command, *now_called;
		bool is_up;
	} steps[] = {
		{"down", "ip link set near0 down", "near0", false},
		{"renamed", "ip link set near0 name other0", "other0", false},
		{"up", "ip link set other0 up", "other0", true},
		{"down again", "ip link set other0 down", "other0", false},
		{"its old name", "ip link set other0 name near0", "near0", false},
		{"up again", "ip link set near0 up", "near0", true},
	};
	struct pollfd news = {.fd = tap_set__epoll_fd(f->set), .events = POLLIN};
	uint64_t syns = 0;

	for (size_t i = 0; i < N_OF(steps); i++) {
		print_message("%s\n", steps[i].name);
		tap_fixture__in(&f->near, "%s", steps[i].command);
		assert_int_equal(poll(&news, 1, FIXTURE_DEADLINE_MS), 1);
		await(f, 0, steps[i].now_called, steps[i].is_up);
		if (!steps[i].is_up)
			continue;
		tap_fixture__exchange(f, steps[i].now_called);
		syns += RECEIVED + SENT;
		tap_fixture__await_syns(f, 0, syns);
	}
	assert_int_equal(tap_set__count(f->set), 1);
}

/* The row stays with what it counted; what is made anew is another tap. */
static void test_made_anew(void **state)
{
	static const struct {
		const char *name, *pattern;
	} cases[] = {{"by its name", "near0"}, {"by a glob", "n*"}, {"by default", NULL}};
	struct tap_fixture *f = *state;

	if (!f->set)
		skip();
	for (size_t i = 0; i < N_OF(cases); i++) {
		print_message("%s\n", cases[i].name);
		(void)watch(state, cases[i].pattern);
		tap_fixture__exchange(f, "near0");
		tap_fixture__await_syns(f, 0, RECEIVED + SENT);
		tap_fixture__in(&f->near, "ip link del near0");
		await_gone(f, 0, "near0");
		tap_fixture__await_syns(f, 0, RECEIVED + SENT);
		tap_fixture__make_veth(f);
		await(f, 1, "near0", true);
		assert_int_equal(tap_set__get(f->set, 1)->id, 2);
		tap_fixture__exchange(f, "near0");
		tap_fixture__await_syns(f, 1, RECEIVED + SENT);
		tap_fixture__await_syns(f, 0, RECEIVED + SENT);
		tap_set__free(f->set);
		f->set = tap_set__new(&f->shared);
	}
}

/* When too many are gone the oldest row is taken over, and what it counted is kept. */
static void test_rows_of_the_gone_are_used_again(void **state)
{
	struct tap_fixture *f = watch(state, "near0");
	struct wire_counters past = {0};

	f->set->gone_max = 2;
	for (size_t i = 0; i < 5; i++) {
		size_t index = i < 3 ? i : i - 3;

		await(f, index, "near0", true);
		assert_int_equal(tap_set__get(f->set, index)->id, index + 1);
		tap_fixture__exchange(f, "near0");
		tap_fixture__await_syns(f, index, RECEIVED + SENT);
		tap_fixture__in(&f->near, "ip link del near0");
		await_gone(f, index, "near0");
		tap_fixture__make_veth(f);
	}
	await(f, 2, "near0", true);
	assert_int_equal(tap_set__count(f->set), 3);
	tap_set__past(f->set, &past);
	assert_int_equal(past.value[WIRE_SYN], 3 * (RECEIVED + SENT));
}

/* Of what came by a glob it is news for some seconds; what was asked for by itself is missed until
 * it is there again. */
static void test_what_is_gone_gets_past(void **state)
{
	static const struct {
		const char *name, *pattern;
		bool netns_pass, is_named;
	} cases[] = {
		{"by its name", "near0", false, true},
		{"by default", NULL, false, true},
		{"by a glob", "near*", false, false},
		{"by its name, in any namespace", "near0", true, false},
	};
	struct tap_fixture *f = *state;

	if (!f->set)
		skip();
	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct tap *tap;

		print_message("%s\n", cases[i].name);
		tap_set__free(f->set);
		f->shared.netns_pass = cases[i].netns_pass;
		f->set = tap_set__new(&f->shared);
		(void)watch(state, cases[i].pattern);
		tap = tap_set__get(f->set, 0);
		assert_int_equal(tap->is_named, cases[i].is_named);
		tap_fixture__in(&f->near, "ip link del near0");
		await_gone(f, 0, "near0");
		assert_int_equal(tap_set__n_gone(f->set), 1);
		for (size_t looks = 0; looks < NEWS_LOOKS; looks++) {
			assert_false(tap->is_past);
			tap_set__grow(f->set);
		}
		assert_int_equal(tap->is_past, !cases[i].is_named);
		tap_fixture__make_veth(f);
		await(f, 1, "near0", true);
		assert_true(tap->is_past);
		assert_false(tap_set__get(f->set, 1)->is_past);
		assert_int_equal(tap_set__n_gone(f->set), 1);
	}
}

static void test_comes_to_match(void **state)
{
	struct tap_fixture *f = watch(state, "near*");

	tap_fixture__in(&f->near, "ip link add other type veth peer name away");
	tap_set__follow(f->set);
	assert_int_equal(tap_set__count(f->set), 1);
	tap_fixture__in(&f->near, "ip link set other name nearer");
	await(f, 1, "nearer", false);
	assert_int_equal(tap_set__count(f->set), 2);
}

/* With the default route for a moment gone, nothing else is tapped. */
static void test_default_route_moves(void **state)
{
	struct tap_fixture *f = *state;

	if (!f->set)
		skip();
	tap_fixture__in(&f->near, "ip link add one up type veth peer name two && ip link set two "
				  "up && ip route add default dev near0");
	(void)watch(state, NULL);
	tap_fixture__in(&f->near, "ip route del default && ip link set one mtu 1400");
	tap_set__follow(f->set);
	assert_int_equal(tap_set__count(f->set), 1);
	tap_fixture__in(&f->near, "ip route add default dev one && ip link set one mtu 1300");
	await(f, 1, "one", true);
	assert_int_equal(tap_set__count(f->set), 2);
	assert_false(tap_set__get(f->set, 0)->is_gone);
}

/* Without a file descriptor to be had. */
static void follow_without_descriptors(struct tap_set *set)
{
	struct rlimit all, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = all.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	tap_set__follow(set);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
}

static void test_refusal_is_told_once(void **state)
{
	struct tap_fixture *f = watch(state, "near*");
	struct capture said;
	const char *text, *first;

	capture__begin(&said);
	tap_fixture__in(&f->near, "ip link add nearer type veth peer name away");
	follow_without_descriptors(f->set);
	tap_fixture__in(&f->near, "ip link set nearer mtu 1400");
	follow_without_descriptors(f->set);
	text = capture__end(&said);
	assert_int_equal(tap_set__count(f->set), 1);
	first = strstr(text, "cannot watch nearer: ");
	assert_non_null(first);
	assert_null(strstr(first + 1, "cannot watch"));
	tap_fixture__in(&f->near, "ip link set nearer mtu 1300");
	await(f, 1, "nearer", false);
}

/* The interface goes on in another namespace, unwatched. */
static void test_moved_away(void **state)
{
	struct tap_fixture *f = watch(state, "near0");

	tap_fixture__in(&f->near, "ip link set near0 netns /proc/%d/fd/%d", getpid(), f->far.fd);
	await_end(f, 0, "near0", "it was moved to another network namespace");
	assert_int_equal(tap_fixture__query(&f->far, "near0").tcx_ingress.count, 0);
	assert_int_equal(tap_fixture__query(&f->far, "near0").tcx_egress.count, 0);
	tap_fixture__in(&f->far, "ip link set near0 netns /proc/%d/fd/%d", getpid(), f->near.fd);
	tap_fixture__in(&f->near, "ip link set near0 up");
	await(f, 1, "near0", true);
	assert_true(tap_set__get(f->set, 0)->is_past);
}

static bool is_far_end_gone(void *ctx)
{
	const struct tap_fixture *f = ctx;

	return !tap_fixture__count(&f->far, "ip -o link show far0 2>/dev/null");
}

static void test_namespace_forgotten(void **state)
{
	struct tap_fixture *f = watch(state, "near0");
	const struct tap *tap = tap_set__get(f->set, 0);
	struct ip_addr loopback;

	assert_int_equal(tap_set__add(f->set, &f->far, "far0", HOOK_AUTO), 1);
	ip_addr__set_v4(&loopback, TW_BE32(0x7f000001));
	assert_true(tap_set__is_local(f->set, 1, &loopback));
	tap_set__forget_netns(f->set, f->near.inum);
	tap_set__forget_netns(f->set, f->near.inum); /* once more does no harm */
	assert_true(tap->is_gone);
	assert_string_equal(tap->note, "its network namespace is gone");
	assert_false(tap_set__is_local(f->set, 1, &loopback));
	assert_false(tap_set__has(f->set, "near0"));
	assert_false(is_far_end_gone(f));
	fixture_netns_end(&f->near);
	tap_set__grow(f->set); /* the mark of a clsact filter is in it; nothing else keeps it */
	assert_true(fixture_until(is_far_end_gone, f));
	await_gone(f, 1, "far0");
	assert_true(fixture_netns(&f->near, "near"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tap_fixture__open, tap_fixture__close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_renamed_down_and_up),
		TEST(test_made_anew),
		TEST(test_comes_to_match),
		TEST(test_default_route_moves),
		TEST(test_moved_away),
		TEST(test_namespace_forgotten),
		TEST(test_refusal_is_told_once),
		TEST(test_rows_of_the_gone_are_used_again),
		TEST(test_what_is_gone_gets_past),
	};

	return cmocka_run_group_tests(tests, tap_fixture__begin, NULL);
}
