/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers, addresses and times as text, without printf: these run a million times for one screen.
 * Each writes at @out, without a NUL, at most the bytes its FMT_*_MAX names, and returns how many.
 * Not here: which of them a value takes (output/).
 */
#ifndef TCPWATCH_FMT_H
#define TCPWATCH_FMT_H

#include <stddef.h>
#include <stdint.h>

#define FMT_U64_MAX	 20
#define FMT_I64_MAX	 20
#define FMT_IPV4_MAX	 15
#define FMT_IPV6_MAX	 39
#define FMT_SECONDS_MAX	 21
#define FMT_DURATION_MAX 12
#define FMT_BYTES_MAX	 8
#define FMT_TIME_MAX	 30
#define FMT_RATE_MAX	 23

size_t fmt__u64(char *out, uint64_t v);
size_t fmt__i64(char *out, int64_t v);

/* fmt__ipv4() - four bytes in network order as a dotted quad */
size_t fmt__ipv4(char *out, const uint8_t addr[4]);

/* fmt__ipv6() - sixteen bytes in network order, in the canonical form of RFC 5952 section 4 */
size_t fmt__ipv6(char *out, const uint8_t addr[16]);

/* fmt__seconds() - nanoseconds as decimal seconds, exact, without trailing zeros: "0.000123456",
 * "5" */
size_t fmt__seconds(char *out, uint64_t ns);

/* fmt__duration() - nanoseconds for a reader, three digits or two units: "12.3ms", "1.20s",
 * "3m07s", "2d04h" */
size_t fmt__duration(char *out, uint64_t ns);

/* fmt__thousandths() - as a decimal, exact, without trailing zeros: "-0.125", "12" */
size_t fmt__thousandths(char *out, int64_t thousandths);

/* fmt__rate() - thousandths per second for a reader, three digits: "1.50/s", "-12.3/s", "28232/s"
 */
size_t fmt__rate(char *out, int64_t thousandths);

/* fmt__bytes() - multiples of 1024, three digits: "512", "1.40M", "23.4G" */
size_t fmt__bytes(char *out, uint64_t bytes);

/* fmt__time() - nanoseconds since 1970 as RFC 3339 in UTC: "2025-01-31T23:59:59.000000001Z" */
size_t fmt__time(char *out, uint64_t real_ns);

#endif
