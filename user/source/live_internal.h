/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The inside of the live source, shared by its files alone: opening and closing (live_open.c),
 * taking records in (live.c), figures (live_stats.c), containers (live_containers.c), namespaces
 * that come and go (live_netns.c).
 */
#ifndef TCPWATCH_LIVE_INTERNAL_H
#define TCPWATCH_LIVE_INTERNAL_H

#include "conntrack.h"
#include "containers.h"
#include "live.h"
#include "user/model/time_wait_alarm.h"
#include "user/tap/netns_watch.h"

/* What a snapshot of the sockets shows that the table does not keep. */
struct snapshot_tally {
	uint64_t syn_queue, accept_queue_full;
	uint64_t time_wait, time_wait_fin2;
};

/* What is costly is not done more often than takes a share of the time. */
struct pace {
	uint64_t began_ns, cost_ns; /* of the last time; 0: never */
	uint32_t share;		    /* one part in so many; 0: the usual */
};

/* pace__may() - is it time again, at @now_ns? pace__took() - it was done, begun at @began_ns */
bool pace__may(const struct pace *pace, uint64_t now_ns);
void pace__took(struct pace *pace, uint64_t began_ns);

/* The kernel's own counters of one namespace. */
struct netns_counters {
	struct netns_stats *stats;
	struct netns_values at_start;
	struct netns_values last; /* read */
	bool was_quiet;		  /* … when there were no sockets in it */
	struct time_wait_alarm time_wait;
};

/* Whether sockets by state, which are counted by differences, are still what the kernel says. */
struct recount {
	unsigned looks; /* in a row at which they were not */
	uint64_t last_ns, times;
};

/* With watch_alarms. */
struct alarms {
	struct pace pace, close_wait_pace;
	struct handshake_alarm *handshakes; /* NULL: events are not derived */
	uint64_t n_failed, n_counted;	    /* handshakes, as events or counters tell */
	/* Of this host's sockets, by what is counted: where no events are derived. */
	struct side_failing {
		struct failing failing;
		struct handshake_ends so_far;
	} client, server;
};

/* What a word of --container names. */
struct chosen_container {
	const struct container *container;
	uint32_t netns;	 /* 0: it does not run */
	int process_fd;	 /* a pidfd: once it has ended another may be in that network */
	unsigned to_tap; /* how often still to look for interfaces that it may be given yet */
};

/* For network namespaces that come and go. */
struct netns_looks {
	struct netns_watch *watch;   /* NULL: there is none */
	uint64_t checked_ns;	     /* when all were last looked at without a sign */
	uint64_t next_ns, pause_ns;  /* on a sign: when to look, 0: not; and how soon again */
	uint64_t looked_ns, cost_ns; /* the last look, and what it took */
	uint32_t heard;		     /* the last one that a record named */
};

/* Translations of addresses, by the namespaces that may make them: those watched and the tool's
 * own, which is most often the host's. */
struct live_nats {
	struct nat_table *table; /* NULL: nobody asks for them */
	struct netns_list home;
	struct conntrack **sources;
	size_t n_sources;
	int epoll_fd;	  /* of the sources; looked at, never waited for */
	bool is_loaded;	  /* conntrack was there at the last look … */
	long looked_nsec; /* … which was in this jiffy, by CLOCK_MONOTONIC_COARSE */
	uint64_t n_relisted, n_not_kept, n_not_asked;
};

struct live {
	struct live_options options;
	struct netns_list netns;
	struct containers *containers;	 /* NULL: nobody asks for them */
	struct netns_list home;		 /* with --container: the tool's own namespace */
	struct chosen_container *chosen; /* … and one for each of its words */
	struct session_table *table;
	struct sock_view *sock;
	struct wire_view *wire;
	struct tap_set *taps;
	struct ring_buffer *ring;
	int ring_fd, lost_fd, epoll_fd;
	struct listener_maps listener_maps;
	int n_cpus;
	int tick_ms;		   /* how long the next wait may last */
	size_t n_drained;	   /* records of the drain under way */
	uint64_t drained_ns;	   /* when the ring buffer was last read to its end */
	bool has_missed;	   /* segments since the last scan of the caches */
	int apply_err;		   /* the first error of the table since it was last told */
	uint64_t opened_ns;	   /* when it all began */
	uint64_t now_ns;	   /* of the batch under way */
	struct lost_counters lost; /* told so far … */
	uint64_t lost_checked_ns;  /* … at this time */
	struct snapshot_tally tally, counting; /* of the last snapshot, of the one under way */
	struct netns_counters *counters;
	size_t n_counters;
	struct close_waits close_waits;
	struct alarms alarms;
	struct netns_values past; /* of namespaces that are gone */
	struct listener_table *listeners;
	bool full_at_limit; /* of this kernel's SYN queues: syn_rule.h */
	struct listener full_listener;
	struct listener_counters *counts_per_cpu; /* room for one key */
	struct pace listeners_pace, requests_pace, listener_owners_pace, owners_pace, scan_pace;
	struct scope *scopes; /* live_scopes.c */
	uint64_t scanned_ns;  /* when the last scan of the caches began, 0: it failed, or there was
				 none */
	struct netns_looks looks;
	struct live_nats nats;
	struct live_ports *ports; /* NULL: not watched */
	struct recount recount;
	uint64_t tidied_ns;
	uint64_t time_wait_ended; /* the most that was told: a counter does not go back */
};

