/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces and addresses of a namespace: what is read, which are chosen, which changes are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/socket.h>

#include "netns_fixture.h"
#include "user/tap/iface.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool is_ready;

static int begin(void **state)
{
	(void)state;
	is_ready = fixture_begin();
	return 0;
}

/* A namespace for each test, which the tests look into from outside. */
static int open_namespace(void **state)
{
	struct netns *ns = calloc(1, sizeof(*ns));

	*state = ns;
	return !ns || (is_ready && !fixture_netns(ns, "test"));
}

static int close_namespace(void **state)
{
	if (is_ready)
		fixture_netns_end(*state);
	free(*state);
	return 0;
}

static const struct netns *namespace_of(void **state)
{
	if (!is_ready)
		skip();
	return *state;
}

/* ip(8) inside @ns */
__attribute__((format(printf, 2, 3))) static void ip(const struct netns *ns, const char *fmt, ...)
{
	char words[256];
	struct netns_return back;
	va_list args;
	bool is_done;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	assert_int_equal(netns__enter(ns, &back), 0);
	is_done = fixture_run("ip %s", words);
	netns__leave(&back);
	if (!is_done)
		fail_msg("ip %s", words);
}

static const struct iface *find(const struct iface_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i].name, name))
			return &list->items[i];
	return NULL;
}

static void test_what_is_read(void **state)
{
	const struct netns *ns = namespace_of(state);
	static const struct {
		const char *name, *kind;
		uint32_t mtu;
		uint16_t type;
		bool is_up;
	} cases[] = {
		{"lo", "", 65536, ARPHRD_LOOPBACK, true},
		{"near", "veth", 1400, ARPHRD_ETHER, true},
		{"far", "veth", 1500, ARPHRD_ETHER, false},
		{"bridge", "bridge", 1500, ARPHRD_ETHER, false},
	};
	struct iface_list list;

	ip(ns, "link add near mtu 1400 type veth peer name far mtu 1500");
	ip(ns, "link set near up");
	ip(ns, "link add bridge type bridge");
	assert_int_equal(iface_list__read(&list, ns), 0);
	assert_int_equal(list.count, N_OF(cases));
	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct iface *iface = find(&list, cases[i].name);

		print_message("%s\n", cases[i].name);
		assert_non_null(iface);
		assert_string_equal(iface->kind, cases[i].kind);
		assert_int_equal(iface->mtu, cases[i].mtu);
		assert_int_equal(iface->type, cases[i].type);
		assert_int_equal(!!(iface->flags & IFF_UP), cases[i].is_up);
		assert_false(iface->has_default_route);
		assert_true(iface->ifindex > 0);
	}
	iface_list__free(&list);
}

/* The names of those chosen, in the order of the kernel, each followed by a blank. */
static void assert_chosen(const struct netns *ns, const char *pattern, const char *names)
{
	char chosen[256] = "";
	struct iface_list list;

	assert_int_equal(iface_list__read(&list, ns), 0);
	for (size_t i = 0; i < list.count; i++)
		if (iface_list__is_chosen(&list, &list.items[i], pattern)) {
			strcat(chosen, list.items[i].name);
			strcat(chosen, " ");
		}
	iface_list__free(&list);
	assert_string_equal(chosen, names);
}

static void test_which_are_chosen(void **state)
{
	const struct netns *ns = namespace_of(state);
	static const struct {
		const char *name, *command, *pattern, *chosen;
	} steps[] = {
		{"lo is better than nothing", "link show", NULL, "lo "},
		{"what is down sees nothing", "link add name a type bridge", NULL, "lo "},
		{"what is up, but not lo", "link set dev a up", NULL, "a "},
		{"all that are up", "link add name b up type bridge", NULL, "a b "},
		{"a route to a net says nothing", "route add 10.2.0.0/16 dev a", NULL, "a b "},
		{"nor one of another table", "route add default dev a table 7", NULL, "a b "},
		{"a default route", "route add default dev b", NULL, "b "},
		{"IPv6 has one too", "-6 route add default dev a", NULL, "a b "},
		{"without those", "route del default dev b", NULL, "a "},
		{"one of several hops", "route add default nexthop dev a nexthop dev b", NULL,
		 "a b "},
		{"what is unreachable leaves through none", "route replace unreachable default",
		 NULL, "a "},
		{"a name", "link show", "b", "b "},
		{"a name that none has", "link show", "c", ""},
		{"a glob", "link add name ab type bridge", "a*", "a ab "},
		{"every one", "link show", "*", "lo a b ab "},
		{"a set of characters", "link show", "[ab]", "a b "},
	};

	for (size_t i = 0; i < N_OF(steps); i++) {
		print_message("%s\n", steps[i].name);
		ip(ns, "%s >/dev/null", steps[i].command);
		assert_chosen(ns, steps[i].pattern, steps[i].chosen);
	}
}

