/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header of handshakes: what it says for given sums, line by line, and the table of latencies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sample.h"
#include "user/ui/handshake_summary.h"

#define MSEC TW_NSEC_PER_MSEC

static const struct handshake_grouping grouping = {.by_server = true,
						   .prefix_v4 = 24,
						   .prefix_v6 = 64,
						   .max_groups = 10,
						   .has_socket_view = true};

/* A handshake of a server that took so long: the SYN-ACK left after a quarter of it. */
static void complete(struct handshake_stats *stats, uint64_t ns)
{
	struct event event = {.kind = EVENT_ESTABLISHED, .time_ns = 1, .view = VIEW_SOCKET};
	struct sample s;

	sample__init(&s);
	s.verdict.synack_ns = s.verdict.syn_ns + ns / 4;
	s.verdict.ack_ns = s.verdict.syn_ns + ns;
	event.session = &s.session;
	assert_int_equal(handshake_stats__add(stats, &event), 0);
}

static void fail_at(struct handshake_stats *stats, enum handshake_break broke, bool is_forwarded)
{
	struct event event = {.kind = EVENT_HANDSHAKE_FAILED, .time_ns = 1, .broke = broke};
	struct sample s;

	sample__init(&s);
	s.session.is_forwarded = is_forwarded;
	event.session = &s.session;
	assert_int_equal(handshake_stats__add(stats, &event), 0);
}

static void hold_up(struct handshake_stats *stats, uint64_t age_ns)
{
	struct sample s;
	const struct attempt attempt = {&s.session, SAMPLE_NOW_NS - age_ns, false};

	sample__init(&s);
	s.sock.state = TCPS_SYN_RECV;
	s.sock.is_acked = 1;
	assert_int_equal(handshake_stats__add_pending(stats, &attempt, SAMPLE_NOW_NS), 0);
}

static void check(const struct handshake_stats *stats, const struct netns_values *kernel,
		  uint64_t not_followed, const char *want)
{
	const struct handshake_summary summary = {stats, kernel, not_followed};
	struct strbuf sb = STRBUF_INIT;

	handshake_summary__write(&sb, &summary, 0);
	assert_string_equal(sb.data, want);
	strbuf__free(&sb);
}

static void test_nothing(void **state __attribute__((unused)))
{
	struct handshake_stats *stats = handshake_stats__new(&grouping);
	const struct netns_values kernel = {0};
	struct strbuf sb = STRBUF_INIT;

	check(stats, &kernel, 0,
	      "client: completed 0  failed 0\n"
	      "server: completed 0  failed 0\n"
	      "the kernel:\n");
	handshake_summary__histograms(&sb, stats);
	assert_int_equal(sb.len, 0);
	handshake_stats__free(stats);
}

static void test_all(void **state __attribute__((unused)))
{
	struct handshake_stats *stats = handshake_stats__new(&grouping);
	const struct event lost = {.kind = EVENT_LOST, .lost = 3};
	struct netns_values kernel = {.known = ~NETNS_SET(LISTEN_DROPS)};

	kernel.value[NETNS_PASSIVE_OPENS] = 2;
	kernel.value[NETNS_LISTEN_OVERFLOWS] = 5;
	kernel.value[NETNS_LISTEN_DROPS] = 7; /* not known */
	complete(stats, 4 * MSEC);
	complete(stats, 8 * MSEC);
	fail_at(stats, BREAK_ACK_DROPPED, false);
	fail_at(stats, BREAK_SYN_UNANSWERED, true);
	hold_up(stats, 0);
	hold_up(stats, 2000 * MSEC);
	hold_up(stats, 2000 * MSEC);
	assert_int_equal(handshake_stats__add(stats, &lost), 0);
	check(stats, &kernel, 9,
	      "client: completed 0  failed 0\n"
	      "server: completed 2  latency p50 4.19ms p99 8.00ms max 8.00ms  "
	      "network p50 3.14ms p99 6.00ms max 6.00ms  host p50 1.04ms p99 2.00ms max 2.00ms  "
	      "failed 1  ack_dropped 1  pending 3  2 held up: ack_dropped\n"
	      "forward: completed 0  failed 1  syn_unanswered 1\n"
	      "the kernel:  active opens 0  passive opens 2  attempt fails 0  listen overflows 5\n"
	      "the sums are too low:  records lost 3  sessions not followed to their end 9\n");
	handshake_stats__free(stats);
}

/* Only doublings with something in them; what is beyond the last bucket has a row of its own. */
static void test_histograms(void **state __attribute__((unused)))
{
	struct handshake_stats *stats = handshake_stats__new(&grouping);
	struct strbuf sb = STRBUF_INIT;

	complete(stats, 400);
	complete(stats, 4 * MSEC);
	complete(stats, 4 * MSEC);
	complete(stats, 200000 * MSEC);
	handshake_summary__histograms(&sb, stats);
	assert_string_equal(sb.data,
			    "latency                    server  server network     server host\n"
			    "below 1.02us                    1               1               1\n"
			    "below 1.04ms                    0               0               2\n"
			    "below 4.19ms                    2               2               0\n"
			    "below 1m08s                     0               0               1\n"
			    "from 2m17s                      1               1               0\n");
	strbuf__free(&sb);
	handshake_stats__free(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_histograms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
