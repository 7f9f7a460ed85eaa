/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Following the interfaces and addresses of a namespace. A notification only says that it is time
 * to look: what changed is the difference between two dumps, so that an overrun of the socket, or
 * many changes at once, are nothing special.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "iface.h"
#include "rtnl.h"

#define GROUPS	    (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
#define DRAIN_BYTES 32768

struct addr_list {
	struct ip_addr *items; /* sorted */
	size_t count;
};

struct link_watch {
	struct mnl_socket *news, *dumps;
	struct iface_list ifaces;
	struct addr_list addrs;
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

/* 127.0.0.0/8 and ::1 */
static bool is_loopback(const struct ip_addr *addr)
{
	if (ip_addr__is_v4(addr))
		return addr->bytes[12] == 127;
	return !addr->quads[0] && !addr->words[2] && addr->words[3] == TW_BE32(1);
}

bool link_watch__is_local(const struct link_watch *watch, const struct ip_addr *addr)
{
	if (is_loopback(addr))
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

static void tell_changes(const struct iface_list *old, const struct iface_list *new,
			 link_change_fn on_change, void *ctx)
{
	for (size_t i = 0; i < old->count; i++)
		if (!find(new, old->items[i].ifindex))
			on_change(ctx, LINK_DELETED, &old->items[i]);
	for (size_t i = 0; i < new->count; i++) {
		const struct iface *before = find(old, new->items[i].ifindex);

		if (!before)
			on_change(ctx, LINK_NEW, &new->items[i]);
		else if (!is_same(before, &new->items[i]))
			on_change(ctx, LINK_CHANGED, &new->items[i]);
	}
}

/* Takes all news off the socket: that there were some is all they say. */
static int drain(struct link_watch *watch)
{
	char buffer[DRAIN_BYTES];

	while (recv(mnl_socket_get_fd(watch->news), buffer, sizeof(buffer), MSG_DONTWAIT) >= 0 ||
	       errno == ENOBUFS || errno == EINTR)
		;
	return errno == EAGAIN ? 0 : -errno;
}

int link_watch__read(struct link_watch *watch, link_change_fn on_change, void *ctx)
{
	struct iface_list old = watch->ifaces, new;
	int err = drain(watch);

	if (!err)
		err = read_addrs(watch);
	if (!err)
		err = iface_list__dump(&new, watch->dumps);
	if (err)
		return err;
	watch->ifaces = new;
	tell_changes(&old, &new, on_change, ctx);
	iface_list__free(&old);
	return 0;
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

int link_watch__fd(const struct link_watch *watch)
{
	return mnl_socket_get_fd(watch->news);
}

const struct iface_list *link_watch__ifaces(const struct link_watch *watch)
{
	return &watch->ifaces;
}
