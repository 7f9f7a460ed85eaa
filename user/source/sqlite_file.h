/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One value of an SQLite database with a rollback journal, as podman keeps its state in since
 * version 5. Read beside whoever writes it, without a lock. Not here: what is in which table
 * (podman_pod.c).
 */
#ifndef TCPWATCH_SQLITE_FILE_H
#define TCPWATCH_SQLITE_FILE_H

#include <stddef.h>

/*
 * sqlite_file__get() - what the query @sql gives for @key, its only parameter, as a text
 *
 * @fd: the database, a regular file; @path: its name, beside which its journal would be. Nothing in
 * it is believed: it may be a user's. Returns 0; -ENOENT: nothing; -EINVAL: not a database, or not
 * of this form; -EAGAIN: it is being written; -EFBIG; -ENOSPC: longer than @size; or -errno.
 */
int sqlite_file__get(int fd, const char *path, const char *sql, const char *key, char *value,
		     size_t size);

#endif
