/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Listeners of the live source: their queues by iterator, and what the programs count for each.
 * Not here: what follows from it (model/listener.h).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "live_internal.h"
#include "syn_rule.h"
#include "user/util/log.h"

#define PACE_SHARE    20
#define PACE_LEAST_NS TW_NSEC_PER_SEC

bool pace__may(const struct pace *pace, uint64_t now_ns)
{
	uint64_t pause_ns = (pace->share ? pace->share : PACE_SHARE) * pace->cost_ns;

	if (pause_ns < PACE_LEAST_NS)
		pause_ns = PACE_LEAST_NS;
	return !pace->began_ns || now_ns - pace->began_ns >= pause_ns;
}

void pace__took(struct pace *pace, uint64_t began_ns)
{
	pace->began_ns = began_ns;
	pace->cost_ns = live__now().mono_ns - began_ns;
}

int live_listeners__open(struct live *live)
{
	const struct listener_table_env env = {live, live__netns_name, live__ifname};
	int err;

	live->listeners = listener_table__new(&env);
	live->counts_per_cpu = calloc(live->n_cpus, sizeof(*live->counts_per_cpu));
	if (!live->listeners || !live->counts_per_cpu)
		return -ENOMEM;
	if (!live__is_following(live))
		return 0; /* nothing comes for them in an instant */
	live->full_at_limit = syn_rule__is_full_at_limit();
	err = listener_maps__open(&live->listener_maps);
	if (err)
		log_error("cannot make maps for listeners: %s", strerror(-err));
	return err;
}

int live_listeners__add_netns(struct live *live, uint32_t inum)
{
	const struct listener_key stray = {.netns = inum};

	if (!listener_maps__are_open(&live->listener_maps))
		return 0;
	return listener_maps__add(&live->listener_maps, &stray);
}

static void sum_over_cpus(const struct live *live, struct listener_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < live->n_cpus; cpu++)
		listener_counters__add(sum, &live->counts_per_cpu[cpu]);
}

void live_listeners__forget_netns(struct live *live, uint32_t inum)
{
	const struct listener_key stray = {.netns = inum};
	struct listener_counters sum;

	if (!live->listeners)
		return;
	if (!listener_maps__read(&live->listener_maps, &stray, live->counts_per_cpu)) {
		sum_over_cpus(live, &sum);
		(void)listener_table__count(live->listeners, &stray, &sum); /* kept in the sums */
		listener_maps__remove(&live->listener_maps, &stray, live->counts_per_cpu,
				      live->n_cpus);
	}
	listener_table__forget_netns(live->listeners, inum);
}

int live_listeners__begin(struct live *live)
{
	int err = 0;

	for (size_t i = 0; !err && i < live->netns.count; i++)
		err = live_listeners__add_netns(live, live->netns.items[i].inum);
	return err;
}

void live_listeners__fini(struct live *live)
{
	listener_table__free(live->listeners);
	free(live->counts_per_cpu);
	listener_maps__close(&live->listener_maps);
}

/* ---- looking --------------------------------------------------------------------------------- */

static void take(void *ctx, const union record *rec)
{
	struct live *live = ctx;
	int err = listener_table__apply(live->listeners, rec);

	if (err && !live->apply_err)
		live->apply_err = err;
}

/* Since boot: the table knows where it began. */
static void take_other_drops(struct listener_place *place, const struct netns_values *now)
{
	const netns_stat_set all = NETNS_SET(LISTEN_DROPS) | NETNS_SET(LISTEN_OVERFLOWS) |
				   NETNS_SET(REQ_QUEUE_FULL_DROPS);

	place->has_other_drops = (now->known & all) == all;
	place->other_drops = now->value[NETNS_LISTEN_DROPS] - now->value[NETNS_LISTEN_OVERFLOWS] -
			     now->value[NETNS_REQ_QUEUE_FULL_DROPS];
}

static int set_places(struct live *live)
{
	int err = 0;

	for (size_t i = 0; !err && i < live->n_counters; i++) {
		struct listener_place place = {
			.netns = netns_stats__inum(live->counters[i].stats),
			.is_followed = live__is_following(live),
		};
		const struct netns_values *now = live_stats__now(live, &live->counters[i]);

		place.full_at_limit = live->full_at_limit;
		place.has_lo = live->taps && tap_set__has_lo(live->taps, place.netns);
		place.has_taps = live->taps && tap_set__has_fates(live->taps, place.netns);
		place.has_limits = now->known & NETNS_SET(SYN_COOKIES) &&
				   now->known & NETNS_SET(SYN_BACKLOG_MAX);
		place.syn_cookies = now->value[NETNS_SYN_COOKIES];
		place.syn_backlog_max = now->value[NETNS_SYN_BACKLOG_MAX];
		place.has_cookie_counts = now->known & NETNS_SET(COOKIES_SENT) &&
					  now->known & NETNS_SET(COOKIES_RECEIVED);
		place.cookies_sent = now->value[NETNS_COOKIES_SENT] -
				     live->counters[i].at_start.value[NETNS_COOKIES_SENT];
		place.cookies_received = now->value[NETNS_COOKIES_RECEIVED] -
					 live->counters[i].at_start.value[NETNS_COOKIES_RECEIVED];
		take_other_drops(&place, now);
		err = listener_table__set_place(live->listeners, &place);
	}
	return err;
}

