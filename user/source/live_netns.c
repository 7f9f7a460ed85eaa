/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Following network namespaces: those that appear are taken in at once, on a sign of one, with -N
 * all, or if they have a name that was asked for; those that nobody keeps are let go of. Not here:
 * the signs (tap/netns_watch.h), what is in a namespace.
 */
#include <errno.h>
#include <string.h>

#include "live_internal.h"
#include "sock_tally.h"
#include "user/util/log.h"

#define CHECK_NS TW_NSEC_PER_SEC /* for what goes, and for what comes without a sign */
/* A sign comes before there is anything to see: a name is made before its namespace is mounted on
 * it. So it is looked again and again, at ever longer intervals up to this one. */
#define LOOK_FIRST_NS (10 * TW_NSEC_PER_MSEC)
#define LOOK_LAST_NS  (160 * TW_NSEC_PER_MSEC)
#define LOOK_SHARE    10   /* a part in so many of the time, at most, is spent looking … */
#define CHECK_SHARE   1000 /* … and without a sign */

int live_netns__open(struct live *live)
{
	struct netns_list home = {0};
	int err;

	if (!netns_list__grows(&live->netns) && !live->options.n_containers)
		return 0;
	err = netns_list__resolve(&home, NULL, 0);
	if (err)
		return err;
	live->looks.watch = netns_watch__new(&home.items[0]);
	err = live->looks.watch ? 0 : -errno;
	netns_list__free(&home);
	if (err)
		log_warn("new network namespaces are noticed within a second, not at once: %s",
			 strerror(-err));
	return 0;
}

void live_netns__close(struct live *live)
{
	netns_watch__free(live->looks.watch);
}

/* ---- signs ----------------------------------------------------------------------------------- */

static void look_soon(struct netns_looks *looks, uint64_t now_ns)
{
	uint64_t least_ns = looks->looked_ns + LOOK_SHARE * looks->cost_ns;

	looks->next_ns = now_ns > least_ns ? now_ns : least_ns;
	looks->pause_ns = LOOK_FIRST_NS;
}

bool live_netns__take_sign(struct live *live, int fd)
{
	struct netns_looks *looks = &live->looks;

	if (!looks->watch || fd != netns_watch__fd(looks->watch))
		return false;
	netns_watch__read(looks->watch);
	look_soon(looks, live->now_ns);
	return true;
}

void live_netns__heard_of(struct live *live, uint32_t inum)
{
	struct netns_looks *looks = &live->looks;

	if (inum == looks->heard || !live->netns.all)
		return;
	looks->heard = inum;
	if (!netns_list__name(&live->netns, inum) && !looks->next_ns)
		look_soon(looks, live->now_ns);
}

int live_netns__wait_ms(const struct live *live, int at_most_ms)
{
	const uint64_t next_ns = live->looks.next_ns;
	uint64_t left_ms;

	if (!next_ns)
		return at_most_ms;
	left_ms = next_ns > live->now_ns ? (next_ns - live->now_ns) / TW_NSEC_PER_MSEC + 1 : 0;
	return left_ms < (uint64_t)at_most_ms ? (int)left_ms : at_most_ms;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* What cannot be watched is told. */
static void tap_young(struct live *live, const struct netns *ns)
{
	const struct live_options *options = &live->options;

	if (!options->n_ifaces)
		(void)tap_set__add_young(live->taps, ns, NULL, options->hook);
	for (size_t i = 0; i < options->n_ifaces; i++)
		(void)tap_set__add_young(live->taps, ns, options->ifaces[i], options->hook);
}

static void take_in(struct live *live, const struct netns *ns)
{
	if (live__has_figures(live))
		(void)live_stats__add_netns(live, ns);
	if (live->listeners)
		(void)live_listeners__add_netns(live, ns->inum);
	(void)live_ports__add_netns(live, ns);
	live_nat__add_netns(live, ns);
	/* That of a chosen container is tapped from outside, unless -i names interfaces in it. */
	if (live->taps && (live->options.n_ifaces || !live__is_container(live, ns)))
		tap_young(live, ns);
}

static void look(struct live *live)
{
	struct netns_looks *looks = &live->looks;
	size_t known = live->netns.count;

	looks->looked_ns = live->now_ns;
	(void)netns_list__rescan(&live->netns);
	looks->cost_ns = live__now().mono_ns - live->now_ns;
	live__follow_containers(live);
	if (known == live->netns.count)
		return;
	if (live->sock && sock_view__follow_netns(live->sock))
		log_warn("sockets of a network namespace that has appeared are not followed: %s",
			 strerror(errno));
	for (size_t i = known; i < live->netns.count; i++)
		take_in(live, &live->netns.items[i]);
}

static bool is_look_due(struct live *live)
{
	struct netns_looks *looks = &live->looks;

	if (!looks->next_ns || live->now_ns < looks->next_ns)
		return false;
	looks->next_ns = looks->pause_ns <= LOOK_LAST_NS ? live->now_ns + looks->pause_ns : 0;
	looks->pause_ns *= 2;
	return true;
}

/* A look without a sign is one at every process: it takes no more than its share of the time. */
static bool may_look(const struct live *live)
{
	const struct netns_looks *looks = &live->looks;

	return !live->netns.all || live->now_ns - looks->looked_ns >= CHECK_SHARE * looks->cost_ns;
}

static void on_gone(void *ctx, uint32_t inum)
{
	struct live *live = ctx;
	int err = session_table__forget_netns(live->table, inum);

	if (!live->netns.all && !live->chosen)
		log_warn("network namespace %s is gone", netns_list__name(&live->netns, inum));
	if (err && !live->apply_err)
		live->apply_err = err;
	if (live->sock)
		sock_view__forget_netns(live->sock, inum);
	if (live->taps)
		tap_set__forget_netns(live->taps, inum);
	live_stats__forget_netns(live, inum);
	live_ports__forget_netns(live, inum);
	live_nat__forget_netns(live, inum);
	live_listeners__forget_netns(live, inum);
	if (live->options.want_tally && live->sock)
		sock_tally__forget_netns(live->sock, inum);
	if (live->containers)
		containers__forget_netns(live->containers, inum);
	live__lose_container(live, inum);
}

void live_netns__follow(struct live *live)
{
	struct netns_looks *looks = &live->looks;
	bool is_check = live->now_ns - looks->checked_ns >= CHECK_NS;
	bool is_due = is_look_due(live);

	if (is_check) {
		looks->checked_ns = live->now_ns;
		if (live->containers)
			containers__follow(live->containers, live->now_ns);
		netns_list__prune(&live->netns, on_gone, live);
		if (live->taps)
			tap_set__grow(live->taps);
	}
	if (((is_check && may_look(live)) || is_due) &&
	    (netns_list__grows(&live->netns) || live->chosen))
		look(live);
}
