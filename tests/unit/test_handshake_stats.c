/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handshakes summed up: what an event counts for, which group it goes to, and what becomes of the
 * groups that have no room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sample.h"
#include "user/model/handshake_stats.h"
#include "user/output/output.h"

static const struct handshake_grouping usual = {
	.by_server = true,
	.by_network = true,
	.prefix_v4 = 24,
	.prefix_v6 = 64,
	.max_groups = 4,
	.has_socket_view = true,
};

/* ---- what an event counts for ---- */

struct sums {
	uint64_t completed, failed, syns, syn_acks, resets;
};

enum seen_by { BY_SOCKET, BY_WIRE };

static const struct {
	const char *name;
	struct event event;
	enum sock_role role;
	enum seen_by seen_by;
	uint8_t state;
	struct sums sums;
} events[] = {
	{"completed",
	 {.kind = EVENT_ESTABLISHED},
	 ROLE_PASSIVE,
	 BY_SOCKET,
	 TCPS_ESTABLISHED,
	 {.completed = 1}},
	{"failed",
	 {.kind = EVENT_HANDSHAKE_FAILED, .broke = BREAK_REFUSED},
	 ROLE_ACTIVE,
	 BY_SOCKET,
	 TCPS_CLOSED,
	 {.failed = 1}},
	{"a first SYN", {.kind = EVENT_SYN}, ROLE_PASSIVE, BY_WIRE, TCPS_SYN_RECV, {0}},
	{"the peer's SYN again",
	 {.kind = EVENT_SYN, .reason = "retransmit"},
	 ROLE_PASSIVE,
	 BY_WIRE,
	 TCPS_SYN_RECV,
	 {.syns = 1}},
	{"a SYN that an open session ignores",
	 {.kind = EVENT_SYN, .reason = "ignored"},
	 ROLE_PASSIVE,
	 BY_WIRE,
	 TCPS_ESTABLISHED,
	 {0}},
	{"our own SYN again, on the wire",
	 {.kind = EVENT_SYN, .reason = "retransmit"},
	 ROLE_ACTIVE,
	 BY_WIRE,
	 TCPS_SYN_SENT,
	 {0}},
	{"our own SYN again, as the socket tells",
	 {.kind = EVENT_RETRANSMIT},
	 ROLE_ACTIVE,
	 BY_SOCKET,
	 TCPS_SYN_SENT,
	 {.syns = 1}},
	{"our own SYN-ACK again, on the wire",
	 {.kind = EVENT_SYN_ACK, .reason = "retransmit"},
	 ROLE_PASSIVE,
	 BY_WIRE,
	 TCPS_SYN_RECV,
	 {0}},
	{"our own SYN-ACK again, as the request tells",
	 {.kind = EVENT_RETRANSMIT},
	 ROLE_PASSIVE,
	 BY_SOCKET,
	 TCPS_SYN_RECV,
	 {.syn_acks = 1}},
	{"the server's SYN-ACK again",
	 {.kind = EVENT_SYN_ACK, .reason = "retransmit"},
	 ROLE_ACTIVE,
	 BY_WIRE,
	 TCPS_SYN_SENT,
	 {.syn_acks = 1}},
	{"payload again",
	 {.kind = EVENT_RETRANSMIT},
	 ROLE_ACTIVE,
	 BY_SOCKET,
	 TCPS_ESTABLISHED,
	 {0}},
	{"a RST of the listener's",
	 {.kind = EVENT_RESET_SENT, .of_listener = LISTENER_RESET_STRAY},
	 ROLE_PASSIVE,
	 BY_SOCKET,
	 TCPS_CLOSED,
	 {.resets = 1}},
	{"a RST of a connection's",
	 {.kind = EVENT_RESET_SENT},
	 ROLE_PASSIVE,
	 BY_SOCKET,
	 TCPS_ESTABLISHED,
	 {0}},
	{"a close", {.kind = EVENT_CLOSED}, ROLE_PASSIVE, BY_SOCKET, TCPS_CLOSED, {0}},
	{"another state", {.kind = EVENT_STATE_CHANGE}, ROLE_ACTIVE, BY_SOCKET, TCPS_SYN_SENT, {0}},
};

