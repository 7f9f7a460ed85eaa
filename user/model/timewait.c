/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeping the account: each socket into the groups it belongs to, then the sums. Not here: ports
 * (port_use.c), what ended (timewait_memory.c), who closed (timewait_closer.c).
 */
#include "timewait.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timewait_closer.h"
#include "timewait_memory.h"

/* A tenth of Linux's usual 28232 ports: a client that closed first so often within a minute would
 * miss them. */
#define MANY_FOR_A_CLIENT 2823

struct timewait {
	struct timewait_totals totals, before; /* of this look, of the last one */
	uint64_t now_ns, before_ns;	       /* their ends; 0: none yet */
	struct timewait_kernel first;	       /* at the end of the first one */
	struct timewait_rows rows;
	struct port_use ports;
	struct port_range listeners; /* the ports with one are not in it, all others are */
	bool follow;
	struct timewait_memory memory; /* with follow … */
	struct closers closers;
};

static int init(struct timewait *a, uint64_t seed)
{
	int err = timewait_rows__init(&a->rows, seed);

	if (!err && a->follow)
		err = timewait_memory__init(&a->memory, seed);
	if (!err && a->follow)
		err = closers__init(&a->closers);
	return err;
}

struct timewait *timewait__new(uint32_t netns, uint64_t seed, bool follow)
{
	struct timewait *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->totals.netns = netns;
	a->follow = follow;
	a->ports.rows = &a->rows;
	a->rows.netns_name = a->totals.netns_name;
	if (!init(a, seed))
		return a;
	timewait__free(a);
	return NULL;
}

void timewait__free(struct timewait *a)
{
	if (!a)
		return;
	timewait_rows__fini(&a->rows);
	timewait_memory__fini(&a->memory);
	closers__fini(&a->closers);
	free(a);
}

const struct timewait_totals *timewait__totals(const struct timewait *a)
{
	return &a->totals;
}

const struct timewait_rows *timewait__rows(const struct timewait *a)
{
	return &a->rows;
}

void timewait__note_opening(struct timewait *a, const struct rec_tuple *tuple)
{
	timewait_memory__replace(&a->memory, tuple);
}

int timewait__note_closing(struct timewait *a, const struct rec_closing *closing)
{
	return closers__add(&a->closers, closing);
}

void timewait__note_lost(struct timewait *a, uint64_t lost)
{
	a->totals.records_lost = lost;
}

/* ---- one look -------------------------------------------------------------------------------- */

void timewait__begin(struct timewait *a, const char *netns_name, const struct port_range *range,
		     const struct timewait_kernel *kernel)
{
	struct timewait_totals *t = &a->totals;

	a->before = *t;
	*t = (struct timewait_totals){.netns = t->netns};
	snprintf(t->netns_name, sizeof(t->netns_name), "%s", netns_name);
	a->ports.range = *range;
	a->ports.reuse = kernel->reuse;
	a->ports.reuse_delay_ms = kernel->reuse_delay_ms;
	port_range__parse(&a->listeners, "1 65535", NULL);
	a->rows.look++;
	if (a->follow)
		timewait_memory__begin(&a->memory);
}

/*
 * Which side this host was, where nobody saw the beginning: a port with a listener is a server's, a
 * port that connect() chooses is a client's.
 */
static enum sock_role infer_role(const struct timewait *a, const struct rec_tuple *tuple)
{
	const struct port_range *range = &a->ports.range;

	if (!port_range__has(&a->listeners, tuple->local_port))
		return ROLE_PASSIVE;
	if (port_range__has(range, tuple->local_port))
		return ROLE_ACTIVE;
	return port_range__has(range, tuple->remote_port) ? ROLE_PASSIVE : ROLE_UNKNOWN;
}

static int count_in(struct timewait *a, const struct timewait_key *key,
		    const struct rec_tuple *tuple, enum sock_role role)
{
	struct timewait_row *row = timewait_rows__get(&a->rows, key);

	if (!row)
		return -ENOMEM;
	if (!row->time_wait && !row->fin_wait2)
		row->role = role;
	else if (row->role != role)
		row->role = ROLE_UNKNOWN;
	if (tuple->state == TCPS_TIME_WAIT)
		row->time_wait++;
	else
		row->fin_wait2++;
	return 0;
}

/* The port of whoever opened is its own choice and different each time: it makes no group, here and
 * in count_port(). */
