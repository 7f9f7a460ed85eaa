/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Dumps of rtnetlink, and single questions to it.
 */
#include "rtnl.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <linux/rtnetlink.h>

#define REPLY_BYTES  32768 /* the kernel's largest part of a dump (netlink_dump) */
#define MAX_RESTARTS 16

struct mnl_socket *netlink__open(const struct netns *ns, int protocol, unsigned groups)
{
	struct mnl_socket *socket;
	struct netns_return back;
	int err = netns__enter(ns, &back);

	if (err) {
		errno = -err;
		return NULL;
	}
	socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	err = errno;
	netns__leave(&back);
	if (socket && mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID)) {
		err = errno;
		mnl_socket_close(socket);
		socket = NULL;
	}
	errno = err;
	return socket;
}

struct mnl_socket *rtnl__open(const struct netns *ns, unsigned groups)
{
	return netlink__open(ns, NETLINK_ROUTE, groups);
}

static int send_request(struct mnl_socket *socket, const struct rtnl_dump *dump, unsigned seq)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = dump->type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = seq;
	memcpy(mnl_nlmsg_put_extra_header(message, dump->body_bytes), dump->body, dump->body_bytes);
	return mnl_socket_sendto(socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

static bool has_end(const char *buffer, int n)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;

	for (; mnl_nlmsg_ok(message, n); message = mnl_nlmsg_next(message, &n))
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
			return true;
	return false;
}

/* Whatever goes wrong, the answer is read to its end: what is left of it would be taken for the
 * next one. */
static int receive(struct mnl_socket *socket, mnl_cb_t take, void *ctx, unsigned seq)
{
	char buffer[REPLY_BYTES];
	int n, result = MNL_CB_OK, err = 0;

	do {
		n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
		if (!err)
			result = mnl_cb_run(buffer, n, seq, mnl_socket_get_portid(socket), take,
					    ctx);
		if (result < 0 && !err)
			err = -errno;
	} while (err ? !has_end(buffer, n) : result > MNL_CB_STOP);
	return err;
}

int rtnl__dump(struct mnl_socket *socket, const struct rtnl_dump *dump)
{
	unsigned seq = time(NULL);
	int err = -EINTR;

	for (int i = 0; err == -EINTR && i < MAX_RESTARTS; i++) {
		if (i)
			dump->restart(dump->ctx);
		err = send_request(socket, dump, ++seq);
		if (!err)
			err = receive(socket, dump->take, dump->ctx,
				      seq); /* EINTR: NLM_F_DUMP_INTR */
	}
	return err;
}

int rtnl__ask(struct mnl_socket *socket, struct nlmsghdr *message, mnl_cb_t take, void *ctx)
{
	unsigned seq = time(NULL);

	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK; /* so that there is an end */
	message->nlmsg_seq = seq;
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	return receive(socket, take, ctx, seq);
}

struct collecting {
	const struct nlattr **by_type;
	unsigned max;
};

static int collect(const struct nlattr *attribute, void *ctx)
{
	struct collecting *c = ctx;

	if (mnl_attr_get_type(attribute) <= c->max)
		c->by_type[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

void rtnl__attributes(const struct nlmsghdr *message, size_t header_bytes,
		      const struct nlattr **by_type, unsigned max)
{
	struct collecting c = {by_type, max};

	memset(by_type, 0, (max + 1) * sizeof(*by_type));
	(void)mnl_attr_parse(message, header_bytes, collect, &c); /* collect() never fails */
}

void rtnl__nested(const struct nlattr *outer, const struct nlattr **by_type, unsigned max)
{
	struct collecting c = {by_type, max};

	memset(by_type, 0, (max + 1) * sizeof(*by_type));
	(void)mnl_attr_parse_nested(outer, collect, &c);
}
