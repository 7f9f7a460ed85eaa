/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes the empty description, once, in a file that has no name.
 */
#include "no_btf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/btf.h>

static int write_all(int fd, const void *data, size_t size)
{
	ssize_t n = write(fd, data, size);

	return n == (ssize_t)size ? 0 : -EIO;
}

static int make(void)
{
	struct btf *btf = btf__new_empty();
	const void *data;
	__u32 size;
	int fd = -1;

	/* One type, as libbpf takes a file without any for a broken one. */
	if (btf && btf__add_int(btf, "int", 4, BTF_INT_SIGNED) > 0) {
		data = btf__raw_data(btf, &size);
		fd = data ? memfd_create("tcpwatch-btf", MFD_CLOEXEC) : -1;
		if (fd >= 0 && write_all(fd, data, size)) {
			close(fd);
			fd = -1;
		}
	}
	btf__free(btf);
	return fd;
}

const char *no_btf__path(void)
{
	static char path[32];
	int fd;

	if (path[0])
		return path;
	fd = make(); /* stays open as long as the process */
	if (fd < 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}
