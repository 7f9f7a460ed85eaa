/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The live source without a table: what its programs and the kernel count, put together. Sockets by
 * state are the sum of differences since one count at the start, so each reading is held against
 * the kernel's own totals, and when they stay apart they are counted anew.
 * Not here: how it is opened (live_open.c).
 */
#include "live_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "reset_reason.h"
#include "sock_tally.h"
#include "user/model/port_use.h"
#include "user/util/log.h"

/* Counted anew only when off at so many looks in a row, and then not again for so long. */
#define RECOUNT_LOOKS 4
#define RECOUNT_NS    (600 * TW_NSEC_PER_SEC)
#define TIDY_NS	      (10 * TW_NSEC_PER_SEC)

static struct figure known(const struct netns_values *values, enum netns_stat id)
{
	if (!(values->known & (netns_stat_set)1 << id))
		return (struct figure){0};
	return figure__of(values->value[id]);
}

/* ---- counting what is there -------------------------------------------------------------------
 */

/* The kernel counts sockets of AF_INET and AF_INET6 apart. */
static uint64_t in_use(const struct netns_values *values)
{
	return values->value[NETNS_SOCKETS_IN_USE] + values->value[NETNS_SOCKETS6_IN_USE];
}

static int begin_count(struct live *live)
{
	struct netns_values values;
	size_t expected = 0;
	int err;

	for (size_t i = 0; i < live->netns.count; i++) {
		live__kernel_counts(live, live->netns.items[i].inum, true, &values);
		expected += in_use(&values);
	}
	err = sock_tally__begin(live->sock, expected);
	if (err)
		log_error("cannot count the sockets: %s; sessions by state are too few",
			  strerror(-err));
	return err;
}

int live_figures__begin(struct live *live)
{
	int err = begin_count(live);

	return err ? err : live_ports__check(live);
}

static uint64_t sum_of(const struct netns_tally *tally)
{
	uint64_t sum = 0;

	for (int state = 1; state < TCPS_COUNT; state++)
		sum += tally->sockets[state];
	return sum;
}

static int64_t distance(uint64_t value, uint64_t one, uint64_t other)
{
	uint64_t low = one < other ? one : other, high = one < other ? other : one;

	return value < low ? (int64_t)(low - value) : value > high ? (int64_t)(value - high) : 0;
}

/*
 * How far the kernel's totals of @ns are from all that @first and a count after it allow: sockets
 * come and go between the readings.
 */
static int64_t off_by(const struct live *live, uint32_t inum, const struct netns_tally *first,
		      const struct netns_values *kernel)
{
	const netns_stat_set needed = NETNS_SET(SOCKETS_IN_USE) | NETNS_SET(CURR_ESTAB);
	struct netns_tally then;
	int64_t off;

	if ((kernel->known & needed) != needed || sock_tally__of_netns(live->sock, inum, &then))
		return 0;
	off = distance(in_use(kernel), sum_of(first), sum_of(&then));
	/* CurrEstab is connections in ESTABLISHED or CLOSE_WAIT (RFC 4022). */
	return off + distance(kernel->value[NETNS_CURR_ESTAB],
			      first->sockets[TCPS_ESTABLISHED] + first->sockets[TCPS_CLOSE_WAIT],
			      then.sockets[TCPS_ESTABLISHED] + then.sockets[TCPS_CLOSE_WAIT]);
}

static void consider_recount(struct live *live, int64_t off)
{
	struct recount *r = &live->recount;
	uint64_t now_ns = live__now().mono_ns;

	r->looks = off ? r->looks + 1 : 0;
	if (r->looks < RECOUNT_LOOKS || (r->times && now_ns - r->last_ns < RECOUNT_NS))
		return;
	*r = (struct recount){.last_ns = now_ns, .times = r->times + 1};
	(void)begin_count(live); /* logged */
}

/* ---- namespaces ------------------------------------------------------------------------------ */

/* Names are labels, and no two series may have the same: /run/netns/self is not the tool's own. */
static void set_name(struct figures *figures, struct netns_figures *row, const struct netns *ns)
{
	snprintf(row->name, sizeof(row->name), "%s", ns->name);
	for (struct netns_figures *other = figures->netns; other < row; other++)
		if (!strcmp(other->name, row->name))
			snprintf(row->name, sizeof(row->name), "%.*s-%u", NAME_MAX - 12, ns->name,
				 ns->inum);
}

