/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces and addresses of a network namespace, read and followed through rtnetlink (libmnl).
 * Not here: attaching to them (tap.h).
 */
#ifndef TCPWATCH_IFACE_H
#define TCPWATCH_IFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/shared/flow.h"
#include "netns.h"

struct iface {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	char kind[16];	/* IFLA_INFO_KIND: "veth", "bridge", …; "" for hardware */
	uint32_t flags; /* IFF_UP … */
	uint32_t mtu;
	uint8_t address[6]; /* of Ethernet; else 0 */
	uint16_t type;	    /* ARPHRD_ETHER, ARPHRD_NONE … */
	uint32_t peer; /* of a veth: its other end; of macvlan, VLAN …: what it is on; 0: none */
	uint32_t master;   /* the bridge, bond … that it is a port of; 0: none */
	int32_t peer_nsid; /* in which namespace that is, by its number here; -1: in this one */
	uint8_t leaving;   /* > 0: dumps lack it, link_watch.c */
	bool has_default_route; /* a default route of any table main, IPv4 or IPv6, leaves through
				   it */
};

struct iface_list {
	struct iface *items;
	size_t count;
};

struct mnl_socket;

/* iface_list__read() - all interfaces of @ns; returns 0 or -errno */
int iface_list__read(struct iface_list *list, const struct netns *ns);
/* iface_list__dump() - likewise, through a socket of rtnl__open() */
int iface_list__dump(struct iface_list *list, struct mnl_socket *socket);
void iface_list__free(struct iface_list *list);

/*
 * iface_list__is_chosen() - @iface of @list matches @pattern, a name or a glob; NULL: it is one of
 * those of the default routes, and where there are none one that is up, lo only if alone
 */
bool iface_list__is_chosen(const struct iface_list *list, const struct iface *iface,
			   const char *pattern);

/* iface_pattern__is_glob() - @pattern may match more than one name */
bool iface_pattern__is_glob(const char *pattern);

/*
 * link_watch: the addresses of one namespace and the changes of its interfaces.
 * fd() becomes readable when something changed; read() then takes it all in and calls back for each
 * change.
 */
struct link_watch;
enum link_change {
	LINK_NEW,
	LINK_CHANGED,
	LINK_DELETED,
	LINK_MOVED, /* to another namespace */
	LINK_LOST,  /* one of the two: no message told which */
};
typedef void (*link_change_fn)(void *ctx, enum link_change change, const struct iface *iface);

struct link_watch *link_watch__new(const struct netns *ns); /* NULL: errno says why */
void link_watch__free(struct link_watch *watch);
int link_watch__fd(const struct link_watch *watch);
/* Returns 0 or -errno. What is missed in an overrun of the socket is found all the same. */
int link_watch__read(struct link_watch *watch, link_change_fn on_change, void *ctx);
/* link_watch__is_behind() - the last read() failed, or an interface has left without a word:
 * another one is due, a second later, without anything new */
bool link_watch__is_behind(const struct link_watch *watch);
/* link_watch__ifaces() - as of the last read */
const struct iface_list *link_watch__ifaces(const struct link_watch *watch);
/* link_watch__is_local() - @addr is an address of the namespace; loopback nets always are */
bool link_watch__is_local(const struct link_watch *watch, const struct ip_addr *addr);

#endif
