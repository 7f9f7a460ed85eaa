/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loading and attaching the wire programs at one direction of one interface: XDP with a program of
 * its own, tc through one that is shared.
 */
#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_link.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "hook_query.h"
#include "wire.skel.h"
#include "wire_object.h"

/* Of tcx links, Linux 6.6, which libbpf before 1.3 has no name for. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS  47

/* What every step of one attempt needs. */
struct attempt {
	const struct wire_shared *shared;
	struct shared_taps *programs;
	const struct netns *ns;
	const struct tap *tap;
	bool is_egress;
};

static bool is_tc(enum attach_kind kind)
{
	return kind == ATTACH_TCX || kind == ATTACH_CLSACT;
}

/* ---- saying why not ---------------------------------------------------------------------------
 */

static const char *cause_of(enum attach_kind kind, int err)
{
	if (is_tc(kind))
		return err == -ERANGE ? "it has as many programs as there may be" : strerror(-err);
	switch (-err) {
	case EOPNOTSUPP:
		return "its driver, or its settings (LRO, queues), do not allow it";
	case ERANGE:
		return "its MTU, or its peer's, is too large for XDP";
	case ENOSPC:
		return "it has too few queues";
	case ENOTCONN:
		return "its peer is gone";
	case EINVAL:
	case EACCES:
		return "the kernel or the driver's settings do not allow it";
	default:
		return strerror(-err);
	}
}

/* The first refusal is the one to tell; in the namespace of the interface. */
static void explain(struct attachment *a, const struct attempt *t, enum attach_kind kind, int err)
{
	bool is_taken = err == -EBUSY || err == -EEXIST;
	struct occupants who = {0};

	if (a->why[0])
		return;
	if (is_taken && !hook_query__ask_xdp(&who, t->tap->iface.ifindex) && who.count)
		snprintf(a->why, sizeof(a->why), "%s: %s is already there", attach_kind__name(kind),
			 who.first);
	else
		snprintf(a->why, sizeof(a->why), "%s: %s", attach_kind__name(kind),
			 cause_of(kind, err));
}

/* ---- loading --------------------------------------------------------------------------------- */

static bool is_loaded(const struct attachment *a, enum attach_kind kind)
{
	if (is_tc(kind))
		return a->seat.program;
	return a->skel && wire_object__program(a->skel, kind, false) ==
				  wire_object__program(a->skel, a->kind, false);
}

static void unload(struct attachment *a)
{
	shared_seat__leave(&a->seat);
	wire_bpf__destroy(a->skel);
	a->skel = NULL;
}

static int load_own(struct attachment *a, const struct attempt *t, enum attach_kind kind,
		    uint16_t fate_looks)
{
	struct wire_load load = {t->shared, t->shared->config, kind, t->is_egress, 1};
	struct wire_config *config = &load.config;

	config->fate_looks = fate_looks;
	config->tap = t->tap->id;
	config->netns = t->tap->netns;
	config->mtu = t->tap->iface.mtu < UINT16_MAX ? t->tap->iface.mtu : UINT16_MAX;
	config->l3 = wire_object__is_l3(t->tap->iface.type);
	return wire_object__load(&a->skel, &load);
}

static int load_with(struct attachment *a, const struct attempt *t, enum attach_kind kind,
		     uint16_t fate_looks)
{
	const struct seat_wanted wanted = {t->shared, t->tap, t->is_egress, fate_looks};
	int err = is_tc(kind) ? shared_seat__take(&a->seat, t->programs, &wanted)
			      : load_own(a, t, kind, fate_looks);

	a->has_fates = !err && fate_looks;
	return err;
}

/* Looking up listeners is more than some kernels allow, and needs their BTF: all else does not. */
static int load(struct attachment *a, const struct attempt *t, enum attach_kind kind)
{
	/* A SYN's fate is asked of the namespace that the segment is in. */
	bool is_of_syns_in = !t->is_egress && !t->tap->is_outer;
	uint16_t fate_looks = is_of_syns_in ? t->shared->config.fate_looks : 0;
	int err = -ENOENT;

	if (is_loaded(a, kind)) { /* the last attempt's will do */
		a->kind = kind;
		return 0;
	}
	unload(a);
	if (fate_looks)
		err = load_with(a, t, kind, fate_looks);
	if (err)
		err = load_with(a, t, kind, 0);
	if (!err)
		a->kind = kind;
	else if (err != -EPERM)
		explain(a, t, kind, err);
	return err;
}

static int program_fd(const struct attachment *a, enum attach_kind kind)
{
	return is_tc(kind) ? a->seat.prog_fd
			   : bpf_program__fd(wire_object__program(a->skel, kind, false));
}

