/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Translations of addresses in the live source: heard of from conntrack where it is loaded, kept
 * for the session table. Their sockets wake nobody. The kernel tells of a translation before the
 * packet goes on under its new name, so whoever sees that name looks whether something was told.
 * Not here: conntrack's messages (conntrack.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "live_internal.h"
#include "user/util/log.h"

#define NATS_MAX 65536 /* 240 bytes each, made as they are needed */
#define READ_MAX 16    /* namespaces that are read at once */

bool live_nat__is_wanted(const struct live *live)
{
	const struct live_options *options = &live->options;

	if (options->lean)
		return false;
	return options->want_nat || (live__is_following(live) && options->views & VIEW_WIRE);
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void on_nat(void *ctx, const struct nat *nat, bool is_gone)
{
	struct live *live = ctx;
	const struct nat *own;

	if (is_gone)
		return nat_table__remove(live->nats.table, nat);
	if (nat_table__add(live->nats.table, nat, &own))
		live->nats.n_not_kept++;
	else
		session_table__add_nat(live->table, own);
}

/* That it may not be asked doctor tells. */
static void list(struct live *live, struct conntrack *source)
{
	uint32_t inum = conntrack__netns(source);
	int err;

	nat_table__begin_list(live->nats.table);
	err = conntrack__list(source, on_nat, live);
	if (!err)
		nat_table__end_list(live->nats.table, inum);
	else if (err != -EPERM)
		log_warn("cannot list translated addresses of network namespace %u: %s; its "
			 "sessions are shown without those that are not told of later",
			 inum, strerror(-err));
}

/* ---- namespaces ------------------------------------------------------------------------------ */

static int add_source(struct live *live, struct conntrack *source)
{
	struct live_nats *nats = &live->nats;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
	struct conntrack **more;

	more = reallocarray((void *)nats->sources, nats->n_sources + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	nats->sources = more;
	if (epoll_ctl(nats->epoll_fd, EPOLL_CTL_ADD, conntrack__fd(source), &event))
		return -errno;
	more[nats->n_sources++] = source;
	list(live, source);
	return 0;
}

static bool has_source(const struct live_nats *nats, uint32_t inum)
{
	for (size_t i = 0; i < nats->n_sources; i++)
		if (conntrack__netns(nats->sources[i]) == inum)
			return true;
	return false;
}

/* Sockets and taps matter more: of many namespaces those that come last go without. */
static bool has_room(const struct conntrack *source)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) ||
	       (rlim_t)conntrack__fd(source) < limit.rlim_cur / 2;
}

/*
 * Where conntrack is missing or may not be asked sessions are shown without: doctor tells. False:
 * it may be asked, but for want of file descriptors or memory is not.
 */
static bool open_source(struct live *live, const struct netns *ns)
{
	struct conntrack *source;

	if (has_source(&live->nats, ns->inum) || conntrack__open(&source, ns))
		return true;
	if (has_room(source))
		(void)add_source(live, source);
	if (has_source(&live->nats, ns->inum))
		return true;
	conntrack__close(source);
	return false;
}

void live_nat__add_netns(struct live *live, const struct netns *ns)
{
	if (!live->nats.table || !live->nats.is_loaded)
		return;
	if (!live->nats.n_sources)
		(void)open_source(live, &live->nats.home.items[0]);
	live->nats.n_not_asked += !open_source(live, ns);
}

static void add_all(struct live *live)
{
	for (size_t i = 0; i < live->netns.count; i++)
		live_nat__add_netns(live, &live->netns.items[i]);
}

void live_nat__forget_netns(struct live *live, uint32_t inum)
{
	struct live_nats *nats = &live->nats;

	for (size_t i = 0; i < nats->n_sources; i++) {
		if (conntrack__netns(nats->sources[i]) != inum)
			continue;
		conntrack__close(nats->sources[i]);
		nats->sources[i] = nats->sources[--nats->n_sources];
		nat_table__begin_list(nats->table);
		return nat_table__end_list(nats->table, inum);
	}
}

/* ---- news --------------------------------------------------------------------------------- */

/* Conntrack is loaded with the first rule that wants it: whatever is translated comes after. */
static bool has_come(struct live_nats *nats)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (nats->is_loaded || now.tv_nsec == nats->looked_nsec) /* at most once a jiffy */
		return false;
	nats->looked_nsec = now.tv_nsec;
	nats->is_loaded = conntrack__is_loaded();
	return nats->is_loaded;
}

void live_nat__read(struct live *live)
{
	struct epoll_event events[READ_MAX];
	int n;

	if (live->nats.table && has_come(&live->nats))
		add_all(live);
	if (!live->nats.n_sources)
		return;
	n = epoll_wait(live->nats.epoll_fd, events, READ_MAX, 0);
	for (int i = 0; i < n; i++) {
		struct conntrack *source = events[i].data.ptr;

		if (conntrack__read(source, on_nat, live) != -ENOBUFS)
			continue;
		live->nats.n_relisted++;
		list(live, source);
	}
}

const struct nat *live__nat(void *ctx, const struct flow_key *key, enum nat_side side,
			    const struct nat *after)
{
	const struct live *live = ctx;

	return nat_table__next(live->nats.table, key, side, after);
}

void live__nat_news(void *ctx)
{
	live_nat__read(ctx);
}

/* ---- opening and closing ------------------------------------------------------------------- */

int live_nat__open(struct live *live)
{
	struct live_nats *nats = &live->nats;
	int err;

	if (!live_nat__is_wanted(live))
		return 0;
	err = netns_list__resolve(&nats->home, NULL, 0);
	if (err)
		return err;
	nats->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (nats->epoll_fd < 0)
		return -errno;
	nats->table = nat_table__new(NATS_MAX);
	if (!nats->table)
		return -ENOMEM;
	nats->is_loaded = conntrack__is_loaded();
	add_all(live);
	return 0;
}

void live_nat__close(struct live *live)
{
	struct live_nats *nats = &live->nats;

	while (nats->n_sources)
		conntrack__close(nats->sources[--nats->n_sources]);
	free((void *)nats->sources);
	if (nats->epoll_fd >= 0)
		close(nats->epoll_fd);
	nat_table__free(nats->table);
	netns_list__free(&nats->home);
}
