/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taking records in: from the ring buffer, the session cache and the iterators into the table.
 * Not here: how these came to be (live_open.c), figures for a header (live_stats.c).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "live_internal.h"
#include "reset_reason.h"
#include "sock_tally.h"
#include "user/util/log.h"

/* The reader looks by itself after this long: soon while records come, rarely while none do. */
#define TICK_BUSY_MS 10
#define TICK_IDLE_MS 80
/* Records taken in at once, so that a flood of them does not keep the reader from its other duties.
 */
#define DRAIN_MAX      65536
#define SCOPES_KEPT_NS (60 * TW_NSEC_PER_SEC) /* names of interfaces that no row has any more */
#define WAITED_FOR     4 /* the ring, changes of interfaces, signs of new namespaces */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * TW_NSEC_PER_SEC + ts.tv_nsec;
}

struct moment live__now(void)
{
	struct moment now = {.mono_ns = clock_ns(CLOCK_MONOTONIC)};

	now.mono_to_real_ns = clock_ns(CLOCK_REALTIME) - now.mono_ns;
	return now;
}

/* ---- records ------------------------------------------------------------------------------- */

static void apply(struct live *live, const union record *rec)
{
	int err = session_table__apply(live->table, rec, live->now_ns);

	if (err && !live->apply_err)
		live->apply_err = err;
}

/* A record from the scan of a cache or from an iterator. */
void live__take(void *ctx, const union record *rec)
{
	struct live *live = ctx;

	if (rec->hdr.kind == REC_SOCK)
		tally__count(&live->counting, &rec->sock.sock);
	apply(live, rec);
}

void live__take_batch(void *ctx, const union record *records, size_t count)
{
	struct live *live = ctx;

	session_table__expect(live->table, records, count);
	for (size_t i = 0; i < count; i++)
		apply(live, &records[i]);
}

int live__on_ring(void *ctx, void *data, size_t size)
{
	struct live *live = ctx;
	const union record *rec = data;

	if (size < sizeof(rec->hdr) || rec->hdr.size > size)
		return 0; /* not ours: nobody else has the map */
	if (live->options.lean)
		live->options.on_record(live->options.ctx, rec);
	else
		apply(live, rec);
	if (rec->hdr.kind == REC_SOCK_STATE)
		live_netns__heard_of(live, rec->sock_state.sock.netns);
	return ++live->n_drained < DRAIN_MAX ? 0 : -ECANCELED;
}

/* Returns how many records came. */
static size_t drain(struct live *live)
{
	live->n_drained = 0;
	live->now_ns = clock_ns(CLOCK_MONOTONIC);
	(void)ring_buffer__consume(live->ring); /* fails only as live__on_ring does */
	if (live->n_drained < DRAIN_MAX)
		live->drained_ns = live->now_ns;
	return live->n_drained;
}

static int apply_result(struct live *live)
{
	int err = live->apply_err;

	live->apply_err = 0;
	if (err)
		log_error("out of memory: some sessions are not shown");
	return err;
}

/* ---- what the table asks --------------------------------------------------------------------- */

bool live__is_local(void *ctx, uint32_t tap, const struct ip_addr *addr)
{
	const struct live *live = ctx;
	uint32_t inum;
	size_t at = 0;

	if (tap != ANY_TAP)
		return tap_set__is_local(live->taps, tap, addr);
	while ((inum = tap_set__netns_of(live->taps, addr, &at)))
		if (netns_list__name(&live->netns, inum))
			return true;
	return false;
}

void live__tap_facts(void *ctx, uint32_t id, struct tap_facts *out)
{
	const struct live *live = ctx;
	const struct tap *tap = live->taps ? tap_set__by_id(live->taps, id) : NULL;

	if (tap)
		*out = (struct tap_facts){
			.ifname = tap->iface.name,
			.netns = tap->netns,
			.is_gone = tap->is_gone,
			.is_share = tap->is_share,
		};
}

const char *live__netns_name(void *ctx, uint32_t netns)
{
	struct live *live = ctx;

	return netns_list__name(&live->netns, netns);
}

void live__pull(void *ctx, struct session_table *table __attribute__((unused)),
		const struct flow_key *key)
{
	struct live *live = ctx;

	wire_view__pull(live->wire, key, live->now_ns, live__take, live);
}

void live__on_event(void *ctx, const struct event *event)
{
	struct live *live = ctx;

	live_alarms__take(live, event);
	live->options.on_event(live->options.ctx, event);
}

