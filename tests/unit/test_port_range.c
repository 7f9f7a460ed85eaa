/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which ports connect() may choose, by the texts of the two sysctls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/model/port_range.h"

static const struct {
	const char *name, *range, *reserved;
	uint16_t low, high;
	uint32_t n_reserved, usable;
} cases[] = {
	{"usual", "32768\t60999\n", "\n", 32768, 60999, 0, 28232},
	{"no list of reserved ones", "32768\t60999\n", NULL, 32768, 60999, 0, 28232},
	{"one reserved", "1000\t1009\n", "1003\n", 1000, 1009, 1, 9},
	{"ranges reserved", "1000\t1009\n", "1-999,1001-1002,1005\n", 1000, 1009, 3, 7},
	{"reserved beyond both ends", "1000\t1009\n", "900-1001,1008-2000\n", 1000, 1009, 4, 6},
	{"a port reserved twice", "1000\t1009\n", "1003,1003-1004\n", 1000, 1009, 2, 8},
	{"all reserved", "1000\t1009\n", "1-65535\n", 1000, 1009, 10, 0},
	{"every port", "1\t65535\n", NULL, 1, 65535, 0, 65535},
	{"one port", "4000\t4000\n", NULL, 4000, 4000, 0, 1},
	{"two", "4000\t4001\n", NULL, 4000, 4001, 0, 2},
	{"of three the last is never tried", "4000\t4002\n", NULL, 4000, 4002, 0, 2},
	{"nor is it missed when reserved", "4000\t4002\n", "4002\n", 4000, 4002, 0, 2},
	{"of five all are", "4000\t4004\n", NULL, 4000, 4004, 0, 5},
	{"nothing", "", "", 0, 0, 0, 0},
	{"half of it", "32768", NULL, 0, 0, 0, 0},
	{"upside down", "60999\t32768\n", NULL, 0, 0, 0, 0},
	{"no port number", "32768\t65536\n", NULL, 0, 0, 0, 0},
	{"words", "low high", NULL, 0, 0, 0, 0},
	{"an open end of a reserved range", "1000\t1009\n", "1003,1005-", 1000, 1009, 1, 9},
	{"words among the reserved", "1000\t1009\n", "1003,none", 1000, 1009, 1, 9},
};

static void test_parse(void **state __attribute__((unused)))
{
	struct port_range range;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t count = 0;

		port_range__parse(&range, cases[i].range, cases[i].reserved);
		for (unsigned port = 0; port < PORT_COUNT; port++)
			count += port_range__has(&range, port);
		if (range.low != cases[i].low || range.high != cases[i].high ||
		    range.reserved != cases[i].n_reserved || range.usable != cases[i].usable ||
		    count != range.usable)
			fail_msg("%s: %u-%u, %u reserved, %u usable, %u in the set", cases[i].name,
				 range.low, range.high, range.reserved, range.usable, count);
	}
}

static void test_has(void **state __attribute__((unused)))
{
	struct port_range range;

	port_range__parse(&range, "1000\t1009", "1003");
	assert_false(port_range__has(&range, 999));
	assert_true(port_range__has(&range, 1000));
	assert_false(port_range__has(&range, 1003));
	assert_true(port_range__has(&range, 1009));
	assert_false(port_range__has(&range, 1010));
}

static void test_listeners(void **state __attribute__((unused)))
{
	struct port_range range;

	port_range__parse(&range, "1000\t1009", "1003");
	port_range__listen(&range, 80);	  /* not in the range */
	port_range__listen(&range, 1003); /* reserved anyway */
	port_range__listen(&range, 1004);
	port_range__listen(&range, 1004); /* another address, or SO_REUSEPORT */
	assert_int_equal(range.listening, 1);
	assert_int_equal(range.usable, 8);
	assert_false(port_range__has(&range, 1004));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_listeners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
