/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How much memory this host can give.
 */
#ifndef TCPWATCH_MEMORY_H
#define TCPWATCH_MEMORY_H

#include <stdint.h>

/* memory__available() - bytes that can be had without swapping, MemAvailable of /proc/meminfo;
 * UINT64_MAX if nobody knows */
uint64_t memory__available(void);

#endif
