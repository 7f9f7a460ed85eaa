/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One direction of an interface seen by one program: loaded and attached,
 * the next kind tried where one is refused. Not here: which kinds to try (tap.c).
 */
#ifndef TCPWATCH_ATTACH_H
#define TCPWATCH_ATTACH_H

#include "clsact.h"
#include "shared_tap.h"
#include "tap.h"

#define ATTACH_WHY_LEN 128

struct wire_bpf;

struct attachment {
	enum attach_kind kind;
	struct wire_bpf *skel;	 /* a program of its own … */
	struct shared_seat seat; /* … or its part in one of many */
	bool has_fates;		 /* it knows what becomes of SYNs */
	int link_fd;		 /* -1: not by a bpf_link */
	struct clsact_filter filter;
	char why[ATTACH_WHY_LEN]; /* why the first kind was not to be had; "" if it was */
};

/*
 * attachment__open() - try @kinds in turn, up to ATTACH_NONE
 *
 * @programs must outlive the attachment. Returns 0 or the last -errno.
 */
int attachment__open(struct attachment *a, const struct wire_shared *shared,
		     struct shared_taps *programs, const struct netns *ns, const struct tap *tap,
		     bool is_egress, const enum attach_kind *kinds);
void attachment__close(struct attachment *a);

/* attachment__add_counters() - add what the program counted, on all CPUs. Returns 0 or -errno */
int attachment__add_counters(const struct attachment *a, struct wire_counters *sum);

#endif
