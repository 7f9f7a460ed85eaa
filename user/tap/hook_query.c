/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asks bpf(2) for programs and generic netlink's "netdev" for what drivers can do.
 */
#include "hook_query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Linux 6.6 (enum bpf_attach_type). */
#define QUERY_TCX_INGRESS 46
#define QUERY_TCX_EGRESS  47
#define MAX_PROGRAMS	  64

/* include/uapi/linux/netdev.h of Linux 6.3. */
#define NETDEV_FAMILY	      "netdev"
#define NETDEV_CMD_DEV_GET    1
#define NETDEV_A_DEV_IFINDEX  1
#define NETDEV_A_XDP_FEATURES 3
#define NETDEV_XDP_BASIC      (1u << 0)
#define NETDEV_XDP_RX_SG      (1u << 5)

/* ---- programs -------------------------------------------------------------------------------- */

/* Without CAP_SYS_ADMIN there is no getting at a program by id, so no name. */
static void describe(struct occupants *who, uint32_t id)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	snprintf(who->first, sizeof(who->first), "program %u", id);
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.name[0])
		snprintf(who->first, sizeof(who->first), "program %u (%s)", id, info.name);
	close(fd);
}

/* One XDP program for each interface: it may be native, generic, or several by libxdp. */
int hook_query__ask_xdp(struct occupants *who, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	uint32_t id;
	int err = bpf_xdp_query((int)ifindex, 0, &opts);

	if (err)
		return err;
	id = opts.drv_prog_id ? opts.drv_prog_id : opts.skb_prog_id;
	id = id ? id : opts.prog_id;
	who->count = !!id;
	if (id)
		describe(who, id);
	return 0;
}

static int ask_tcx(struct occupants *who, uint32_t ifindex, int type)
{
	uint32_t ids[MAX_PROGRAMS], count = MAX_PROGRAMS;

	if (bpf_prog_query((int)ifindex, (enum bpf_attach_type)type, 0, NULL, ids, &count))
		return -errno;
	who->count = count;
	if (count)
		describe(who, ids[0]);
	return 0;
}

/* ---- what the driver can do ------------------------------------------------------------------ */

/* One attribute of the answer. */
struct wanted {
	uint16_t type;
	uint64_t value;
	bool is_found;
};

static int take_attribute(const struct nlattr *attribute, void *ctx)
{
	struct wanted *wanted = ctx;
	size_t len = mnl_attr_get_payload_len(attribute);

	if (mnl_attr_get_type(attribute) != wanted->type || len > sizeof(wanted->value))
		return MNL_CB_OK;
	memcpy(&wanted->value, mnl_attr_get_payload(attribute), len);
	wanted->is_found = true;
	return MNL_CB_OK;
}

static int take_answer(const struct nlmsghdr *message, void *ctx)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), take_attribute, ctx);
}

/* A request with one attribute already in @message; what is wanted of the answer. */
static int exchange(struct mnl_socket *socket, struct nlmsghdr *message, struct wanted *wanted)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	int n;

	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	n = (int)mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (n < 0 || mnl_cb_run(buffer, (size_t)n, message->nlmsg_seq,
				mnl_socket_get_portid(socket), take_answer, wanted) < 0)
		return -errno;
	return wanted->is_found ? 0 : -ENOENT;
}

static struct nlmsghdr *begin(char *buffer, uint16_t family, uint8_t command)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *generic;

	message->nlmsg_type = family;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = command;
	generic = mnl_nlmsg_put_extra_header(message, sizeof(*generic));
	generic->cmd = command;
	generic->version = 1;
	return message;
}

/* The number of the family, then the device's features: -ENOENT before 6.3. */
static int ask_driver(struct mnl_socket *socket, uint32_t ifindex, uint64_t *features)
{
	struct wanted family = {.type = CTRL_ATTR_FAMILY_ID};
	struct wanted xdp = {.type = NETDEV_A_XDP_FEATURES};
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *message = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	int err;

	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	err = exchange(socket, message, &family);
	if (err)
		return err;
	message = begin(buffer, (uint16_t)family.value, NETDEV_CMD_DEV_GET);
	mnl_attr_put_u32(message, NETDEV_A_DEV_IFINDEX, ifindex);
	err = exchange(socket, message, &xdp);
	*features = xdp.value;
	return err;
}

static int ask_features(uint32_t ifindex, uint64_t *features)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	int err;

	if (!socket)
		return -errno;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;
	if (!err)
		err = ask_driver(socket, ifindex, features);
	mnl_socket_close(socket);
	return err;
}

/* ---- all of it ------------------------------------------------------------------------------- */

int hook_query__ask(struct hook_query *query, uint32_t ifindex)
{
	uint64_t features = 0;
	int err;

	*query = (struct hook_query){
		.native = ANSWER_UNKNOWN, .frags = ANSWER_UNKNOWN, .tcx = ANSWER_YES};
	if (!ask_features(ifindex, &features)) {
		query->native = features & NETDEV_XDP_BASIC ? ANSWER_YES : ANSWER_NO;
		query->frags = features & NETDEV_XDP_RX_SG ? ANSWER_YES : ANSWER_NO;
	}
	err = hook_query__ask_xdp(&query->xdp, ifindex);
	if (err)
		return err;
	err = ask_tcx(&query->tcx_ingress, ifindex, QUERY_TCX_INGRESS);
	if (!err)
		err = ask_tcx(&query->tcx_egress, ifindex, QUERY_TCX_EGRESS);
	if (err == -EINVAL) {
		query->tcx = ANSWER_NO;
		err = 0;
	}
	return err;
}

enum answer hook_query__allows(const struct hook_query *query, enum attach_kind kind)
{
	switch (kind) {
	case ATTACH_XDP:
		return query->xdp.count ? ANSWER_NO : query->native;
	case ATTACH_XDP_FRAGS:
		return query->xdp.count ? ANSWER_NO : query->frags;
	case ATTACH_XDP_GENERIC:
		return query->xdp.count ? ANSWER_NO : ANSWER_YES;
	case ATTACH_TCX:
		return query->tcx;
	case ATTACH_CLSACT:
		return ANSWER_YES;
	default:
		return ANSWER_NO;
	}
}

static bool is_up_to_driver(enum attach_kind kind)
{
	return kind == ATTACH_XDP || kind == ATTACH_XDP_FRAGS;
}

enum attach_kind hook_query__choose(const struct hook_query *query, const enum attach_kind *kinds,
				    enum attach_kind *otherwise)
{
	enum attach_kind first = ATTACH_NONE;

	*otherwise = ATTACH_NONE;
	for (; *kinds != ATTACH_NONE && *otherwise == ATTACH_NONE; kinds++) {
		if (hook_query__allows(query, *kinds) == ANSWER_NO)
			continue;
		if (first == ATTACH_NONE)
			first = *kinds;
		if (!is_up_to_driver(*kinds))
			*otherwise = *kinds;
	}
	return first;
}
