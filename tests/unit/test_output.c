/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows as JSON and as text: hostile bytes, unknown values, columns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sample.h"
#include "user/model/session_values.h"
#include "user/output/output.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- JSON -------------------------------------------------------------------------------------
 */

static const struct string_case {
	const char *name, *bytes;
	size_t len;
	const char *json;
} string_cases[] = {
	{"plain", "nginx", 5, "\"nginx\""},
	{"empty", "", 0, "\"\""},
	{"quotes and backslashes", "a\"b\\c", 5, "\"a\\\"b\\\\c\""},
	{"controls", "a\n\t\x1b[2J\x7f", 8, "\"a\\u000a\\u0009\\u001b[2J\\u007f\""},
	{"NUL", "a\0b", 3, "\"a\\u0000b\""},
	{"UTF-8 stays", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x99", 14,
	 "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x99\""},
	{"a byte that is none", "\xff", 1, "\"\xef\xbf\xbd\""},
	{"cut in the middle", "\xe2\x82", 2, NULL},
	{"overlong slash", "\xc0\xaf", 2, NULL},
	{"a surrogate", "\xed\xa0\x80", 3, NULL},
	{"beyond U+10FFFF", "\xf4\x90\x80\x80", 4, NULL},
};

/* Replaced by U+FFFD, one or more, and by nothing else. */
static bool is_replaced(const char *json)
{
	size_t len = strlen(json);

	if (len < 5 || (len - 2) % 3 || json[0] != '"' || json[len - 1] != '"')
		return false;
	for (size_t i = 1; i < len - 1; i += 3)
		if (memcmp(json + i, "\xef\xbf\xbd", 3))
			return false;
	return true;
}

static void test_json_strings(void **state __attribute__((unused)))
{
	for (size_t i = 0; i < COUNT_OF(string_cases); i++) {
		const struct string_case *c = &string_cases[i];
		struct strbuf sb = STRBUF_INIT;

		json__string(&sb, c->bytes, c->len);
		if (c->json ? strcmp(sb.data, c->json) != 0 : !is_replaced(sb.data))
			fail_msg("%s: %s", c->name, sb.data);
		strbuf__free(&sb);
	}
}

/* Plain text is copied in strides: each byte at each place of one is what it is by itself. */
static void test_json_bytes_anywhere(void **state __attribute__((unused)))
{
	enum { LEN = 19 };

	for (unsigned byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < LEN; at++) {
			struct strbuf alone = STRBUF_INIT, among = STRBUF_INIT;
			char text[LEN], expected[3 * LEN];
			char c = (char)byte;

			memset(text, 'x', sizeof(text));
			text[at] = c;
			json__string(&alone, &c, 1);
			json__string(&among, text, LEN);
			snprintf(expected, sizeof(expected), "\"%.*s%.*s%.*s\"", (int)at,
				 "xxxxxxxxxxxxxxxxxxx", (int)alone.len - 2, alone.data + 1,
				 (int)(LEN - 1 - at), "xxxxxxxxxxxxxxxxxxx");
			assert_string_equal(among.data, expected);
			strbuf__free(&alone);
			strbuf__free(&among);
		}
}

static char *json_of(const struct sample *s)
{
	struct strbuf sb = STRBUF_INIT;

	json__row(&sb, &session_fields, &s->session, &sample_moment);
	assert_false(sb.failed);
	return sb.data;
}

static void assert_has(const char *json, const char *member)
{
	if (!strstr(json, member))
		fail_msg("%s is missing in %s", member, json);
}

static void test_json_rows(void **state __attribute__((unused)))
{
	static const char *const members[] = {
		"\"local_addr\":\"10.0.0.1\"",
		"\"local_port\":443,",
		"\"direction\":\"in\"",
		"\"state\":\"ESTAB\"",
		"\"peer_state\":\"FIN-WAIT-2\"",
		"\"view\":\"both\"",
		"\"pid\":812,",
		"\"rtt_seconds\":0.012345,",
		"\"tx_bytes\":1500000,",
		"\"conn_state\":\"S2\"",
		"\"handshake_seconds\":0.000123456,",
	};
	static const char *const unknown[] = {
		"\"remote_port\":null", "\"direction\":null",	      "\"peer_state\":null",
		"\"ifname\":null",	"\"handshake_seconds\":null", "\"tx_bytes\":null",
		"\"history\":null",	"\"rtt_seconds\":null",
	};
	struct sample s;
	char *json;

	sample__init(&s);
	json = json_of(&s);
	assert_int_equal(strncmp(json, "{\"schema\":\"tcpwatch.session.v1\",", 32), 0);
	assert_string_equal(json + strlen(json) - 2, "}\n");
	assert_ptr_equal(strchr(json, '\n'), json + strlen(json) - 1);
	for (size_t i = 0; i < COUNT_OF(members); i++)
		assert_has(json, members[i]);
	free(json);
	sample__init_listener(&s);
	json = json_of(&s);
	for (size_t i = 0; i < COUNT_OF(unknown); i++)
		assert_has(json, unknown[i]);
	free(json);
}

