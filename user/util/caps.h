/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Capabilities of this process, see capabilities(7). Not here: which of them are needed, and for
 * what.
 */
#ifndef TCPWATCH_CAPS_H
#define TCPWATCH_CAPS_H

#include <stdbool.h>
#include <stdint.h>

/* caps__effective() - 1 << CAP_* of each; 0 if nobody knows */
uint64_t caps__effective(void);

/* caps__has() - CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON (bpf_capable() and
 * perfmon_capable() in include/linux/capability.h) */
bool caps__has(uint64_t caps, unsigned cap);

#endif
