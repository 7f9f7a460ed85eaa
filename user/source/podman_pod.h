/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pods of podman, whose names only its database has. It is read, never written. Not here: its
 * containers' names, which are in files of their own (container_state.h).
 */
#ifndef TCPWATCH_PODMAN_POD_H
#define TCPWATCH_PODMAN_POD_H

#include "user/model/container.h"

/*
 * podman_pod__find() - fill in the pod that @container is of, its id and its name
 *
 * @root: before every path; "" on the host itself. The database is that of the container's user.
 * Returns 0; -ENOENT: it is of none, or no database tells; -EAGAIN: one is being written.
 */
int podman_pod__find(const char *root, struct container *container);

#endif
