/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory that is used for a moment is given back, and what lives on is left alone. */
#include <malloc.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/util/heap.h"

#define MIB (1u << 20)

#ifdef __SANITIZE_ADDRESS__
#define HEAP_IS_GLIBCS false /* the sanitizer's keeps what was freed */
#else
#define HEAP_IS_GLIBCS true
#endif

static size_t resident_bytes(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	size_t pages;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%*u %zu", &pages), 1);
	fclose(statm);
	return pages * sysconf(_SC_PAGESIZE);
}

static void test_gives_back(void **state)
{
	size_t before = resident_bytes();
	char *kept, *large;

	(void)state;
	heap__expect(32 * MIB);
	large = malloc(8 * MIB);
	kept = malloc(100);
	assert_non_null(large);
	assert_non_null(kept);
	memset(large, 1, 8 * MIB);
	strcpy(kept, "kept");
	if (HEAP_IS_GLIBCS)
		assert_int_equal(mallinfo2().hblks, 0); /* no map of its own */
	assert_true(resident_bytes() >= before + 8 * MIB);
	free(large);
	heap__settle();
	assert_string_equal(kept, "kept");
	if (HEAP_IS_GLIBCS)
		assert_true(resident_bytes() < before + 4 * MIB);
	free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_gives_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
