/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loading the wire programs.
 */
#include "wire_object.h"

#include <errno.h>

#include <linux/if_arp.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "no_btf.h"
#include "wire.skel.h"

struct bpf_program *wire_object__program(const struct wire_bpf *skel, enum attach_kind kind,
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

bool wire_object__is_l3(uint16_t type)
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

static int prepare(struct wire_bpf *skel, const struct wire_load *load)
{
	const struct wire_shared *shared = load->shared;
	struct bpf_program *program, *wanted;
	int err;

	skel->rodata->cfg = load->config;
	wanted = wire_object__program(skel, load->kind, load->is_egress);
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, program == wanted);
	err = bpf_map__set_max_entries(skel->maps.counters, load->n_taps);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.cache, shared->cache_fd);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.records, shared->records_fd);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.lost, shared->lost_fd);
	if (!err && shared->repeats_fd)
		err = bpf_map__reuse_fd(skel->maps.tap_repeats, shared->repeats_fd);
	if (!err && load->config.fate_looks)
		err = listener_maps__share(&shared->listeners, skel->obj);
	return err;
}

int wire_object__load(struct wire_bpf **out, const struct wire_load *load)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct wire_bpf *skel;
	int err;

	if (!load->config.fate_looks)
		opts.btf_custom_path = no_btf__path();
	skel = wire_bpf__open_opts(&opts);
	if (!skel)
		return -errno;
	err = prepare(skel, load);
	if (!err)
		err = wire_bpf__load(skel);
	if (err)
		wire_bpf__destroy(skel);
	else
		*out = skel;
	return err;
}

int wire_object__add_counters(const struct wire_bpf *skel, uint32_t slot, struct wire_counters *sum)
{
	int n_cpus = libbpf_num_possible_cpus();

	if (n_cpus < 0)
		return n_cpus;
	struct wire_counters per_cpu[n_cpus];

	if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.counters), &slot, per_cpu))
		return -errno;
	for (int cpu = 0; cpu < n_cpus; cpu++)
		wire_counters__add(sum, &per_cpu[cpu]);
	return 0;
}
