/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Filters on clsact. The mark of a filter is an abstract socket named after it, in its network
 * namespace: it can be bound again only once its process is gone.
 */
#include "clsact.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include <bpf/libbpf.h>

#include "rtnl.h"
#include "user/util/log.h"

#define NAME_PREFIX  "wire_tc_" /* of our programs, as tc shows them */
#define PRIORITY     1		/* before others, which may end the walk through the filters */
#define MAX_STALE    32
#define HANDLE_TRIES 64

/* The padding too must be 0 for libbpf, so this is no struct to return or to copy. */
static void aim(struct bpf_tc_hook *hook, const struct clsact_filter *filter)
{
	memset(hook, 0, sizeof(*hook));
	hook->sz = sizeof(*hook);
	hook->ifindex = (int)filter->ifindex;
	hook->attach_point = filter->is_egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

/* Returns the mark, or -errno: EADDRINUSE if the filter's process lives. */
static int take_mark(const struct clsact_filter *filter)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), len, err;

	if (fd < 0)
		return -errno;
	len = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "tcpwatch/%u/%s/%x",
		       filter->ifindex, filter->is_egress ? "egress" : "ingress", filter->handle);
	if (!bind(fd, (struct sockaddr *)&addr,
		  offsetof(struct sockaddr_un, sun_path) + 1 + (socklen_t)len))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* ---- what is there ----------------------------------------------------------------------------
 */

struct found {
	struct clsact_filter stale[MAX_STALE];
	const struct clsact_filter *like;
	size_t n_stale, n_filters;
};

static const char *program_name(const struct nlattr *const *attrs)
{
	const struct nlattr *options[TCA_BPF_MAX + 1];

	if (!attrs[TCA_KIND] || strcmp(mnl_attr_get_str(attrs[TCA_KIND]), "bpf") ||
	    !attrs[TCA_OPTIONS])
		return "";
	rtnl__nested(attrs[TCA_OPTIONS], options, TCA_BPF_MAX);
	return options[TCA_BPF_NAME] ? mnl_attr_get_str(options[TCA_BPF_NAME]) : "";
}

static int take_filter(const struct nlmsghdr *message, void *ctx)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const struct nlattr *attrs[TCA_MAX + 1];
	struct found *found = ctx;
	struct clsact_filter *filter = &found->stale[found->n_stale];

	if (!tc->tcm_handle)
		return MNL_CB_OK; /* the chain of filters, not one of them */
	rtnl__attributes(message, sizeof(*tc), attrs, TCA_MAX);
	found->n_filters++;
	if (strncmp(program_name(attrs), NAME_PREFIX, strlen(NAME_PREFIX)) ||
	    found->n_stale == MAX_STALE)
		return MNL_CB_OK;
	*filter = *found->like;
	filter->handle = tc->tcm_handle;
	filter->priority = TC_H_MAJ(tc->tcm_info) >> 16;
	filter->mark_fd = take_mark(filter);
	found->n_stale += filter->mark_fd >= 0;
	return MNL_CB_OK;
}

static void restart(void *ctx)
{
	struct found *found = ctx;

	for (; found->n_stale; found->n_stale--)
		close(found->stale[found->n_stale - 1].mark_fd);
	found->n_filters = 0;
}

static int look(struct found *found, const struct clsact_filter *filter)
{
	const struct tcmsg which = {
		.tcm_ifindex = filter->ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT,
					filter->is_egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS),
	};
	struct mnl_socket *socket = rtnl__open(filter->ns, 0);
	int err;

	*found = (struct found){.like = filter};
	if (!socket)
		return -errno;
	err = rtnl__dump(socket, &(struct rtnl_dump){RTM_GETTFILTER, &which, sizeof(which),
						     take_filter, restart, found});
	mnl_socket_close(socket);
	return err;
}

/* ---- removing ---------------------------------------------------------------------------------
 */

static int remove_filter(const struct clsact_filter *filter)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = filter->handle, .priority = filter->priority);
	struct bpf_tc_hook hook;

	aim(&hook, filter);
	return bpf_tc_detach(&hook, &opts);
}

/* Returns whether there was one. */
static bool remove_stale(const struct clsact_filter *filter, bool is_egress)
{
	struct clsact_filter side = *filter;
	struct found found;

	side.is_egress = is_egress;
	if (look(&found, &side))
		return false;
	for (size_t i = 0; i < found.n_stale; i++) {
		if (!remove_filter(&found.stale[i]))
			log_info("removed a tc filter that a killed run had left on interface %u",
				 filter->ifindex);
		close(found.stale[i].mark_fd);
	}
	return found.n_stale;
}

static bool has_filters(const struct clsact_filter *filter, bool is_egress)
{
	struct clsact_filter side = *filter;
	struct found found;
	bool has;

	side.is_egress = is_egress;
	has = look(&found, &side) || found.n_filters;
	restart(&found);
	return has;
}

/* The qdisc belongs to both directions, and others may have come to use it. */
static void remove_qdisc(const struct clsact_filter *filter)
{
	struct bpf_tc_hook hook;

	if (has_filters(filter, false) || has_filters(filter, true))
		return;
	aim(&hook, filter);
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	(void)bpf_tc_hook_destroy(&hook); /* it does no harm where it is */
}

void clsact__detach(struct clsact_filter *filter)
{
	struct netns_return back;

	if (filter->mark_fd < 0)
		return;
	if (!netns__enter(filter->ns, &back)) {
		(void)remove_filter(filter); /* fails if the interface is gone, and it with it */
		if (filter->made_qdisc)
			remove_qdisc(filter);
		netns__leave(&back);
	}
	close(filter->mark_fd);
	filter->mark_fd = -1;
}

/* ---- attaching --------------------------------------------------------------------------------
 */

/* A handle that no living process uses here, and its mark. */
static int choose_handle(struct clsact_filter *filter)
{
	filter->handle = (uint32_t)getpid();
	for (int i = 0; i < HANDLE_TRIES; i++, filter->handle += 0x01000000) {
		filter->mark_fd = take_mark(filter);
		if (filter->mark_fd != -EADDRINUSE)
			break;
	}
	return filter->mark_fd < 0 ? filter->mark_fd : 0;
}

static int add_filter(struct clsact_filter *filter, int prog_fd, uint32_t priority)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = filter->handle, .priority = priority,
		    .prog_fd = prog_fd);
	struct bpf_tc_hook hook;
	int err;

	aim(&hook, filter);
	err = bpf_tc_attach(&hook, &opts);
	filter->priority = opts.priority;
	return err;
}

int clsact__attach(struct clsact_filter *filter, const struct netns *ns, uint32_t ifindex,
		   bool is_egress, int prog_fd)
{
	struct bpf_tc_hook hook;
	int err;

	*filter = (struct clsact_filter){
		.ns = ns, .ifindex = ifindex, .is_egress = is_egress, .mark_fd = -1};
	aim(&hook, filter);
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return err;
	/* A qdisc that killed runs used is taken over: it goes with the last filter. */
	filter->made_qdisc = !err;
	filter->made_qdisc |= remove_stale(filter, false);
	filter->made_qdisc |= remove_stale(filter, true);
	err = choose_handle(filter);
	if (!err)
		err = add_filter(filter, prog_fd, PRIORITY);
	if (err && filter->mark_fd >= 0) /* the priority may be that of other kinds of filters */
		err = add_filter(filter, prog_fd, 0);
	if (!err)
		return 0;
	if (filter->mark_fd >= 0)
		close(filter->mark_fd);
	filter->mark_fd = -1;
	if (filter->made_qdisc)
		remove_qdisc(filter);
	return err;
}
