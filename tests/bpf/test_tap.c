/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taps: each hook on each sort of interface counts what passes, falls back if it is not to be had
 * and says why, and leaves nothing behind.
 */
#include "tap_fixture.h"

#include <net/if.h>

#include "tests/unit/capture.h"
#include "tun_peer.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct tap_fixture *fixture_of(void **state)
{
	struct tap_fixture *f = *state;

	if (!f->set)
		skip();
	return f;
}

static void begin_anew(struct tap_fixture *f)
{
	tap_set__free(f->set);
	f->set = tap_set__new(&f->shared);
	assert_non_null(f->set);
}

/* Adds and checks one tap. */
static const struct tap *add_one(struct tap_fixture *f, const char *pattern, enum hook_mode mode)
{
	struct capture said;
	const struct tap *tap;
	const char *text;
	int count;

	capture__begin(&said);
	count = tap_set__add(f->set, &f->near, pattern, mode);
	text = capture__end(&said);
	assert_int_equal(count, 1);
	assert_int_equal(tap_set__count(f->set), 1);
	tap = tap_set__get(f->set, 0);
	assert_int_equal(tap->id, 1);
	assert_int_equal(tap->netns, f->near.inum);
	assert_int_equal(tap->mode, mode);
	assert_false(tap->is_gone);
	if (tap->note[0])
		assert_non_null(strstr(text, tap->note)); /* said, and kept */
	else
		assert_string_equal(text, "");
	return tap;
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static void test_each_hook(void **state)
{
	struct tap_fixture *f = fixture_of(state);
	const struct {
		const char *name;
		enum hook_mode mode;
		int mtu;
		enum attach_kind ingress, egress;
		const char *note;
	} cases[] = {
		{"auto is tc on a veth", HOOK_AUTO, 1500, f->tc, f->tc, ""},
		{"tc", HOOK_TC, 1500, f->tc, f->tc, ""},
		{"generic XDP", HOOK_XDP_GENERIC, 1500, ATTACH_XDP_GENERIC, f->tc, ""},
		{"native XDP says its price", HOOK_XDP, 1500, ATTACH_XDP, f->tc,
		 "segmentation offload off"},
		{"frames beyond a page", HOOK_XDP, 9000, ATTACH_XDP_FRAGS, f->tc,
		 "xdp: its MTU, or its peer's, is too large for XDP; watched by xdp.frags"},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct tap *tap;

		print_message("%s\n", cases[i].name);
		tap_fixture__in(&f->near, "ip link set near0 mtu %d", cases[i].mtu);
		tap_fixture__in(&f->far, "ip link set far0 mtu %d", cases[i].mtu);
		tap = add_one(f, "near0", cases[i].mode);
		assert_string_equal(attach_kind__name(tap->ingress),
				    attach_kind__name(cases[i].ingress));
		assert_string_equal(attach_kind__name(tap->egress),
				    attach_kind__name(cases[i].egress));
		assert_true(cases[i].note[0] ? !!strstr(tap->note, cases[i].note) : !tap->note[0]);
		tap_fixture__exchange(f, "near0");
		tap_fixture__await_syns(f, 0, RECEIVED + SENT);
		begin_anew(f);
		assert_true(tap_fixture__becomes_bare(f));
	}
}

/* Each packet leaves by lo and comes in by it: it is one. */
static void test_loopback(void **state)
{
	struct tap_fixture *f = fixture_of(state);
	const struct {
		enum hook_mode mode;
		enum attach_kind ingress;
	} cases[] = {
		{HOOK_AUTO, f->tc},
		{HOOK_TC, f->tc},
		{HOOK_XDP, ATTACH_XDP_GENERIC}, /* lo has no native XDP */
		{HOOK_XDP_GENERIC, ATTACH_XDP_GENERIC},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct tap *tap;

		print_message("%s\n", hook_mode__name(cases[i].mode));
		tap = add_one(f, "lo", cases[i].mode);
		assert_int_equal(tap->ingress, cases[i].ingress);
		assert_int_equal(tap->egress, ATTACH_NONE);
		assert_int_equal(!!tap->note[0], cases[i].mode == HOOK_XDP);
		tap_fixture__send(&f->near, "lo", SENT);
		tap_fixture__await_syns(f, 0, SENT);
		begin_anew(f);
	}
}

static bool has_resets(void *ctx)
{
	const struct tap_fixture *f = ctx;
	struct wire_counters counters;

	assert_int_equal(tap_set__counters(f->set, 0, &counters), 0);
	return counters.value[WIRE_SYN] == RECEIVED && counters.value[WIRE_RST] == RECEIVED;
}

/* No Ethernet header, to a port that nobody listens on. */
static void test_no_link_layer(void **state)
{
	struct tap_fixture *f = fixture_of(state);
	struct netns_return back;
	struct tun_peer peer;
	int err;

	assert_int_equal(netns__enter(&f->near, &back), 0);
	err = tun_peer__open(&peer);
	netns__leave(&back);
	if (err)
		skip();
	peer.host_port = 9;
	for (int mode = 0; mode < HOOK_COUNT; mode++) {
		print_message("%s\n", hook_mode__name(mode));
		(void)add_one(f, "tun*", mode);
		for (int i = 0; i < RECEIVED; i++, peer.port++)
			tun_peer__send(&peer, TUN_SYN, 0);
		assert_true(fixture_until(has_resets, f));
		begin_anew(f);
	}
	tun_peer__close(&peer);
}

/* ---- falling back ---------------------------------------------------------------------------- */

static void test_taken_hook(void **state)
{
	struct tap_fixture *f = fixture_of(state);
	const struct {
		enum hook_mode other, mode;
		enum attach_kind ingress;
		bool is_told;
	} cases[] = {
		{HOOK_XDP, HOOK_XDP, f->tc, true},
		{HOOK_XDP, HOOK_XDP_GENERIC, f->tc, true},
		{HOOK_XDP_GENERIC, HOOK_XDP, f->tc, true},
		{HOOK_XDP_GENERIC, HOOK_XDP_GENERIC, f->tc, true},
		{HOOK_TC, HOOK_TC, f->tc, false}, /* tc has room for more */
		{HOOK_TC, HOOK_XDP, ATTACH_XDP, false},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct tap_set *other = tap_set__new(&f->shared);
		struct capture said;
		const struct tap *tap;
		char end[64];
		uint32_t id;

		print_message("%s beside %s\n", hook_mode__name(cases[i].mode),
			      hook_mode__name(cases[i].other));
		capture__begin(&said);
		assert_int_equal(tap_set__add(other, &f->near, "near0", cases[i].other), 1);
		capture__end(&said);
		tap = add_one(f, "near0", cases[i].mode);
		assert_int_equal(tap->ingress, cases[i].ingress);
		assert_int_equal(sscanf(strstr(tap->note, ": program ") ?: "", ": program %u", &id),
				 cases[i].is_told ? 1 : EOF);
		snprintf(end, sizeof(end), "(wire_xdp) is already there; watched by %s",
			 attach_kind__name(f->tc));
		assert_true(!cases[i].is_told || strstr(tap->note, end));
		tap_fixture__exchange(f, "near0");
		tap_fixture__await_syns(f, 0, RECEIVED + SENT);
		tap_set__free(other);
		begin_anew(f);
	}
}

/* ---- choosing -------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	struct tap_fixture *f = fixture_of(state);
	static const struct {
		const char *name, *pattern;
		int added;
		size_t taps; /* then */
	} steps[] = {
		{"no such name", "near1", 0, 0},   {"a glob without a match", "eth*", 0, 0},
		{"by default not lo", NULL, 1, 1}, {"one that is tapped already", "near0", 1, 1},
		{"one more", "*", 2, 2},
	};

	for (size_t i = 0; i < N_OF(steps); i++) {
		print_message("%s\n", steps[i].name);
		assert_int_equal(tap_set__add(f->set, &f->near, steps[i].pattern, HOOK_AUTO),
				 steps[i].added);
		assert_int_equal(tap_set__count(f->set), steps[i].taps);
	}
	assert_string_equal(tap_set__get(f->set, 0)->iface.name, "near0");
	assert_true(tap_set__has(f->set, "near0") && tap_set__has(f->set, "lo"));
	assert_false(tap_set__has(f->set, "near1") || tap_set__has(f->set, "near*"));
	assert_ptr_equal(tap_set__by_id(f->set, 2), tap_set__get(f->set, 1));
	assert_null(tap_set__by_id(f->set, 0));
	assert_null(tap_set__by_id(f->set, 3));
}

