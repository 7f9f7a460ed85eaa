/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is told once when it begins and once when it is over: TIME_WAIT near its limit, processes
 * that do not close, servers whose handshakes fail. Not here: when that is so (model/), listeners
 * (live_listeners.c), ports (live_ports.c).
 */
#include <errno.h>

#include "live_internal.h"

int live_alarms__open(struct live *live)
{
	if (!live->options.watch_alarms || !live->options.want_events)
		return 0;
	live->alarms.handshakes = handshake_alarm__new();
	return live->alarms.handshakes ? 0 : -ENOMEM;
}

void live_alarms__fini(struct live *live)
{
	handshake_alarm__free(live->alarms.handshakes);
	close_waits__fini(&live->close_waits);
}

static void tell(struct live *live, struct session *place, struct event *event,
		 enum threshold_change change)
{
	place->netns_name = live__netns_name(live, place->netns);
	if (live->containers)
		place->container = live__container(live, place);
	event->time_ns = live->now_ns;
	event->session = place;
	event->view = event->view ? event->view : VIEW_SOCKET;
	event->reason = threshold_change__name(change);
	live->options.on_event(live->options.ctx, event);
}

/* ---- TIME_WAIT ------------------------------------------------------------------------------- */

static void tell_time_wait(struct live *live, const struct netns_counters *counters, uint64_t used,
			   enum threshold_change change)
{
	struct session place = {.netns = netns_stats__inum(counters->stats)};
	struct event event = {
		.kind = EVENT_TIME_WAIT_FULL,
		.used = used,
		.limit = counters->last.value[NETNS_TIME_WAIT_MAX],
	};

	if (live->options.want_events)
		tell(live, &place, &event, change);
}

void live_alarms__forget_netns(struct live *live, const struct netns_counters *counters)
{
	if (counters->time_wait.is_raised)
		tell_time_wait(live, counters, 0, THRESHOLD_CLEARED);
}

static void check_time_wait(struct live *live, struct netns_counters *counters)
{
	const netns_stat_set needed = NETNS_SET(MINISOCKS) | NETNS_SET(TIME_WAIT_MAX);
	const struct netns_values *now = live_stats__now(live, counters);
	uint64_t used = now->value[NETNS_MINISOCKS], limit = now->value[NETNS_TIME_WAIT_MAX];
	enum threshold_change change;

	if ((now->known & needed) != needed)
		return;
	change = time_wait_alarm__observe(&counters->time_wait, used, limit,
					  now->value[NETNS_TIME_WAIT_OVERFLOW]);
	if (change != THRESHOLD_NONE)
		tell_time_wait(live, counters, used, change);
}

/* ---- CLOSE_WAIT ------------------------------------------------------------------------------ */

static void tell_leak(void *ctx, const struct close_wait_holder *holder,
		      enum threshold_change change)
{
	struct session place = {.netns = holder->key.netns, .owner = holder->owner};
	struct event event = {
		.kind = EVENT_CLOSE_WAIT_LEAK,
		.used = holder->n_long,
		.limit = CLOSE_WAIT_LEAK,
	};

	tell(ctx, &place, &event, change);
}

/* Fewer than make a leak are nobody's business, but for the end of one. */
static bool may_leak(const struct live *live)
{
	struct session_table_stats stats;

	session_table__stats(live->table, &stats);
	return stats.by_state[TCPS_CLOSE_WAIT] >= CLOSE_WAIT_LEAK ||
	       close_waits__is_leaking(&live->close_waits);
}

/* True if whose they are has been asked, as far as anybody can tell. */
static bool know_owners(struct live *live)
{
	if (!close_waits__has_unowned(&live->close_waits))
		return true;
	if (!pace__may(&live->owners_pace, live->now_ns))
		return false;		      /* the next time */
	(void)live__find_owners(live, false); /* logged */
	live__look_close_wait(live);
	return true;
}

static void check_close_wait(struct live *live)
{
	struct pace *pace = &live->alarms.close_wait_pace;

	if (!live->options.want_events || !may_leak(live) || !pace__may(pace, live->now_ns))
		return;
	live__look_close_wait(live);
	if (know_owners(live))
		close_waits__observe(&live->close_waits, tell_leak, live);
	pace__took(pace, live->now_ns);
}

void live__look_close_wait(struct live *live)
{
	close_waits__look(&live->close_waits, live->table, live__now().mono_ns);
}

const struct close_wait_holder *live__close_wait(void *ctx, const struct session *session)
{
	const struct live *live = ctx;

	return close_waits__find(&live->close_waits, session->netns, session->owner.pid);
}

/* ---- handshakes ------------------------------------------------------------------------------ */

static void take_result(struct live *live, int err)
{
	if (err && !live->apply_err)
		live->apply_err = err;
}

/* Of this host's sockets and requests; what came to neither the table counts. */
static bool is_failure(const struct event *event)
{
	const struct evidence_verdict *v = event->session ? event->session->verdict : NULL;
	enum handshake_side side;

	if (event->kind != EVENT_HANDSHAKE_FAILED || !handshake__side(event->session, &side) ||
	    side == SIDE_FORWARD)
		return false;
	return event->view == VIEW_SOCKET || (side == SIDE_SERVER && v && v->synack_ns);
}

