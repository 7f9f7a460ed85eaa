/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends series of frames through an XDP program by way of vary_xdp, so that each repeat of one
 * BPF_PROG_TEST_RUN is another flow's. Not here: what is measured (packet.c), what a running
 * tcpwatch is filled with (wire_fill.c).
 */
#ifndef TCPWATCH_BENCH_VARY_H
#define TCPWATCH_BENCH_VARY_H

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "frames.h"
#include "comparators.skel.h"

/* vary__aim() - the frames that follow go into the XDP program @prog_fd. Returns 0 or -errno */
static inline int vary__aim(struct comparators_bpf *skel, int prog_fd)
{
	uint32_t zero = 0;

	if (!bpf_map_update_elem(bpf_map__fd(skel->maps.target), &zero, &prog_fd, BPF_ANY))
		return 0;
	fprintf(stderr, "cannot jump from vary_xdp into program fd %d: errno %d\n", prog_fd, errno);
	return -errno;
}

/* vary__shape() - the frames that follow are like @fr, of 1 << @flow_shift flows in turn */
static inline void vary__shape(struct comparators_bpf *skel, const struct bench_frame *fr,
			       uint32_t flow_shift, uint32_t seq_step)
{
	skel->bss->flow_shift = flow_shift;
	skel->data->flow_mask = flow_shift < 32 ? (1u << flow_shift) - 1 : ~0u;
	skel->bss->seq_step = seq_step;
	skel->bss->seq_start = fr->seq;
	skel->bss->addr_at = fr->addr_at;
	skel->bss->port_at = fr->port_at;
	skel->bss->seq_at = fr->seq_at;
	skel->bss->is_v6 = fr->is_v6;
}

static inline double vary__cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/*
 * vary__send() - @count frames, the first of them number @first of its series
 *
 * Returns the CPU time of this thread for all of them in nanoseconds, or a negative errno.
 */
static inline double vary__send(struct comparators_bpf *skel, const struct bench_frame *fr,
				uint64_t first, uint32_t count)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = fr->bytes, .data_size_in = fr->len,
		    .repeat = count);
	double start;

	skel->bss->repeats = first;
	start = vary__cpu_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.vary_xdp), &opts))
		return -errno;
	if (opts.retval != XDP_PASS) /* the jump failed */
		return -ENOEXEC;
	return vary__cpu_ns() - start;
}

static inline int vary__pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

#endif
