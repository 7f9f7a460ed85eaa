/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a value of an SQLite database without its file being locked or waited for: databases that
 * SQLite made, being written, damaged, hostile.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "user/source/sqlite_file.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define TABLE	    "CREATE TABLE PodConfig (ID TEXT PRIMARY KEY, Name TEXT, JSON TEXT);"
#define QUERY	    "SELECT Name FROM PodConfig WHERE ID = ?"

static void make(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void write_beside(const char *path, const char *suffix, const char *text)
{
	char name[128];
	FILE *file;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	file = fopen(name, "r+");
	if (!file)
		file = fopen(name, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int get(const char *path, char *value, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	assert_true(fd >= 0);
	err = sqlite_file__get(fd, path, QUERY, "id1", value, size);
	close(fd);
	return err;
}

static void test_values(void **state)
{
	static const struct {
		const char *name, *sql, *journal; /* what is beside it; NULL: nothing */
		const char *damage; /* the file begins with this; NULL: with what it does */
		int err;
		const char *value;
	} cases[] = {
		{"a name", TABLE "INSERT INTO PodConfig VALUES ('id1', 'web', '{}')", NULL, NULL, 0,
		 "web"},
		{"among many",
		 TABLE "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 5000) "
		       "INSERT INTO PodConfig SELECT 'id' || x, 'name' || x, '{}' FROM n",
		 NULL, NULL, 0, "name1"},
		{"another's", TABLE "INSERT INTO PodConfig VALUES ('id2', 'web', '{}')", NULL, NULL,
		 -ENOENT, NULL},
		{"no name", TABLE "INSERT INTO PodConfig VALUES ('id1', NULL, '{}')", NULL, NULL,
		 -ENOENT, NULL},
		{"a long name",
		 TABLE "INSERT INTO PodConfig VALUES ('id1', 'a name that is too long', '')", NULL,
		 NULL, -ENOSPC, NULL},
		{"being written", TABLE "INSERT INTO PodConfig VALUES ('id1', 'web', '{}')",
		 "journal", NULL, -EAGAIN, NULL},
		{"an empty journal, as TRUNCATE leaves",
		 TABLE "INSERT INTO PodConfig VALUES ('id1', 'web', '{}')", "", NULL, 0, "web"},
		{"another schema", "CREATE TABLE Pods (ID TEXT)", NULL, NULL, -EINVAL, NULL},
		{"no database", TABLE, NULL, "something else", -EINVAL, NULL},
		{"a view without end",
		 "CREATE VIEW PodConfig AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x "
		 "FROM n) "
		 "SELECT 'id' || (x + 1) AS ID, 'web' AS Name FROM n",
		 NULL, NULL, -EINVAL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char dir[] = "/tmp/tcpwatch-XXXXXX", path[64], journal[80], value[16] = "";
		int err;

		assert_non_null(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/db.sql", dir);
		snprintf(journal, sizeof(journal), "%s-journal", path);
		make(path, cases[i].sql);
		if (cases[i].damage)
			write_beside(path, "", cases[i].damage);
		if (cases[i].journal)
			write_beside(path, "-journal", cases[i].journal);
		err = get(path, value, sizeof(value));
		(void)unlink(journal);
		(void)unlink(path);
		(void)rmdir(dir);
		if (err != cases[i].err || (!err && strcmp(value, cases[i].value) != 0))
			fail_msg("%s: %d, '%s'", cases[i].name, err, value);
	}
}

/* Whoever writes it is neither waited for nor held up. */
static void test_beside_a_writer(void **state)
{
	char dir[] = "/tmp/tcpwatch-XXXXXX", path[64], value[16];
	sqlite3 *db;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db.sql", dir);
	make(path, TABLE "INSERT INTO PodConfig VALUES ('id1', 'web', '{}')");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "BEGIN EXCLUSIVE; UPDATE PodConfig SET Name = 'new'; "
				      "SELECT * FROM PodConfig",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(get(path, value, sizeof(value)), -EAGAIN);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(get(path, value, sizeof(value)), 0);
	assert_string_equal(value, "new");
	sqlite3_close(db);
	(void)unlink(path);
	(void)rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_beside_a_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