void live_alarms__take(struct live *live, const struct event *event)
{
	live->alarms.n_failed += is_failure(event);
	if (live->alarms.handshakes)
		take_result(live, handshake_alarm__add(live->alarms.handshakes, event));
}

static void tell_failing(void *ctx, const struct session *session,
			 const struct handshake_ends *ends, enum threshold_change change)
{
	struct live *live = ctx;
	struct session place = *session;
	struct event event = {
		.kind = EVENT_HANDSHAKES_FAILING,
		.used = ends->failed,
		.limit = ends->all,
		.view = place.is_forwarded ? VIEW_WIRE : (enum view)live->options.views,
	};

	tell(live, &place, &event, change);
}

static void take_attempt(void *ctx, const struct attempt *attempt)
{
	struct live *live = ctx;

	take_result(live,
		    handshake_alarm__add_attempt(live->alarms.handshakes, attempt, live->now_ns));
}

static void check_handshakes(struct live *live)
{
	struct handshake_alarm *alarm = live->alarms.handshakes;

	if (!alarm)
		return;
	handshake_alarm__forget_stalled(alarm);
	session_table__visit_attempts(live->table, live->now_ns, take_attempt, live);
	handshake_alarm__observe(alarm, live->now_ns, tell_failing, live);
}

/* Of this host's sockets and requests, since the start: each once, however often it was repeated.
 */
static int count_ends(struct live *live, struct handshake_ends *client,
		      struct handshake_ends *server)
{
	struct requests_given_up given_up;
	struct sock_counters sock;
	struct netns_values kernel;
	int err = sock_view__counters(live->sock, &sock);

	if (err)
		return err;
	live_stats__as_read(live, &kernel); /* for TIME_WAIT, just now */
	client->failed = sock.value[SOCKC_CONNECT_FAILED];
	client->all = client->failed + sock.value[SOCKC_ACTIVE_OPEN];
	given_up = sock_view__given_up(live->sock, live->now_ns);
	server->failed =
		kernel.value[NETNS_EMBRYONIC_RESETS] + given_up.timed_out + given_up.accept_full;
	server->all = server->failed + sock.value[SOCKC_PASSIVE_OPEN];
	return 0;
}

static void add_since(struct side_failing *side, struct handshake_ends now, uint64_t now_ns)
{
	struct handshake_ends since = {0};

	/* What was taken for a failure may turn out to be none. */
	if (now.all > side->so_far.all)
		since.all = now.all - side->so_far.all;
	if (now.failed > side->so_far.failed)
		since.failed = now.failed - side->so_far.failed;

	failing__add(&side->failing, since, now_ns);
	side->so_far = now;
	(void)failing__observe(&side->failing, now_ns);
}

/* What a header is told: without events nobody knows whose they are. */
static void count_handshakes(struct live *live)
{
	struct handshake_ends client, server;
	struct session_table_stats table;

	if (live->options.want_events || !live->sock || count_ends(live, &client, &server))
		return;
	session_table__stats(live->table, &table);
	live->alarms.n_counted = client.failed + server.failed;
	server.failed += table.wire_failed_here;
	server.all += table.wire_failed_here;
	add_since(&live->alarms.client, client, live->now_ns);
	add_since(&live->alarms.server, server, live->now_ns);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static struct handshake_ends raised(const struct side_failing *side)
{
	return side->failing.is_raised ? failing__recent(&side->failing)
				       : (struct handshake_ends){0};
}

/* Is a larger share of @a taken than of the fullest so far? */
static bool is_fuller(const struct netns_values *a, const struct live_stats *stats)
{
	return a->value[NETNS_MINISOCKS] * stats->time_wait_limit >=
	       stats->time_wait_count * a->value[NETNS_TIME_WAIT_MAX];
}

void live_alarms__stats(struct live *live, struct live_stats *stats)
{
	stats->handshakes_failed = live->alarms.n_failed + live->alarms.n_counted;
	stats->client_failing = raised(&live->alarms.client);
	stats->server_failing = raised(&live->alarms.server);
	for (size_t i = 0; i < live->n_counters; i++) {
		const struct netns_counters *counters = &live->counters[i];

		if (!counters->time_wait.is_raised || !is_fuller(&counters->last, stats))
			continue;
		stats->time_wait_full = live__netns_name(live, netns_stats__inum(counters->stats));
		stats->time_wait_count = counters->last.value[NETNS_MINISOCKS];
		stats->time_wait_limit = counters->last.value[NETNS_TIME_WAIT_MAX];
	}
}

void live_alarms__check(struct live *live)
{
	uint64_t now_ns = live__now().mono_ns;

	if (!live->options.watch_alarms || !pace__may(&live->alarms.pace, now_ns))
		return;
	live->now_ns = now_ns;
	for (size_t i = 0; i < live->n_counters; i++)
		check_time_wait(live, &live->counters[i]);
	check_close_wait(live);
	check_handshakes(live);
	count_handshakes(live);
	pace__took(&live->alarms.pace, now_ns);
}