static int count_remote(struct timewait *a, const struct rec_tuple *tuple, enum sock_role role)
{
	struct timewait_key key = {
		.remote = tuple->remote,
		.remote_port = role == ROLE_ACTIVE ? tuple->remote_port : 0,
		.local_port = role == ROLE_ACTIVE ? 0 : tuple->local_port,
		.by = TIMEWAIT_BY_REMOTE,
	};

	return count_in(a, &key, tuple, role);
}

static int count_port(struct timewait *a, const struct rec_tuple *tuple, enum sock_role role)
{
	struct timewait_key key = {.local_port = tuple->local_port, .by = TIMEWAIT_BY_PORT};

	return role == ROLE_ACTIVE ? 0 : count_in(a, &key, tuple, role);
}

static int count_process(struct timewait *a, const struct rec_tuple *tuple, enum sock_role role,
			 const struct closer *closer)
{
	struct timewait_key key = {.by = TIMEWAIT_BY_PROCESS};

	if (closer) {
		key.pid = closer->process.pid;
		memcpy(key.comm, closer->process.comm, sizeof(key.comm));
	}
	return count_in(a, &key, tuple, role);
}

static void count_age(struct timewait_totals *t, const struct timewait_age *age)
{
	unsigned bucket = age->age_ns / TIMEWAIT_AGE_BUCKET_NS;

	t->ages[bucket < TIMEWAIT_AGE_BUCKETS ? bucket : TIMEWAIT_AGE_BUCKETS - 1]++;
}

static int count(struct timewait *a, const struct rec_tuple *tuple, enum sock_role role,
		 const struct timewait_age *age, const struct closer *closer)
{
	int err;

	if (tuple->state == TCPS_TIME_WAIT) {
		a->totals.time_wait++;
		count_age(&a->totals, age);
	} else {
		a->totals.fin_wait2++;
	}
	err = port_use__add(&a->ports, tuple, age);
	if (!err)
		err = count_remote(a, tuple, role);
	if (!err)
		err = count_port(a, tuple, role);
	if (!err && a->follow)
		err = count_process(a, tuple, role, closer);
	return err;
}

static int add_time_wait(struct timewait *a, const struct rec_tuple *tuple, uint64_t tick_ns)
{
	struct timewait_age age = timewait_age__of(tuple, tick_ns);
	const struct closer *closer = NULL;
	enum sock_role role = infer_role(a, tuple);
	int result = 1;

	if (a->follow)
		closer = closers__see(&a->closers, tuple->cookie);
	if (closer)
		role = closer->role;
	if (a->follow)
		result = timewait_memory__add(&a->memory, tuple, role,
					      tuple->hdr.time_ns + age.left_ns);
	return result > 0 ? count(a, tuple, role, &age, closer) : result;
}

int timewait__add(struct timewait *a, const struct rec_tuple *tuple, uint64_t tick_ns)
{
	if (tuple->state == TCPS_LISTEN) {
		port_range__listen(&a->listeners, tuple->local_port);
		return port_use__add(&a->ports, tuple, NULL);
	}
	if (tuple->is_time_wait)
		return add_time_wait(a, tuple, tick_ns);
	if (a->follow) {
		(void)closers__see(&a->closers, tuple->cookie);
		timewait_memory__replace(&a->memory, tuple);
	}
	return port_use__add(&a->ports, tuple, NULL);
}

/* ---- sums ------------------------------------------------------------------------------------ */

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a == UNKNOWN_U64 || b == UNKNOWN_U64 ? UNKNOWN_U64 : a + b;
}

/* Counters that were read one after the other may cross. */
static uint64_t difference(uint64_t a, uint64_t b)
{
	if (a == UNKNOWN_U64 || b == UNKNOWN_U64)
		return UNKNOWN_U64;
	return a > b ? a - b : 0;
}

static double rate(uint64_t from, uint64_t to, uint64_t ns)
{
	if (from == UNKNOWN_U64 || to == UNKNOWN_U64 || !ns)
		return NAN;
	return (double)difference(to, from) * TW_NSEC_PER_SEC / ns;
}

static void infer_rates(struct timewait *a)
{
	struct timewait_totals *t = &a->totals;

	t->in_per_second = rate(0, t->ages[0], TIMEWAIT_AGE_BUCKET_NS);
	t->out_per_second = rate(0, t->ages[TIMEWAIT_AGE_BUCKETS - 1], TIMEWAIT_AGE_BUCKET_NS);
	t->rates_inferred = true;
}

