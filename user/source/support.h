/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this kernel and these privileges allow. Not here: showing it (cmd/doctor.c).
 */
#ifndef TCPWATCH_SUPPORT_H
#define TCPWATCH_SUPPORT_H

#include "user/util/exit_status.h"

/*
 * support__require() - that @views (VIEW_*) can work here, as far as a few system calls tell
 *
 * Returns EXIT_OK, or EXIT_PRIVILEGE or EXIT_KERNEL after logging what to do.
 */
enum exit_status support__require(unsigned views);

#endif
