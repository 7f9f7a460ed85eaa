/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which columns are on a narrow screen: the names of rows stay, each other one can be reached.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "user/ui/columns.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A capital is a name, to the left; the others are numbers. Each is shown by its letter. */
static const struct field letters[] = {
	{.key = "A", .kind = VALUE_TEXT},  {.key = "B", .kind = VALUE_ENDPOINT},
	{.key = "c", .kind = VALUE_COUNT}, {.key = "d", .kind = VALUE_BYTES},
	{.key = "E", .kind = VALUE_TEXT},  {.key = "f", .kind = VALUE_COUNT},
};

static void make_layout(struct text_layout *layout, struct field_list *fields, uint16_t width)
{
	*fields = (struct field_list){0};
	layout->fields = fields;
	for (size_t i = 0; i < COUNT_OF(letters); i++) {
		fields->items[fields->count] = &letters[i];
		layout->width[fields->count++] = width;
	}
}

static void describe(const struct columns_view *view, char *out, size_t size)
{
	int len = 0;

	for (size_t i = 0; i < view->fields.count; i++) {
		len += snprintf(out + len, size - len, "%s%s", view->fields.items[i]->key,
				i + 1 == view->n_fixed ? "|" : "");
		assert_int_equal(view->layout.width[i], 10);
	}
	snprintf(out + len, size - len, "%s%s", view->has_left ? " <" : "",
		 view->has_right ? " >" : "");
}

/* Six columns of ten, with two between: 70 in all. */
static void test_views(void **state __attribute__((unused)))
{
	static const struct {
		unsigned width;
		size_t skip, left_out;
		const char *view;
	} cases[] = {
		{70, 0, 0, "ABcdEf|"},	 {70, 3, 0, "ABcdEf|"},	   {200, 9, 0, "ABcdEf|"},
		{69, 0, 0, "AB|cdEf >"}, {69, 1, 1, "AB|dEf <"},   {69, 9, 1, "AB|dEf <"},
		{44, 0, 0, "AB|cdEf >"}, {44, 1, 1, "AB|dEf < >"}, {44, 9, 3, "AB|f <"},
		{43, 0, 0, "A|BcdEf >"}, {43, 9, 3, "A|Ef <"},	   {32, 0, 0, "A|BcdEf >"},
		{31, 0, 0, "ABcdEf >"},	 {31, 2, 2, "cdEf < >"},   {31, 9, 4, "Ef <"},
		{5, 0, 0, "ABcdEf >"},	 {5, 9, 5, "f <"},	   {0, 9, 5, "f <"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct columns_view view;
		struct field_list fields;
		struct text_layout all = {0};
		char text[64];
		size_t left_out;

		make_layout(&all, &fields, 10);
		left_out = columns__view(&view, &all, cases[i].width, cases[i].skip);
		describe(&view, text, sizeof(text));
		if (strcmp(text, cases[i].view) || left_out != cases[i].left_out)
			fail_msg("%u wide, %zu out: \"%s\", %zu left out", cases[i].width,
				 cases[i].skip, text, left_out);
	}
}

/* Whatever the width and the widths, some number of steps to the right shows each column whole, if
 * it fits at all. */
static void test_each_is_reached(void **state __attribute__((unused)))
{
	for (unsigned width = 0; width < 120; width++) {
		for (size_t index = 0; index < COUNT_OF(letters); index++) {
			struct columns_view view;
			struct field_list fields;
			struct text_layout all = {0};
			size_t skip, at = 0;

			make_layout(&all, &fields, 10);
			skip = columns__skip_to(&all, width, 0, index);
			assert_int_equal(columns__view(&view, &all, width, skip), skip);
			while (at < view.fields.count && view.fields.items[at] != &letters[index])
				at++;
			assert_true(at < view.fields.count);
			if (width >= 10)
				assert_true(columns__width(&view.layout, 0, at + 1) <= width);
			assert_true(columns__skip_to(&all, width, skip, 0) <= skip);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_each_is_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
