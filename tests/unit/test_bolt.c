/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a bolt database: one made here page by page, whole and damaged. That podman's own is read
 * the end-to-end tests show.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "bolt_fixture.h"
#include "user/source/bolt.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE	    BOLT_PAGE
static struct bolt_file db;

/* The root, page 2, has the bucket "pods" with little in it, and "big", a branch of two leaves. */
static void build(void)
{
	const uint64_t here[2] = {0, 0};
	uint8_t inner[16 + 500];

	memset(&db, 0, sizeof(db));
	bolt__put_head(&db, 0, 0, BOLT_LEAF, 1);
	bolt__put_leaf_item(&db, 0, 0, 0, "id1", "web", 3);
	memcpy(inner, here, 16);
	memcpy(inner + 16, db.bytes, 500);
	memset(&db, 0, sizeof(db));
	bolt__put_meta(&db, 0, 2, 6);
	bolt__put_meta(&db, 1, 7, 5); /* the state before: an empty page */
	bolt__put_head(&db, 2 * PAGE, 2, BOLT_LEAF, 3);
	bolt__put_bucket(&db, 2 * PAGE, 0, "big", 3);
	bolt__put_leaf_item(&db, 2 * PAGE, 1, 0, "plain", "text", 4);
	bolt__put_leaf_item(&db, 2 * PAGE, 2, 1, "pods", inner, 300);
	bolt__put_head(&db, 3 * PAGE, 3, BOLT_BRANCH, 2);
	bolt__put_branch_item(&db, 3, 0, "a", 4);
	bolt__put_branch_item(&db, 3, 1, "m", 5);
	bolt__put_head(&db, 4 * PAGE, 4, BOLT_LEAF, 1);
	bolt__put_leaf_item(&db, 4 * PAGE, 0, 0, "b", "first", 5);
	bolt__put_head(&db, 5 * PAGE, 5, BOLT_LEAF, 2);
	bolt__put_leaf_item(&db, 5 * PAGE, 0, 0, "m", "second", 6);
	bolt__put_leaf_item(&db, 5 * PAGE, 1, 0, "n", "third", 5);
	bolt__put_head(&db, 7 * PAGE, 7, BOLT_LEAF, 0);
}

static int get(size_t bytes, const char *const path[], char *value, size_t size)
{
	int fd = memfd_create("bolt", MFD_CLOEXEC), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, db.bytes, bytes), bytes);
	err = bolt__get(fd, path, value, size);
	close(fd);
	return err;
}

static void test_values(void **state)
{
	static const struct {
		const char *name, *path[4];
		int err;
		const char *value;
	} cases[] = {
		{"of a bucket within its parent's page", {"pods", "id1"}, 0, "web"},
		{"at the top", {"plain"}, 0, "text"},
		{"in the first leaf", {"big", "b"}, 0, "first"},
		{"at the start of the second", {"big", "m"}, 0, "second"},
		{"in the second", {"big", "n"}, 0, "third"},
		{"before all", {"big", "A"}, -ENOENT, NULL},
		{"between two", {"big", "c"}, -ENOENT, NULL},
		{"beyond all", {"big", "z"}, -ENOENT, NULL},
		{"no such bucket", {"none", "b"}, -ENOENT, NULL},
		{"the start of a key", {"pods", "id"}, -ENOENT, NULL},
		{"a bucket is no value", {"big"}, -ENOENT, NULL},
		{"a value is no bucket", {"plain", "b"}, -ENOENT, NULL},
	};

	(void)state;
	build();
	for (size_t i = 0; i < N_OF(cases); i++) {
		char value[8] = "";
		int err = get(sizeof(db), cases[i].path, value, sizeof(value));

		if (err != cases[i].err || (!err && strcmp(value, cases[i].value) != 0))
			fail_msg("%s: %d, '%s'", cases[i].name, err, value);
	}
}

static void test_later_of_two_states(void **state)
{
	static const char *const path[] = {"pods", "id1", NULL};
	static const struct {
		const char *name;
		uint64_t txid; /* of the second meta page, whose root is empty */
		size_t damage; /* this byte of the file is changed */
		int err;
	} cases[] = {
		{"the first is later", 5, 0, 0},
		{"the second is later", 7, 0, -ENOENT},
		{"the second is later but damaged", 7, PAGE + 40, 0},
		{"the first is later but damaged", 5, 40, -ENOENT},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char value[8];

		build();
		bolt__put_meta(&db, 1, 7, cases[i].txid);
		db.bytes[cases[i].damage] ^= cases[i].damage != 0;
		if (get(sizeof(db), path, value, sizeof(value)) != cases[i].err)
			fail_msg("%s", cases[i].name);
	}
}

/* What a user may have written into it. */
static void test_damaged(void **state)
{
	static const char *const path[] = {"big", "n", NULL};
	static const struct {
		const char *name;
		size_t at;
		uint32_t value;
		size_t bytes; /* of the file; 0: all */
		int err;
	} cases[] = {
		{"empty", 0, 0, 1, -EINVAL},
		{"cut within the tree", 0, 0, 5 * PAGE - 1, -EINVAL},
		{"a branch that leads to itself", 3 * PAGE + 16 + 16 + 8, 3, 0, -EINVAL},
		{"a page beyond the file", 3 * PAGE + 16 + 16 + 8, 999, 0, -EINVAL},
		{"another page's number", 5 * PAGE, 4, 0, -EINVAL},
		{"neither branch nor leaf", 5 * PAGE + 8, 0x20010, 0, -EINVAL},
		{"more pages than the file has", 5 * PAGE + 12, 4, 0, -EINVAL},
		{"more than is ever read", 5 * PAGE + 12, UINT32_MAX, 0, -EINVAL},
		{"a key beyond the page", 5 * PAGE + 16 + 16 + 4, 5000, 0, -EINVAL},
		{"a key of any length", 5 * PAGE + 16 + 16 + 8, UINT32_MAX, 0, -EINVAL},
		{"a value of any length", 5 * PAGE + 16 + 16 + 12, UINT32_MAX, 0, -EINVAL},
		{"more items than there is room for", 5 * PAGE + 8, 0xffff0002, 0, 0},
		{"a value that is too long", 5 * PAGE + 16 + 16 + 12, 100, 0, -ENOSPC},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char value[8];
		int err;

		build();
		if (cases[i].at)
			bolt__put32(&db, cases[i].at, cases[i].value);
		err = get(cases[i].bytes ? cases[i].bytes : sizeof(db), path, value, sizeof(value));
		if (err != cases[i].err)
			fail_msg("%s: %d", cases[i].name, err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_later_of_two_states),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
