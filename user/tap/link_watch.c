/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Following the interfaces, addresses and default routes of a namespace. A notification only says
 * that it is time to look: what changed is the difference between two dumps, so that an overrun of
 * the socket, or many changes at once, are nothing special. But for what no dump shows: an
 * interface that was deleted and another made with its index; and whether it was, or moved.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "iface.h"
#include "rtnl.h"

#define GROUPS                                                                       \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | \
	 RTMGRP_IPV6_ROUTE)
#define DRAIN_BYTES 32768
#define PATIENCE    2 /* looks without any news, a second apart, to wait for a word */

struct addr_list {
	struct ip_addr *items; /* sorted */
	size_t count;
};

struct link_watch {
	struct mnl_socket *news, *dumps;
	struct iface_list ifaces;
	struct addr_list addrs;
	bool is_behind;	  /* the last look failed */
	bool has_leaving; /* of .ifaces, some */
};

/* What the notifications since the last look say. */
struct news {
	bool is_any;	 /* a look is due: most routes are of no interest */
	bool is_none;	 /* no message at all has come */
	bool is_overrun; /* some were lost */
	struct departure {
		uint32_t ifindex;
		bool is_move;
	} * departures;
	size_t n_departures;
};

/* ---- addresses ------------------------------------------------------------------------------- */

static int compare_addrs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

static int take_addr(const struct nlmsghdr *message, void *ctx)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *attrs[IFA_MAX + 1], *addr;
	struct addr_list *list = ctx;
	struct ip_addr *more;

	rtnl__attributes(message, sizeof(*info), attrs, IFA_MAX);
	addr = attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS];
	if (!addr || mnl_attr_get_payload_len(addr) != (info->ifa_family == AF_INET ? 4 : 16))
		return MNL_CB_OK;
	more = reallocarray(list->items, list->count + 1, sizeof(*more));
	if (!more)
		return MNL_CB_ERROR;
	list->items = more;
	if (info->ifa_family == AF_INET)
		ip_addr__set_v4(&more[list->count++], mnl_attr_get_u32(addr));
	else
		memcpy(&more[list->count++], mnl_attr_get_payload(addr), sizeof(*more));
	return MNL_CB_OK;
}

static void empty(void *ctx)
{
	((struct addr_list *)ctx)->count = 0;
}

static int read_addrs(struct link_watch *watch)
{
	const struct ifaddrmsg all = {.ifa_family = AF_UNSPEC};
	struct addr_list list = {0};
	int err = rtnl__dump(watch->dumps, &(struct rtnl_dump){RTM_GETADDR, &all, sizeof(all),
							       take_addr, empty, &list});

	if (err) {
		free(list.items);
		return err;
	}
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), compare_addrs);
	free(watch->addrs.items);
	watch->addrs = list;
	return 0;
}

bool link_watch__is_local(const struct link_watch *watch, const struct ip_addr *addr)
{
	if (ip_addr__is_loopback(addr))
		return true;
	return watch->addrs.count &&
	       bsearch(addr, watch->addrs.items, watch->addrs.count, sizeof(*addr), compare_addrs);
}

/* ---- interfaces ------------------------------------------------------------------------------ */

static const struct iface *find(const struct iface_list *list, uint32_t ifindex)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].ifindex == ifindex)
			return &list->items[i];
	return NULL;
}

static bool is_same(const struct iface *a, const struct iface *b)
{
	return !strcmp(a->name, b->name) && a->flags == b->flags && a->mtu == b->mtu &&
	       a->peer == b->peer && a->peer_nsid == b->peer_nsid &&
	       a->has_default_route == b->has_default_route;
}

/* The first: others may have had the index since. NULL: none was told of. */
static const struct departure *departure_of(const struct news *news, uint32_t ifindex)
{
	for (size_t i = 0; i < news->n_departures; i++)
		if (news->departures[i].ifindex == ifindex)
			return &news->departures[i];
	return NULL;
}

static enum link_change how_it_went(const struct news *news, uint32_t ifindex)
{
	const struct departure *departure = departure_of(news, ifindex);

	if (!departure)
		return LINK_LOST;
	return departure->is_move ? LINK_MOVED : LINK_DELETED;
}

/* @now is not @before with other properties, but another one with its index. */
static bool is_another(const struct iface *before, const struct iface *now, const struct news *news)
{
	if (departure_of(news, now->ifindex))
		return true;
	return news->is_overrun &&
	       (strcmp(before->kind, now->kind) != 0 ||
		memcmp(before->address, now->address, sizeof(now->address)) != 0);
}

static void tell_changes(const struct link_watch *watch, const struct iface_list *old,
			 const struct news *news, link_change_fn on_change, void *ctx)
{
	const struct iface_list *new = &watch->ifaces;

	for (size_t i = 0; i < old->count; i++) {
		const struct iface *now = find(new, old->items[i].ifindex);

		if (!now || is_another(&old->items[i], now, news))
			on_change(ctx, how_it_went(news, old->items[i].ifindex), &old->items[i]);
	}
	for (size_t i = 0; i < new->count; i++) {
		const struct iface *before = find(old, new->items[i].ifindex);

		if (!before || is_another(before, &new->items[i], news))
			on_change(ctx, LINK_NEW, &new->items[i]);
		else if (!is_same(before, &new->items[i]))
			on_change(ctx, LINK_CHANGED, &new->items[i]);
	}
}

