/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pools and hash indexes, against a plain list of what they ought to hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/model/pool.h"

#define N_KEYS	3000 /* the index grows twice */
#define N_STEPS 200000

struct thing {
	struct pool_head head;
	uint32_t key, hash;
};

static const struct {
	const char *name;
	uint32_t hash_mask; /* of the key's hash: few values are long runs of slots */
} cases[] = {
	{"spread", UINT32_MAX},
	{"crowded", 0x3f},
	{"at the end of the slots", 0xffffffc0},
};

static uint32_t hash_of(uint32_t key, uint32_t mask)
{
	return (key * 2654435761u) & mask;
}

static struct thing *find(const struct hash_index *index, uint32_t key, uint32_t hash)
{
	struct thing *thing = hash_index__first(index, hash);

	while (thing && thing->key != key)
		thing = hash_index__next(index, thing);
	return thing;
}

static void toggle(struct pool *pool, struct hash_index *index, bool *is_in, uint32_t key,
		   uint32_t hash)
{
	struct thing *thing = find(index, key, hash);

	assert_int_equal(!!thing, is_in[key]);
	is_in[key] = !is_in[key];
	if (thing) {
		hash_index__remove(index, thing);
		pool__delete(pool, thing);
		return;
	}
	thing = pool__new(pool);
	assert_non_null(thing);
	assert_int_equal(thing->key, 0);
	thing->key = key;
	assert_int_equal(hash_index__insert(index, thing, hash), 0);
}

static void test_against_a_list(void **state __attribute__((unused)))
{
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		uint32_t mask = cases[c].hash_mask, steps = mask == 0x3f ? N_STEPS / 20 : N_STEPS;
		bool is_in[N_KEYS] = {false};
		struct hash_index index;
		uint32_t count = 0;
		struct pool pool;

		print_message("%s\n", cases[c].name);
		srandom(1);
		pool__init(&pool, sizeof(struct thing));
		assert_int_equal(hash_index__init(&index, &pool, offsetof(struct thing, hash)), 0);
		for (uint32_t i = 0; i < steps; i++) {
			uint32_t key = (uint32_t)random() % N_KEYS;

			toggle(&pool, &index, is_in, key, hash_of(key, mask));
		}
		for (uint32_t key = 0; key < N_KEYS; key++) {
			assert_int_equal(!!find(&index, key, hash_of(key, mask)), is_in[key]);
			count += is_in[key];
		}
		assert_int_equal(index.count, count);
		assert_int_equal(pool.count, count);
		hash_index__fini(&index);
		pool__fini(&pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_a_list)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