static struct sums sums_of(const struct handshake_counts *counts)
{
	return (struct sums){
		.completed = counts->completed,
		.failed = handshake_counts__failed(counts),
		.syns = counts->syn_retransmits,
		.syn_acks = counts->syn_ack_retransmits,
		.resets = counts->server_resets,
	};
}

struct collected {
	const struct handshake_group *groups[16];
	size_t count;
};

static void collect(void *ctx, const struct handshake_group *group)
{
	struct collected *all = ctx;

	assert_true(all->count < 16);
	all->groups[all->count++] = group;
}

static struct collected groups_of(const struct handshake_stats *stats)
{
	struct collected all = {.count = 0};

	handshake_stats__visit(stats, collect, &all);
	return all;
}

static void test_what_an_event_counts_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct handshake_stats *stats = handshake_stats__new(&usual);
		bool is_client = events[i].role == ROLE_ACTIVE;
		const struct handshake_counts *counts =
			handshake_stats__total(stats, is_client ? SIDE_CLIENT : SIDE_SERVER);
		struct event event = events[i].event;
		struct sample s;
		struct sums sums;

		sample__init(&s);
		s.sock.role = events[i].role;
		s.sock.state = events[i].state;
		event.session = &s.session;
		event.time_ns = 1;
		event.view = events[i].seen_by == BY_SOCKET ? VIEW_SOCKET : VIEW_WIRE;
		assert_int_equal(handshake_stats__add(stats, &event), 0);
		sums = sums_of(counts);
		if (memcmp(&sums, &events[i].sums, sizeof(sums)) != 0)
			fail_msg("%s: not counted so", events[i].name);
		handshake_stats__free(stats);
	}
}

/* The wire is all there is: it tells of our own too. */
static void test_without_the_socket_view_the_wire_tells(void **state)
{
	struct handshake_grouping grouping = usual;
	struct event event = {.kind = EVENT_SYN, .reason = "retransmit", .view = VIEW_WIRE};
	struct handshake_stats *stats;
	struct sample s;

	(void)state;
	grouping.has_socket_view = false;
	stats = handshake_stats__new(&grouping);
	sample__init_wire(&s);
	s.verdict.originator = s.session.local_dir;
	event.session = &s.session;
	assert_int_equal(handshake_stats__add(stats, &event), 0);
	assert_int_equal(handshake_stats__total(stats, SIDE_CLIENT)->syn_retransmits, 1);
	handshake_stats__free(stats);
}

/* ---- groups ---- */

static void add(struct handshake_stats *stats, enum event_kind kind, const char *server,
		uint16_t port, const char *client)
{
	static uint64_t now_ns;
	struct event event = {.kind = kind, .time_ns = ++now_ns, .view = VIEW_SOCKET};
	struct sample s;

	sample__init(&s);
	sample__set_endpoints(&s, server, port, client, 40000);
	event.session = &s.session;
	event.broke = kind == EVENT_HANDSHAKE_FAILED ? BREAK_SYN_ACK_UNANSWERED : BREAK_NONE;
	assert_int_equal(handshake_stats__add(stats, &event), 0);
}

