/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loading and attaching an instance of the wire programs.
 */
#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_arp.h>
#include <linux/if_link.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "hook_query.h"
#include "no_btf.h"
#include "wire.skel.h"

/* Of tcx links, Linux 6.6, which libbpf before 1.3 has no name for. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS  47

/* What every step of one attempt needs. */
struct attempt {
	const struct wire_shared *shared;
	const struct netns *ns;
	const struct tap *tap;
	bool is_egress;
};

/* ---- loading --------------------------------------------------------------------------------- */

static struct bpf_program *program_of(const struct wire_bpf *skel, enum attach_kind kind,
				      bool is_egress)
{
	switch (kind) {
	case ATTACH_XDP:
	case ATTACH_XDP_GENERIC:
		return skel->progs.wire_xdp;
	case ATTACH_XDP_FRAGS:
		return skel->progs.wire_xdp_frags;
	default:
		return is_egress ? skel->progs.wire_tc_egress : skel->progs.wire_tc_ingress;
	}
}

/* Links without a link-layer header: tunnels, PPP, and the like. */
static bool is_l3(uint16_t type)
{
	switch (type) {
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return true;
	default:
		return false;
	}
}

static int prepare(struct wire_bpf *skel, const struct attempt *t, enum attach_kind kind,
		   uint16_t fate_looks)
{
	struct wire_config *config = &skel->rodata->cfg;
	struct bpf_program *program;
	int err;

	*config = t->shared->config;
	config->fate_looks = fate_looks;
	config->tap = t->tap->id;
	config->netns = t->tap->netns;
	config->mtu = t->tap->iface.mtu < UINT16_MAX ? t->tap->iface.mtu : UINT16_MAX;
	config->l3 = is_l3(t->tap->iface.type);
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, program == program_of(skel, kind, t->is_egress));
	err = bpf_map__reuse_fd(skel->maps.cache, t->shared->cache_fd);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.records, t->shared->records_fd);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.lost, t->shared->lost_fd);
	if (!err && config->fate_looks)
		err = listener_maps__share(&t->shared->listeners, skel->obj);
	return err;
}

static int load_with(struct attachment *a, const struct attempt *t, enum attach_kind kind,
		     uint16_t fate_looks)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	int err;

	if (!fate_looks)
		opts.btf_custom_path = no_btf__path();
	a->skel = wire_bpf__open_opts(&opts);
	if (!a->skel)
		return -errno;
	err = prepare(a->skel, t, kind, fate_looks);
	if (!err)
		err = wire_bpf__load(a->skel);
	if (err) {
		wire_bpf__destroy(a->skel);
		a->skel = NULL;
	}
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

	if (a->skel &&
	    program_of(a->skel, kind, t->is_egress) == program_of(a->skel, a->kind, t->is_egress))
		return 0; /* the last attempt's will do */
	wire_bpf__destroy(a->skel);
	a->skel = NULL;
	if (fate_looks)
		err = load_with(a, t, kind, fate_looks);
	return err ? load_with(a, t, kind, 0) : 0;
}

/* ---- attaching ------------------------------------------------------------------------------- */

static int make_link(struct attachment *a, int prog_fd, uint32_t ifindex, int type, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);

	a->link_fd = bpf_link_create(prog_fd, ifindex, type, &opts);
	return a->link_fd < 0 ? -errno : 0;
}

static int attach_inside(struct attachment *a, const struct attempt *t, enum attach_kind kind)
{
	int fd = bpf_program__fd(program_of(a->skel, kind, t->is_egress));
	uint32_t ifindex = t->tap->iface.ifindex;

	switch (kind) {
	case ATTACH_XDP:
	case ATTACH_XDP_FRAGS:
		return make_link(a, fd, ifindex, BPF_XDP, XDP_FLAGS_DRV_MODE);
	case ATTACH_XDP_GENERIC:
		return make_link(a, fd, ifindex, BPF_XDP, XDP_FLAGS_SKB_MODE);
	case ATTACH_TCX:
		return make_link(a, fd, ifindex,
				 t->is_egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, 0);
	case ATTACH_CLSACT:
		return clsact__attach(&a->filter, t->ns, ifindex, t->is_egress, fd);
	default:
		return -EINVAL;
	}
}

/* ---- saying why not ---------------------------------------------------------------------------
 */

static const char *cause_of(enum attach_kind kind, int err)
{
	if (kind == ATTACH_TCX || kind == ATTACH_CLSACT)
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

/* ---- all of it --------------------------------------------------------------------------------
 */

static int try_kind(struct attachment *a, const struct attempt *t, enum attach_kind kind)
{
	struct netns_return back;
	int err = load(a, t, kind);

	a->kind = kind; /* of what is loaded, if it is */
	if (err && err != -EPERM)
		explain(a, t, kind, err);
	if (!err)
		err = netns__enter(t->ns, &back);
	if (err)
		return err;
	err = attach_inside(a, t, kind);
	/* tcx before 6.6 is no surprise that need be told. */
	if (err && !(kind == ATTACH_TCX && err == -EINVAL))
		explain(a, t, kind, err);
	netns__leave(&back);
	return err;
}

int attachment__open(struct attachment *a, const struct wire_shared *shared, const struct netns *ns,
		     const struct tap *tap, bool is_egress, const enum attach_kind *kinds)
{
	const struct attempt t = {shared, ns, tap, is_egress};
	int err = -EINVAL;

	*a = (struct attachment){.link_fd = -1, .filter = CLSACT_FILTER_INIT};
	for (; *kinds != ATTACH_NONE; kinds++) {
		err = try_kind(a, &t, *kinds);
		if (!err)
			return 0;
		if (err == -EPERM || err == -ENODEV)
			break;
	}
	wire_bpf__destroy(a->skel);
	a->skel = NULL;
	a->kind = ATTACH_NONE;
	return err;
}

void attachment__close(struct attachment *a)
{
	if (!a->skel)
		return;
	if (a->link_fd >= 0)
		close(a->link_fd);
	else
		clsact__detach(&a->filter);
	wire_bpf__destroy(a->skel);
	*a = (struct attachment){.link_fd = -1};
}

int attachment__add_counters(const struct attachment *a, struct wire_counters *sum)
{
	int n_cpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;

	if (!a->skel || n_cpus < 0)
		return a->skel ? n_cpus : 0;
	struct wire_counters per_cpu[n_cpus];

	if (bpf_map_lookup_elem(bpf_map__fd(a->skel->maps.counters), &zero, per_cpu))
		return -errno;
	for (int cpu = 0; cpu < n_cpus; cpu++)
		wire_counters__add(sum, &per_cpu[cpu]);
	return 0;
}
