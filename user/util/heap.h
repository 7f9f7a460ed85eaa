/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Large pages for memory that there is much of. Where the kernel has none all is as it would be
 * otherwise. Not here: objects (model/pool.h).
 */
#ifndef TCPWATCH_HEAP_H
#define TCPWATCH_HEAP_H

#include <stddef.h>

/*
 * heap__use_large_pages() - let what was allocated and not touched yet lie in large pages
 *
 * Where memory is used at random they spare the processor most of the look-ups of pages, and the
 * kernel most of the faults.
 */
void heap__use_large_pages(void *memory, size_t size);

/*
 * heap__expect() - up to @bytes are allocated next, and freed soon: let them lie in large pages
 * heap__settle() - that is over: give back what is free
 *
 * As when libbpf reads the kernel's types: a page fault for every 4 KiB of it takes longer than
 * what is done with them. Not for threads: only the main one's heap is meant.
 */
void heap__expect(size_t bytes);
void heap__settle(void);

#endif