/* What has begun since the namespace did, and of that what is no more. */
static void count_ways(struct timewait *a, bool counts_ends)
{
	struct timewait_totals *t = &a->totals;
	uint64_t timers = sum(t->kernel.waited, t->kernel.killed);

	t->begun = counts_ends ? UNKNOWN_U64 : timers;
	t->ended = difference(t->begun, t->kernel.socks);
}

static void watch_ways(struct timewait *a, bool counts_ends)
{
	const uint64_t *ended = a->memory.ended;
	struct timewait_totals *t = &a->totals;
	uint64_t timers = difference(sum(t->kernel.waited, t->kernel.killed),
				     sum(a->first.waited, a->first.killed));

	t->recycled = difference(t->kernel.recycled, a->first.recycled);
	t->never_created = difference(t->kernel.overflow, a->first.overflow);
	t->reused_by_syn = ended[TIMEWAIT_SYN];
	t->killed_by_reset = ended[TIMEWAIT_KILLED];
	t->expired = counts_ends ? timers : ended[TIMEWAIT_EXPIRED];
	if (!counts_ends) {
		t->watched_begun = timers;
		t->watched_ended = difference(sum(timers, a->first.socks), t->kernel.socks);
		t->ended_unseen = difference(
			t->watched_ended,
			sum(t->recycled, t->expired + t->reused_by_syn + t->killed_by_reset));
		return;
	}
	t->ended_unseen = UNKNOWN_U64;
	t->watched_ended = sum(sum(timers, t->recycled), t->reused_by_syn + t->killed_by_reset);
	t->watched_begun = difference(sum(t->watched_ended, t->kernel.socks), a->first.socks);
}

static void forget_ways(struct timewait_totals *t)
{
	t->watched_begun = t->watched_ended = t->expired = UNKNOWN_U64;
	t->reused_by_syn = t->killed_by_reset = t->ended_unseen = UNKNOWN_U64;
	t->recycled = t->never_created = UNKNOWN_U64;
}

static void follow_rates(struct timewait *a)
{
	struct timewait_totals *t = &a->totals;
	uint64_t ns = a->now_ns - a->before_ns;

	t->in_per_second = rate(a->before.watched_begun, t->watched_begun, ns);
	t->out_per_second = rate(a->before.watched_ended, t->watched_ended, ns);
}

void timewait__end(struct timewait *a, const struct timewait_kernel *kernel, bool counts_ends,
		   uint64_t now_ns, ports_low_fn on_low, void *ctx)
{
	struct timewait_totals *t = &a->totals;

	a->before_ns = a->now_ns;
	a->now_ns = now_ns;
	t->kernel = *kernel;
	t->range = a->ports.range;
	port_use__finish(&a->ports, a->before_ns, now_ns, on_low, ctx);
	t->worst = port_use__worst(&a->rows, false);
	if (!a->before_ns)
		a->first = *kernel;
	count_ways(a, counts_ends);
	forget_ways(t);
	if (a->follow) {
		timewait_memory__end(&a->memory, now_ns);
		closers__end(&a->closers);
		watch_ways(a, counts_ends);
	}
	if (a->before_ns)
		follow_rates(a);
	else
		infer_rates(a);
}

/* ---- advice ---------------------------------------------------------------------------------- */

struct timewait_advice timewait__advise(const struct timewait_row *row)
{
	uint64_t count = row->time_wait + row->fin_wait2;
	bool is_remote = row->key.by == TIMEWAIT_BY_PORTS || row->key.by == TIMEWAIT_BY_REMOTE;

	if (!is_remote || !count || row->role == ROLE_UNKNOWN)
		return (struct timewait_advice){CLOSE_NOBODY, NULL};
	if (row->role == ROLE_ACTIVE)
		return (struct timewait_advice){
			CLOSE_REMOTE, "each holds one of this host's ports, and would hold none "
				      "at the server"};
	if (count >= MANY_FOR_A_CLIENT)
		return (struct timewait_advice){CLOSE_LOCAL,
						"at this one client they would hold its ports"};
	return (struct timewait_advice){CLOSE_REMOTE,
					"each client would keep its own few, and this host none"};
}
