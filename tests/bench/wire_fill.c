/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fills the session cache of a running tcpwatch: its own XDP program is given the frames of that
 * many established sessions by test runs on two CPUs, IPv4 on one, IPv6 on the other. Then sends
 * data on a share of them whenever a line with a number of sessions comes in. Answers each with
 * "done".
 */
#include <stdlib.h>
#include <unistd.h>

#include "vary.h"

#define BATCH 16384u

struct fill {
	struct comparators_bpf *skel;
	uint64_t sent_data[2];
	uint32_t flow_shift; /* log2 of the sessions of each family */
};

/* Only vary_xdp is needed here. */
static int load(struct fill *f)
{
	struct bpf_program *prog;

	f->skel = comparators_bpf__open();
	if (!f->skel)
		return -errno;
	bpf_object__for_each_program(prog, f->skel->obj)
		bpf_program__set_autoload(prog, prog == f->skel->progs.vary_xdp);
	return comparators_bpf__load(f->skel);
}

/* @count frames from number @first on, at most a batch at a time so that others get the CPU. */
static int send_frames(struct fill *f, const struct bench_frame *fr, uint64_t first, uint32_t count)
{
	uint32_t batch;
	double ns;

	for (; count; count -= batch, first += batch) {
		batch = count < BATCH ? count : BATCH;
		ns = vary__send(f->skel, fr, first, batch);
		if (ns < 0)
			return (int)ns;
	}
	return 0;
}

static int open_sessions(struct fill *f, bool is_v6)
{
	static const enum frame_kind steps[] = {FRAME_SYN, FRAME_SYNACK, FRAME_ACK};
	struct bench_frame fr;
	int err = vary__pin(is_v6);

	for (size_t i = 0; !err && i < sizeof(steps) / sizeof(*steps); i++) {
		bench_frame__make(&fr, steps[i], is_v6);
		vary__shape(f->skel, &fr, f->flow_shift, 0);
		err = send_frames(f, &fr, 0, 1u << f->flow_shift);
	}
	return err;
}

static int send_data(struct fill *f, bool is_v6, uint32_t sessions)
{
	struct bench_frame fr;
	int err = vary__pin(is_v6);

	if (err)
		return err;
	bench_frame__make(&fr, FRAME_DATA, is_v6);
	vary__shape(f->skel, &fr, f->flow_shift, FRAME_PAYLOAD);
	err = send_frames(f, &fr, f->sent_data[is_v6], sessions);
	f->sent_data[is_v6] += sessions;
	return err;
}

static int run(struct fill *f, uint32_t prog_id)
{
	int prog_fd = bpf_prog_get_fd_by_id(prog_id), err;
	char line[32];

	if (prog_fd < 0)
		return -errno;
	err = vary__aim(f->skel, prog_fd);
	for (int is_v6 = 0; !err && is_v6 < 2; is_v6++)
		err = open_sessions(f, is_v6);
	while (!err && puts("done") >= 0 && !fflush(stdout) && fgets(line, sizeof(line), stdin))
		for (int is_v6 = 0; !err && is_v6 < 2; is_v6++)
			err = send_data(f, is_v6, strtoul(line, NULL, 10) / 2);
	close(prog_fd);
	return err;
}

int main(int argc, char **argv)
{
	struct fill f = {0};
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: wire_fill PROGRAM_ID LOG2_SESSIONS\n");
		return 2;
	}
	f.flow_shift = strtoul(argv[2], NULL, 10) - 1;
	err = load(&f) ?: run(&f, strtoul(argv[1], NULL, 10));
	comparators_bpf__destroy(f.skel);
	if (err)
		fprintf(stderr, "wire_fill: %s\n", strerror(-err));
	return !!err;
}
