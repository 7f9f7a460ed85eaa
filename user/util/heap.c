/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Large pages for what is allocated and freed at once. Not here: memory that stays (model/pool.h).
 */
#include "heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_PAGE  ((uintptr_t)2 << 20)
#define USUAL_BYTES (128 << 10) /* glibc's M_MMAP_THRESHOLD and M_TOP_PAD */
#define MOST_BYTES  (32 << 20)	/* the most that glibc takes for the former */

/* What is larger than a threshold lies in a map of its own: make that few, and the heap's end far.
 */
static void *grow(size_t bytes)
{
	mallopt(M_MMAP_THRESHOLD, MOST_BYTES);
	mallopt(M_TOP_PAD, (int)bytes);
	return malloc(LARGE_PAGE);
}

void heap__expect(size_t bytes)
{
	void *first = grow(bytes);
	uintptr_t start = ((uintptr_t)first + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
	uintptr_t end = (uintptr_t)sbrk(0);

	if (first && start < end)
		(void)madvise((void *)start, end - start, MADV_HUGEPAGE);
	free(first);
}

void heap__settle(void)
{
	mallopt(M_MMAP_THRESHOLD, USUAL_BYTES);
	mallopt(M_TOP_PAD, USUAL_BYTES);
	malloc_trim(USUAL_BYTES);
}
