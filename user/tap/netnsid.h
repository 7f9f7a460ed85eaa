/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The numbers by which one network namespace knows others: where the other end of a veth is
 * (IFLA_LINK_NETNSID). Such a number means something in that one namespace alone. Not here: the
 * interfaces (iface.h).
 */
#ifndef TCPWATCH_NETNSID_H
#define TCPWATCH_NETNSID_H

#include "netns.h"

/* netnsid__of() - the number of @other in @ns; -ENOENT: it has none there; or another -errno */
int32_t netnsid__of(const struct netns *ns, const struct netns *other);

/* All that one namespace knows. */
struct netnsid_map {
	struct netnsid_entry {
		int32_t nsid;
		uint32_t inum;
	} * items;
	size_t count;
};

/* netnsid_map__read() - ask @ns about each namespace of this host. Returns 0 or -errno */
int netnsid_map__read(struct netnsid_map *map, const struct netns *ns);
void netnsid_map__free(struct netnsid_map *map);

/* netnsid_map__inum() - the inode number of the namespace, 0: not known */
uint32_t netnsid_map__inum(const struct netnsid_map *map, int32_t nsid);

#endif
