/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether there is memory for the session cache. Not here: making it (wire_view.c).
 */
#ifndef TCPWATCH_CACHE_MEMORY_H
#define TCPWATCH_CACHE_MEMORY_H

#include <stdint.h>

/*
 * cache_memory__check() - of @slots sessions, @bytes, on each CPU online
 *
 * Arrays are made whole, page by page: half of what there is takes seconds, of which is warned, and
 * for what goes beyond it the kernel would kill somebody. Returns 0 or -E2BIG, logged.
 */
int cache_memory__check(uint32_t slots, uint64_t bytes);

#endif
