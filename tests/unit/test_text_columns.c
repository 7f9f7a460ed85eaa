/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Columns of text stay aligned whatever characters a process has put into its name.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sample.h"
#include "user/output/output.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_COLUMNS	16

static void get_name(const void *row, const struct moment *now __attribute__((unused)),
		     struct value *out)
{
	*out = (struct value){.kind = VALUE_TEXT, .text = row, .text_len = strlen(row)};
}

static void get_none(const void *row __attribute__((unused)),
		     const struct moment *now __attribute__((unused)), struct value *out)
{
	*out = (struct value){.kind = VALUE_NONE};
}

static const struct field name_field = {.key = "name",
					.title = "NAME",
					.kind = VALUE_TEXT,
					.min_width = NAME_COLUMNS,
					.get = get_name};
static const struct field none_field = {
	.key = "none", .title = "NONE", .kind = VALUE_TEXT, .min_width = 1, .get = get_none};

static const struct width_case {
	const char *name, *locale, *text;
	size_t columns; /* that the text takes on a terminal */
} cases[] = {
	{"ASCII", "C.UTF-8", "nginx", 5},
	{"wide", "C.UTF-8", "\xe6\x97\xa5\xe6\x9c\xac", 4},
	{"combining", "C.UTF-8", "e\xcc\x81x", 2},
	{"an emoji", "C.UTF-8", "\xf0\x9f\x98\x80", 2},
	{"accented", "C.UTF-8", "caf\xc3\xa9", 4},
	{"a byte that is no UTF-8", "C.UTF-8", "a\xff", 5},
	{"one for each where the locale does not know", "C", "\xe6\x97\xa5\xe6\x9c\xac", 2},
};

static void test_widths(void **state __attribute__((unused)))
{
	const struct field_list fields = {.items = {&name_field, &none_field}, .count = 2};
	struct text_layout layout;

	text_layout__init(&layout, &fields, false);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct width_case *c = &cases[i];
		struct strbuf sb = STRBUF_INIT;
		const char *dash;
		size_t spaces = 0;

		assert_non_null(setlocale(LC_CTYPE, c->locale));
		text__row(&sb, &layout, c->text, &sample_moment);
		dash = strrchr(sb.data, '-');
		while (dash && dash[-1 - (long)spaces] == ' ')
			spaces++;
		if (spaces != NAME_COLUMNS + 2 - c->columns)
			fail_msg("%s: %zu spaces in \"%s\"", c->name, spaces, sb.data);
		strbuf__free(&sb);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
