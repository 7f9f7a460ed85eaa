/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests to rtnetlink through libmnl: whole dumps and single questions. Not here: what the
 * messages mean (iface.c).
 */
#ifndef TCPWATCH_RTNL_H
#define TCPWATCH_RTNL_H

#include <libmnl/libmnl.h>

#include "netns.h"

/*
 * netlink__open() - a socket of @protocol (NETLINK_ROUTE …) in @ns that gets the multicast @groups;
 * rtnl__open() - one of rtnetlink. NULL: errno says why
 */
struct mnl_socket *netlink__open(const struct netns *ns, int protocol, unsigned groups);
struct mnl_socket *rtnl__open(const struct netns *ns, unsigned groups);

/*
 * rtnl__dump() - call @take with each object that a dump of @type (RTM_GETLINK …) gives
 *
 * @body: sent after the header, its first byte the address family. A dump that changes interrupted
 * is begun anew after @restart(@ctx). Returns 0 or -errno.
 */
struct rtnl_dump {
	uint16_t type;
	const void *body;
	size_t body_bytes;
	mnl_cb_t take;
	void (*restart)(void *ctx);
	void *ctx;
};
int rtnl__dump(struct mnl_socket *socket, const struct rtnl_dump *dump);

/*
 * rtnl__ask() - send one request and call @take with the answer
 *
 * @message: a whole request, made with libmnl; flags and number are set here. Returns 0 or -errno.
 */
int rtnl__ask(struct mnl_socket *socket, struct nlmsghdr *message, mnl_cb_t take, void *ctx);

/* rtnl__attributes() - the attributes after a header of @header_bytes, by type, up to @max; NULL
 * where there is none */
void rtnl__attributes(const struct nlmsghdr *message, size_t header_bytes,
		      const struct nlattr **by_type, unsigned max);
/* rtnl__nested() - likewise, of the attributes inside @outer */
void rtnl__nested(const struct nlattr *outer, const struct nlattr **by_type, unsigned max);

#endif
