/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looks at a listener thin out, in the real wire program: however many SYNs come for however many
 * of its addresses, each is counted and few are looked at. Not here: whether what is counted is
 * true (tests/e2e/test_backlog.py).
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/shared/parse.h"
#include "user/source/wire_view.h"

#include "wire.skel.h"

#define PORT	    80
#define NETNS	    1 /* as good as its inode number */
#define SYNS	    20000u
#define LOOKS	    4u /* wire_config.fate_looks */
#define LOOKS_MOST  (2 * LOOKS)
#define TRUST_TICKS 16u /* an address' listener is asked for again after so many */

struct gate_test {
	struct wire_bpf *skel;
	struct wire_view *view;
	int listener;
	uint64_t cookie;
};

struct syn_frame {
	struct hdr_eth eth;
	struct hdr_ipv4 ip;
	struct hdr_tcp tcp;
} __attribute__((packed));

/* What is counted is counted for each CPU, and so are the looks. */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* On any address of a namespace of the test's own, which has no route elsewhere. */
static void listen_alone(struct gate_test *t)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	socklen_t size = sizeof(t->cookie);

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	t->listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(t->listener >= 0);
	assert_int_equal(bind(t->listener, (void *)&any, sizeof(any)), 0);
	assert_int_equal(listen(t->listener, 128), 0);
	assert_int_equal(getsockopt(t->listener, SOL_SOCKET, SO_COOKIE, &t->cookie, &size), 0);
}

static int open_gate(void **state)
{
	struct gate_test *t = calloc(1, sizeof(*t));
	struct wire_config *cfg;
	struct listener_key key;
	uint32_t slot = 0;

	assert_non_null(t);
	stay_on_this_cpu();
	listen_alone(t);
	assert_int_equal(wire_view__open(&t->view, 4096), 0);
	t->skel = wire_bpf__open();
	assert_non_null(t->skel);
	cfg = (void *)&t->skel->rodata->cfg;
	wire_view__configure(t->view, cfg);
	cfg->tap = 1;
	cfg->netns = NETNS;
	cfg->fate_looks = LOOKS;
	assert_int_equal(bpf_map__reuse_fd(t->skel->maps.cache, wire_view__cache_fd(t->view)), 0);
	assert_int_equal(bpf_map__set_max_entries(t->skel->maps.records, 4096), 0);
	assert_int_equal(wire_bpf__load(t->skel), 0);
	key = (struct listener_key){.cookie = t->cookie, .netns = NETNS};
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(t->skel->maps.listeners), &key, &slot, 0),
			 0);
	*state = t;
	return 0;
}

static int close_gate(void **state)
{
	struct gate_test *t = *state;

	wire_bpf__destroy(t->skel);
	wire_view__close(t->view);
	close(t->listener);
	free(t);
	return 0;
}

/* SYN number @i, from a client of its own to one of @addresses. */
static void send_syn(const struct gate_test *t, uint32_t i, uint32_t addresses)
{
	struct syn_frame f = {
		.eth.type = htons(ETH_TYPE_IPV4),
		.ip = {.version_ihl = 0x45,
		       .protocol = IP_PROTO_TCP,
		       .total_len = htons(sizeof(f.ip) + sizeof(f.tcp)),
		       .src = htonl(0x0a000000 + i),
		       .dst = htonl(0x0b000001 + i % addresses)},
		.tcp = {.sport = htons(40000),
			.dport = htons(PORT),
			.data_off = 0x50,
			.flags = TCPF_SYN,
			.window = htons(1000)},
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &f, .data_size_in = sizeof(f), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.wire_xdp), &opts),
			 0);
	assert_int_equal(opts.retval, XDP_PASS);
}

static struct listener_counters sum_counts(const struct gate_test *t)
{
	int n = libbpf_num_possible_cpus();
	struct listener_counters *per_cpu = calloc(n, sizeof(*per_cpu)), sum = {0};
	uint32_t slot = 0;

	assert_non_null(per_cpu);
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.listener_counts), &slot, per_cpu), 0);
	for (int cpu = 0; cpu < n; cpu++)
		listener_counters__add(&sum, &per_cpu[cpu]);
	free(per_cpu);
	return sum;
}

/* More than have passed: a tick at each end may be begun. */
static uint64_t ticks_since(const struct gate_test *t, const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((now.tv_sec - start->tv_sec) * TW_NSEC_PER_SEC + now.tv_nsec - start->tv_nsec) /
		       t->skel->rodata->cfg.tick_ns +
	       2;
}

static void flood(const struct gate_test *t, uint32_t addresses)
{
	struct listener_counters before = sum_counts(t), after;
	uint64_t ticks, looks;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint32_t i = 0; i < SYNS; i++)
		send_syn(t, i, addresses);
	ticks = ticks_since(t, &start);
	after = sum_counts(t);
	assert_int_equal(after.fate[SYN_QUEUED] - before.fate[SYN_QUEUED], SYNS);
	looks = SYNS - (after.n_inferred - before.n_inferred);
	assert_true(looks > 0);
	assert_in_range(looks, 1, ticks * LOOKS_MOST + addresses * (1 + ticks / TRUST_TICKS));
}

static void test_one_address(void **state)
{
	flood(*state, 1);
}

/* One listener, many addresses: they share its looks. */
static void test_many_addresses(void **state)
{
	flood(*state, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_address, open_gate, close_gate),
		cmocka_unit_test_setup_teardown(test_many_addresses, open_gate, close_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
