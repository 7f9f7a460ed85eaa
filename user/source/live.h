/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The live source: both views of this kernel, opened from options, polled, and poured into a
 * session table. Not here: what is done with the table (cmd/).
 */
#ifndef TCPWATCH_LIVE_H
#define TCPWATCH_LIVE_H

#include "netns_stats.h"
#include "sock_view.h"
#include "wire_view.h"
#include "user/model/close_wait.h"
#include "user/model/figures.h"
#include "user/model/handshake_alarm.h"
#include "user/model/listener_alarm.h"
#include "user/model/session_table.h"
#include "user/model/timewait_row.h"
#include "user/tap/tap.h"
#include "user/util/exit_status.h"

struct live_options {
	unsigned views;		   /* VIEW_SOCKET | VIEW_WIRE */
	const char *const *ifaces; /* -i patterns; none: interfaces of the default routes */
	size_t n_ifaces;
	const char *const *netns; /* -N words; none: self */
	size_t n_netns;
	const char *const *containers; /* --container words; none: whatever there is */
	size_t n_containers;
	bool want_containers; /* rows tell their containers */
	bool want_nat;	      /* … and what translations of addresses call them, whichever view */
	enum hook_mode hook;
	uint32_t cache_slots; /* sessions for each CPU, 0: default */
	bool follow;	      /* count what happens between two looks: tracepoints are attached */
	bool want_listeners; /* keep what happens at listeners: live__refresh_listeners(); follow */
	bool want_ages;	     /* … and how old what is half open is: a walk through all sockets */
	bool want_owners;    /* … of listeners, with .lean: live__find_listener_owners() */
	bool watch_listeners; /* … once a second: EVENT_BACKLOG_FULL, live_stats.full_listener */
	bool want_events;     /* derive events (on_event is called from poll); implies follow */
	void (*on_event)(void *ctx, const struct event *event);
	/*
	 * The table of sessions stays empty. With on_record: sockets are listed by live__tuples()
	 * instead, and what is followed is who opens and closes them: on_record gets REC_OPENING
	 * and REC_CLOSING, from poll and live__tuples().
	 */
	bool lean;
	record_sink on_record;
	/* Likewise empty: live__list() hands sessions of sockets out one by one, as they are found.
	 * Neither their cookies nor what needs them is known; not with .follow. */
	bool in_passing;
	bool watch_ports; /* look for ports that run low: EVENT_PORTS_LOW, live_stats.ports_low */
	/* Look once a second whether TIME_WAIT is near its limit, processes leak sockets in
	 * CLOSE_WAIT, handshakes fail: EVENT_TIME_WAIT_FULL, …; live_stats */
	bool watch_alarms;
	bool want_tally;	/* count sockets and what they do: live__figures(); lean, follow and
				   want_listeners go with it */
	netns_stat_set figures; /* of live__netns_stats(), beside the source's own */
	/* The process has been told to end: opening, which may take long, is given up then. NULL:
	 * it cannot be told. */
	bool (*is_stopping)(void);
	void *ctx;
};

struct live;

/*
 * live__open() - load, attach, take the first snapshot (live__refresh() is not needed for it)
 *
 * @options and what it points to must outlive the source. Without -i, interfaces that cannot be
 * watched are no failure while the socket view works. Whatever fails is logged. EXIT_STOPPED:
 * .is_stopping said so, and nothing is left open.
 */
enum exit_status live__open(struct live **out, const struct live_options *options);
void live__close(struct live *live); /* detaches everything */

struct session_table *live__table(struct live *live);

/* live__is_following() - what happens between two looks is counted */
bool live__is_following(const struct live *live);

/*
 * live__poll() - wait up to @timeout_ms for records or changes of interfaces, and take them in
 *
 * Returns early, after each batch. Returns 0 or -errno (-EINTR: a signal came).
 */
int live__poll(struct live *live, int timeout_ms);

/* live__fd() - readable when live__poll(live, 0) has something urgent to do */
int live__fd(const struct live *live);

/* live__refresh() - drain, then bring the table up to date with the sockets and the cache. Returns
 * 0 or -errno */
int live__refresh(struct live *live);

/*
 * live__refresh_listeners() - the queues of each listener and what came for it, as they are now
 *
 * Costs with the number of listeners; with want_ages, while connections are half open, also with
 * that of all sockets, but then not more than one twentieth of the time. Returns 0 or -errno,
 * logged.
 */
int live__refresh_listeners(struct live *live);
const struct listener_table *live__listeners(const struct live *live); /* with want_listeners */

/* live__find_listener_owners() - which processes hold them; as live__find_owners() */
int live__find_listener_owners(struct live *live, bool force);

