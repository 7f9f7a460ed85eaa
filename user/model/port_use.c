/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting ports by destination.
 */
#include "port_use.h"

#include <errno.h>
#include <math.h>

#define REUSE_ON       1
#define REUSE_LOOPBACK 2
#define USUAL_DELAY_MS 1000 /* of kernels that have no tcp_tw_reuse_delay */
#define MSEC_NS	       (TW_NSEC_PER_SEC / 1000)

const struct threshold ports_low_threshold = {.raise_permille = 800, .clear_permille = 700};

/* The rules of tcp_twsk_unique() in net/ipv4/tcp_ipv4.c. */
static bool is_reusable(const struct port_use *use, const struct rec_tuple *tuple,
			const struct timewait_age *age)
{
	uint64_t delay_ms =
		use->reuse_delay_ms == UNKNOWN_U64 ? USUAL_DELAY_MS : use->reuse_delay_ms;

	if (tuple->state != TCPS_TIME_WAIT || !tuple->has_timestamps ||
	    age->age_ns / MSEC_NS < delay_ms)
		return false;
	if (use->reuse == REUSE_LOOPBACK)
		return ip_addr__is_loopback(&tuple->local) || ip_addr__is_loopback(&tuple->remote);
	return use->reuse == REUSE_ON;
}

int port_use__add(struct port_use *use, const struct rec_tuple *tuple,
		  const struct timewait_age *age)
{
	struct timewait_key key = {
		.local = tuple->local,
		.remote = tuple->remote,
		.remote_port = tuple->remote_port,
		.by = TIMEWAIT_BY_PORTS,
	};
	struct timewait_row *row;

	if (tuple->state == TCPS_LISTEN)
		port_range__listen(&use->range, tuple->local_port);
	if (!tuple->remote_port || !port_range__has(&use->range, tuple->local_port))
		return 0;
	row = timewait_rows__get(use->rows, &key);
	if (!row)
		return -ENOMEM;
	row->role = ROLE_ACTIVE;
	row->used++;
	if (!age)
		return 0;
	row->reusable += is_reusable(use, tuple, age);
	row->young += age->age_ns < AGES_NS;
	row->due += age->left_ns < AGES_NS;
	if (tuple->state == TCPS_TIME_WAIT)
		row->time_wait++;
	else
		row->fin_wait2++;
	return 0;
}

/* ---- trends ---------------------------------------------------------------------------------- */

static double per_second(uint64_t from, uint64_t to, uint64_t ns)
{
	return ((double)to - (double)from) * TW_NSEC_PER_SEC / ns;
}

/* What connect() may take over says nothing about how many are taken. */
static void infer_trend(struct timewait_row *row)
{
	row->taken_per_second = row->reusable ? NAN : per_second(row->due, row->young, AGES_NS);
	row->is_inferred = true;
}

static void follow_trend(struct timewait_row *row, uint64_t now_ns)
{
	double taken_per_second =
		trend__follow(&row->trend, now_ns, port_use__taken(row), TREND_NS);

	if (isnan(taken_per_second))
		return;
	row->taken_per_second = taken_per_second;
	row->is_inferred = false;
}

static void update_trend(struct timewait_row *row, uint64_t before_ns, uint64_t now_ns)
{
	struct trend *trend = &row->trend;

	if (!trend->older_ns && !before_ns) {
		*trend = (struct trend){now_ns, port_use__taken(row), now_ns, port_use__taken(row)};
		return infer_trend(row);
	}
	if (!trend->older_ns)
		*trend = (struct trend){before_ns, 0, before_ns, 0}; /* it was not there then */
	follow_trend(row, now_ns);
}

const struct timewait_row *port_use__worst(const struct timewait_rows *rows, bool is_low)
{
	const struct timewait_row *worst = NULL;

	for (struct timewait_row *row = NULL; (row = timewait_rows__next(rows, row));) {
		if (row->key.by != TIMEWAIT_BY_PORTS || row->is_low < is_low)
			continue;
		if (!worst || port_use__taken(row) > port_use__taken(worst))
			worst = row;
	}
	return worst;
}

uint64_t port_use__left_ns(const struct timewait_row *row)
{
	uint64_t n_free = port_use__free(row);
	double left_ns;

	if (!n_free)
		return 0;
	if (!(row->taken_per_second > 0))
		return UNKNOWN_U64;
	left_ns = n_free * (TW_NSEC_PER_SEC / row->taken_per_second);
	return left_ns < (double)UINT64_MAX / 2 ? (uint64_t)left_ns : UNKNOWN_U64;
}

void port_use__finish(struct port_use *use, uint64_t before_ns, uint64_t now_ns,
		      ports_low_fn on_low, void *ctx)
{
	enum threshold_change change;

	timewait_rows__clear_old(use->rows);
	for (struct timewait_row *row = NULL; (row = timewait_rows__next(use->rows, row));) {
		if (row->key.by != TIMEWAIT_BY_PORTS)
			continue;
		row->usable = use->range.usable;
		update_trend(row, before_ns, now_ns);
		change = threshold__observe(&ports_low_threshold, &row->is_low,
					    port_use__taken(row), row->usable);
		if (change != THRESHOLD_NONE && on_low)
			on_low(ctx, row, change);
	}
	timewait_rows__prune(use->rows);
}