/* live__has_figures() - the kernel's own figures of namespaces are asked for */
static inline bool live__has_figures(const struct live *live)
{
	return live->options.follow || live->options.want_listeners || live->options.figures;
}

/* live__on_ring() - what the ring buffer calls with each record */
int live__on_ring(void *ctx, void *data, size_t size);

/* What the table asks of its surroundings (struct session_table_env); @ctx is the live source. */
/* live__ifname() - the name of an interface, valid until live_scopes__tidy(); NULL: not known.
 * live_scopes__tidy() - forget those that nobody asked for since */
void live_scopes__tidy(struct live *live, uint64_t before_ns);
const char *live__ifname(void *ctx, uint32_t netns, uint32_t ifindex);
bool live__is_local(void *ctx, uint32_t tap, const struct ip_addr *addr);
void live__tap_facts(void *ctx, uint32_t tap, struct tap_facts *out);
const char *live__netns_name(void *ctx, uint32_t netns);
const struct container *live__container(void *ctx, const struct session *session);
void live__pull(void *ctx, struct session_table *table, const struct flow_key *key);
void live__on_event(void *ctx, const struct event *event);
const char *live__reset_reason(void *ctx, int reason);
const struct close_wait_holder *live__close_wait(void *ctx, const struct session *session);

/* live_nat__open() - hear of translations, if anybody asks for them. Returns 0 or -errno, logged */
int live_nat__open(struct live *live);
void live_nat__close(struct live *live);
bool live_nat__is_wanted(const struct live *live);
/* live_nat__add_netns() - @ns is watched from now on; live_nat__forget_netns() - it is gone */
void live_nat__add_netns(struct live *live, const struct netns *ns);
void live_nat__forget_netns(struct live *live, uint32_t inum);
/* live_nat__read() - take in what is told, without waiting */
void live_nat__read(struct live *live);
const struct nat *live__nat(void *ctx, const struct flow_key *key, enum nat_side side,
			    const struct nat *after);
void live__nat_news(void *ctx);

/* live_netns__open() - with -N all: watch for signs of new namespaces. Returns 0 or -errno */
int live_netns__open(struct live *live);
void live_netns__close(struct live *live);
/* live_netns__take_sign() - if @fd is readable because of one; else false */
bool live_netns__take_sign(struct live *live, int fd);
/* live_netns__heard_of() - a record names this namespace, which may be new */
void live_netns__heard_of(struct live *live, uint32_t inum);
/* live_netns__wait_ms() - how long the next wait may last for their sake */
int live_netns__wait_ms(const struct live *live, int at_most_ms);
/* live_netns__follow() - take in those that have appeared, let go of those that nobody keeps */
void live_netns__follow(struct live *live);

/* live__open_containers() - if anybody asks for them. Returns 0 or -errno, logged */
int live__open_containers(struct live *live);
void live__close_containers(struct live *live);
/* live__tap_outside() - tap what the chosen container in @ns talks through, by itself: without -i.
 * Returns the number of taps or -errno, logged */
int live__tap_outside(struct live *live, const struct netns *ns);
/* live__follow_containers() - find those of --container again that were started anew */
void live__follow_containers(struct live *live);
/* live__lose_container() - the namespace @inum is gone, and what was in it */
void live__lose_container(struct live *live, uint32_t inum);
/* live__is_container() - @ns is one of those of --container */
bool live__is_container(const struct live *live, const struct netns *ns);
/* live__resolve_netns() - those of -N and those of --container. Returns 0 or -errno, logged */
int live__resolve_netns(struct live *live);

/* live__take() - a record from the scan of a cache or from an iterator; @ctx: the struct live */
void live__take(void *ctx, const union record *rec);
/* live__take_batch() - likewise, @count of them */
void live__take_batch(void *ctx, const union record *records, size_t count);
/* live__expect_socks() - a record_herald: have what sockets need fetched for many at once */
size_t live__expect_socks(void *ctx, const union record *first, size_t len);