static const struct {
	const char *name;
	bool by_server, by_network;
	uint8_t prefix_v4, prefix_v6;
	const char *clients[2];
	const char *networks[2]; /* "": of no network; NULL: there is no second group */
} groupings[] = {
	{"a /24", true, true, 24, 64, {"192.0.2.7", "192.0.2.99"}, {"192.0.2.0/24", NULL}},
	{"two of them",
	 true,
	 true,
	 24,
	 64,
	 {"192.0.2.7", "192.0.3.7"},
	 {"192.0.2.0/24", "192.0.3.0/24"}},
	{"within a byte", true, true, 22, 64, {"192.0.2.7", "192.0.3.7"}, {"192.0.0.0/22", NULL}},
	{"an odd one",
	 true,
	 true,
	 31,
	 64,
	 {"192.0.2.6", "192.0.2.8"},
	 {"192.0.2.6/31", "192.0.2.8/31"}},
	{"hosts", true, true, 32, 64, {"192.0.2.6", "192.0.2.7"}, {"192.0.2.6/32", "192.0.2.7/32"}},
	{"all of IPv4", true, true, 0, 0, {"192.0.2.6", "1.0.2.7"}, {"0.0.0.0/0", NULL}},
	{"a /64", true, true, 24, 64, {"2001:db8::1", "2001:db8::ffff:1"}, {"2001:db8::/64", NULL}},
	{"a /48",
	 true,
	 true,
	 24,
	 48,
	 {"2001:db8:0:1::1", "2001:db8:0:2::1"},
	 {"2001:db8::/48", NULL}},
	{"both families are apart, whatever the prefix",
	 true,
	 true,
	 0,
	 0,
	 {"192.0.2.6", "2001:db8::1"},
	 {"0.0.0.0/0", "::/0"}},
	{"by server alone", true, false, 24, 64, {"192.0.2.6", "2001:db8::1"}, {"", NULL}},
};

static void test_networks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(groupings) / sizeof(groupings[0]); i++) {
		struct handshake_grouping grouping = usual;
		struct handshake_stats *stats;
		struct collected all;
		size_t want = groupings[i].networks[1] ? 2 : 1;

		grouping.by_server = groupings[i].by_server;
		grouping.by_network = groupings[i].by_network;
		grouping.prefix_v4 = groupings[i].prefix_v4;
		grouping.prefix_v6 = groupings[i].prefix_v6;
		stats = handshake_stats__new(&grouping);
		for (int c = 0; c < 2; c++)
			add(stats, EVENT_ESTABLISHED, "10.0.0.1", 443, groupings[i].clients[c]);
		all = groups_of(stats);
		if (all.count != want)
			fail_msg("%s: %zu groups", groupings[i].name, all.count);
		for (size_t g = 0; g < want; g++)
			assert_string_equal(all.groups[g]->network, groupings[i].networks[g]);
		handshake_stats__free(stats);
	}
}

/* ---- the command line's words ---- */

#define BAD -1

static const struct {
	const char *text;
	int by_server, by_network; /* BAD: refused */
} lists[] = {
	{"server", true, false},	{"network", false, true}, {"server,network", true, true},
	{"network,server", true, true}, {"", BAD, BAD},		  {",", BAD, BAD},
	{"server,", BAD, BAD},		{"servers", BAD, BAD},	  {"serve", BAD, BAD},
	{"server network", BAD, BAD},
};

static const struct {
	const char *text;
	int v4, v6;
} prefixes[] = {
	{"24,64", 24, 64}, {"0", 0, 64},	 {"32,128", 32, 128},
	{"16", 16, 64},	   {"33", BAD, BAD},	 {"24,129", BAD, BAD},
	{"24,", BAD, BAD}, {",64", BAD, BAD},	 {"", BAD, BAD},
	{"-1", BAD, BAD},  {"24 ,64", BAD, BAD}, {"24,64,1", BAD, BAD},
	{" 24", BAD, BAD}, {"+24", BAD, BAD},	 {"99999999999999999999", BAD, BAD},
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct handshake_grouping grouping = usual;
		int err = handshake_grouping__parse_by(&grouping, lists[i].text);

		if ((err != 0) != (lists[i].by_server == BAD))
			fail_msg("--by '%s': %d", lists[i].text, err);
		assert_int_equal(grouping.by_server, err ? usual.by_server : lists[i].by_server);
		assert_int_equal(grouping.by_network, err ? usual.by_network : lists[i].by_network);
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct handshake_grouping grouping = usual;
		int err = handshake_grouping__parse_prefix(&grouping, prefixes[i].text);

		if ((err != 0) != (prefixes[i].v4 == BAD))
			fail_msg("--prefix '%s': %d", prefixes[i].text, err);
		assert_int_equal(grouping.prefix_v4, err ? usual.prefix_v4 : prefixes[i].v4);
		assert_int_equal(grouping.prefix_v6, err ? usual.prefix_v6 : prefixes[i].v6);
	}
}

