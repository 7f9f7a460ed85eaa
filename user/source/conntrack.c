/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ctnetlink. A filter of the socket lets through only what is of TCP and translated, so that the
 * many connections that are not cost no room in its buffer.
 */
#include "conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "user/tap/rtnl.h"

#define IS_LOADED     "/proc/sys/net/netfilter/nf_conntrack_count"
#define BUFFER_BYTES  (4 << 20) /* some thousand messages, between two looks */
#define MESSAGE_BYTES 32768
/* Up to so many connections a second walk through the kernel's table costs more than the messages
 * of those that are not translated. */
#define FEW	  16384
#define NAT_BITS  (IPS_SRC_NAT | IPS_DST_NAT)
#define GROUP(id) (1u << (NFNLGRP_##id - 1))
/* Not in the header files of older kernels; a kernel that does not know it sends all. */
#define STATUS_MASK 26 /* CTA_STATUS_MASK, since 5.15 */

#define BODY_BYTES  (sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg))

struct conntrack {
	uint32_t netns;
	struct netns ns; /* borrowed: to make more sockets in */
	struct mnl_socket *news;
};

bool conntrack__is_loaded(void)
{
	return !access(IS_LOADED, F_OK);
}

/* ---- the filter ------------------------------------------------------------------------------ */

#define STMT(code, k) BPF_STMT(code, k)
#define DROP_UNLESS(cond, k) \
	BPF_JUMP(BPF_JMP | (cond) | BPF_K, k, 1, 0), BPF_STMT(BPF_RET | BPF_K, 0)
#define DROP_IF_NONE BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0)
/* A becomes the place of the attribute of this type: after place A, or inside of the one there. */
#define ATTRIBUTE(type)                                                                 \
	STMT(BPF_LDX | BPF_IMM, type),                                                  \
		STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)), \
		DROP_IF_NONE
#define ATTRIBUTE_WITHIN(type)                                                               \
	STMT(BPF_LDX | BPF_IMM, type),                                                       \
		STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR_NEST)), \
		DROP_IF_NONE

static int filter(struct mnl_socket *socket)
{
	static const struct sock_filter code[] = {
		STMT(BPF_LD | BPF_IMM, BODY_BYTES),
		ATTRIBUTE(CTA_STATUS),
		STMT(BPF_MISC | BPF_TAX, 0),
		STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct nlattr)),
		DROP_UNLESS(BPF_JSET, NAT_BITS),
		STMT(BPF_LD | BPF_IMM, BODY_BYTES),
		ATTRIBUTE(CTA_TUPLE_ORIG),
		ATTRIBUTE_WITHIN(CTA_TUPLE_PROTO),
		ATTRIBUTE_WITHIN(CTA_PROTO_NUM),
		STMT(BPF_MISC | BPF_TAX, 0),
		STMT(BPF_LD | BPF_B | BPF_IND, sizeof(struct nlattr)),
		DROP_UNLESS(BPF_JEQ, IPPROTO_TCP),
		STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), (void *)code};

	if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)))
		return -errno;
	return 0;
}

/* ---- sockets --------------------------------------------------------------------------------- */

int conntrack__open(struct conntrack **out, const struct netns *ns)
{
	struct conntrack *ct = calloc(1, sizeof(*ct));
	int size = BUFFER_BYTES, err;

	if (!ct)
		return -ENOMEM;
	ct->netns = ns->inum;
	ct->ns.fd = ns->fd;
	ct->ns.inum = ns->inum;
	ct->news = netlink__open(ns, NETLINK_NETFILTER,
				 GROUP(CONNTRACK_NEW) | GROUP(CONNTRACK_DESTROY));
	err = ct->news ? filter(ct->news) : -errno;
	if (err) {
		conntrack__close(ct);
		return err;
	}
	/* Without the capability for it the buffer is small, and lists are made more often. */
	(void)setsockopt(mnl_socket_get_fd(ct->news), SOL_SOCKET, SO_RCVBUFFORCE, &size,
			 sizeof(size));
	*out = ct;
	return 0;
}

void conntrack__close(struct conntrack *ct)
{
	if (!ct)
		return;
	if (ct->news)
		mnl_socket_close(ct->news);
	free(ct);
}

uint32_t conntrack__netns(const struct conntrack *ct)
{
	return ct->netns;
}

