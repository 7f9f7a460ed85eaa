/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A reading of all that is counted: what an exporter writes. A number of fixed size, but for a few
 * rows for each namespace, tap and listener. Not here: where it is read (source/live.h), how it is
 * written (output/metrics.h).
 */
#ifndef TCPWATCH_FIGURES_H
#define TCPWATCH_FIGURES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/shared/abi.h"
#include "bpf/shared/tally.h"
#include "session.h"

/* A figure that may be unknown: then nothing is written. */
struct figure {
	bool is_known;
	uint64_t value;
};

static inline struct figure figure__of(uint64_t value)
{
	return (struct figure){true, value};
}

struct netns_figures {
	char name[NAME_MAX + 1];      /* hostile bytes */
	uint64_t sockets[TCPS_COUNT]; /* by state, if .has_sock of the whole */
	struct figure time_wait, time_wait_limit;
	struct figure close_wait_old; /* in CLOSE_WAIT for more than FIGURES_OLD_NS */
};

#define FIGURES_OLD_NS (60 * TW_NSEC_PER_SEC)

struct tap_figures {
	char netns[NAME_MAX + 1];
	char name[16]; /* of the interface; hostile bytes */
	const char *ingress, *egress;
	uint64_t bytes, segments;
};

/* A listener, or those of one address and port together, or all beyond the most that are wanted. */
struct listener_figures {
	bool is_other; /* the last: it has no namespace, address and port */
	bool is_v6;    /* of the socket */
	uint16_t port;
	struct ip_addr addr;
	char netns[NAME_MAX + 1];
	uint64_t syn_queue, accept_queue, accept_queue_limit, overflows;
	struct figure syn_queue_limit;
};

/* Ports that connect() may choose, for the most used remote endpoints. */
struct port_figures {
	char netns[NAME_MAX + 1];
	struct endpoint remote;
	uint64_t used, usable;
};

#define FIGURES_PORTS_MAX 10

struct figures {
	bool has_sock, has_wire; /* that view is on: what is of it below is known */
	bool is_moment;		 /* one look: what is counted over time is unknown */
	/* Of the socket view. */
	struct sock_counters sock;
	struct sock_tally tally;
	const char *reset_reasons[RESET_REASON_SLOTS]; /* static text; NULL: the kernel has no such
							*/
	struct netns_figures *netns;
	size_t n_netns;
	struct listener_figures *listeners;
	size_t n_listeners;
	struct port_figures ports[FIGURES_PORTS_MAX];
	size_t n_ports;
	/* Of the wire view. */
	struct wire_counters wire; /* sum over taps */
	uint64_t cache_capacity;
	struct tap_figures *taps;
	size_t n_taps;
	bool has_fates; /* taps look at the listener of each SYN */
	uint64_t syn_fate[SYN_FATE_COUNT];
	/* The kernel's own counters since the tool's start, summed over namespaces. */
	struct figure server_timeouts;	/* SYN-ACKs that the kernel gave up */
	struct figure server_overflows; /* … whose acknowledgement the accept queue had dropped */
	struct figure embryonic_resets, out_of_order, zero_windows;
	struct figure time_wait_begun, time_wait_ended, time_wait_recycled, time_wait_overflow;
	/* Of the tool itself. */
	struct lost_counters lost;
	uint64_t recounts; /* times that sockets by state were counted anew */
	uint64_t write_errors;
	uint64_t start_real_ns; /* since 1970 */
	uint64_t cpu_ns;
	uint64_t resident_bytes;
};

/* figures__add_netns(), figures__add_tap(), figures__add_listener() - a zeroed row, or NULL
 * (ENOMEM) */
struct netns_figures *figures__add_netns(struct figures *figures);
struct tap_figures *figures__add_tap(struct figures *figures);
struct listener_figures *figures__add_listener(struct figures *figures);

/*
 * figures__bound_listeners() - merge rows of the same namespace, address and port (SO_REUSEPORT),
 * sort them, and sum what is beyond the first @max into one row "other"
 *
 * Which are first depends on namespace and port alone, so that series do not come and go.
 */
void figures__bound_listeners(struct figures *figures, size_t max);
void figures__free(struct figures *figures); /* its rows */

#endif