/* ---- following ------------------------------------------------------------------------------- */

struct changes {
	struct link_watch *watch;
	char text[256]; /* "+name", "~name", "-name", ">name" if it moved, "?name" if nobody knows
			 */
};

static void on_change(void *ctx, enum link_change change, const struct iface *iface)
{
	static const char signs[] = {[LINK_NEW] = '+',
				     [LINK_CHANGED] = '~',
				     [LINK_DELETED] = '-',
				     [LINK_MOVED] = '>',
				     [LINK_LOST] = '?'};
	struct changes *changes = ctx;
	size_t len = strlen(changes->text);

	snprintf(changes->text + len, sizeof(changes->text) - len, "%c%s ", signs[change],
		 iface->name);
}

static bool has_told(void *ctx)
{
	struct changes *changes = ctx;

	assert_int_equal(link_watch__read(changes->watch, on_change, changes), 0);
	return changes->text[0];
}

static void test_changes_are_told(void **state)
{
	const struct netns *ns = namespace_of(state);
	static const struct {
		const char *name, *command, *told;
	} steps[] = {
		{"made", "link add name a type bridge", "+a "},
		{"up", "link set dev a up", "~a "},
		{"down", "link set dev a down", "~a "},
		{"renamed", "link set dev a name b", "~b "},
		{"another MTU", "link set dev b mtu 1300", "~b "},
		{"deleted", "link del dev b", "-b "},
		{"a pair", "link add name c type veth peer name d", "+d +c "},
		{"moved", "link set dev c netns other", ">c ~d "},
		{"moved back", "-n other link set dev c netns test", "~d +c "},
		{"moved, and another made with its name",
		 "link set dev c netns other; ip link add name c type bridge", ">c ~d +c "},
	};
	struct netns other;
	struct changes changes = {.watch = link_watch__new(ns)};

	assert_non_null(changes.watch);
	assert_int_equal(link_watch__ifaces(changes.watch)->count, 1);
	assert_true(fixture_netns(&other, "other"));
	for (size_t i = 0; i < N_OF(steps); i++) {
		print_message("%s\n", steps[i].name);
		changes.text[0] = '\0';
		ip(ns, "%s", steps[i].command);
		assert_true(fixture_until(has_told, &changes));
		assert_string_equal(changes.text, steps[i].told);
	}
	link_watch__free(changes.watch);
	fixture_netns_end(&other);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static bool is_local(const struct link_watch *watch, const char *text)
{
	struct ip_addr addr;
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		ip_addr__set_v4(&addr, v4);
	else
		assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return link_watch__is_local(watch, &addr);
}

static void test_addresses(void **state)
{
	const struct netns *ns = namespace_of(state);
	static const struct {
		const char *addr;
		bool before, after;
	} cases[] = {
		{"127.0.0.1", true, true},	{"127.9.8.7", true, true},
		{"128.0.0.1", false, false},	{"::1", true, true},
		{"::2", false, false},		{"10.0.0.1", true, false},
		{"10.0.0.2", false, false},	{"10.0.0.3", true, true},
		{"fd00::1", true, true},	{"fd00::2", false, true},
		{"fd00::7f00:1", false, false}, {"0.0.0.0", false, false},
	};
	struct changes changes;

	ip(ns, "link add name a up type bridge");
	ip(ns, "addr add 10.0.0.1/24 dev a");
	ip(ns, "addr add 10.0.0.3 peer 10.0.0.2 dev a");
	ip(ns, "addr add fd00::1/64 dev a nodad");
	changes.watch = link_watch__new(ns);
	assert_non_null(changes.watch);
	for (size_t i = 0; i < N_OF(cases); i++) {
		print_message("%s\n", cases[i].addr);
		assert_int_equal(is_local(changes.watch, cases[i].addr), cases[i].before);
	}
	ip(ns, "addr del 10.0.0.1/24 dev a");
	ip(ns, "addr add fd00::2/64 dev a nodad");
	assert_int_equal(link_watch__read(changes.watch, on_change, &changes), 0);
	for (size_t i = 0; i < N_OF(cases); i++) {
		print_message("%s, after\n", cases[i].addr);
		assert_int_equal(is_local(changes.watch, cases[i].addr), cases[i].after);
	}
	link_watch__free(changes.watch);
}

/* More news than the socket holds. */
static void test_overrun_loses_nothing(void **state)
{
	const struct netns *ns = namespace_of(state);
	struct changes changes = {.watch = link_watch__new(ns)};
	struct pollfd news = {.events = POLLIN};
	int bytes = 4096;

	assert_non_null(changes.watch);
	assert_int_equal(setsockopt(link_watch__fd(changes.watch), SOL_SOCKET, SO_RCVBUF, &bytes,
				    sizeof(bytes)),
			 0);
	ip(ns, "link add name a up type bridge");
	ip(ns, "addr add 10.0.0.1/24 dev a");
	for (int i = 0; i < 5; i++)
		ip(ns, "link set dev a down && ip link set dev a up && ip link set dev a down");
	ip(ns, "link add name b type bridge");
	ip(ns, "addr add 10.0.1.1/24 dev b");
	news.fd = link_watch__fd(changes.watch);
	assert_int_equal(poll(&news, 1, 0), 1);
	assert_true(news.revents & POLLERR); /* ENOBUFS, left for the watch to find */
	assert_true(fixture_until(has_told, &changes));
	assert_string_equal(changes.text, "+a +b ");
	assert_true(is_local(changes.watch, "10.0.0.1") && is_local(changes.watch, "10.0.1.1"));
	for (int i = 0; i < 5; i++)
		ip(ns, "link set dev a down && ip link set dev a up && ip link set dev a down");
	ip(ns, "link del dev b");
	changes.text[0] = '\0';
	assert_true(fixture_until(has_told, &changes));
	assert_string_equal(changes.text, "?b ");
	link_watch__free(changes.watch);
}

/* It has left the list, and no message says why: not at once, but soon, nobody knows. */
static void test_a_message_that_never_comes(void **state)
{
	const struct netns *ns = namespace_of(state);
	struct sock_filter nothing = {.code = BPF_RET | BPF_K};
	const struct sock_fprog filter = {.len = 1, .filter = &nothing};
	struct changes changes;

	ip(ns, "link add name a type bridge");
	changes = (struct changes){.watch = link_watch__new(ns)};
	assert_non_null(changes.watch);
	assert_false(link_watch__is_behind(changes.watch));
	ip(ns, "link set dev a up");
	assert_int_equal(setsockopt(link_watch__fd(changes.watch), SOL_SOCKET, SO_ATTACH_FILTER,
				    &filter, sizeof(filter)),
			 0);
	ip(ns, "link del dev a");
	assert_int_equal(link_watch__read(changes.watch, on_change, &changes), 0); /* "up" */
	assert_true(link_watch__is_behind(changes.watch));
	for (int looks = 0; link_watch__is_behind(changes.watch) && looks < 9; looks++) {
		assert_string_equal(changes.text, "");
		assert_int_equal(link_watch__ifaces(changes.watch)->count, 2);
		assert_int_equal(link_watch__read(changes.watch, on_change, &changes), 0);
	}
	assert_string_equal(changes.text, "?a ");
	assert_int_equal(link_watch__ifaces(changes.watch)->count, 1);
	link_watch__free(changes.watch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_namespace, close_namespace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_read),	  TEST(test_which_are_chosen),
		TEST(test_changes_are_told),	  TEST(test_addresses),
		TEST(test_overrun_loses_nothing), TEST(test_a_message_that_never_comes),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
