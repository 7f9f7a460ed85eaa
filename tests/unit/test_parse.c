/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames, written as hex by layer, through the parser: what it makes of them, and that it never
 * reads past their end, however they are cut. Also the options of a SYN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/shared/parse.h"
#include "bpf/shared/tcp_options.h"

#define ETH(type)      "020000000001 020000000002" type
#define IP4(len)       "4500" len "00000000 4006 0000 0a000001 0a000002"
#define IP6(len, next) "60000000" len next "40" V6_SRC V6_DST
#define V6_SRC	       "20010db8000000000000000000000001"
#define V6_DST	       "20010db8000000000000000000000002"
#define TCP	       "c350 0050 00000064 00000384 50 10 03e8 0000 0000"

static const struct {
	const char *name, *hex;
	int result; /* 0 or enum wire_counter */
	uint32_t payload;
	bool l3;
	uint32_t len; /* of the frame, if it is longer than what is at hand */
} cases[] = {
	{"IPv4", ETH("0800") IP4("0028") TCP, 0, 0, false, 0},
	{"IPv4, payload", ETH("0800") IP4("002c") TCP "61626364", 0, 4, false, 0},
	{"Ethernet padding is no payload", ETH("0800") IP4("0028") TCP "000000000000", 0, 0, false,
	 0},
	{"IPv4 options", ETH("0800") "4600002c00000000400600000a0000010a000002 01010100" TCP, 0, 0,
	 false, 0},
	{"first IPv4 fragment", ETH("0800") "4500002800002000400600000a0000010a000002" TCP, 0, 0,
	 false, 0},
	{"later IPv4 fragment", ETH("0800") "4500002800002001400600000a0000010a000002" TCP,
	 WIRE_IP_FRAGMENT, 0, false, 0},
	{"BIG TCP, IPv4", ETH("0800") IP4("0000") TCP "6162", 0, 99946, false, 100000},
	{"802.1Q", ETH("8100") "00050800" IP4("0028") TCP, 0, 0, false, 0},
	{"802.1ad", ETH("88a8") "00058100 00060800" IP4("0028") TCP, 0, 0, false, 0},
	{"QinQ with the old type", ETH("9100") "00058100 000686dd" IP6("0014", "06") TCP, 0, 0,
	 false, 0},
	{"three tags", ETH("88a8") "00058100 00068100 00070800" IP4("0028") TCP, WIRE_TOO_DEEP, 0,
	 false, 0},
	{"IPv6", ETH("86dd") IP6("0017", "06") TCP "616263", 0, 3, false, 0},
	{"hop-by-hop options", ETH("86dd") IP6("001c", "00") "0600010400000000" TCP, 0, 0, false,
	 0},
	{"routing, then destination options",
	 ETH("86dd") IP6("002c", "2b") "3c01010400000000 0000000000000000 0600010400000000" TCP, 0,
	 0, false, 0},
	{"AH",
	 ETH("86dd") IP6("002c", "33") "0604000000000001 00000001 000000000000000000000000" TCP, 0,
	 0, false, 0},
	{"first IPv6 fragment", ETH("86dd") IP6("001c", "2c") "0600000100000001" TCP, 0, 0, false,
	 0},
	{"a fragment header's reserved byte is ignored",
	 ETH("86dd") IP6("001c", "2c") "06ff000100000001" TCP, 0, 0, false, 0},
	{"later IPv6 fragment", ETH("86dd") IP6("001c", "2c") "0600000900000001" TCP,
	 WIRE_IP_FRAGMENT, 0, false, 0},
	{"seven extension headers",
	 ETH("86dd")
		 IP6("004c",
		     "3c") "3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 "
			   "3c00010400000000 3c00010400000000 0600010400000000" TCP,
	 WIRE_TOO_DEEP, 0, false, 0},
	{"extension header beyond the payload",
	 ETH("86dd") IP6("000a", "00") "06ff010400000000" TCP, WIRE_BAD_HEADER, 0, false,
	 34 + 20 + 60},
	{"no next header", ETH("86dd") IP6("0014", "3b") TCP, WIRE_NOT_TCP, 0, false, 0},
	{"BIG TCP, IPv6", ETH("86dd") IP6("0000", "06") TCP "6162", 0, 99926, false, 100000},
	{"IPv4 without link layer", IP4("0028") TCP, 0, 0, true, 0},
	{"IPv6 without link layer", IP6("0014", "06") TCP, 0, 0, true, 0},
	{"ARP", ETH("0806") "0001080006040001", WIRE_NOT_TCP, 0, false, 0},
	{"UDP", ETH("0800") "4500002800000000401100000a0000010a000002" TCP, WIRE_NOT_TCP, 0, false,
	 0},
	{"IPv4 says more than there is", ETH("0800") IP4("0029") TCP, WIRE_TRUNCATED, 0, false, 0},
	{"IPv4 says less than its headers", ETH("0800") IP4("0020") TCP, WIRE_BAD_HEADER, 0, false,
	 0},
	{"version 6 in an IPv4 frame", ETH("0800") "6500002800000000400600000a0000010a000002" TCP,
	 WIRE_BAD_HEADER, 0, false, 0},
	{"TCP header of 16 bytes",
	 ETH("0800") IP4("0028") "c350 0050 00000064 00000384 40 10 03e8 0000 0000",
	 WIRE_BAD_HEADER, 0, false, 0},
	{"null scan", ETH("0800") IP4("0028") "c350 0050 00000064 00000384 50 00 03e8 0000 0000",
	 WIRE_BAD_FLAGS, 0, false, 0},
	{"SYN, FIN", ETH("0800") IP4("0028") "c350 0050 00000064 00000384 50 03 03e8 0000 0000",
	 WIRE_BAD_FLAGS, 0, false, 0},
};

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t len = 0;
	unsigned byte;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[len++] = byte;
		hex += 2;
	}
	return len;
}