/* ---- attaching ------------------------------------------------------------------------------- */

static int make_link(struct attachment *a, int prog_fd, uint32_t ifindex, int type, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);

	a->link_fd = bpf_link_create(prog_fd, ifindex, type, &opts);
	return a->link_fd < 0 ? -errno : 0;
}

/* Within the namespace of the interface. */
static int attach_inside(struct attachment *a, const struct attempt *t, enum attach_kind kind,
			 int prog_fd)
{
	uint32_t ifindex = t->tap->iface.ifindex;

	switch (kind) {
	case ATTACH_XDP:
	case ATTACH_XDP_FRAGS:
		return make_link(a, prog_fd, ifindex, BPF_XDP, XDP_FLAGS_DRV_MODE);
	case ATTACH_XDP_GENERIC:
		return make_link(a, prog_fd, ifindex, BPF_XDP, XDP_FLAGS_SKB_MODE);
	case ATTACH_TCX:
		return make_link(a, prog_fd, ifindex,
				 t->is_egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, 0);
	case ATTACH_CLSACT:
		return clsact__attach(&a->filter, t->ns, ifindex, t->is_egress, prog_fd);
	default:
		return -EINVAL;
	}
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static int attach(struct attachment *a, const struct attempt *t, enum attach_kind kind, int prog_fd)
{
	struct netns_return back;
	int err = netns__enter(t->ns, &back);

	if (err)
		return err;
	err = attach_inside(a, t, kind, prog_fd);
	/* tcx before 6.6 is no surprise that need be told. */
	if (err && !(kind == ATTACH_TCX && err == -EINVAL))
		explain(a, t, kind, err);
	netns__leave(&back);
	return err;
}

static int try_tc(struct attachment *a, const struct attempt *t, enum attach_kind kind)
{
	int err = load(a, t, kind);

	return err ? err : attach(a, t, kind, program_fd(a, kind));
}

/* A program that does nothing. Returns its file descriptor or -errno. */
static int load_placeholder(enum attach_kind kind)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP,
		    .prog_flags = kind == ATTACH_XDP_FRAGS ? BPF_F_XDP_HAS_FRAGS : 0);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "tcpwatch_pass", "Dual BSD/GPL", pass,
			       sizeof(pass) / sizeof(pass[0]), &opts);

	return fd < 0 ? -errno : fd;
}

/*
 * Whether the driver takes a program at all is found out with one that does nothing, whose place
 * ours then takes: the kernel needs a tenth of a second to verify ours, and many drivers refuse.
 */
static int try_xdp(struct attachment *a, const struct attempt *t, enum attach_kind kind)
{
	int placeholder = load_placeholder(kind), err;

	if (placeholder < 0) {
		if (placeholder != -EPERM)
			explain(a, t, kind, placeholder);
		return placeholder;
	}
	err = attach(a, t, kind, placeholder);
	close(placeholder);
	if (err)
		return err;
	err = load(a, t, kind);
	if (!err && bpf_link_update(a->link_fd, program_fd(a, kind), NULL)) {
		err = -errno;
		explain(a, t, kind, err);
	}
	if (!err)
		return 0;
	close(a->link_fd);
	a->link_fd = -1;
	return err;
}

int attachment__open(struct attachment *a, const struct wire_shared *shared,
		     struct shared_taps *programs, const struct netns *ns, const struct tap *tap,
		     bool is_egress, const enum attach_kind *kinds)
{
	const struct attempt t = {shared, programs, ns, tap, is_egress};
	int err = -EINVAL;

	*a = (struct attachment){.link_fd = -1, .filter = CLSACT_FILTER_INIT};
	for (; *kinds != ATTACH_NONE; kinds++) {
		err = is_tc(*kinds) ? try_tc(a, &t, *kinds) : try_xdp(a, &t, *kinds);
		if (!err)
			return 0;
		if (err == -EPERM || err == -ENODEV)
			break;
	}
	unload(a);
	a->kind = ATTACH_NONE;
	return err;
}

void attachment__close(struct attachment *a)
{
	if (a->kind == ATTACH_NONE)
		return;
	if (a->link_fd >= 0)
		close(a->link_fd);
	else
		clsact__detach(&a->filter);
	unload(a);
	*a = (struct attachment){.link_fd = -1};
}

int attachment__add_counters(const struct attachment *a, struct wire_counters *sum)
{
	if (a->seat.program)
		return shared_seat__add_counters(&a->seat, sum);
	return a->skel ? wire_object__add_counters(a->skel, 0, sum) : 0;
}