/* live__lost() - sums over CPUs of the records that found the ring buffer full */
int live__lost(const struct live *live, struct lost_counters *out);
/* live_losses__check() - after a drain: tell of losses, make up for those of segments. True if the
 * sockets are to be looked at again */
bool live_losses__check(struct live *live);
/* live_losses__scan() - bring the table up to date with the caches. Returns 0 or -errno */
int live_losses__scan(struct live *live);

/*
 * live_ports__new() - watch for ports that run low in the namespaces that are added
 *
 * @is_thorough: look at all of them, though for a thousandth of the time at most. NULL: out of
 * memory.
 */
struct live_ports *live_ports__new(bool is_thorough);
void live_ports__free(struct live_ports *ports);

/* live_ports__add_netns() - returns 0 or -errno; live_ports__forget_netns() - it is gone */
int live_ports__add_netns(struct live *live, const struct netns *ns);
void live_ports__forget_netns(struct live *live, uint32_t inum);

/*
 * live_ports__check() - once a second: look where so many sockets are that ports may be low
 *
 * Lists sockets for one twentieth of the time at most. Returns 0 or -errno.
 */
int live_ports__check(struct live *live);

/* live_ports__low() - the row of live_stats.ports_low, valid until the next check, or NULL */
const struct timewait_row *live_ports__low(const struct live *live);

/*
 * live_ports__top() - of each namespace and remote endpoint the source with the most ports taken,
 * of these the FIGURES_PORTS_MAX with the most, as of the last look
 *
 * Returns how many there are. Valid until the next look.
 */
struct port_top {
	uint32_t netns;
	const struct timewait_row *row;
};
size_t live_ports__top(const struct live *live, const struct port_top **top);

/* live_figures__begin() - count what is there already. Returns 0 or -errno, logged */
int live_figures__begin(struct live *live);
/* live_figures__tidy() - drop what is too old to be of use, now and then; to be called often */
void live_figures__tidy(struct live *live);

/* live_stats__now() - what @counters, one of the source's, shows now */
const struct netns_values *live_stats__now(const struct live *live,
					   struct netns_counters *counters);
/* live_stats__as_read() - what all of them showed when they were read last, since the start */
void live_stats__as_read(const struct live *live, struct netns_values *out);

/* live_stats__sum_taps() - add the counters of each tap to @sum */
void live_stats__sum_taps(const struct tap_set *taps, struct wire_counters *sum);

/* live_stats__add_netns() - from now on count what happens in @ns too. Returns 0 or -errno */
int live_stats__add_netns(struct live *live, const struct netns *ns);
/* live_stats__forget_netns() - let go of it; what it counted so far stays */
void live_stats__forget_netns(struct live *live, uint32_t inum);
void live_stats__fini(struct live *live);

/* live_alarms__open() - returns 0 or -errno */
int live_alarms__open(struct live *live);
void live_alarms__fini(struct live *live);
/* live_alarms__take() - count what an event tells; live_alarms__check() - if it is time, judge */
void live_alarms__take(struct live *live, const struct event *event);
void live_alarms__check(struct live *live);
/* live_alarms__forget_netns() - the namespace of @counters is gone, and what was raised of it over
 */
void live_alarms__forget_netns(struct live *live, const struct netns_counters *counters);
/* live_alarms__stats() - what is raised now */
void live_alarms__stats(struct live *live, struct live_stats *stats);

/* live_listeners__open() - maps and table, before the views; __begin() - once they are open */
int live_listeners__open(struct live *live);
int live_listeners__begin(struct live *live);
/* live_listeners__add_netns() - @inum is watched from now on. Returns 0 or -errno */
int live_listeners__add_netns(struct live *live, uint32_t inum);
void live_listeners__fini(struct live *live);
/* live_listeners__forget_netns() - @inum is gone */
void live_listeners__forget_netns(struct live *live, uint32_t inum);
/* live_listeners__check() - with watch_listeners: look at them, if it is time. Returns 0 or -errno
 */
int live_listeners__check(struct live *live);

/* tally__count() - @sock is part of the snapshot under way */
static inline void tally__count(struct snapshot_tally *tally, const struct sock_info *sock)
{
	if (sock->state == TCPS_LISTEN) {
		tally->syn_queue += sock->syn_queue;
		tally->accept_queue_full += sock->rx_queue > sock->tx_queue;
	} else if (sock->is_minisock) {
		tally->time_wait += sock->state == TCPS_TIME_WAIT;
		tally->time_wait_fin2 += sock->state == TCPS_FIN_WAIT2;
	}
}

#endif
