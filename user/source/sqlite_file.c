/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SQLite is given the file's bytes and no file: it would lock it, and open whatever a user has put
 * in the place of its journal. The bytes are of one state if there was no journal before and after
 * they were read, and the file is as it was: whoever writes makes a journal first.
 */
#include "sqlite_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#define FILE_MAX  (16l << 20)
#define PATH_SIZE 2048
#define STEPS_MAX 1000000 /* of SQLite's machine: a schema of somebody's may go on for ever */

struct image {
	unsigned char *bytes; /* SQLite's memory */
	sqlite3_int64 len;
};

static bool has_journal(const char *path)
{
	char journal[PATH_SIZE];
	struct stat st;

	if (snprintf(journal, sizeof(journal), "%s-journal", path) >= (int)sizeof(journal))
		return true;
	return !lstat(journal, &st) && st.st_size;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_image(int fd, const char *path, struct image *image)
{
	struct stat before, after;
	ssize_t n;

	if (has_journal(path) || fstat(fd, &before))
		return -EAGAIN;
	if (before.st_size > FILE_MAX)
		return -EFBIG;
	image->len = before.st_size;
	image->bytes = sqlite3_malloc64(image->len + 1);
	if (!image->bytes)
		return -ENOMEM;
	n = pread(fd, image->bytes, image->len, 0);
	if (n == image->len && !fstat(fd, &after) && is_same(&before, &after) && !has_journal(path))
		return 0;
	sqlite3_free(image->bytes);
	return -EAGAIN;
}

static int stop(void *ctx __attribute__((unused)))
{
	return 1;
}

static int copy(sqlite3_stmt *query, char *value, size_t size)
{
	const unsigned char *text = sqlite3_column_text(query, 0);
	size_t len = sqlite3_column_bytes(query, 0);

	if (!text || !len)
		return -ENOENT;
	if (len >= size)
		return -ENOSPC;
	memcpy(value, text, len);
	value[len] = '\0';
	return 0;
}

static int run(sqlite3 *db, const char *sql, const char *key, char *value, size_t size)
{
	sqlite3_stmt *query;
	int result, err = -EINVAL;

	if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) != SQLITE_OK)
		return -EINVAL;
	sqlite3_bind_text(query, 1, key, -1, SQLITE_STATIC);
	result = sqlite3_step(query);
	if (result == SQLITE_ROW)
		err = copy(query, value, size);
	else if (result == SQLITE_DONE)
		err = -ENOENT;
	sqlite3_finalize(query);
	return err;
}

int sqlite_file__get(int fd, const char *path, const char *sql, const char *key, char *value,
		     size_t size)
{
	struct image image;
	sqlite3 *db = NULL;
	int err = read_image(fd, path, &image);

	if (err)
		return err;
	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
		sqlite3_free(image.bytes);
		sqlite3_close(db);
		return -ENOMEM;
	}
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_progress_handler(db, STEPS_MAX, stop, NULL);
	/* It frees the bytes, even if it fails. */
	err = sqlite3_deserialize(db, "main", image.bytes, image.len, image.len,
				  SQLITE_DESERIALIZE_READONLY | SQLITE_DESERIALIZE_FREEONCLOSE);
	err = err == SQLITE_OK ? run(db, sql, key, value, size) : -EINVAL;
	sqlite3_close(db);
	return err;
}