static void test_json_of_chosen_fields(void **state __attribute__((unused)))
{
	struct field_list fields = {0};
	struct strbuf sb = STRBUF_INIT;
	struct sample s;

	sample__init(&s);
	assert_int_equal(field_list__parse(&fields, &session_fields, "comm,local"), 0);
	json__chosen_row(&sb, &session_fields, &fields, &s.session, &sample_moment);
	assert_string_equal(sb.data, "{\"schema\":\"tcpwatch.session.v1\",\"comm\":\"nginx\","
				     "\"local\":\"10.0.0.1:443\"}\n");
	strbuf__free(&sb);
}

/* ---- text -------------------------------------------------------------------------------------
 */

static void test_text_columns(void **state __attribute__((unused)))
{
	struct field_list fields = {0};
	struct text_layout layout;
	struct strbuf sb = STRBUF_INIT;
	struct sample s[2];
	const void *rows[] = {&s[0].session, &s[1].session};
	const char *second;

	sample__init(&s[0]);
	sample__init_listener(&s[1]);
	memcpy(s[0].session.owner.comm, "\x1b[2J\xff w\xc3\xa9", 10);
	s[1].session.owner.pid = 0;
	assert_int_equal(field_list__parse(&fields, &session_fields, "comm,tx_bytes,state"), 0);
	text_layout__init(&layout, &fields, false);
	text_layout__fit(&layout, rows, 2, &sample_moment);
	text__heading(&sb, &layout);
	second = sb.data + sb.len;
	assert_int_equal(strchr(sb.data, '\n') - sb.data, sb.len - 1);
	for (size_t i = 0; i < 2; i++) {
		size_t start = sb.len;

		text__row(&sb, &layout, rows[i], &sample_moment);
		/* e with an accent is two bytes and one column */
		assert_int_equal(strcspn(sb.data + start, "EL") - !i, strcspn(sb.data, "S"));
	}
	second = strchr(sb.data, '\n') + 1;
	assert_int_equal(strncmp(second, "\\x1b[2J\\xff w\xc3\xa9 ", 15), 0);
	assert_int_equal(*(strchr(second, '\n') + 1), '-'); /* nobody knows the process */
	strbuf__free(&sb);
}

/* As ss has it, of the local endpoint; JSON has the address alone. */
static void test_scope(void **state __attribute__((unused)))
{
	static const struct {
		const char *scope, *text;
	} cases[] = {
		{NULL, "[fe80::1]:80"},
		{"eth0", "[fe80::1]%eth0:80"},
		{"a\x1b[2J\xc3\xa9", "[fe80::1]%a\\x1b[2J\\xc3\\xa9:80"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		 "[fe80::1]%\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff"
		 "\\xff\\xff:80"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct strbuf sb = STRBUF_INIT;
		struct value value;
		struct sample s;
		char *json;

		sample__init(&s);
		sample__set_endpoints(&s, "fe80::1", 80, "fe80::2", 90);
		s.session.scope = cases[i].scope;
		session_value__local(&s.session, &sample_moment, &value);
		text__value(&sb, &value);
		assert_string_equal(sb.data, cases[i].text);
		strbuf__free(&sb);
		sb = (struct strbuf)STRBUF_INIT;
		session_value__remote(&s.session, &sample_moment, &value);
		text__value(&sb, &value);
		assert_string_equal(sb.data, "[fe80::2]:90");
		json = json_of(&s);
		assert_has(json, "\"local_addr\":\"fe80::1\"");
		assert_has(json, cases[i].scope ? "\"scope\":\"" : "\"scope\":null");
		free(json);
		strbuf__free(&sb);
	}
}

static void test_colors(void **state __attribute__((unused)))
{
	struct field_list fields = {0};
	struct text_layout layout;
	struct strbuf sb = STRBUF_INIT;
	struct sample s;

	sample__init(&s);
	assert_int_equal(field_list__parse(&fields, &session_fields, "state,local"), 0);
	text_layout__init(&layout, &fields, true);
	text__row(&sb, &layout, &s.session, &sample_moment);
	assert_non_null(strstr(sb.data, "\x1b["));
	strbuf__clear(&sb);
	text_layout__init(&layout, &fields, false);
	text__row(&sb, &layout, &s.session, &sample_moment);
	assert_null(strchr(sb.data, '\x1b'));
	strbuf__free(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_strings), cmocka_unit_test(test_json_bytes_anywhere),
		cmocka_unit_test(test_json_rows),    cmocka_unit_test(test_json_of_chosen_fields),
		cmocka_unit_test(test_text_columns), cmocka_unit_test(test_scope),
		cmocka_unit_test(test_colors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
