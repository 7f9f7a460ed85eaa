/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tc filters on a clsact qdisc, for kernels before 6.6, where tc has no bpf_link. Such a filter
 * stays when its process is killed: each has a mark that dies with the process, and whoever
 * attaches next removes those without one. Not here: everything that a link does by itself
 * (attach.c).
 */
#ifndef TCPWATCH_CLSACT_H
#define TCPWATCH_CLSACT_H

#include "netns.h"

struct clsact_filter {
	const struct netns *ns;
	uint32_t ifindex;
	uint32_t handle, priority;
	bool is_egress;
	bool made_qdisc;
	int mark_fd; /* -1: nothing is attached */
};

#define CLSACT_FILTER_INIT    \
	{                     \
		.mark_fd = -1 \
	}

/*
 * clsact__attach() - attach @prog_fd; the thread is in @ns, which must outlive the filter
 *
 * Removes what killed runs left on this side of the interface. Returns 0 or -errno.
 */
int clsact__attach(struct clsact_filter *filter, const struct netns *ns, uint32_t ifindex,
		   bool is_egress, int prog_fd);

/* clsact__detach() - remove it, and the qdisc if it was made for it and holds nothing else */
void clsact__detach(struct clsact_filter *filter);

#endif
