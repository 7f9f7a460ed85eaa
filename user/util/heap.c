/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Large pages, where the kernel has them.
 */
#include "heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_PAGE ((uintptr_t)2 << 20)
#define USUAL_PAD  (128 << 10) /* glibc's M_TOP_PAD */
#define MOST_BYTES (32 << 20)  /* the most that glibc takes for M_MMAP_THRESHOLD */
/*
 * glibc raises the threshold by itself to the largest piece that was freed, and trims at twice as
 * much, until mallopt() is called. So large a piece of the kernel's types had it come to.
 */
#define USUAL_BYTES (8 << 20)

void heap__use_large_pages(void *memory, size_t size)
{
	uintptr_t start = ((uintptr_t)memory + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
	uintptr_t end = ((uintptr_t)memory + size) & ~(LARGE_PAGE - 1);

	if (start < end)
		(void)madvise((void *)start, end - start, MADV_HUGEPAGE);
}

/*
 * What is larger than a threshold lies in a map of its own: let nothing be, and the heap's end be
 * far.
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
	char *end = sbrk(0);

	if (first && (char *)first < end)
		heap__use_large_pages(first, end - (char *)first);
	free(first);
}

void heap__settle(void)
{
	mallopt(M_MMAP_THRESHOLD, USUAL_BYTES);
	mallopt(M_TRIM_THRESHOLD, 2 * USUAL_BYTES);
	mallopt(M_TOP_PAD, USUAL_PAD);
	malloc_trim(USUAL_PAD);
}