static void test_unknown_name_is_told(void **state)
{
	struct tap_fixture *f = fixture_of(state);
	static const struct {
		const char *name, *said;
	} cases[] = {
		{"naer0", "no interface is called naer0; did you mean near0?\n"},
		{"zzzzzzzz", "no interface is called zzzzzzzz; `ip link` lists them\n"},
	};

	assert_int_equal(tap_set__add(f->set, &f->near, "naer0", HOOK_AUTO), 0);
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct capture said;

		capture__begin(&said);
		tap_set__complain(f->set, cases[i].name);
		assert_non_null(strstr(capture__end(&said), cases[i].said));
	}
}

static void test_local_addresses(void **state)
{
	struct tap_fixture *f = fixture_of(state);
	struct ip_addr near, far;

	tap_fixture__in(&f->near, "ip addr add 10.78.0.1/24 dev near0");
	ip_addr__set_v4(&near, TW_BE32(0x0a4e0001));
	ip_addr__set_v4(&far, TW_BE32(0x0a4e0002));
	assert_int_equal(tap_set__add(f->set, &f->near, "near0", HOOK_AUTO), 1);
	assert_true(tap_set__is_local(f->set, 1, &near));
	assert_false(tap_set__is_local(f->set, 1, &far));
	assert_false(tap_set__is_local(f->set, 2, &near)); /* no such tap */
}

