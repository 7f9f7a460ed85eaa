/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The growing string, the formatting of numbers, addresses and times, and UTF-8.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "user/util/fmt.h"
#include "user/util/nearest.h"
#include "user/util/strbuf.h"
#include "user/util/utf8.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void appends(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	strbuf__adds(&sb, "one ");
	strbuf__addu(&sb, UINT64_MAX);
	strbuf__addc(&sb, ' ');
	strbuf__pad(&sb, '.', 3);
	strbuf__addf(&sb, " %s=%d", "x", -7);
	strbuf__add(&sb, NULL, 0);
	assert_string_equal(sb.data, "one 18446744073709551615 ... x=-7");
	assert_int_equal(sb.len, strlen(sb.data));
	strbuf__clear(&sb);
	assert_int_equal(sb.len, 0);
	assert_string_equal(sb.data, "");
	strbuf__free(&sb);
	assert_null(sb.data);
	strbuf__free(NULL);
}

static void grows_byte_by_byte(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	for (int i = 0; i < 100000; i++)
		strbuf__addc(&sb, (char)('a' + i % 26));
	assert_int_equal(sb.len, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(sb.data[i], 'a' + i % 26);
	strbuf__free(&sb);
}

/* The memory that cannot be had: nothing is appended any more, and the writer hears of it once. */
static void fails_once(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	strbuf__adds(&sb, "kept");
	assert_null(strbuf__reserve(&sb, SIZE_MAX / 2));
	assert_true(sb.failed);
	strbuf__adds(&sb, "lost");
	strbuf__addf(&sb, "%d", 1);
	strbuf__pad(&sb, ' ', 1);
	assert_string_equal(sb.data, "kept");
	assert_int_equal(strbuf__flush(&sb, STDOUT_FILENO), -ENOMEM);
	assert_false(sb.failed);
	assert_int_equal(strbuf__flush(&sb, STDOUT_FILENO), 0);
	strbuf__free(&sb);
}

static void flushes_whole(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	char read_back[8];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	strbuf__adds(&sb, "hello");
	assert_int_equal(strbuf__flush(&sb, fds[1]), 0);
	assert_int_equal(sb.len, 0);
	assert_int_equal(read(fds[0], read_back, sizeof(read_back)), 5);
	assert_memory_equal(read_back, "hello", 5);
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	strbuf__adds(&sb, "nobody reads");
	assert_int_equal(strbuf__flush(&sb, fds[1]), -EPIPE);
	assert_int_equal(sb.len, 0);
	close(fds[1]);
	strbuf__free(&sb);
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
}

/* A pipe that nobody empties: the signal ends the waiting, and what is left can be written later.
 */
static void keeps_the_rest_when_interrupted(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct strbuf sb = STRBUF_INIT;
	size_t written, total = 1 << 20;
	static char sink[1 << 20];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	sigaction(SIGALRM, &action, NULL);
	strbuf__pad(&sb, 'x', total - 1);
	strbuf__addc(&sb, 'y');
	ualarm(20000, 20000); /* again and again: the first may come before write() waits */
	assert_int_equal(strbuf__flush(&sb, fds[1]), -EINTR);
	ualarm(0, 0);
	written = total - sb.len;
	assert_in_range(written, 1, total - 1);
	assert_int_equal(sb.data[sb.len - 1], 'y');
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(fds[0], sink, sizeof(sink)), written);
	close(fds[0]);
	close(fds[1]);
	strbuf__free(&sb);
}

struct format_case {
	const char *name;
	size_t (*format)(char *out, uint64_t v);
	uint64_t value;
	const char *expected;
};

