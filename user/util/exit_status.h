/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the exit status of tcpwatch says, and which error leads to which. Not here: exit() (main.c).
 */
#ifndef TCPWATCH_EXIT_STATUS_H
#define TCPWATCH_EXIT_STATUS_H

#include <errno.h>

enum exit_status {
	EXIT_OK,
	EXIT_RUNTIME,	/* something failed while running */
	EXIT_USAGE,	/* unknown option, interface or field; a filter that cannot be read */
	EXIT_PRIVILEGE, /* a privilege is missing */
	EXIT_KERNEL,	/* the kernel lacks something required */
	EXIT_STOPPED,	/* told to end before it began: never seen outside, where it is EXIT_OK */
};

/* exit_status__of() - for a negative errno that a failed start gave; 0: EXIT_OK */
static inline enum exit_status exit_status__of(int err)
{
	switch (-err) {
	case 0:
		return EXIT_OK;
	case EINTR:
		return EXIT_STOPPED;
	case EPERM:
	case EACCES:
		return EXIT_PRIVILEGE;
	case EINVAL:
	case ENODEV:
		return EXIT_USAGE;
	case ENOSYS:
	case EOPNOTSUPP:
		return EXIT_KERNEL;
	default:
		return EXIT_RUNTIME;
	}
}

#endif
