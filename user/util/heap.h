/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The heap where much is allocated and freed at once, as when libbpf reads the kernel's types. */
#ifndef TCPWATCH_HEAP_H
#define TCPWATCH_HEAP_H

#include <stddef.h>

/*
 * heap__expect() - up to @bytes are allocated next, and freed soon: let them lie in large pages
 * heap__settle() - that is over: give back what is free
 *
 * A page fault for every 4 KiB of it takes longer than what is done with them. Without large pages
 * all is as it would be otherwise. Not for threads: only the main one's heap is meant.
 */
void heap__expect(size_t bytes);
void heap__settle(void);

#endif
