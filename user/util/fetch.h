/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sending for memory before it is looked at, where a processor cannot see that coming.
 */
#ifndef TCPWATCH_FETCH_H
#define TCPWATCH_FETCH_H

#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE 64

/* fetch__range() - ask the processor for the @size bytes at @start, each line of them */
static inline void fetch__range(const void *start, size_t size)
{
	const char *end = (const char *)start + size;

	for (const char *at = (const char *)start - (uintptr_t)start % CACHE_LINE; at < end;
	     at += CACHE_LINE)
		__builtin_prefetch(at);
}

#endif