static const struct format_case format_cases[] = {
	{"zero", fmt__u64, 0, "0"},
	{"nine", fmt__u64, 9, "9"},
	{"ten", fmt__u64, 10, "10"},
	{"hundred", fmt__u64, 100, "100"},
	{"thousand", fmt__u64, 1000, "1000"},
	{"largest", fmt__u64, UINT64_MAX, "18446744073709551615"},
	{"no time", fmt__seconds, 0, "0"},
	{"a nanosecond", fmt__seconds, 1, "0.000000001"},
	{"microseconds", fmt__seconds, 123456, "0.000123456"},
	{"trailing zeros", fmt__seconds, 1500000000, "1.5"},
	{"whole seconds", fmt__seconds, 5000000000, "5"},
	{"not a binary fraction", fmt__seconds, 100000000, "0.1"},
	{"centuries", fmt__seconds, UINT64_MAX, "18446744073.709551615"},
	{"ns", fmt__duration, 999, "999ns"},
	{"us", fmt__duration, 1000, "1.00us"},
	{"tens of us", fmt__duration, 12345, "12.3us"},
	{"almost 1 ms", fmt__duration, 999999, "999us"},
	{"ms", fmt__duration, 12300000, "12.3ms"},
	{"s", fmt__duration, 1200000000, "1.20s"},
	{"almost a minute", fmt__duration, 59999999999, "59.9s"},
	{"minutes", fmt__duration, 187 * 1000000000ULL, "3m07s"},
	{"hours", fmt__duration, 7500 * 1000000000ULL, "2h05m"},
	{"days", fmt__duration, 273600 * 1000000000ULL, "3d04h"},
	{"longest", fmt__duration, UINT64_MAX, "213503d23h"},
	{"no bytes", fmt__bytes, 0, "0"},
	{"bytes", fmt__bytes, 1023, "1023"},
	{"a K", fmt__bytes, 1024, "1.00K"},
	{"1.5 K", fmt__bytes, 1536, "1.50K"},
	{"1023 K", fmt__bytes, 1023 * 1024, "1023K"},
	{"M", fmt__bytes, 1500000, "1.43M"},
	{"tens of G", fmt__bytes, 25ULL << 30, "25.0G"},
	{"T", fmt__bytes, 300ULL << 40, "300T"},
	{"P", fmt__bytes, 1ULL << 50, "1.00P"},
	{"largest bytes", fmt__bytes, UINT64_MAX, "15.9E"},
	{"the epoch", fmt__time, 0, "1970-01-01T00:00:00.000000000Z"},
	{"a nanosecond later", fmt__time, 1, "1970-01-01T00:00:00.000000001Z"},
	{"leap day", fmt__time, 951782399 * 1000000000ULL + 999999999,
	 "2000-02-28T23:59:59.999999999Z"},
	{"29 February", fmt__time, 951782400 * 1000000000ULL, "2000-02-29T00:00:00.000000000Z"},
	{"last of a year", fmt__time, 1735689599 * 1000000000ULL, "2024-12-31T23:59:59.000000000Z"},
	{"no leap year", fmt__time, 4107542400 * 1000000000ULL, "2100-03-01T00:00:00.000000000Z"},
	{"last time", fmt__time, UINT64_MAX, "2554-07-21T23:34:33.709551615Z"},
};

static void formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(format_cases); i++) {
		const struct format_case *c = &format_cases[i];
		char out[64] = {0};

		out[c->format(out, c->value)] = '\0';
		if (strcmp(out, c->expected))
			fail_msg("%s: '%s', expected '%s'", c->name, out, c->expected);
	}
}

static const struct {
	size_t (*format)(char *out, int64_t value);
	int64_t value;
	const char *expected;
} signed_cases[] = {
	{fmt__thousandths, 0, "0"},
	{fmt__thousandths, 12000, "12"},
	{fmt__thousandths, 1500, "1.5"},
	{fmt__thousandths, -125, "-0.125"},
	{fmt__thousandths, INT64_MIN, "-9223372036854775.808"},
	{fmt__rate, 0, "0.00/s"},
	{fmt__rate, 1500, "1.50/s"},
	{fmt__rate, -12340, "-12.3/s"},
	{fmt__rate, 999999, "999/s"},
	{fmt__rate, 28232000, "28232/s"},
	{fmt__rate, INT64_MIN, "-9223372036854775/s"},
};

static void formats_signed(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(signed_cases); i++) {
		out[signed_cases[i].format(out, signed_cases[i].value)] = '\0';
		assert_string_equal(out, signed_cases[i].expected);
	}
}

static const char *const v6_addrs[] = {
	"::",
	"::1",
	"1::",
	"2001:db8::1",
	"2001:db8:0:1:1:1:1:1",
	"2001:0:0:1::1",
	"fe80::1:0:0:2",
	"1:2:3:4:5:6:7:8",
	"::8",
	"1:2:3:4:5:6:7:0",
	"0:2:3:4:5:6:7:8",
	"ff02::1:ff00:0",
	"1:0:0:2::",
	"2001:db8::1:0:0:1",
	"a:b:c:d:e:f:abcd:12",
};

static void formats_addresses(void **state)
{
	static const uint8_t v4[] = {192, 0, 2, 255};
	char out[64] = {0};

	(void)state;
	assert_int_equal(fmt__ipv4(out, v4), 11);
	assert_string_equal(out, "192.0.2.255");
	for (size_t i = 0; i < COUNT_OF(v6_addrs); i++) {
		uint8_t bytes[16];

		memset(out, 0, sizeof(out));
		assert_int_equal(inet_pton(AF_INET6, v6_addrs[i], bytes), 1);
		assert_int_equal(fmt__ipv6(out, bytes), strlen(v6_addrs[i]));
		assert_string_equal(out, v6_addrs[i]);
	}
}

