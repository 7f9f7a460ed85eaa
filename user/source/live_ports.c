/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ports that run low, in each namespace that is watched. Listing all sockets costs with their
 * number, so it is done only where there are so many that one destination could have taken enough.
 * Not here: what is counted (model/port_use.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "live_internal.h"
#include "timewait_figures.h"

#define THOROUGH_SHARE 1000
/* An endpoint that holds one port may be a client, of a listener that is gone: none is named. */
#define RANKED_USED_MIN 2

struct port_watch {
	uint32_t netns;
	char name[NAME_MAX + 1];
	struct netns_stats *stats;
	struct timewait_rows rows;
	struct port_use use;
	uint64_t before_ns; /* when it was looked at last, 0: never */
	bool has_low;	    /* a row of it is */
};

struct live_ports {
	struct port_watch **items;
	size_t count;
	uint64_t tick_ns;
	struct pace pace;
	bool is_thorough;
	struct port_top top[FIGURES_PORTS_MAX];
	size_t n_top;
};

/* A look under way. */
struct looking {
	struct live *live;
	struct port_watch *watch;
	bool is_whole;
	int err;
};

struct live_ports *live_ports__new(bool is_thorough)
{
	struct live_ports *ports = calloc(1, sizeof(*ports));
	struct timespec tick;

	if (!ports || clock_getres(CLOCK_MONOTONIC_COARSE, &tick)) {
		free(ports);
		return NULL;
	}
	ports->tick_ns = tick.tv_nsec; /* as long as one of the kernel's jiffies */
	ports->is_thorough = is_thorough;
	ports->pace.share = is_thorough ? THOROUGH_SHARE : 0;
	return ports;
}

static void free_watch(struct port_watch *watch)
{
	netns_stats__close(watch->stats);
	timewait_rows__fini(&watch->rows);
	free(watch);
}

void live_ports__free(struct live_ports *ports)
{
	if (!ports)
		return;
	for (size_t i = 0; i < ports->count; i++)
		free_watch(ports->items[i]);
	free(ports->items);
	free(ports);
}

static int open_watch(struct port_watch **out, const struct netns *ns)
{
	struct port_watch *watch = calloc(1, sizeof(*watch));
	uint64_t seed;
	int err;

	if (!watch || getrandom(&seed, sizeof(seed), 0) < 0) {
		free(watch);
		return -ENOMEM;
	}
	watch->netns = ns->inum;
	memcpy(watch->name, ns->name, sizeof(watch->name));
	watch->use.rows = &watch->rows;
	err = timewait_rows__init(&watch->rows, seed);
	watch->rows.netns_name = watch->name;
	if (!err)
		err = netns_stats__open(&watch->stats, ns, PORT_FIGURES);
	if (err) {
		free_watch(watch);
		return err;
	}
	*out = watch;
	return 0;
}

int live_ports__add_netns(struct live *live, const struct netns *ns)
{
	struct live_ports *ports = live->ports;
	struct port_watch **more;
	int err;

	if (!ports)
		return 0;
	more = reallocarray(ports->items, ports->count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	ports->items = more;
	err = open_watch(&more[ports->count], ns);
	if (!err)
		ports->count++;
	return err == -EPERM || err == -ENOMEM ? err : 0; /* gone: nothing happens in it */
}

/* ---- looking --------------------------------------------------------------------------------- */

static void tell(void *ctx, const struct timewait_row *row, enum threshold_change change)
{
	const struct looking *looking = ctx;
	const struct live *live = looking->live;
	const struct session destination = {
		.local = row->local,
		.remote = row->remote,
		.netns = looking->watch->netns,
		.netns_name = looking->watch->name,
	};
	const struct event event = {
		.kind = EVENT_PORTS_LOW,
		.time_ns = live->now_ns,
		.session = &destination,
		.view = VIEW_SOCKET,
		.reason = threshold_change__name(change),
		.used = port_use__taken(row),
		.limit = row->usable,
	};

	if (live->options.want_events)
		live->options.on_event(live->options.ctx, &event);
}

/* What is gone needs no ports. */
static void clear_low(struct live *live, struct port_watch *watch)
{
	struct looking looking = {.live = live, .watch = watch};

	for (struct timewait_row *row = NULL; (row = timewait_rows__next(&watch->rows, row));) {
		row->used = row->reusable = 0;
		if (row->is_low)
			tell(&looking, row, THRESHOLD_CLEARED);
	}
}

void live_ports__forget_netns(struct live *live, uint32_t inum)
{
	struct live_ports *ports = live->ports;

	for (size_t i = 0; ports && i < ports->count; i++) {
		if (ports->items[i]->netns != inum)
			continue;
		clear_low(live, ports->items[i]);
		free_watch(ports->items[i]);
		ports->items[i] = ports->items[--ports->count];
		ports->n_top = 0; /* of rows that may be gone */
		return;
	}
}

static void take(void *ctx, const union record *rec)
{
	struct looking *looking = ctx;
	struct timewait_age age;
	int err;

	if (rec->hdr.kind == REC_SNAPSHOT_END)
		looking->is_whole = rec->snapshot.ok;
	if (rec->hdr.kind != REC_TUPLE)
		return;
	age = timewait_age__of(&rec->tuple, looking->live->ports->tick_ns);
	err = port_use__add(&looking->watch->use, &rec->tuple,
			    rec->tuple.is_time_wait ? &age : NULL);
	looking->err = looking->err ? looking->err : err;
}

static int look(struct live *live, struct port_watch *watch, const struct netns *ns)
{
	struct looking looking = {.live = live, .watch = watch};
	int err;

	watch->rows.look++;
	err = sock_view__tuples_of(live->sock, ns, take, &looking);
	if (err || looking.err)
		return err ? err : looking.err;
	if (!looking.is_whole)
		return 0;
	port_use__finish(&watch->use, watch->before_ns, live->now_ns, tell, &looking);
	watch->before_ns = live->now_ns;
	watch->has_low = port_use__worst(&watch->rows, true);
	return 0;
}

/* Fewer sockets than ports that would be too many: none of the destinations can have so many. */
static bool is_worth_a_look(struct port_watch *watch)
{
	const enum netns_stat counts[] = {NETNS_SOCKETS_IN_USE, NETNS_SOCKETS6_IN_USE,
					  NETNS_MINISOCKS};
	struct netns_values values;
	uint64_t sockets = 0;

	netns_stats__read(watch->stats, &values);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		sockets += values.value[counts[i]]; /* 0 where there is no IPv6 */
	timewait_figures__ports(watch->stats, &watch->use.range);
	timewait_figures__reuse(&values, &watch->use);
	return watch->has_low ||
	       threshold__is_reached(&ports_low_threshold, sockets, watch->use.range.usable);
}

static int look_where_needed(struct live *live)
{
	int err = 0;

	for (size_t i = 0; i < live->ports->count; i++) {
		struct port_watch *watch = live->ports->items[i];
		const struct netns *ns;

		if (!watch->has_low && sock_view__is_quiet(live->sock, watch->netns))
			continue; /* there is no socket in it */
		ns = netns_list__find(&live->netns, watch->netns);
		if (ns && (is_worth_a_look(watch) || live->ports->is_thorough))
			err = look(live, watch, ns);
	}
	return err;
}

/* Where @row belongs among the first, or is already with another source; .n_top: nowhere. */
static size_t place_of(const struct live_ports *ports, uint32_t netns,
		       const struct timewait_row *row)
{
	size_t last = ports->n_top;

	for (size_t i = 0; i < ports->n_top; i++) {
		const struct port_top *top = &ports->top[i];

		if (top->netns == netns && top->row->key.remote_port == row->key.remote_port &&
		    ip_addr__equal(&top->row->key.remote, &row->key.remote))
			return i;
		if (!i || port_use__taken(top->row) < port_use__taken(ports->top[last].row))
			last = i;
	}
	return ports->n_top < FIGURES_PORTS_MAX ? ports->n_top : last;
}

static void rank(struct live_ports *ports, const struct port_watch *watch)
{
	for (struct timewait_row *row = NULL; (row = timewait_rows__next(&watch->rows, row));) {
		size_t at = place_of(ports, watch->netns, row);

		if (row->used < RANKED_USED_MIN)
			continue;
		if (at < ports->n_top &&
		    port_use__taken(row) <= port_use__taken(ports->top[at].row))
			continue;
		ports->top[at] = (struct port_top){watch->netns, row};
		if (at == ports->n_top)
			ports->n_top++;
	}
}

static uint64_t thread_cpu_ns(void)
{
	struct timespec ts = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * TW_NSEC_PER_SEC + ts.tv_nsec;
}

static void rank_all(struct live_ports *ports)
{
	ports->n_top = 0;
	for (size_t i = 0; i < ports->count; i++)
		rank(ports, ports->items[i]);
}

size_t live_ports__top(const struct live *live, const struct port_top **top)
{
	if (!live->ports)
		return 0;
	*top = live->ports->top;
	return live->ports->n_top;
}

int live_ports__check(struct live *live)
{
	struct live_ports *ports = live->ports;
	uint64_t now_ns = live__now().mono_ns, cpu_ns;
	int err;

	if (!ports || !pace__may(&ports->pace, now_ns))
		return 0;
	live->now_ns = now_ns;
	cpu_ns = thread_cpu_ns();
	err = look_where_needed(live);
	pace__took(&ports->pace, now_ns);
	if (ports->is_thorough) {
		rank_all(ports);
		ports->pace.cost_ns = thread_cpu_ns() - cpu_ns; /* not what others took */
	}
	return err;
}

const struct timewait_row *live_ports__low(const struct live *live)
{
	const struct timewait_row *low = NULL;

	for (size_t i = 0; live->ports && i < live->ports->count; i++) {
		const struct timewait_row *row =
			port_use__worst(&live->ports->items[i]->rows, true);

		if (row && (!low || port_use__free(row) < port_use__free(low)))
			low = row;
	}
	return low;
}
