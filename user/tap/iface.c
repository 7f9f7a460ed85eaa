/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the interfaces of a namespace. Not here: following them (link_watch.c).
 */
#include "iface.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "rtnl.h"

static int take_link(const struct nlmsghdr *message, void *ctx)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *attrs[IFLA_MAX + 1], *details[IFLA_INFO_MAX + 1];
	struct iface_list *list = ctx;
	struct iface *more, *iface;

	rtnl__attributes(message, sizeof(*info), attrs, IFLA_MAX);
	if (!attrs[IFLA_IFNAME])
		return MNL_CB_OK;
	more = reallocarray(list->items, list->count + 1, sizeof(*more));
	if (!more)
		return MNL_CB_ERROR;
	list->items = more;
	iface = &more[list->count++];
	*iface = (struct iface){
		.ifindex = info->ifi_index,
		.flags = info->ifi_flags,
		.type = info->ifi_type,
		.mtu = attrs[IFLA_MTU] ? mnl_attr_get_u32(attrs[IFLA_MTU]) : 0,
		.peer = attrs[IFLA_LINK] ? mnl_attr_get_u32(attrs[IFLA_LINK]) : 0,
		.master = attrs[IFLA_MASTER] ? mnl_attr_get_u32(attrs[IFLA_MASTER]) : 0,
		.peer_nsid = attrs[IFLA_LINK_NETNSID]
				     ? (int32_t)mnl_attr_get_u32(attrs[IFLA_LINK_NETNSID])
				     : -1,
	};
	if (attrs[IFLA_ADDRESS] &&
	    mnl_attr_get_payload_len(attrs[IFLA_ADDRESS]) == sizeof(iface->address))
		memcpy(iface->address, mnl_attr_get_payload(attrs[IFLA_ADDRESS]),
		       sizeof(iface->address));
	snprintf(iface->name, sizeof(iface->name), "%s", mnl_attr_get_str(attrs[IFLA_IFNAME]));
	if (!attrs[IFLA_LINKINFO])
		return MNL_CB_OK;
	rtnl__nested(attrs[IFLA_LINKINFO], details, IFLA_INFO_MAX);
	if (details[IFLA_INFO_KIND])
		snprintf(iface->kind, sizeof(iface->kind), "%s",
			 mnl_attr_get_str(details[IFLA_INFO_KIND]));
	return MNL_CB_OK;
}

static void mark_default(struct iface_list *list, uint32_t ifindex)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].ifindex == ifindex)
			list->items[i].has_default_route = true;
}

static void take_hops(const struct nlattr *hops, struct iface_list *list)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(hops);
	int left = mnl_attr_get_payload_len(hops);

	for (; RTNH_OK(hop, left); hop = RTNH_NEXT(hop)) {
		mark_default(list, hop->rtnh_ifindex);
		left -= (int)RTNH_ALIGN(hop->rtnh_len);
		if (left < (int)sizeof(*hop))
			break;
	}
}

static int take_route(const struct nlmsghdr *message, void *ctx)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *attrs[RTA_MAX + 1];

	if (route->rtm_dst_len || route->rtm_table != RT_TABLE_MAIN ||
	    route->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	rtnl__attributes(message, sizeof(*route), attrs, RTA_MAX);
	if (attrs[RTA_OIF])
		mark_default(ctx, mnl_attr_get_u32(attrs[RTA_OIF]));
	else if (attrs[RTA_MULTIPATH])
		take_hops(attrs[RTA_MULTIPATH], ctx);
	return MNL_CB_OK;
}

static void empty(void *ctx)
{
	((struct iface_list *)ctx)->count = 0;
}

static void keep(void *ctx __attribute__((unused)))
{
}

int iface_list__dump(struct iface_list *list, struct mnl_socket *socket)
{
	const struct ifinfomsg links = {.ifi_family = AF_UNSPEC};
	const struct rtmsg routes[] = {{.rtm_family = AF_INET}, {.rtm_family = AF_INET6}};
	int err;

	*list = (struct iface_list){0};
	err = rtnl__dump(socket, &(struct rtnl_dump){RTM_GETLINK, &links, sizeof(links), take_link,
						     empty, list});
	for (size_t i = 0; !err && i < sizeof(routes) / sizeof(routes[0]); i++)
		err = rtnl__dump(socket,
				 &(struct rtnl_dump){RTM_GETROUTE, &routes[i], sizeof(routes[i]),
						     take_route, keep, list});
	if (err)
		iface_list__free(list);
	return err;
}

int iface_list__read(struct iface_list *list, const struct netns *ns)
{
	struct mnl_socket *socket = rtnl__open(ns, 0);
	int err;

	if (!socket)
		return -errno;
	err = iface_list__dump(list, socket);
	mnl_socket_close(socket);
	return err;
}

void iface_list__free(struct iface_list *list)
{
	free(list->items);
	*list = (struct iface_list){0};
}

/* ---- which to watch -------------------------------------------------------------------------- */

static bool is_loopback(const struct iface *iface)
{
	return iface->flags & IFF_LOOPBACK;
}

static bool is_up(const struct iface *iface)
{
	return iface->flags & IFF_UP;
}

/* What stands in for the interfaces of the default routes. */
enum fallback { BY_ROUTE, BY_UP, BY_LOOPBACK };

static enum fallback choose_fallback(const struct iface_list *list)
{
	enum fallback fallback = BY_LOOPBACK;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].has_default_route)
			return BY_ROUTE;
		if (is_up(&list->items[i]) && !is_loopback(&list->items[i]))
			fallback = BY_UP;
	}
	return fallback;
}

bool iface_pattern__is_glob(const char *pattern)
{
	return strpbrk(pattern, "*?[");
}

bool iface_list__is_chosen(const struct iface_list *list, const struct iface *iface,
			   const char *pattern)
{
	if (pattern)
		return !fnmatch(pattern, iface->name, 0);
	switch (choose_fallback(list)) {
	case BY_ROUTE:
		return iface->has_default_route;
	case BY_UP:
		return is_up(iface) && !is_loopback(iface);
	default:
		return is_loopback(iface);
	}
}
