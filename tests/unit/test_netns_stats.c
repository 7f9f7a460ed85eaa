/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's figures of a namespace: what is found in the texts of /proc, and in this namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/source/netns_stats.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define ALL	    ((netns_stat_set)-1)
#define UNKNOWN	    UINT64_MAX

#define SNMP                                                     \
	"Ip: Forwarding AttemptFails\nIp: 1 99\n"                \
	"Tcp: ActiveOpens PassiveOpens AttemptFails CurrEstab\n" \
	"Tcp: 7 8 18446744073709551614 3\n"
#define NETSTAT                                                \
	"TcpExt: SyncookiesSent ListenOverflows ListenDrops\n" \
	"TcpExt: 1 2 3\n"                                      \
	"IpExt: ListenDrops\nIpExt: 44\n"
#define SOCKSTAT "sockets: used 150\nTCP: inuse 5 orphan 0 tw 12 alloc 7 mem 1\nUDP: inuse 9\n"

static void test_texts(void **state)
{
	static const struct {
		const char *name, *path, *text;
		enum netns_stat id;
		uint64_t value;
	} cases[] = {
		{"first of its line", "net/snmp", SNMP, NETNS_ACTIVE_OPENS, 7},
		{"of this protocol, not of another", "net/snmp", SNMP, NETNS_ATTEMPT_FAILS,
		 UINT64_MAX - 1},
		{"in the other file", "net/netstat", NETSTAT, NETNS_LISTEN_DROPS, 3},
		{"the kernel has no such counter", "net/netstat", NETSTAT,
		 NETNS_REQ_QUEUE_FULL_DROPS, UNKNOWN},
		{"names and values in turn", "net/sockstat", SOCKSTAT, NETNS_MINISOCKS, 12},
		{"… the first of them", "net/sockstat", SOCKSTAT, NETNS_SOCKETS_IN_USE, 5},
		{"a number", "sys/net/core/somaxconn", "4096\n", NETNS_SOMAXCONN, 4096},
		{"an empty file", "sys/net/core/somaxconn", "", NETNS_SOMAXCONN, UNKNOWN},
		{"fewer values than names", "net/snmp", "Tcp: ActiveOpens PassiveOpens\nTcp: 1\n",
		 NETNS_PASSIVE_OPENS, UNKNOWN},
		{"no line of values", "net/snmp", "Tcp: ActiveOpens\n", NETNS_ACTIVE_OPENS,
		 UNKNOWN},
		{"nothing", "net/snmp", "", NETNS_ACTIVE_OPENS, UNKNOWN},
		{"another file", "net/snmp6", SNMP, NETNS_ACTIVE_OPENS, UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct netns_values values = {0};
		bool is_known;

		netns_stats__parse(cases[i].path, cases[i].text, ALL, &values);
		is_known = values.known & (netns_stat_set)1 << cases[i].id;
		if (is_known != (cases[i].value != UNKNOWN) ||
		    (is_known && values.value[cases[i].id] != cases[i].value))
			fail_msg("%s: known %d, %ju", cases[i].name, is_known,
				 (uintmax_t)values.value[cases[i].id]);
	}
}

static void test_only_what_is_wanted(void **state)
{
	struct netns_values values = {0};

	(void)state;
	netns_stats__parse("net/snmp", SNMP, NETNS_SET(PASSIVE_OPENS), &values);
	assert_true(values.known == NETNS_SET(PASSIVE_OPENS));
}

/* How many file descriptors are open. */
static int count_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Each figure of the table is one that this kernel has, under the name given there. Nothing stays
 * open for it. */
static void test_this_namespace(void **state)
{
	const struct netns own = {.fd = open("/proc/thread-self/ns/net", O_RDONLY), .inum = 1};
	struct netns_stats *stats;
	struct netns_values values;
	int n_files = count_files();

	(void)state;
	assert_int_equal(netns_stats__open(&stats, &own, ALL), 0);
	assert_int_equal(count_files(), n_files);
	for (int again = 0; again < 2; again++) {
		netns_stats__read(stats, &values);
		for (int id = 0; id < NETNS_STAT_COUNT; id++)
			if (!(values.known & (netns_stat_set)1 << id))
				fail_msg("figure %d is not there", id);
	}
	assert_int_equal(count_files(), n_files);
	assert_int_equal(netns_stats__inum(stats), 1);
	netns_stats__close(stats);
	close(own.fd);
}

static void test_whole_text(void **state)
{
	const struct netns own = {.fd = open("/proc/thread-self/ns/net", O_RDONLY), .inum = 1};
	struct netns_stats *stats;
	char text[64], cut[4];
	struct netns_values values;
	unsigned low, high;
	ssize_t len;

	(void)state;
	assert_int_equal(netns_stats__open(&stats, &own, NETNS_SET(PORT_RANGE)), 0);
	netns_stats__read(stats, &values);
	len = netns_stats__text(stats, NETNS_PORT_RANGE, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_int_equal(sscanf(text, "%u %u", &low, &high), 2);
	assert_true(low == values.value[NETNS_PORT_RANGE] && high >= low);
	assert_int_equal(netns_stats__text(stats, NETNS_PORT_RANGE, cut, sizeof(cut)), 3);
	assert_int_equal(strlen(cut), 3);
	assert_int_equal(netns_stats__text(stats, NETNS_PORTS_RESERVED, text, sizeof(text)),
			 -ENOENT);
	netns_stats__close(stats);
	close(own.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_text),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_only_what_is_wanted),
		cmocka_unit_test(test_this_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
