/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs with seats, and the instructions that lead to them.
 */
#include "shared_tap.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "wire.skel.h"
#include "wire_object.h"

/* Each CPU keeps counters for every seat: few at first. */
#define SEATS_FIRST 32
#define SEATS_MORE  512

struct shared_program {
	struct shared_program *next;
	struct wire_bpf *skel;
	int array_fd; /* of one program: what a tail call takes */
	bool is_egress, has_fates;
	uint32_t n_seats, n_free;
	uint32_t free_seats[]; /* the last left is the first taken */
};

struct shared_taps {
	struct shared_program *programs;
	int fates_err; /* why the kernel refused a program with fates, so as not to ask again */
};

/* ---- programs -------------------------------------------------------------------------------- */

static void destroy(struct shared_program *program)
{
	if (program->array_fd >= 0)
		close(program->array_fd);
	wire_bpf__destroy(program->skel);
	free(program);
}

static int fill_array(struct shared_program *program)
{
	int fd = bpf_program__fd(
		wire_object__program(program->skel, ATTACH_CLSACT, program->is_egress));
	uint32_t zero = 0;

	program->array_fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "tcpw_shared", sizeof(uint32_t),
					   sizeof(uint32_t), 1, NULL);
	if (program->array_fd < 0)
		return -errno;
	return bpf_map_update_elem(program->array_fd, &zero, &fd, BPF_ANY) ? -errno : 0;
}

static int add_program(struct shared_taps *all, const struct seat_wanted *wanted, uint32_t n_seats)
{
	struct wire_load load = {wanted->shared, wanted->shared->config, ATTACH_CLSACT,
				 wanted->is_egress, n_seats};
	struct shared_program *program =
		calloc(1, sizeof(*program) + n_seats * sizeof(*program->free_seats));
	int err;

	if (!program)
		return -ENOMEM;
	load.config.fate_looks = wanted->fate_looks;
	program->array_fd = -1;
	program->is_egress = wanted->is_egress;
	program->has_fates = wanted->fate_looks;
	program->n_seats = program->n_free = n_seats;
	for (uint32_t i = 0; i < n_seats; i++)
		program->free_seats[i] = n_seats - 1 - i;
	err = wire_object__load(&program->skel, &load);
	if (!err)
		err = fill_array(program);
	if (err) {
		destroy(program);
		return err;
	}
	program->next = all->programs;
	all->programs = program;
	return 0;
}

/* One with a seat that is free. */
static struct shared_program *find_program(const struct shared_taps *all,
					   const struct seat_wanted *wanted, bool *has_any)
{
	*has_any = false;
	for (struct shared_program *p = all->programs; p; p = p->next) {
		if (p->is_egress != wanted->is_egress || p->has_fates != !!wanted->fate_looks)
			continue;
		*has_any = true;
		if (p->n_free)
			return p;
	}
	return NULL;
}

struct shared_taps *shared_taps__new(void)
{
	return calloc(1, sizeof(struct shared_taps));
}

void shared_taps__free(struct shared_taps *all)
{
	while (all && all->programs) {
		struct shared_program *program = all->programs;

		all->programs = program->next;
		destroy(program);
	}
	free(all);
}

/* ---- the way to it --------------------------------------------------------------------------- */

#define LOAD_MAP(reg, fd)                   \
	{.code = BPF_LD | BPF_IMM | BPF_DW, \
	 .dst_reg = (reg),                  \
	 .src_reg = BPF_PSEUDO_MAP_FD,      \
	 .imm = (fd)},                      \
	{                                   \
		0                           \
	}
#define STORE(member_at, value)                                                             \
	{                                                                                   \
		.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_0, .off = (member_at), \
		.imm = (value)                                                              \
	}
#define CALL(helper)                                        \
	{                                                   \
		.code = BPF_JMP | BPF_CALL, .imm = (helper) \
	}
#define MOVE(to, from)                                                                  \
	{                                                                               \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from) \
	}
#define SET(reg, value)                                                               \
	{                                                                             \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (value) \
	}