/* Every pattern of zero groups, against libc (RFC 5952 4.2 says the same, but for mapped
 * addresses). */
static void formats_like_libc(void **state)
{
	(void)state;
	for (unsigned pattern = 0; pattern < 256; pattern++) {
		uint8_t bytes[16] = {0};
		char ours[64] = {0}, theirs[64];

		for (unsigned i = 0; i < 8; i++)
			bytes[2 * i] = bytes[2 * i + 1] = pattern >> i & 1 ? 0x0a : 0;
		/* libc writes ::a.b.c.d for these; RFC 5952 section 5 leaves it to known prefixes.
		 */
		if (!(pattern & 0x3f))
			continue;
		inet_ntop(AF_INET6, bytes, theirs, sizeof(theirs));
		fmt__ipv6(ours, bytes);
		assert_string_equal(ours, theirs);
	}
}

static const struct utf8_case {
	const char *name, *bytes;
	size_t len, size;
	uint32_t code;
} utf8_cases[] = {
	{"ASCII", "a", 1, 1, 'a'},
	{"NUL", "\0", 1, 1, 0},
	{"two bytes", "\xc3\xa9", 2, 2, 0xe9},
	{"three bytes", "\xe2\x82\xac", 3, 3, 0x20ac},
	{"four bytes", "\xf0\x9f\x98\x80", 4, 4, 0x1f600},
	{"nothing", "", 0, 0, 0},
	{"cut short", "\xe2\x82", 2, 0, 0},
	{"continuation alone", "\x80", 1, 0, 0},
	{"continuation missing", "\xc3(", 2, 0, 0},
	{"overlong slash", "\xc0\xaf", 2, 0, 0},
	{"overlong three", "\xe0\x80\xaf", 3, 0, 0},
	{"surrogate", "\xed\xa0\x80", 3, 0, 0},
	{"above the last", "\xf4\x90\x80\x80", 4, 0, 0},
	{"five bytes", "\xf8\x88\x80\x80\x80", 5, 0, 0},
	{"0xff", "\xff", 1, 0, 0},
};

static void decodes_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(utf8_cases); i++) {
		const struct utf8_case *c = &utf8_cases[i];
		uint32_t code = 0;

		if (utf8__decode(c->bytes, c->len, &code) != c->size || code != c->code)
			fail_msg("%s", c->name);
	}
}

static void escapes(void **state)
{
	static const struct {
		const char *bytes, *expected;
	} cases[] = {
		{"nginx: worker", "nginx: worker"},
		{"\033[31mred", "\\x1b[31mred"},
		{"a\tb\nc\x7f", "a\\x09b\\x0ac\\x7f"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"bad\xff\xc3", "bad\\xff\\xc3"},
		{"csi\xc2\x9b", "csi\\xc2\\x9b"},
		{"bidi\xe2\x80\xae", "bidi\\xe2\\x80\\xae"},
	};
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		strbuf__clear(&sb);
		utf8__add_escaped(&sb, cases[i].bytes, strlen(cases[i].bytes));
		assert_string_equal(sb.data, cases[i].expected);
	}
	strbuf__free(&sb);
}

static void finds_the_nearest(void **state)
{
	static const char *const names[] = {"state", "pid", "comm", "rtt_seconds", "tx_bytes"};
	static const struct {
		const char *word, *expected;
	} cases[] = {
		{"stat", "state"},
		{"sate", "state"},
		{"sttae", "state"},
		{"STATE", "state"},
		{"rtt_second", "rtt_seconds"},
		{"rtt", "rtt_seconds"},
		{"pdi", "pid"},
		{"zebra", NULL},
		{"x", NULL},
		{"", NULL},
		{"a word that is far too long to be looked at by anybody", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct nearest nearest;

		nearest__init(&nearest, cases[i].word, strlen(cases[i].word));
		for (size_t k = 0; k < COUNT_OF(names); k++)
			nearest__offer(&nearest, names[k]);
		if (cases[i].expected && (!nearest.best || strcmp(nearest.best, cases[i].expected)))
			fail_msg("%s: %s", cases[i].word, nearest.best ? nearest.best : "none");
		if (!cases[i].expected && nearest.best)
			fail_msg("%s: %s", cases[i].word, nearest.best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends),
		cmocka_unit_test(grows_byte_by_byte),
		cmocka_unit_test(fails_once),
		cmocka_unit_test(flushes_whole),
		cmocka_unit_test(keeps_the_rest_when_interrupted),
		cmocka_unit_test(formats),
		cmocka_unit_test(formats_signed),
		cmocka_unit_test(formats_addresses),
		cmocka_unit_test(formats_like_libc),
		cmocka_unit_test(decodes_utf8),
		cmocka_unit_test(escapes),
		cmocka_unit_test(finds_the_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
