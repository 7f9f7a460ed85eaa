/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The object of the wire programs, loaded with constants. Not here: attaching (attach.h), one
 * program for many taps (shared_tap.h).
 */
#ifndef TCPWATCH_WIRE_OBJECT_H
#define TCPWATCH_WIRE_OBJECT_H

#include "tap.h"

struct wire_bpf;
struct bpf_program;

/* wire_object__program() - the one of @skel that a direction of a tap needs */
struct bpf_program *wire_object__program(const struct wire_bpf *skel, enum attach_kind kind,
					 bool is_egress);

/* What is loaded: one program. */
struct wire_load {
	const struct wire_shared *shared;
	struct wire_config config;
	enum attach_kind kind;
	bool is_egress;
	uint32_t n_taps; /* that it serves: more than one with config.tap 0 */
};

/* wire_object__load() - the caller's from now on, for wire_bpf__destroy(). Returns 0 or -errno */
int wire_object__load(struct wire_bpf **out, const struct wire_load *load);

/* wire_object__is_l3() - links of this ARPHRD_… have no link-layer header: tunnels, PPP, … */
bool wire_object__is_l3(uint16_t type);

/* wire_object__add_counters() - add what it counted for the tap with @slot, on all CPUs. Returns 0
 * or -errno */
int wire_object__add_counters(const struct wire_bpf *skel, uint32_t slot,
			      struct wire_counters *sum);

#endif
