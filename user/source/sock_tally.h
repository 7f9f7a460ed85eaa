/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the counts that the socket programs keep (bpf/shared/tally.h): a fixed number of figures,
 * however many sockets there are. Not here: the kernel's own totals (netns_stats.h).
 */
#ifndef TCPWATCH_SOCK_TALLY_H
#define TCPWATCH_SOCK_TALLY_H

#include "bpf/shared/tally.h"
#include "sock_view.h"

/*
 * sock_tally__begin() - count the sockets by state, once, by iterator; the tracepoints go on from
 * there
 *
 * To be called after sock_view__open() with .tally, and again whenever the counts are found wrong:
 * it begins anew, and until it returns counts are too small.
 * @expected: about how many sockets there are.
 * Returns 0 or -errno: what could not be counted is missing.
 */
int sock_tally__begin(struct sock_view *view, size_t expected);

/* sock_tally__read() - sums over CPUs; returns 0 or -errno */
int sock_tally__read(const struct sock_view *view, struct sock_tally *out);

/* sock_tally__of_netns() - sockets by state in the namespace @inum; returns 0 or -errno */
int sock_tally__of_netns(const struct sock_view *view, uint32_t inum, struct netns_tally *out);

/* sock_tally__counts_ends() - the kernel's TW and TWKilled count TIME_WAITs that end, not those
 * that begin (before 5.17) */
bool sock_tally__counts_ends(const struct sock_view *view);

/* sock_tally__forget_netns() - it is gone: drop its counts */
void sock_tally__forget_netns(struct sock_view *view, uint32_t inum);

/*
 * sock_tally__young_close_waits() - call @found with the number of sockets of a namespace that came
 * into CLOSE_WAIT in the second of @since_ns (CLOCK_MONOTONIC) or later and are in it still; drop
 * what is known of earlier ones. Returns 0 or -errno
 */
typedef void (*close_wait_fn)(void *ctx, uint32_t netns, uint64_t count);
int sock_tally__young_close_waits(struct sock_view *view, uint64_t since_ns, close_wait_fn found,
				  void *ctx);

#endif