const char *live__reset_reason(void *ctx __attribute__((unused)), int reason)
{
	return reset_reason__name(reason);
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct session_table *live__table(struct live *live)
{
	return live->table;
}

const struct netns_list *live__netns(const struct live *live)
{
	return &live->netns;
}

bool live__is_following(const struct live *live)
{
	return live->options.follow || live->options.want_events;
}

const struct tap_set *live__taps(const struct live *live)
{
	return live->taps;
}

int live__fd(const struct live *live)
{
	return live->epoll_fd;
}

static int wait(struct live *live, int timeout_ms)
{
	struct epoll_event events[WAITED_FOR];
	int n = epoll_wait(live->epoll_fd, events, WAITED_FOR, timeout_ms);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (live->taps && events[i].data.fd == tap_set__epoll_fd(live->taps))
			tap_set__follow(live->taps);
		(void)live_netns__take_sign(live, events[i].data.fd);
	}
	return n;
}

static int next_tick(int tick_ms, bool is_busy)
{
	if (is_busy || !tick_ms)
		return TICK_BUSY_MS;
	return 2 * tick_ms < TICK_IDLE_MS ? 2 * tick_ms : TICK_IDLE_MS;
}

int live__poll(struct live *live, int timeout_ms)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ms * TW_NSEC_PER_MSEC;
	int woken, left_ms, tick_ms;
	size_t n;

	do {
		live->now_ns = clock_ns(CLOCK_MONOTONIC);
		left_ms = end_ns > live->now_ns ? (end_ns - live->now_ns) / TW_NSEC_PER_MSEC : 0;
		tick_ms = live_netns__wait_ms(live, live->tick_ms);
		woken = wait(live, left_ms < tick_ms ? left_ms : tick_ms);
		if (woken < 0)
			return woken;
		n = drain(live);
		live_nat__read(live);
		live->tick_ms = next_tick(live->tick_ms, n);
		session_table__settle(live->table, live->now_ns);
		live_netns__follow(live);
		(void)live_ports__check(live); /* the next one may do better … */
		(void)live_listeners__check(live);
		live_alarms__check(live);
		live_figures__tidy(live);
		if (live_losses__check(live))
			return live__refresh(live);
	} while (!n && !woken && left_ms > 0);
	return apply_result(live);
}

/* ---- looking again --------------------------------------------------------------------------- */

size_t live__expect_socks(void *ctx, const union record *first, size_t len)
{
	struct live *live = ctx;

	return session_table__expect_socks(live->table, first, len);
}

static int list_sockets(struct live *live)
{
	int err;

	live->counting = (struct snapshot_tally){0};
	err = sock_view__snapshot(live->sock, live__take, live);
	live->tally = live->counting;
	return err;
}

int live__refresh(struct live *live)
{
	int err = 0;

	(void)drain(live);
	live_nat__read(live);
	live_netns__follow(live);
	live_scopes__tidy(live, live->now_ns - SCOPES_KEPT_NS);
	if (live->options.lean)
		return apply_result(live);
	if (live->wire)
		err = live_losses__scan(live);
	if (live->sock) {
		int sock_err = list_sockets(live);

		err = err ? err : sock_err;
	}
	if (!err)
		err = live_ports__check(live);
	if (!err)
		err = live_listeners__check(live);
	live_alarms__check(live);
	live->now_ns = clock_ns(CLOCK_MONOTONIC);
	session_table__settle(live->table, live->now_ns);
	if (err)
		log_error("cannot read all sessions: %s; what is shown may be incomplete",
			  strerror(-err));
	return err ? err : apply_result(live);
}

int live__tuples(struct live *live, record_sink sink, void *ctx)
{
	int err;

	(void)drain(live);
	live_netns__follow(live);
	err = sock_view__tuples(live->sock, sink, ctx);
	if (err)
		log_error("cannot list all sockets: %s", strerror(-err));
	return err;
}

struct passing {
	struct live *live;
	session_visitor visit;
	void *ctx;
};

static void pass(void *ctx, const union record *rec)
{
	struct passing *p = ctx;

	if (rec->hdr.kind == REC_SOCK)
		session_table__pass(p->live->table, &rec->sock, p->live->now_ns, p->visit, p->ctx);
}

int live__list(struct live *live, session_visitor visit, void *ctx)
{
	struct passing p = {live, visit, ctx};
	int err;

	live->now_ns = clock_ns(CLOCK_MONOTONIC);
	err = sock_view__snapshot(live->sock, pass, &p);
	if (err == -EOVERFLOW)
		log_error("cannot list all sockets: too many in one place of the kernel's table; "
			  "with a field of their processes (--fields +pid) they are listed one by "
			  "one");
	else if (err)
		log_error("cannot list all sockets: %s; what is shown may be incomplete",
			  strerror(-err));
	return err;
}

int live__find_owners(struct live *live, bool force)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int err;

	if (!live->sock || !session_table__has_unowned(live->table))
		return 0;
	if (!force && !pace__may(&live->owners_pace, now_ns))
		return 0;
	session_table__forget_owners(live->table);
	err = sock_view__owners(live->sock, live__take, live);
	pace__took(&live->owners_pace, now_ns);
	if (err)
		log_warn("cannot find the processes of sockets: %s", strerror(-err));
	return err;
}