/* The last two members, as one word is stored. */
static int32_t tap_and_l3(const struct wire_tap *at)
{
	int32_t word;

	_Static_assert(offsetof(struct wire_tap, l3) == offsetof(struct wire_tap, tap) + 2,
		       "they make a word");
	memcpy(&word, &at->tap, sizeof(word));
	return word;
}

/* Tells which tap the frame is of and calls the shared program, which does not return; what it
 * passes on is passed on here if it cannot be called. */
static int load_way(const struct shared_program *program, const struct wire_tap *at)
{
	const struct bpf_insn insns[] = {
		MOVE(BPF_REG_6, BPF_REG_1),
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4, .imm = 0},
		LOAD_MAP(BPF_REG_1, bpf_map__fd(program->skel->maps.under_way)),
		MOVE(BPF_REG_2, BPF_REG_10),
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
		CALL(BPF_FUNC_map_lookup_elem),
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 8, .imm = 0},
		STORE(offsetof(struct wire_tap, slot), (int32_t)at->slot),
		STORE(offsetof(struct wire_tap, netns), (int32_t)at->netns),
		STORE(offsetof(struct wire_tap, tap), tap_and_l3(at)),
		MOVE(BPF_REG_1, BPF_REG_6),
		LOAD_MAP(BPF_REG_2, program->array_fd),
		SET(BPF_REG_3, 0),
		CALL(BPF_FUNC_tail_call),
		SET(BPF_REG_0, TC_ACT_UNSPEC),
		{.code = BPF_JMP | BPF_EXIT},
	};
	const char *name = bpf_program__name(
		wire_object__program(program->skel, ATTACH_CLSACT, program->is_egress));
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name, "Dual BSD/GPL", insns,
			       sizeof(insns) / sizeof(insns[0]), NULL);

	return fd < 0 ? -errno : fd;
}

/* ---- seats ----------------------------------------------------------------------------------- */

/* Whoever sat there before has counted. */
static int clear_counters(const struct shared_program *program, uint32_t slot)
{
	int n_cpus = libbpf_num_possible_cpus(), err = 0;
	struct wire_counters *zeros;

	if (n_cpus < 0)
		return n_cpus;
	zeros = calloc(n_cpus, sizeof(*zeros));
	if (!zeros)
		return -ENOMEM;
	if (bpf_map_update_elem(bpf_map__fd(program->skel->maps.counters), &slot, zeros, BPF_ANY))
		err = -errno;
	free(zeros);
	return err;
}

static int sit(struct shared_seat *seat, struct shared_program *program, const struct tap *tap)
{
	const struct wire_tap at = {
		.slot = program->free_seats[program->n_free - 1],
		.netns = tap->netns,
		.tap = tap->id,
		.l3 = wire_object__is_l3(tap->iface.type),
	};
	int fd = clear_counters(program, at.slot);

	if (!fd)
		fd = load_way(program, &at);
	if (fd < 0)
		return fd;
	program->n_free--;
	*seat = (struct shared_seat){program, at.slot, fd};
	return 0;
}

int shared_seat__take(struct shared_seat *seat, struct shared_taps *all,
		      const struct seat_wanted *wanted)
{
	bool has_any;
	struct shared_program *program = find_program(all, wanted, &has_any);
	int err = wanted->fate_looks ? all->fates_err : 0;

	if (err)
		return err;
	if (!program) {
		err = add_program(all, wanted, has_any ? SEATS_MORE : SEATS_FIRST);
		if (err && wanted->fate_looks && err != -ENOMEM)
			all->fates_err = err;
		if (err)
			return err;
		program = all->programs;
	}
	return sit(seat, program, wanted->tap);
}

void shared_seat__leave(struct shared_seat *seat)
{
	struct shared_program *program = seat->program;

	if (!program)
		return;
	close(seat->prog_fd);
	program->free_seats[program->n_free++] = seat->slot;
	*seat = (struct shared_seat){.prog_fd = -1};
}

int shared_seat__add_counters(const struct shared_seat *seat, struct wire_counters *sum)
{
	return wire_object__add_counters(seat->program->skel, seat->slot, sum);
}
