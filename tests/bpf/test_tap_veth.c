/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two ends of a veth: sessions inside a namespace watched from outside, where the other end is
 * there, and inside where it is not; and where a veth leads.
 */
#include "tap_fixture.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct tap_fixture *world(void **state)
{
	struct tap_fixture *f = *state;

	if (!f->set)
		skip();
	return f;
}

static struct ip_addr v4(uint32_t host_order)
{
	struct ip_addr addr;

	ip_addr__set_v4(&addr, TW_BE32(host_order));
	return addr;
}

/* The tap is at near0 and of the namespace far: its sessions, its addresses. */
static void test_outer_end_is_tapped(void **state)
{
	struct tap_fixture *f = world(state);
	const struct ip_addr inside = v4(0x0a000001), outside = v4(0x0a000002);
	const struct tap *tap;

	tap_fixture__in(&f->far, "ip addr add 10.0.0.1/24 dev far0");
	tap_fixture__in(&f->near, "ip addr add 10.0.0.2/24 dev near0");
	assert_int_equal(tap_set__add_outer(f->set, &f->far, &f->near, HOOK_AUTO), 1);
	assert_int_equal(tap_set__count(f->set), 1);
	tap = tap_set__get(f->set, 0);
	assert_string_equal(tap->iface.name, "near0");
	assert_int_equal(tap->netns, f->far.inum);
	assert_true(tap_set__is_local(f->set, tap->id, &inside));
	assert_false(tap_set__is_local(f->set, tap->id, &outside));
	assert_int_equal(tap_fixture__query(&f->far, "far0").tcx_ingress.count, 0);
	tap_fixture__exchange(f, "near0");
	tap_fixture__await_syns(f, 0, RECEIVED + SENT);
	/* Once more is the same tap. */
	assert_int_equal(tap_set__add_outer(f->set, &f->far, &f->near, HOOK_AUTO), 1);
	assert_int_equal(tap_set__count(f->set), 1);
}

/* Where the other end is not outside, or is no veth, the interface is watched where it is. */
static void test_inside_otherwise(void **state)
{
	static const struct {
		const char *name, *command, *ifname;
	} cases[] = {
		{"the other end is elsewhere", "ip link set near0 netns third", "far0"},
		{"both ends are inside",
		 "ip -n third link set near0 netns far && ip -n far link set near0 up", "near0"},
		{"a macvlan of the interface outside",
		 "ip -n far link del near0 && ip link add b0 up type bridge && "
		 "ip link add m0 link b0 type macvlan && ip link set m0 netns far && "
		 "ip -n far link set m0 up",
		 "m0"},
	};
	struct tap_fixture *f = world(state);
	struct netns third;

	assert_true(fixture_netns(&third, "third"));
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct tap_set *set = tap_set__new(&f->shared);
		bool is_found = false;

		print_message("%s\n", cases[i].name);
		assert_non_null(set);
		tap_fixture__in(&f->near, "%s", cases[i].command);
		assert_true(tap_set__add_outer(set, &f->far, &f->near, HOOK_AUTO) > 0);
		for (size_t k = 0; k < tap_set__count(set); k++) {
			const struct tap *tap = tap_set__get(set, k);

			assert_int_equal(tap->netns, f->far.inum);
			is_found |= !strcmp(tap->iface.name, cases[i].ifname);
		}
		assert_true(is_found);
		tap_set__free(set);
	}
	fixture_netns_end(&third);
}

/*
 * The other end is elsewhere, and outside is a veth that has its index and names ours as its other
 * end's: only the numbers of the namespaces tell that it is another.
 */
static void test_alike_by_its_indexes(void **state)
{
	struct tap_fixture *f = world(state);
	uint32_t inner = tap_fixture__iface(&f->far, "far0").ifindex;
	uint32_t outer = tap_fixture__iface(&f->near, "near0").ifindex;
	struct netns third, fourth;

	assert_true(fixture_netns(&third, "third") && fixture_netns(&fourth, "fourth"));
	tap_fixture__in(&f->near, "ip link set near0 netns third");
	assert_int_equal(tap_fixture__iface(&third, "near0").ifindex, outer);
	tap_fixture__in(
		&f->near,
		"ip link add name alike index %u type veth peer name other0 index %u netns fourth",
		outer, inner);
	assert_int_equal(tap_set__add_outer(f->set, &f->far, &f->near, HOOK_AUTO), 1);
	assert_string_equal(tap_set__get(f->set, 0)->iface.name, "far0");
	fixture_netns_end(&third);
	fixture_netns_end(&fourth);
}

