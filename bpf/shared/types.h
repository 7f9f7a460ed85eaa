/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Integer types and the few annotations that headers shared by BPF programs and native code need.
 * Not here: anything of the kernel's own types (vmlinux/) or of libc.
 */
#ifndef TCPWATCH_SHARED_TYPES_H
#define TCPWATCH_SHARED_TYPES_H

#include <linux/types.h>
#include <stdbool.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* For loops the verifier should not have to follow (without CAP_PERFMON it refuses any). */
#ifdef __clang__
#define TW_UNROLL _Pragma("unroll")
#else
#define TW_UNROLL
#endif

#define TW_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TW_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The compiler neither moves loads and stores across it nor makes do with what it loaded before. */
#define barrier() asm volatile("" ::: "memory")

/* Network byte order, without libc or bpf_endian.h: both compilers fold it to one instruction. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TW_BE16(x) __builtin_bswap16(x)
#define TW_BE32(x) __builtin_bswap32(x)
#else
#define TW_BE16(x) (x)
#define TW_BE32(x) (x)
#endif

#define TW_NSEC_PER_SEC	 1000000000ULL
#define TW_NSEC_PER_MSEC 1000000ULL

#endif
