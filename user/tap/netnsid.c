/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RTM_GETNSID, with a file descriptor of the namespace in question: the kernel answers from its own
 * table (net/core/net_namespace.c), so nothing is guessed from names or numbers of interfaces.
 */
#include "netnsid.h"

#include <errno.h>
#include <stdlib.h>

#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include "rtnl.h"

static int take_nsid(const struct nlmsghdr *message, void *ctx)
{
	const struct nlattr *attrs[NETNSA_MAX + 1];

	rtnl__attributes(message, sizeof(struct rtgenmsg), attrs, NETNSA_MAX);
	if (attrs[NETNSA_NSID])
		*(int32_t *)ctx = (int32_t)mnl_attr_get_u32(attrs[NETNSA_NSID]);
	return MNL_CB_OK;
}

/* Through a socket in the namespace that is asked. */
static int32_t ask(struct mnl_socket *socket, const struct netns *other)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	int32_t nsid = NETNSA_NSID_NOT_ASSIGNED;
	struct rtgenmsg *body;
	int err;

	message->nlmsg_type = RTM_GETNSID;
	body = mnl_nlmsg_put_extra_header(message, sizeof(*body));
	body->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)other->fd);
	err = rtnl__ask(socket, message, take_nsid, &nsid);
	if (err)
		return err;
	return nsid >= 0 ? nsid : -ENOENT;
}

int32_t netnsid__of(const struct netns *ns, const struct netns *other)
{
	struct mnl_socket *socket = rtnl__open(ns, 0);
	int32_t nsid;

	if (!socket)
		return -errno;
	nsid = ask(socket, other);
	mnl_socket_close(socket);
	return nsid;
}

static int compare(const void *a, const void *b)
{
	const struct netnsid_entry *x = a, *y = b;

	return (x->nsid > y->nsid) - (x->nsid < y->nsid);
}

int netnsid_map__read(struct netnsid_map *map, const struct netns *ns)
{
	struct netns_list everything = {.all = true};
	struct mnl_socket *socket = rtnl__open(ns, 0);

	*map = (struct netnsid_map){0};
	if (!socket)
		return -errno;
	(void)netns_list__rescan(&everything);
	map->items = calloc(everything.count, sizeof(*map->items));
	for (size_t i = 0; map->items && i < everything.count; i++) {
		int32_t nsid = ask(socket, &everything.items[i]);

		if (nsid >= 0)
			map->items[map->count++] =
				(struct netnsid_entry){nsid, everything.items[i].inum};
	}
	if (map->count)
		qsort(map->items, map->count, sizeof(*map->items), compare);
	netns_list__free(&everything);
	mnl_socket_close(socket);
	return 0;
}

void netnsid_map__free(struct netnsid_map *map)
{
	free(map->items);
	*map = (struct netnsid_map){0};
}

uint32_t netnsid_map__inum(const struct netnsid_map *map, int32_t nsid)
{
	const struct netnsid_entry key = {.nsid = nsid}, *entry = NULL;

	if (map->count)
		entry = bsearch(&key, map->items, map->count, sizeof(key), compare);
	return entry ? entry->inum : 0;
}