int conntrack__fd(const struct conntrack *ct)
{
	return mnl_socket_get_fd(ct->news);
}

/* ---- messages -------------------------------------------------------------------------------- */

struct taking {
	uint32_t netns;
	conntrack_sink sink;
	void *ctx;
};

/* One end of a tuple. */
struct tuple_end {
	struct ip_addr addr;
	uint16_t port; /* network byte order */
};

static bool take_addr(struct ip_addr *addr, const struct nlattr *v4, const struct nlattr *v6)
{
	if (v4 && mnl_attr_validate(v4, MNL_TYPE_U32) >= 0) {
		ip_addr__set_v4(addr, mnl_attr_get_u32(v4));
		return true;
	}
	if (!v6 || mnl_attr_get_payload_len(v6) != sizeof(*addr))
		return false;
	memcpy(addr, mnl_attr_get_payload(v6), sizeof(*addr));
	return true;
}

static bool take_u16(uint16_t *value, const struct nlattr *attr)
{
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_U16) < 0)
		return false;
	*value = mnl_attr_get_u16(attr);
	return true;
}

/* False: it is not of TCP, or not understood. */
static bool take_tuple(const struct nlattr *attr, struct tuple_end *src, struct tuple_end *dst)
{
	const struct nlattr *parts[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1];
	const struct nlattr *proto[CTA_PROTO_MAX + 1];

	if (!attr)
		return false;
	rtnl__nested(attr, parts, CTA_TUPLE_MAX);
	if (!parts[CTA_TUPLE_IP] || !parts[CTA_TUPLE_PROTO])
		return false;
	rtnl__nested(parts[CTA_TUPLE_IP], ip, CTA_IP_MAX);
	rtnl__nested(parts[CTA_TUPLE_PROTO], proto, CTA_PROTO_MAX);
	if (!proto[CTA_PROTO_NUM] || mnl_attr_validate(proto[CTA_PROTO_NUM], MNL_TYPE_U8) < 0 ||
	    mnl_attr_get_u8(proto[CTA_PROTO_NUM]) != IPPROTO_TCP)
		return false;
	return take_u16(&src->port, proto[CTA_PROTO_SRC_PORT]) &&
	       take_u16(&dst->port, proto[CTA_PROTO_DST_PORT]) &&
	       take_addr(&src->addr, ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC]) &&
	       take_addr(&dst->addr, ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST]);
}

/* Of both tuples, or of one alone; none is zone 0. */
static void take_zones(uint16_t zone[NAT_SIDES], const struct nlattr *const attrs[])
{
	static const uint16_t tuples[] = {
		[NAT_BEFORE] = CTA_TUPLE_ORIG,
		[NAT_AFTER] = CTA_TUPLE_REPLY,
	};
	const struct nlattr *parts[CTA_TUPLE_MAX + 1];

	for (int side = NAT_BEFORE; side <= NAT_AFTER; side++) {
		rtnl__nested(attrs[tuples[side]], parts, CTA_TUPLE_MAX);
		if (!take_u16(&zone[side], parts[CTA_TUPLE_ZONE]))
			(void)take_u16(&zone[side], attrs[CTA_ZONE]);
		zone[side] = ntohs(zone[side]);
	}
}

static void set_tuple(struct nat_tuple *tuple, const struct tuple_end *client,
		      const struct tuple_end *server)
{
	tuple->client = flow_key__set(&tuple->key, &client->addr, client->port, &server->addr,
				      server->port, 0);
}

/* What the client sends, and what the server answers to: each in the words of its own side. */
static int take(const struct nlmsghdr *message, void *ctx)
{
	const struct taking *taking = ctx;
	const struct nlattr *attrs[CTA_MAX + 1];
	struct nat nat = {.netns = taking->netns};
	struct tuple_end client, target, server, peer;

	if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_CTNETLINK ||
	    message->nlmsg_len < BODY_BYTES)
		return MNL_CB_OK;
	rtnl__attributes(message, sizeof(struct nfgenmsg), attrs, CTA_MAX);
	if (!attrs[CTA_STATUS] || mnl_attr_validate(attrs[CTA_STATUS], MNL_TYPE_U32) < 0 ||
	    !(ntohl(mnl_attr_get_u32(attrs[CTA_STATUS])) & NAT_BITS))
		return MNL_CB_OK;
	if (!take_tuple(attrs[CTA_TUPLE_ORIG], &client, &target) ||
	    !take_tuple(attrs[CTA_TUPLE_REPLY], &server, &peer))
		return MNL_CB_OK;
	take_zones(nat.zone, attrs);
	set_tuple(&nat.side[NAT_BEFORE], &client, &target);
	set_tuple(&nat.side[NAT_AFTER], &peer, &server);
	taking->sink(taking->ctx, &nat, NFNL_MSG_TYPE(message->nlmsg_type) == IPCTNL_MSG_CT_DELETE);
	return MNL_CB_OK;
}

