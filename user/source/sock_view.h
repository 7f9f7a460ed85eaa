/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The socket view: tracepoints attached, sockets listed by iterator, owners found by iterator.
 * Hands records to a sink. Not here: the join with the wire view (model/session_table.h).
 */
#ifndef TCPWATCH_SOCK_VIEW_H
#define TCPWATCH_SOCK_VIEW_H

#include "bpf/shared/abi.h"
#include "user/tap/listener_maps.h"
#include "user/tap/netns.h"

/* Where records go; @record is valid during the call. */
typedef void (*record_sink)(void *ctx, const union record *record);
/* Whole records fill @len bytes from @first on. Returns how many of these bytes were made use of.
 */
typedef size_t (*record_herald)(void *ctx, const union record *first, size_t len);

struct sock_view;

/* Maps shared with the wire view. */
struct sock_maps {
	int records_fd; /* ring buffer */
	int lost_fd;	/* per-CPU struct lost_counters */
	struct listener_maps listeners;
};

/*
 * sock_view__open() - load and attach the tracepoints; from then on no transition is missed
 *
 * @config: record_mask, wake_bytes, follow and may_walk; the rest is set here, filter_netns from
 * @netns (all: no filter). The tracepoints are loaded, and anything counted, only with follow or if
 * record_mask has one of their records (REC_SOCK_STATE, …), and an iterator only if it has that
 * one's (REC_SOCK, REC_OWNER, REC_TUPLE, REC_REQUEST): whoever wants one thing alone starts faster.
 * @netns: stays the caller's and must outlive the view; a snapshot covers what is in it by then.
 * @maps: stay the caller's.
 * Returns 0 or -errno after logging.
 */
int sock_view__open(struct sock_view **out, const struct netns_list *netns,
		    const struct sock_config *config, const struct sock_maps *maps);
void sock_view__close(struct sock_view *view);

/* sock_view__follow_netns() - the list of namespaces has changed: watch those that are in it now.
 * Returns 0 or -errno */
int sock_view__follow_netns(struct sock_view *view);

/*
 * sock_view__snapshot() - for each namespace SNAPSHOT_BEGIN, a REC_SOCK for every TCP socket,
 * SNAPSHOT_END
 *
 * A namespace that vanished is given an empty snapshot that is not ok. Returns 0 or -errno.
 */
int sock_view__snapshot(struct sock_view *view, record_sink sink, void *ctx);

/*
 * sock_view__announce() - from now on @herald is shown the records that iterators find, a run of
 * them at a time, before the first of the run goes to the sink
 */
void sock_view__announce(struct sock_view *view, record_herald herald, void *ctx);

/*
 * sock_view__listeners() - likewise, but a REC_LISTENER for every listener, and nothing else is
 * looked at; sock_view__requests() - a REC_REQUEST for every half-open connection
 *
 * Only with count_listeners, and requests only if record_mask has REC_REQUEST.
 */
int sock_view__listeners(struct sock_view *view, record_sink sink, void *ctx);
int sock_view__requests(struct sock_view *view, record_sink sink, void *ctx);

/*
 * sock_view__listener_owners() - a REC_OWNER for each of the listeners @cookies that a process has
 * open
 *
 * Looks at open files until all are found. Only with count_listeners and if record_mask has
 * REC_OWNER. Returns 0 or -errno.
 */
int sock_view__listener_owners(struct sock_view *view, const uint64_t *cookies, size_t count,
			       record_sink sink, void *ctx);

/*
 * sock_view__tuples() - likewise, but of each socket only what accounts of ports and of TIME_WAIT
 * need: REC_TUPLE, listeners first, and REC_TUPLES_END before SNAPSHOT_END
 */
int sock_view__tuples(struct sock_view *view, record_sink sink, void *ctx);
/* … of the namespace @ns alone */
int sock_view__tuples_of(struct sock_view *view, const struct netns *ns, record_sink sink,
			 void *ctx);

/* sock_view__is_quiet() - the namespace @inum had no socket when it was last listed, nor since: it
 * is given an empty list without a look. Never without the tracepoints */
bool sock_view__is_quiet(const struct sock_view *view, uint32_t inum);

/* sock_view__forget_netns() - it is gone: the kernel gives its number to another one */
void sock_view__forget_netns(struct sock_view *view, uint32_t inum);

/* sock_view__owners() - a REC_OWNER for every TCP socket that a process has open. Returns 0 or
 * -errno */
int sock_view__owners(struct sock_view *view, record_sink sink, void *ctx);

/* Half-open connections at listeners that the kernel has given up. */
struct requests_given_up {
	uint64_t timed_out;   /* nothing acknowledged the SYN-ACK */
	uint64_t accept_full; /* something did, and a full accept queue dropped it */
};

/*
 * sock_view__given_up() - so far, each once
 *
 * Only with time_requests. Inferred: a SYN-ACK that has been sent again, and then was not for
 * longer than the kernel's timer runs. A client's RST to it counts too; where it is never sent
 * again (tcp_synack_retries 0) none is counted.
 */
struct requests_given_up sock_view__given_up(struct sock_view *view, uint64_t now_ns);

/* sock_view__counters() - sums over CPUs; returns 0 or -errno */
int sock_view__counters(const struct sock_view *view, struct sock_counters *out);

#endif
