/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What hooks an interface offers and who is there already, by asking alone: attaching an XDP
 * program makes some drivers reset the link. Not here: attaching (attach.h), which hook is best
 * (hook.h).
 */
#ifndef TCPWATCH_HOOK_QUERY_H
#define TCPWATCH_HOOK_QUERY_H

#include "tap.h"

enum answer { ANSWER_NO, ANSWER_UNKNOWN, ANSWER_YES };

/* What is attached somewhere: how many programs, and in words the first of them. */
struct occupants {
	uint32_t count;
	char first[48]; /* "program 12 (cilium)"; the name needs CAP_SYS_ADMIN */
};

struct hook_query {
	enum answer native;   /* the driver has XDP; from 6.3 on it can be asked */
	enum answer frags;    /* … and XDP of frames in several buffers */
	enum answer tcx;      /* the kernel has tcx links */
	struct occupants xdp; /* native or generic: there is room for one program alone */
	struct occupants tcx_ingress, tcx_egress; /* ours would be one more */
};

/* hook_query__ask_xdp() - that one question. Returns 0 or -errno */
int hook_query__ask_xdp(struct occupants *who, uint32_t ifindex);

/* hook_query__ask() - in the namespace of the thread. What cannot be asked is unknown. Returns 0 or
 * -errno: there is no such interface, or no privilege to ask */
int hook_query__ask(struct hook_query *query, uint32_t ifindex);

/* hook_query__allows() - whether @kind could be attached, as far as was told */
enum answer hook_query__allows(const struct hook_query *query, enum attach_kind kind);

/*
 * hook_query__choose() - the first of @kinds (hook.h) that is allowed, or ATTACH_NONE
 *
 * @otherwise: the same if it is sure to work; else what is left if the driver refuses, for it may
 * do so because of its settings (MTU, queues, LRO), or ATTACH_NONE.
 */
enum attach_kind hook_query__choose(const struct hook_query *query, const enum attach_kind *kinds,
				    enum attach_kind *otherwise);

#endif