/*
 * live__kernel_counts() - the kernel's own counters since the tool's start, or for @since_begun as
 * they are; of the namespace @netns, or of all that are watched for 0
 */
void live__kernel_counts(const struct live *live, uint32_t netns, bool since_begun,
			 struct netns_values *out);

/*
 * live__tuples() - drain, then list the sockets of each namespace in the lean way
 * (sock_view__tuples). Returns 0 or -errno, logged
 */
int live__tuples(struct live *live, record_sink sink, void *ctx);

/* live__list() - with in_passing, call @visit with the session of each socket, valid during the
 * call. Returns 0 or -errno, logged */
int live__list(struct live *live, session_visitor visit, void *ctx);

/* live__netns_stats() - the kernel's own figures of the namespace @inum; NULL: it is not watched */
const struct netns_stats *live__netns_stats(const struct live *live, uint32_t inum);

/* live__netns() - the namespaces that are watched now */
const struct netns_list *live__netns(const struct live *live);

/*
 * live__find_owners() - ask which processes hold sockets, if any are unowned
 *
 * It takes a look at every open file of every process: without @force not more often than costs
 * one twentieth of the time. Returns 0 or -errno.
 */
int live__find_owners(struct live *live, bool force);

/* live__look_close_wait() - for the fields of a session that tell what its process has in
 * CLOSE_WAIT; the owners are to be known */
void live__look_close_wait(struct live *live);

/* live__needs_owners() - containers are asked for, and cgroups of version 1 in use: where a runtime
 * used those alone only the process of a socket tells its container */
bool live__needs_owners(const struct live *live);

/* Figures for a header. All totals are since the tool's start. */
struct live_stats {
	struct moment now;
	struct session_table_stats table;
	struct sock_counters sock;
	struct wire_view_stats cache;
	struct wire_counters wire;  /* sum over taps */
	struct lost_counters lost;  /* sum over CPUs */
	uint64_t handshakes_failed; /* of this host's sockets, each once; .table has others */
	uint64_t syn_queue, accept_queue_full; /* half-open requests now; listeners whose accept
						  queue is full */
	uint64_t time_wait, time_wait_fin2;    /* TIME_WAIT now; orphaned FIN_WAIT2 minisocks now */
	/* Of destinations whose ports are low, the one with the fewest free; .is_low: there is one.
	 * A copy, for looks go on while it is shown. */
	struct timewait_row ports_low;
	struct syn_fates fates; /* with want_listeners */
	/* Of listeners with a queue that refuses, the worst, and which queue; NULL: none does.
	 * Valid likewise. */
	const struct listener *full_listener; /* a copy that the source keeps */
	enum listener_queue full_queue;
	struct close_wait_leak close_wait;
	/* With watch_alarms: of namespaces whose TIME_WAIT is nearly full the fullest, NULL: none.
	 */
	const char *time_wait_full; /* its name, valid until namespaces are followed again */
	uint64_t time_wait_count, time_wait_limit;
	struct handshake_ends client_failing, server_failing; /* .all 0: they do not fail */
	/* Translations of addresses: those known now; times that news of them were lost and all
	 * were listed anew; those for which there was no room. */
	uint64_t nats, nats_relisted, nats_not_kept;
	uint64_t nats_not_asked; /* namespaces, for want of file descriptors or memory */
	bool has_sock, has_wire;
};
void live__stats(struct live *live, struct live_stats *stats);

/* What of the kernel's own figures live__figures() takes: to be in live_options.figures. */
#define LIVE_FIGURES                                                                             \
	(NETNS_SET(CURR_ESTAB) | NETNS_SET(SOCKETS_IN_USE) | NETNS_SET(SOCKETS6_IN_USE) |        \
	 NETNS_SET(MINISOCKS) | NETNS_SET(TIME_WAIT_MAX) | NETNS_SET(TIME_WAITED) |              \
	 NETNS_SET(TIME_WAIT_RECYCLED) | NETNS_SET(TIME_WAIT_KILLED) |                           \
	 NETNS_SET(TIME_WAIT_OVERFLOW) | NETNS_SET(EMBRYONIC_RESETS) | NETNS_SET(OUT_OF_ORDER) | \
	 NETNS_SET(ZERO_WINDOWS))

/*
 * live__figures() - all that is counted, in time that does not grow with sockets and sessions
 *
 * With .want_tally. Those of the tool's own process are left to the caller, as is
 * figures__free(@figures). Returns 0 or -errno, and what could be read.
 */
int live__figures(struct live *live, struct figures *figures);

const struct tap_set *live__taps(const struct live *live); /* NULL without the wire view */
struct moment live__now(void);

#endif