/* Adds the distance between our count and the kernel's to *@off. */
static int add_netns(struct live *live, struct figures *figures, const struct netns *ns,
		     int64_t *off)
{
	struct netns_figures *row = figures__add_netns(figures);
	struct netns_values values;
	struct netns_tally tally = {0};
	int err = 0;

	if (!row)
		return -ENOMEM;
	set_name(figures, row, ns);
	if (live->sock)
		err = sock_tally__of_netns(live->sock, ns->inum, &tally);
	memcpy(row->sockets, tally.sockets, sizeof(row->sockets));
	live__kernel_counts(live, ns->inum, true, &values);
	row->time_wait = known(&values, NETNS_MINISOCKS);
	row->time_wait_limit = known(&values, NETNS_TIME_WAIT_MAX);
	if (live->sock) {
		row->close_wait_old = figure__of(row->sockets[TCPS_CLOSE_WAIT]);
		*off += off_by(live, ns->inum, &tally, &values);
	}
	return err;
}

struct finding {
	const struct live *live;
	struct figures *figures;
};

/* The rest of those in CLOSE_WAIT is old. A row for each namespace of the list, in its order. */
static void on_young(void *ctx, uint32_t netns, uint64_t count)
{
	const struct finding *finding = ctx;

	for (size_t i = 0; i < finding->figures->n_netns; i++) {
		struct figure *old = &finding->figures->netns[i].close_wait_old;

		if (finding->live->netns.items[i].inum == netns)
			old->value -= count < old->value ? count : old->value;
	}
}

static void ignore(void *ctx __attribute__((unused)), uint32_t netns __attribute__((unused)),
		   uint64_t count __attribute__((unused)))
{
}

void live_figures__tidy(struct live *live)
{
	if (!live->options.want_tally || !live->sock || live->now_ns - live->tidied_ns < TIDY_NS)
		return;
	live->tidied_ns = live->now_ns;
	(void)sock_tally__young_close_waits(live->sock, live->now_ns - FIGURES_OLD_NS, ignore,
					    NULL);
	(void)sock_view__given_up(live->sock, live->now_ns);
}

static int read_netns(struct live *live, struct figures *figures)
{
	uint64_t since_ns = live__now().mono_ns - FIGURES_OLD_NS;
	struct finding finding = {live, figures};
	int64_t off = 0;
	int err = 0;

	for (size_t i = 0; !err && i < live->netns.count; i++)
		err = add_netns(live, figures, &live->netns.items[i], &off);
	if (err || !live->sock)
		return err;
	consider_recount(live, off);
	return sock_tally__young_close_waits(live->sock, since_ns, on_young, &finding);
}

/* The row of namespace @inum in the figures. NULL: it is not chosen, or not any more. */
static const struct netns_figures *netns_row(const struct live *live, const struct figures *figures,
					     uint32_t inum)
{
	for (size_t i = 0; i < figures->n_netns; i++)
		if (live->netns.items[i].inum == inum)
			return &figures->netns[i];
	return NULL;
}

/* ---- listeners ------------------------------------------------------------------------------- */

static void on_listener(void *ctx, const struct listener *listener)
{
	struct finding *finding = ctx;
	const struct sock_info *sock = &listener->sock;
	const struct netns_figures *ns = netns_row(finding->live, finding->figures, sock->netns);
	struct listener_figures *row = ns ? figures__add_listener(finding->figures) : NULL;

	if (!row)
		return;
	snprintf(row->netns, sizeof(row->netns), "%s", ns->name);
	row->addr = sock->local;
	row->is_v6 = sock->family == AF_INET6;
	row->port = sock->local_port;
	row->syn_queue = sock->syn_queue;
	row->accept_queue = sock->rx_queue;
	row->accept_queue_limit = sock->tx_queue;
	row->overflows = listener->drops_ever + listener->drops_inherited;
	if (listener->syn_queue_limit != UNKNOWN_U64)
		row->syn_queue_limit = figure__of(listener->syn_queue_limit);
}

/* What is half open has no socket yet: it is in a listener's SYN queue. */
static void add_half_open(const struct live *live, struct figures *figures)
{
	struct syn_fates fates;

	for (size_t i = 0; i < figures->n_netns; i++) {
		listener_table__fates(live->listeners, live->netns.items[i].inum, &fates);
		figures->netns[i].sockets[TCPS_SYN_RECV] += fates.half_open;
	}
}

static int read_listeners(struct live *live, struct figures *figures)
{
	struct finding finding = {live, figures};
	struct syn_fates fates;
	int err = live__refresh_listeners(live);

	if (err)
		return err;
	listener_table__visit(live->listeners, on_listener, &finding);
	add_half_open(live, figures);
	listener_table__fates(live->listeners, 0, &fates);
	memcpy(figures->syn_fate, fates.fate, sizeof(figures->syn_fate));
	figures->has_fates = live->taps && tap_set__count(live->taps);
	return 0;
}

/* ---- the rest -------------------------------------------------------------------------------- */

/*
 * What began, less what is there and what connect() took over: gone when its time was over, or
 * killed by a reset or a new SYN, which the kernel does not tell apart. The readings are not of one
 * instant; the counter stays where it was until they catch up.
 */