/* Parses a heap copy of exactly @have bytes, so that a sanitizer sees a read past them. */
static int parse(const uint8_t *bytes, size_t have, uint32_t len, bool l3, struct flow_key *key,
		 struct segment *seg)
{
	uint8_t *copy = malloc(have ? have : 1);
	struct frame frame = {.data = copy, .end = copy + have, .len = len, .segs = 1, .l3 = l3};
	int result;

	assert_non_null(copy);
	memcpy(copy, bytes, have);
	result = parse__frame(&frame, 3, key, seg);
	free(copy);
	return result;
}

static void test_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[256];
		size_t have = unhex(cases[i].hex, bytes);
		struct flow_key key;
		struct segment seg;
		int result = parse(bytes, have, cases[i].len ? cases[i].len : have, cases[i].l3,
				   &key, &seg);

		if (result != cases[i].result)
			fail_msg("%s: %d, want %d", cases[i].name, result, cases[i].result);
		if (result)
			continue;
		if (seg.payload != cases[i].payload)
			fail_msg("%s: payload %u", cases[i].name, seg.payload);
		assert_int_equal(seg.seq, 100);
		assert_int_equal(seg.ack, 900);
		assert_int_equal(seg.window, 1000);
		assert_int_equal(seg.flags, TCPF_ACK);
		assert_int_equal(TW_BE16(key.port[seg.dir]), 50000);
		assert_int_equal(TW_BE16(key.port[!seg.dir]), 80);
		assert_int_equal(key.tap, 3);
	}
}

static void test_every_cut_is_refused_or_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[256];
		size_t have = unhex(cases[i].hex, bytes);
		struct flow_key key;
		struct segment seg;

		for (size_t cut = 0; cut < have; cut++)
			assert_in_range(parse(bytes, cut, cut, cases[i].l3, &key, &seg), 0,
					WIRE_COUNTER_COUNT - 1);
	}
}

static void test_both_directions_have_one_key(void **state)
{
	struct flow_key there, back;
	struct ip_addr a, b;

	(void)state;
	ip_addr__set_v4(&a, TW_BE32(0x0a000001));
	ip_addr__set_v4(&b, TW_BE32(0x0a000002));
	assert_true(ip_addr__is_v4(&a));
	assert_int_not_equal(flow_key__set(&there, &a, 1, &b, 2, 9),
			     flow_key__set(&back, &b, 2, &a, 1, 9));
	assert_true(flow_key__equal(&there, &back));
	assert_int_equal(flow_key__hash(&there, 5), flow_key__hash(&back, 5));
	assert_int_not_equal(flow_key__hash(&there, 5), flow_key__hash(&there, 6));
	/* One host talking to itself: the ports decide. */
	flow_key__set(&there, &a, 1, &a, 2, 9);
	flow_key__set(&back, &a, 2, &a, 1, 9);
	assert_true(flow_key__equal(&there, &back));
}

static const struct {
	const char *name, *hex;
	struct tcp_options want;
} option_cases[] = {
	{"none", "", {0}},
	{"Linux", "020405b40402080a00000000000000000103 0307", {1460, 7, true, true, true}},
	{"padding", "01010101", {0}},
	{"ends early", "00020405b4", {0}},
	{"length 0", "0200 05b4", {0}},
	{"length beyond the end", "0204 05", {0}},
	{"unknown kind is skipped", "1e04ffff 020405b4", {1460, 0, false, false, false}},
	{"MSS of a wrong length", "020305 0402", {0, 0, false, true, false}},
};

static void test_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(option_cases) / sizeof(option_cases[0]); i++) {
		uint8_t bytes[TCP_OPTIONS_MAX];
		struct tcp_options got =
			tcp_options__parse(bytes, unhex(option_cases[i].hex, bytes));

		if (memcmp(&got, &option_cases[i].want, sizeof(got)))
			fail_msg("%s", option_cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_every_cut_is_refused_or_parsed),
		cmocka_unit_test(test_both_directions_have_one_key),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