/* ---- notifications --------------------------------------------------------------------------- */

/* One that moves says where to (__dev_change_net_namespace() in net/core/dev.c). */
static int take_departure(struct news *news, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *attrs[IFLA_MAX + 1];
	struct departure *more;

	if (info->ifi_family != AF_UNSPEC) /* a port left its bridge */
		return MNL_CB_OK;
	more = reallocarray(news->departures, news->n_departures + 1, sizeof(*more));
	if (!more)
		return MNL_CB_ERROR;
	news->departures = more;
	rtnl__attributes(message, sizeof(*info), attrs, IFLA_MAX);
	more[news->n_departures++] =
		(struct departure){(uint32_t)info->ifi_index, attrs[IFLA_NEW_NETNSID]};
	return MNL_CB_OK;
}

static int take_news(const struct nlmsghdr *message, void *ctx)
{
	const struct rtmsg *route;
	struct news *news = ctx;

	news->is_none = false;
	switch (message->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		route = mnl_nlmsg_get_payload(message);
		news->is_any |= !route->rtm_dst_len && route->rtm_table == RT_TABLE_MAIN;
		return MNL_CB_OK;
	case RTM_DELLINK:
		news->is_any = true;
		return take_departure(news, message);
	default:
		news->is_any = true;
		return MNL_CB_OK;
	}
}

/* Takes all news off the socket. */
static int drain(struct link_watch *watch, struct news *news)
{
	char buffer[DRAIN_BYTES];
	ssize_t n;

	for (;;) {
		n = recv(mnl_socket_get_fd(watch->news), buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n >= 0) {
			/* Out of memory for one that was deleted is as if it had been lost. */
			news->is_overrun |= mnl_cb_run(buffer, n, 0, 0, take_news, news) < 0;
		} else if (errno == ENOBUFS) {
			news->is_overrun = true;
		} else if (errno != EINTR) {
			news->is_any |= news->is_overrun;
			return errno == EAGAIN ? 0 : -errno;
		}
	}
}

/*
 * The kernel takes an interface off its list first and tells of it milliseconds later, after a
 * grace period. Until it has, who knows why: to those who ask the interface is there. Of one whose
 * making failed in the end it never tells (unregister_netdevice_many_notify() in net/core/dev.c).
 */
static int keep_leaving(struct iface_list *new, const struct iface_list *old,
			const struct news *news)
{
	struct iface *more;

	for (size_t i = 0; i < old->count && !news->is_overrun; i++) {
		const struct iface *iface = &old->items[i];

		if (find(new, iface->ifindex) || departure_of(news, iface->ifindex) ||
		    iface->leaving > PATIENCE)
			continue;
		more = reallocarray(new->items, new->count + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		new->items = more;
		more[new->count] = *iface;
		more[new->count++].leaving += !iface->leaving || news->is_none;
	}
	return 0;
}

static bool has_leaving(const struct iface_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].leaving)
			return true;
	return false;
}

static int look(struct link_watch *watch, const struct news *news, link_change_fn on_change,
		void *ctx)
{
	struct iface_list old = watch->ifaces, new;
	int err = read_addrs(watch);

	if (!err)
		err = iface_list__dump(&new, watch->dumps);
	if (err)
		return err;
	err = keep_leaving(&new, &old, news);
	if (err) {
		iface_list__free(&new);
		return err;
	}
	watch->ifaces = new;
	watch->has_leaving = has_leaving(&new);
	tell_changes(watch, &old, news, on_change, ctx);
	iface_list__free(&old);
	return 0;
}

int link_watch__read(struct link_watch *watch, link_change_fn on_change, void *ctx)
{
	/* What a look that failed was to find may be lost. */
	struct news news = {.is_any = link_watch__is_behind(watch),
			    .is_none = true,
			    .is_overrun = watch->is_behind};
	int err = drain(watch, &news);

	if (!err && news.is_any)
		err = look(watch, &news, on_change, ctx);
	watch->is_behind = err;
	free(news.departures);
	return err;
}

struct link_watch *link_watch__new(const struct netns *ns)
{
	struct link_watch *watch = calloc(1, sizeof(*watch));
	int err = 0;

	if (!watch)
		return NULL;
	watch->news = rtnl__open(ns, GROUPS);
	watch->dumps = watch->news ? rtnl__open(ns, 0) : NULL;
	if (!watch->dumps)
		err = -errno;
	if (!err)
		err = read_addrs(watch);
	if (!err)
		err = iface_list__dump(&watch->ifaces, watch->dumps);
	if (!err)
		return watch;
	link_watch__free(watch);
	errno = -err;
	return NULL;
}

void link_watch__free(struct link_watch *watch)
{
	if (!watch)
		return;
	if (watch->news)
		mnl_socket_close(watch->news);
	if (watch->dumps)
		mnl_socket_close(watch->dumps);
	iface_list__free(&watch->ifaces);
	free(watch->addrs.items);
	free(watch);
}

bool link_watch__is_behind(const struct link_watch *watch)
{
	return watch->is_behind || watch->has_leaving;
}

int link_watch__fd(const struct link_watch *watch)
{
	return mnl_socket_get_fd(watch->news);
}

const struct iface_list *link_watch__ifaces(const struct link_watch *watch)
{
	return &watch->ifaces;
}