/* A key is deleted only after the next is known, so the walk does not begin anew. */
static int take_counts(struct live *live)
{
	const struct listener_maps *maps = &live->listener_maps;
	struct listener_key key, next;
	struct listener_counters sum;
	bool has_next = listener_maps__are_open(maps) && listener_maps__next(maps, NULL, &next);
	size_t count = 0;
	int result = 0;

	while (has_next && result >= 0) {
		key = next;
		count++;
		has_next = listener_maps__next(maps, &key, &next);
		if (listener_maps__read(maps, &key, live->counts_per_cpu))
			continue;
		sum_over_cpus(live, &sum);
		result = listener_table__count(live->listeners, &key, &sum);
		if (result == LISTENER_GONE)
			listener_maps__remove(maps, &key, live->counts_per_cpu, live->n_cpus);
	}
	listener_table__end_counts(live->listeners, live__now().mono_ns, count >= LISTENER_SLOTS);
	return result < 0 ? result : 0;
}

/* How old the half-open ones are takes a walk through all sockets. */
static int take_requests(struct live *live)
{
	uint64_t now_ns = live__now().mono_ns;
	struct syn_fates now;
	int err;

	listener_table__fates(live->listeners, 0, &now);
	if (!now.half_open || !pace__may(&live->requests_pace, now_ns))
		return 0;
	err = sock_view__requests(live->sock, take, live);
	pace__took(&live->requests_pace, now_ns);
	return err;
}

int live__refresh_listeners(struct live *live)
{
	int err = set_places(live);

	if (!err)
		err = sock_view__listeners(live->sock, take, live);
	if (!err)
		err = take_counts(live);
	if (!err && live->options.want_ages)
		err = take_requests(live);
	if (!err)
		err = live->apply_err;
	live->apply_err = 0;
	if (err)
		log_error("cannot read all listeners: %s", strerror(-err));
	return err;
}

const struct listener_table *live__listeners(const struct live *live)
{
	return live->listeners;
}

static bool is_there(uint32_t pid)
{
	return !kill((pid_t)pid, 0) || errno == EPERM;
}

static int find_owners(struct live *live, size_t count)
{
	uint64_t *cookies = calloc(count, sizeof(*cookies));
	int err;

	if (!cookies)
		return -ENOMEM;
	(void)listener_table__unowned(live->listeners, cookies, count);
	err = sock_view__listener_owners(live->sock, cookies, count, take, live);
	free(cookies);
	return err;
}

int live__find_listener_owners(struct live *live, bool force)
{
	uint64_t now_ns = live__now().mono_ns;
	size_t count;
	int err;

	listener_table__check_owners(live->listeners, is_there);
	count = listener_table__unowned(live->listeners, NULL, 0);
	if (!count || (!force && !pace__may(&live->listener_owners_pace, now_ns)))
		return 0;
	err = find_owners(live, count);
	pace__took(&live->listener_owners_pace, now_ns);
	if (err)
		log_warn("cannot find the processes of listeners: %s", strerror(-err));
	return err;
}

/* The place, and not the socket: a filter of sessions hides listeners. */
static void tell(void *ctx, const struct listener *listener, enum listener_queue queue,
		 const struct queue_level *level, enum threshold_change change)
{
	struct live *live = ctx;
	struct session place;
	struct event event = {
		.kind = EVENT_BACKLOG_FULL,
		.time_ns = live->now_ns,
		.session = &place,
		.view = VIEW_SOCKET,
		.reason = threshold_change__name(change),
		.queue = listener_queue__name(queue),
		.used = level->used,
		.limit = level->limit - 1, /* as ss has it: full is one more */
	};

	if (!live->options.want_events)
		return;
	(void)live__find_listener_owners(live, false);
	place = listener->session;
	place.sock = NULL;
	live->options.on_event(live->options.ctx, &event);
}

int live_listeners__check(struct live *live)
{
	uint64_t now_ns = live__now().mono_ns;
	int err;

	if (!live->options.watch_listeners || !live->listeners ||
	    !pace__may(&live->listeners_pace, now_ns))
		return 0;
	live->now_ns = now_ns;
	err = live__refresh_listeners(live);
	if (!err)
		listener_table__observe(live->listeners, tell, live);
	pace__took(&live->listeners_pace, now_ns);
	return err;
}