/* As many failing groups as there may be, then more: sums hold, and who gets through is shown. */
static void test_no_room(void **state)
{
	struct handshake_stats *stats = handshake_stats__new(&usual);
	uint64_t failed = 0, completed = 0;
	char client[32];
	struct collected all;

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(client, sizeof(client), "192.0.%d.7", i);
		add(stats, EVENT_HANDSHAKE_FAILED, "10.0.0.1", 443, client);
	}
	add(stats, EVENT_ESTABLISHED, "10.0.0.1", 443, "198.51.100.1");
	add(stats, EVENT_ESTABLISHED, "10.0.0.1", 443, "198.51.100.2");
	add(stats, EVENT_ESTABLISHED, "10.0.0.1", 443, "192.0.1.7"); /* it had failed before */
	all = groups_of(stats);
	assert_int_equal(all.count, usual.max_groups + 1);
	for (size_t i = 0; i < all.count; i++) {
		failed += handshake_counts__failed(&all.groups[i]->counts);
		completed += all.groups[i]->counts.completed;
		if (!strcmp(all.groups[i]->network, "198.51.100.0/24"))
			assert_int_equal(all.groups[i]->counts.completed, 2);
		assert_string_not_equal(all.groups[i]->network, "192.0.0.0/24"); /* the oldest */
	}
	assert_true(all.groups[all.count - 1]->is_other);
	assert_int_equal(handshake_counts__failed(&all.groups[all.count - 1]->counts), 7);
	assert_string_equal(all.groups[all.count - 1]->broke, "syn_ack_unanswered 7");
	assert_int_equal(failed, 10);
	assert_int_equal(completed, 3);
	assert_int_equal(handshake_stats__total(stats, SIDE_SERVER)->completed, completed);
	handshake_stats__free(stats);
}

/* Groups that have completed one are never given up. */
static void test_no_room_among_completed(void **state)
{
	struct handshake_stats *stats = handshake_stats__new(&usual);
	char client[32];
	struct collected all;

	(void)state;
	for (int i = 0; i < 6; i++) {
		snprintf(client, sizeof(client), "192.0.%d.7", i);
		add(stats, EVENT_ESTABLISHED, "10.0.0.1", 443, client);
		add(stats, EVENT_HANDSHAKE_FAILED, "10.0.0.1", 443, client);
	}
	all = groups_of(stats);
	assert_int_equal(all.count, usual.max_groups + 1);
	assert_string_equal(all.groups[0]->network, "192.0.0.0/24");
	assert_int_equal(all.groups[4]->counts.completed, 2);
	assert_int_equal(handshake_counts__failed(&all.groups[4]->counts), 2);
	handshake_stats__free(stats);
}

static void add_pending(struct handshake_stats *stats, const char *client, uint64_t age_ns,
			enum syn_fate fate)
{
	struct sample s;
	const struct attempt attempt = {&s.session, SAMPLE_NOW_NS - age_ns, false};

	sample__init_wire(&s);
	sample__set_endpoints(&s, "10.0.0.1", 443, client, 40000);
	s.session.syn_fate = fate;
	s.verdict.synack_ns = 0;
	assert_int_equal(handshake_stats__add_pending(stats, &attempt, SAMPLE_NOW_NS), 0);
}

