/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One handshake: whose it is, how long its parts took, where it broke.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sample.h"
#include "user/model/handshake.h"

#define NONE UNKNOWN_U64
#define BORN 1000 /* ns, of what begins in these tests */

/* ---- connect() that fails ---- */

static const struct {
	const char *name;
	struct sock_info sock;
	bool has_answer; /* a tap saw the SYN-ACK */
	enum handshake_break broke;
} connects[] = {
	{"nobody answers", {.error = ETIMEDOUT, .tx_segments = 7}, false, BREAK_SYN_UNANSWERED},
	{"the answer got lost here",
	 {.error = ETIMEDOUT, .tx_segments = 7},
	 true,
	 BREAK_LOST_IN_HOST},
	{"a RST",
	 {.error = ECONNREFUSED, .reset_seen = CLOSE_REMOTE, .tx_segments = 1},
	 false,
	 BREAK_REFUSED},
	{"a RST that was passed over, then closed",
	 {.reset_seen = CLOSE_REMOTE, .tx_segments = 1},
	 false,
	 BREAK_REFUSED},
	{"port unreachable",
	 {.error = ECONNREFUSED, .born_ns = BORN, .tx_segments = 1},
	 false,
	 BREAK_FILTERED},
	{"refused, older than the tool",
	 {.error = ECONNREFUSED, .tx_segments = 1},
	 false,
	 BREAK_REFUSED},
	{"host unreachable", {.error = EHOSTUNREACH, .tx_segments = 1}, false, BREAK_FILTERED},
	{"net unreachable", {.error = ENETUNREACH, .tx_segments = 1}, false, BREAK_FILTERED},
	{"prohibited", {.error = EACCES, .tx_segments = 1}, false, BREAK_FILTERED},
	{"closed after an ICMP error",
	 {.soft_error = EHOSTUNREACH, .tx_segments = 1},
	 false,
	 BREAK_FILTERED},
	{"the hard error counts",
	 {.error = ETIMEDOUT, .soft_error = EHOSTUNREACH, .tx_segments = 3},
	 false,
	 BREAK_SYN_UNANSWERED},
	{"closed by the application", {.tx_segments = 1}, false, BREAK_ABANDONED},
	{"closed by the application, which had its own time-out",
	 {.tx_segments = 2},
	 false,
	 BREAK_SYN_UNANSWERED},
	{"closed by the application, and the answer got lost here",
	 {.tx_segments = 2},
	 true,
	 BREAK_LOST_IN_HOST},
	{"no port is free", {.tx_segments = 0}, false, BREAK_NOT_SENT},
	{"another error", {.error = ENOMEM, .tx_segments = 1}, false, BREAK_OTHER},
};

static void test_break_of_connect(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(connects) / sizeof(connects[0]); i++) {
		struct evidence_verdict verdict = {.originator = DIR_LOW, .syn_ns = BORN};
		struct session s = {
			.sock = &connects[i].sock, .local_dir = DIR_LOW, .verdict = &verdict};
		enum handshake_break broke;

		if (connects[i].has_answer)
			verdict.synack_ns = BORN + 1;
		broke = handshake__break_of_sock(&s, TCPS_SYN_SENT);
		if (broke != connects[i].broke)
			fail_msg("%s: %s", connects[i].name, handshake_break__name(broke));
	}
}

/* ---- what the wire alone saw ---- */

static const struct {
	const char *name;
	struct evidence_verdict verdict;
	enum handshake_break broke;
} wires[] = {
	{"a SYN and nothing", {.end = END_TIMEOUT}, BREAK_SYN_UNANSWERED},
	{"a SYN, then another", {.end = END_NOT}, BREAK_SYN_UNANSWERED},
	{"a RST of the server's", {.end = END_REFUSED}, BREAK_REFUSED},
	{"a RST of the client's own", {.end = END_RESET}, BREAK_ABANDONED},
	{"a SYN-ACK and nothing", {.end = END_TIMEOUT, .synack_ns = 2}, BREAK_SYN_ACK_UNANSWERED},
	{"a SYN-ACK, then a RST of the server's",
	 {.end = END_REFUSED, .synack_ns = 2},
	 BREAK_SYN_ACK_UNANSWERED},
	{"a SYN-ACK and a RST of the client's",
	 {.end = END_RESET, .synack_ns = 2},
	 BREAK_SYN_ACK_RESET},
};