static void count_time_wait(struct live *live, struct figures *figures,
			    const struct netns_values *since)
{
	uint64_t timers = since->value[NETNS_TIME_WAITED] + since->value[NETNS_TIME_WAIT_KILLED];
	uint64_t recycled = since->value[NETNS_TIME_WAIT_RECYCLED];
	/* Modulo 2^64: socks that are older than the tool may have ended. */
	int64_t ended = timers - recycled - since->value[NETNS_MINISOCKS];

	figures->time_wait_recycled = known(since, NETNS_TIME_WAIT_RECYCLED);
	figures->time_wait_overflow = known(since, NETNS_TIME_WAIT_OVERFLOW);
	if (!live->sock || !figures->time_wait_recycled.is_known)
		return;
	if (sock_tally__counts_ends(live->sock))
		ended = timers;
	else
		figures->time_wait_begun = figure__of(timers);
	if (ended > (int64_t)live->time_wait_ended)
		live->time_wait_ended = ended;
	figures->time_wait_ended = figure__of(live->time_wait_ended);
}

static void read_kernel(struct live *live, struct figures *figures)
{
	struct requests_given_up given_up;
	struct netns_values since;

	live__kernel_counts(live, 0, false, &since);
	if (live->sock) {
		given_up = sock_view__given_up(live->sock, live__now().mono_ns);
		figures->server_timeouts = figure__of(given_up.timed_out);
		figures->server_overflows = figure__of(given_up.accept_full);
	}
	figures->embryonic_resets = known(&since, NETNS_EMBRYONIC_RESETS);
	figures->out_of_order = known(&since, NETNS_OUT_OF_ORDER);
	figures->zero_windows = known(&since, NETNS_ZERO_WINDOWS);
	count_time_wait(live, figures, &since);
}

static void read_ports(const struct live *live, struct figures *figures)
{
	const struct port_top *top;
	size_t n = live_ports__top(live, &top);

	for (size_t i = 0; i < n; i++) {
		const struct netns_figures *ns = netns_row(live, figures, top[i].netns);
		struct port_figures *ports = &figures->ports[figures->n_ports];

		if (!ns)
			continue;
		snprintf(ports->netns, sizeof(ports->netns), "%s", ns->name);
		ports->remote = top[i].row->remote;
		ports->used = port_use__taken(top[i].row);
		ports->usable = top[i].row->usable;
		figures->n_ports++;
	}
}

static int read_sock(const struct live *live, struct figures *figures)
{
	int err = sock_view__counters(live->sock, &figures->sock);

	for (int reason = 0; reason < RESET_REASON_UNKNOWN; reason++)
		figures->reset_reasons[reason] = reset_reason__name(reason);
	return err ? err : sock_tally__read(live->sock, &figures->tally);
}

static int read_tap(const struct live *live, struct figures *figures, size_t index)
{
	const struct tap *tap = tap_set__get(live->taps, index);
	const struct netns_figures *ns = netns_row(live, figures, tap->netns);
	struct wire_counters wire;
	struct tap_figures *row;
	int err;

	if (tap->is_gone || !ns)
		return 0; /* its series end here: names of containers' interfaces never end */
	err = tap_set__counters(live->taps, index, &wire);
	if (err)
		return err;
	row = figures__add_tap(figures);
	if (!row)
		return -ENOMEM;
	snprintf(row->netns, sizeof(row->netns), "%s", ns->name);
	snprintf(row->name, sizeof(row->name), "%s", tap->iface.name);
	row->ingress = attach_kind__name(tap->ingress);
	row->egress = attach_kind__name(tap->egress);
	row->bytes = wire.value[WIRE_BYTES];
	row->segments = wire.value[WIRE_SEGMENTS];
	return 0;
}

static int read_wire(const struct live *live, struct figures *figures)
{
	struct wire_view_stats cache;
	int err = wire_view__follow_cpus(live->wire);

	wire_view__stats(live->wire, &cache);
	figures->cache_capacity = cache.slots;
	live_stats__sum_taps(live->taps, &figures->wire);
	for (size_t i = 0; !err && i < tap_set__count(live->taps); i++)
		err = read_tap(live, figures, i);
	return err;
}

int live__figures(struct live *live, struct figures *figures)
{
	int err;

	*figures = (struct figures){.has_sock = live->sock, .has_wire = live->wire};
	err = read_netns(live, figures);
	read_kernel(live, figures);
	if (!err && live->sock)
		err = read_sock(live, figures);
	read_ports(live, figures);
	if (!err && live->listeners)
		err = read_listeners(live, figures);
	if (!err && live->wire)
		err = read_wire(live, figures);
	if (!err)
		err = live__lost(live, &figures->lost);
	figures->recounts = live->recount.times;
	return err;
}
