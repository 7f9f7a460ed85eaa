/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One value of a bolt database (go.etcd.io/bbolt), as podman keeps its state in. Read beside
 * whoever writes it, without a lock. Not here: what is in which bucket (podman_pod.c).
 */
#ifndef TCPWATCH_BOLT_H
#define TCPWATCH_BOLT_H

#include <stddef.h>

/*
 * bolt__get() - a value of the database open at @fd, as a text
 *
 * @path: the buckets within each other and last the key; ends with NULL.
 * Nothing in the file is believed: it may be a user's. Returns 0; -ENOENT: there is no such bucket
 * or key; -EINVAL: not a bolt database, or damaged; -EAGAIN: it changes faster than it can be read;
 * -ENOSPC: longer than @size; or -errno.
 */
int bolt__get(int fd, const char *const path[], char *value, size_t size);

#endif