int conntrack__read(struct conntrack *ct, conntrack_sink sink, void *ctx)
{
	struct taking taking = {ct->netns, sink, ctx};
	char buffer[MESSAGE_BYTES];
	ssize_t n;

	for (;;) {
		n = recv(conntrack__fd(ct), buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		(void)mnl_cb_run(buffer, n, 0, 0, take, &taking);
	}
}

/* ---- lists ----------------------------------------------------------------------------------- */

static struct nlmsghdr *begin(char *buffer, uint8_t message, uint16_t flags, unsigned seq)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | message;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	header->nlmsg_seq = seq;
	body->nfgen_family = AF_UNSPEC;
	body->version = NFNETLINK_V0;
	return header;
}

/* Asks, and gives all that is answered to @on_message. */
static int ask(struct mnl_socket *socket, const struct nlmsghdr *request, mnl_cb_t on_message,
	       void *ctx)
{
	char buffer[MESSAGE_BYTES];
	int n, result;

	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
		result = mnl_cb_run(buffer, n, request->nlmsg_seq, mnl_socket_get_portid(socket),
				    on_message, ctx);
	} while (result > MNL_CB_STOP);
	/* One interrupted by changes lacks none but those, and of those the news tell. */
	return result < 0 && errno != EINTR ? -errno : 0;
}

static int take_count(const struct nlmsghdr *message, void *ctx)
{
	const struct nlattr *attrs[CTA_STATS_GLOBAL_MAX + 1];
	uint32_t *count = ctx;

	rtnl__attributes(message, sizeof(struct nfgenmsg), attrs, CTA_STATS_GLOBAL_MAX);
	if (attrs[CTA_STATS_GLOBAL_ENTRIES] &&
	    mnl_attr_validate(attrs[CTA_STATS_GLOBAL_ENTRIES], MNL_TYPE_U32) >= 0)
		*count = ntohl(mnl_attr_get_u32(attrs[CTA_STATS_GLOBAL_ENTRIES]));
	return MNL_CB_OK;
}

/* How many connections the namespace tracks: a list looks at those of all. */
static uint32_t count_all(struct mnl_socket *socket, unsigned seq)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	uint32_t count = UINT32_MAX;

	(void)ask(socket, begin(buffer, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, seq), take_count,
		  &count);
	return count;
}

/* @status: of those with all of these bits; 0: of all. */
static int list_with(struct mnl_socket *socket, uint32_t status, unsigned seq,
		     struct taking *taking)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *request = begin(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, seq);

	if (status) {
		mnl_attr_put_u32(request, CTA_STATUS, htonl(status));
		mnl_attr_put_u32(request, STATUS_MASK, htonl(status));
	}
	return ask(socket, request, take, taking);
}

int conntrack__list(struct conntrack *ct, conntrack_sink sink, void *ctx)
{
	/* Without the filter: answers come in heaps. */
	struct mnl_socket *socket = netlink__open(&ct->ns, NETLINK_NETFILTER, 0);
	struct taking taking = {ct->netns, sink, ctx};
	const struct timeval patience = {.tv_sec = 2}; /* a lost answer is not waited for */
	unsigned seq = time(NULL);
	uint32_t count;
	int err = 0;

	if (!socket)
		return -errno;
	(void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	count = count_all(socket, seq);
	if (count > FEW) {
		err = list_with(socket, IPS_SRC_NAT, seq + 1, &taking);
		if (!err)
			err = list_with(socket, IPS_DST_NAT, seq + 2, &taking);
	} else if (count) {
		err = list_with(socket, 0, seq + 1, &taking);
	}
	mnl_socket_close(socket);
	return err;
}