/* ---- its end --------------------------------------------------------------------------------- */

static bool is_gone(void *ctx)
{
	const struct tap_fixture *f = ctx;

	tap_set__follow(f->set);
	return tap_set__get(f->set, 0)->is_gone;
}

static void test_veth_goes(void **state)
{
	struct tap_fixture *f = world(state);

	assert_int_equal(tap_set__add_outer(f->set, &f->far, &f->near, HOOK_AUTO), 1);
	assert_false(tap_set__has_fates(f->set, f->far.inum)); /* the fates of SYNs are not told */
	tap_fixture__in(&f->far, "ip link del far0");
	assert_true(fixture_until(is_gone, f));
}

static void test_namespace_inside_forgotten(void **state)
{
	struct tap_fixture *f = world(state);
	const struct ip_addr loopback = v4(0x7f000001);

	assert_int_equal(tap_set__add_outer(f->set, &f->far, &f->near, HOOK_AUTO), 1);
	tap_set__forget_netns(f->set, f->far.inum);
	assert_true(tap_set__get(f->set, 0)->is_gone);
	assert_false(tap_set__is_local(f->set, 1, &loopback));
	tap_set__grow(f->set); /* what of it is left elsewhere goes at the next look */
	assert_true(tap_fixture__becomes_bare(f));
}

/* ---- where it leads -------------------------------------------------------------------------- */

struct leading {
	struct tap_set *set;
	uint32_t inum;
	uint64_t now_ns;
};

static bool leads_to(void *ctx)
{
	struct leading *leading = ctx;

	tap_set__follow(leading->set);
	leading->now_ns += TW_NSEC_PER_SEC;
	return tap_set__peer_netns(leading->set, 1, leading->now_ns) == leading->inum;
}

static void test_where_a_veth_leads(void **state)
{
	struct tap_fixture *f = world(state);
	struct leading leading = {.set = f->set, .inum = f->far.inum, .now_ns = 1};
	struct netns third;

	assert_true(fixture_netns(&third, "third"));
	assert_int_equal(tap_set__add(f->set, &f->near, "near0", HOOK_AUTO), 1);
	assert_true(leads_to(&leading));
	tap_fixture__in(&f->far, "ip link set far0 netns third");
	leading.inum = third.inum;
	assert_true(fixture_until(leads_to, &leading));
	tap_fixture__in(&third, "ip link set far0 netns near"); /* beside its other end */
	leading.inum = 0;
	assert_true(fixture_until(leads_to, &leading));
	fixture_netns_end(&third);
}

static void test_what_leads_nowhere(void **state)
{
	struct tap_fixture *f = world(state);

	tap_fixture__in(&f->near, "ip link add d0 up type bridge");
	assert_int_equal(tap_set__add(f->set, &f->near, "d0", HOOK_AUTO), 1);
	assert_int_equal(tap_set__peer_netns(f->set, 1, 1), 0);
	assert_int_equal(tap_set__peer_netns(f->set, 2, 1), 0); /* there is no such tap */
	assert_int_equal(tap_set__add_outer(f->set, &f->far, &f->near, HOOK_AUTO), 1);
	assert_int_equal(tap_set__peer_netns(f->set, 2, 1), 0); /* it is of the inside anyway */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tap_fixture__open, tap_fixture__close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_outer_end_is_tapped),	       TEST(test_inside_otherwise),
		TEST(test_alike_by_its_indexes),       TEST(test_veth_goes),
		TEST(test_namespace_inside_forgotten), TEST(test_where_a_veth_leads),
		TEST(test_what_leads_nowhere),
	};

	return cmocka_run_group_tests(tests, tap_fixture__begin, NULL);
}