/* ---- privilege and death --------------------------------------------------------------------- */

/* In a process of its own that has none. Its messages come back by the file that holds them. */
static void test_no_privilege(void **state)
{
	struct tap_fixture *f = fixture_of(state);
	struct capture said;
	const char *text;
	int status;
	pid_t child;

	capture__begin(&said);
	child = fork();
	if (!child) {
		struct netns_return back;
		int err = netns__enter(&f->near, &back);

		err = err || setuid(65534) ? 1 : tap_set__add(f->set, &f->near, "near0", HOOK_AUTO);
		_exit(err == -EPERM ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	text = capture__end(&said);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "may not watch near0"));
	assert_non_null(strstr(text, "run as root, or with CAP_BPF, CAP_NET_ADMIN and "
				     "CAP_PERFMON"));
	assert_true(tap_fixture__becomes_bare(f));
}

struct child {
	struct tap_fixture *f;
	enum hook_mode mode;
};

static bool watch(void *ctx)
{
	struct child *child = ctx;

	return tap_set__add(child->f->set, &child->f->near, "near0", child->mode) == 1;
}

/* One program for each direction. */
static bool has_one_each(void *ctx)
{
	const struct tap_fixture *f = ctx;
	struct hook_query query = tap_fixture__query(&f->near, "near0");

	return query.tcx_egress.count == 1 && query.xdp.count + query.tcx_ingress.count == 1;
}

/* Of clsact, where a filter stays until the next run, see test_clsact.c. */
static void test_killed_run_leaves_nothing(void **state)
{
	static const enum hook_mode modes[] = {HOOK_TC, HOOK_XDP, HOOK_XDP_GENERIC};
	struct tap_fixture *f = fixture_of(state);

	if (f->tc != ATTACH_TCX) {
		print_message("SKIP: this kernel has no tcx links\n");
		skip();
	}
	for (size_t i = 0; i < N_OF(modes); i++) {
		struct child task = {f, modes[i]};
		struct capture said;
		pid_t child;

		print_message("%s\n", hook_mode__name(modes[i]));
		capture__begin(&said);
		child = fixture_child(watch, &task);
		capture__end(&said);
		assert_true(child > 0);
		assert_true(fixture_until(has_one_each, f));
		fixture_kill(child);
		assert_true(tap_fixture__becomes_bare(f));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tap_fixture__open, tap_fixture__close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_hook),
		TEST(test_loopback),
		TEST(test_no_link_layer),
		TEST(test_taken_hook),
		TEST(test_names),
		TEST(test_unknown_name_is_told),
		TEST(test_local_addresses),
		TEST(test_no_privilege),
		TEST(test_killed_run_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, tap_fixture__begin, NULL);
}