static void test_break_of_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
		struct session s = {.verdict = &wires[i].verdict};
		enum handshake_break broke = handshake__break_of_wire(&s);

		if (broke != wires[i].broke)
			fail_msg("%s: %s", wires[i].name, handshake_break__name(broke));
	}
}

/* ---- parts ---- */

/* Times of the wire's steps and of the socket's; 0: not known. */
static const struct {
	const char *name;
	bool is_client, is_forwarded;
	uint64_t syn, synack, ack;   /* the wire */
	uint64_t began, established; /* the socket */
	struct handshake_parts parts;
} handshakes[] = {
	{"client, both views", true, false, 10, 60, 66, 8, 63, {53, 50, 3}},
	{"client, the wire alone", true, false, 10, 60, 66, 0, 0, {56, 50, 6}},
	{"client, the socket alone", true, false, 0, 0, 0, 8, 63, {55, NONE, NONE}},
	{"server, both views", false, false, 10, 15, 65, 12, 67, {57, 50, 7}},
	{"server, held up behind the tap", false, false, 10, 15, 65, 12, 967, {957, 50, 907}},
	{"server, the wire alone", false, false, 10, 15, 65, 0, 0, {55, 50, 5}},
	{"server, the socket alone", false, false, 0, 0, 0, 12, 67, {55, NONE, NONE}},
	{"server, a cookie: when it began is unknown",
	 false,
	 false,
	 0,
	 0,
	 0,
	 0,
	 67,
	 {NONE, NONE, NONE}},
	{"forwarded", true, true, 10, 60, 66, 0, 0, {56, 56, NONE}},
	{"no SYN-ACK was seen", true, false, 10, 0, 66, 8, 63, {55, NONE, NONE}},
	{"the wire's third step is missing", false, false, 10, 15, 0, 12, 67, {57, NONE, NONE}},
	{"another tap's clock went backwards", true, false, 60, 10, 66, 0, 0, {6, NONE, NONE}},
};

static void test_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(handshakes) / sizeof(handshakes[0]); i++) {
		const struct evidence_verdict verdict = {
			.originator = handshakes[i].is_client ? DIR_LOW : DIR_HIGH,
			.syn_ns = handshakes[i].syn,
			.synack_ns = handshakes[i].synack,
			.ack_ns = handshakes[i].ack,
		};
		const struct sock_info sock = {
			.role = handshakes[i].is_client ? ROLE_ACTIVE : ROLE_PASSIVE,
			.syn_ns = handshakes[i].began,
			.established_ns = handshakes[i].established,
		};
		const struct session s = {
			.local_dir = DIR_LOW,
			.is_forwarded = handshakes[i].is_forwarded,
			.sock = handshakes[i].established ? &sock : NULL,
			.verdict = handshakes[i].syn ? &verdict : NULL,
		};
		struct handshake_parts parts = handshake__parts(&s);

		if (memcmp(&parts, &handshakes[i].parts, sizeof(parts)) != 0)
			fail_msg("%s: %lld = %lld + %lld", handshakes[i].name,
				 (long long)parts.total_ns, (long long)parts.network_ns,
				 (long long)parts.host_ns);
	}
}

static void test_side(void **state)
{
	enum handshake_side side;
	struct sample s;

	(void)state;
	sample__init(&s);
	assert_true(handshake__side(&s.session, &side));
	assert_int_equal(side, SIDE_SERVER);
	s.sock.role = ROLE_ACTIVE;
	assert_true(handshake__side(&s.session, &side));
	assert_int_equal(side, SIDE_CLIENT);
	s.session.is_forwarded = true;
	assert_true(handshake__side(&s.session, &side));
	assert_int_equal(side, SIDE_FORWARD);
	sample__init_wire(&s);
	assert_true(handshake__side(&s.session, &side));
	assert_int_equal(side, SIDE_SERVER);
	s.verdict.roles_guessed = true;
	assert_false(handshake__side(&s.session, &side));
}

static void test_names(void **state)
{
	(void)state;
	assert_null(handshake_break__name(BREAK_NONE));
	assert_null(handshake_break__name(BREAK_COUNT));
	assert_string_equal(handshake_break__name(BREAK_ACK_DROPPED), "ack_dropped");
	assert_string_equal(handshake_side__name(SIDE_FORWARD), "forward");
	assert_null(handshake_side__name(SIDE_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_break_of_connect),
		cmocka_unit_test(test_break_of_wire),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_side),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
