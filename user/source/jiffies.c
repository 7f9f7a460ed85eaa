/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asking the kernel for its jiffies.
 */
#include "jiffies.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/shared/abi.h"

/* Runs a program that tells bpf_jiffies64(). Returns 0 or -errno. */
static int read_jiffies(uint64_t *jiffies)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, load, .prog_flags = BPF_F_SLEEPABLE);
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = jiffies, .ctx_size_in = sizeof(*jiffies));
	int fd, err = 0;

	fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "tcpw_jiffies", "Dual BSD/GPL", insns,
			   sizeof(insns) / sizeof(insns[0]), &load);
	if (fd < 0)
		return -errno;
	if (bpf_prog_test_run_opts(fd, &run))
		err = -errno;
	close(fd);
	return err;
}

int jiffies__read(uint64_t *tick_ns, int64_t *jiffies_0_ns)
{
	struct timespec tick, now;
	uint64_t jiffies = 0;
	int err;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || clock_gettime(CLOCK_MONOTONIC, &now))
		return -errno;
	err = read_jiffies(&jiffies);
	if (err)
		return err;
	*tick_ns = tick.tv_nsec;
	*jiffies_0_ns = (int64_t)(now.tv_sec * TW_NSEC_PER_SEC + now.tv_nsec - jiffies * *tick_ns);
	return 0;
}