/* Told anew each time: what has ended meanwhile is no longer among them, nor is its group. */
static void test_under_way(void **state)
{
	struct handshake_stats *stats = handshake_stats__new(&usual);
	const struct handshake_counts *total = handshake_stats__total(stats, SIDE_SERVER);
	struct collected all;

	(void)state;
	add(stats, EVENT_HANDSHAKE_FAILED, "10.0.0.1", 443, "192.0.2.7");
	for (int look = 0; look < 2; look++) {
		handshake_stats__forget_pending(stats);
		add_pending(stats, "192.0.2.8", TW_NSEC_PER_SEC - 1, SYN_ACCEPT_FULL);
		add_pending(stats, "192.0.2.8", TW_NSEC_PER_SEC, SYN_ACCEPT_FULL);
		add_pending(stats, "192.0.3.8", TW_NSEC_PER_SEC, SYN_BACKLOG_FULL);
		add_pending(stats, "192.0.3.8", TW_NSEC_PER_SEC, SYN_FATE_NONE);
		add_pending(stats, "192.0.3.8", TW_NSEC_PER_SEC, SYN_BACKLOG_FULL);
	}
	assert_int_equal(handshake_counts__pending(total), 5);
	assert_int_equal(total->pending[BREAK_NONE], 1);
	all = groups_of(stats);
	assert_int_equal(all.count, 2);
	assert_string_equal(all.groups[0]->held_up, "dropped_accept_queue 1");
	assert_string_equal(all.groups[0]->broke, "syn_ack_unanswered 1");
	assert_string_equal(all.groups[1]->held_up, "dropped_syn_queue 2, syn_unanswered 1");
	handshake_stats__forget_pending(stats);
	all = groups_of(stats);
	assert_int_equal(all.count, 1);
	assert_string_equal(all.groups[0]->held_up, "");
	assert_int_equal(handshake_counts__pending(total), 0);
	assert_int_equal(handshake_counts__failed(total), 1);
	handshake_stats__free(stats);
}

static void test_lost(void **state)
{
	struct handshake_stats *stats = handshake_stats__new(&usual);
	const struct event event = {.kind = EVENT_LOST, .lost = 5};

	(void)state;
	assert_int_equal(handshake_stats__add(stats, &event), 0);
	assert_int_equal(handshake_stats__add(stats, &event), 0);
	assert_int_equal(handshake_stats__lost(stats), 10);
	assert_int_equal(groups_of(stats).count, 0);
	handshake_stats__free(stats);
}

/* ---- rows ---- */

static const char *row_json(const struct handshake_stats *stats, struct strbuf *sb)
{
	const struct collected all = groups_of(stats);
	const struct moment now = {.mono_ns = 100};

	strbuf__clear(sb);
	for (size_t i = 0; i < all.count; i++)
		json__row(sb, &handshake_fields, all.groups[i], &now);
	return sb->data;
}

static void test_row(void **state)
{
	struct handshake_stats *stats = handshake_stats__new(&usual);
	struct strbuf sb = STRBUF_INIT;
	const char *json;

	(void)state;
	add(stats, EVENT_ESTABLISHED, "10.0.0.1", 443, "192.0.2.7");
	add(stats, EVENT_HANDSHAKE_FAILED, "10.0.0.1", 443, "192.0.2.8");
	json = row_json(stats, &sb);
	assert_non_null(strstr(json, "\"side\":\"server\",\"server_addr\":\"10.0.0.1\","
				     "\"server_port\":443,\"client_network\":\"192.0.2.0/24\""));
	assert_non_null(strstr(json, "\"completed\":1,\"failed\":1,"));
	assert_non_null(strstr(json, "\"syn_ack_unanswered\":1,"));
	/* the sample: SYN-ACK after 1 us, ACK 123.456 us after the SYN */
	assert_non_null(strstr(json, "\"total_p50_seconds\":0.000123456,"));
	assert_non_null(strstr(json, "\"network_max_seconds\":0.000122456,"));
	assert_non_null(strstr(json, "\"host_histogram\":[{\"below_seconds\":0.000001024,"
				     "\"count\":1}]"));
	strbuf__free(&sb);
	handshake_stats__free(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_an_event_counts_for),
		cmocka_unit_test(test_without_the_socket_view_the_wire_tells),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_no_room_among_completed),
		cmocka_unit_test(test_under_way),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
