/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Measures what a packet costs in the real wire program, beside an empty XDP program and beside the
 * same tracker on an LRU_HASH; and what a session's place in the cache costs in memory. Prints one
 * JSON object per figure and gives no verdict (packet_cost.py does).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/source/wire_view.h"
#include "vary.h"
#include "wire.skel.h"

#define MAX_ROUNDS  64
#define HOT_REPEATS 200000u
#define SYN_BATCH   8192u /* their records fit the ring buffer */
#define SYN_BATCHES 6u
#define FLOOD_SYNS  10000000ull
#define MANY_SHIFT  13 /* 8192 flows in turn */
#define TAP	    1
#define WAKE_BYTES  (1u << 18)
#define RING_BYTES  (4u << 20)

/* WIRE_FATES also asks what becomes of each SYN, of a listener that is there. */
enum program { EMPTY, LRU, WIRE, WIRE_FATES, N_PROGRAMS };

static const char *const program_names[N_PROGRAMS] = {"empty", "lru_hash", "wire", "wire_fates"};

struct bench {
	struct comparators_bpf *cmp;
	struct wire_bpf *wire, *fates;
	struct wire_view *view, *fates_view;
	struct ring_buffer *rings;
	uint64_t sent[N_PROGRAMS]; /* frames of the present series */
	uint32_t slots;
	unsigned rounds;
};

/* A figure's samples, one for each round. */
struct samples {
	double ns[N_PROGRAMS][MAX_ROUNDS];
};

static int drop_record(void *ctx, void *data, size_t size)
{
	(void)ctx, (void)data, (void)size;
	return 0;
}

static int program_fd(const struct bench *b, enum program which)
{
	const struct bpf_program *prog[N_PROGRAMS] = {
		[EMPTY] = b->cmp->progs.empty_xdp,
		[LRU] = b->cmp->progs.lru_xdp,
		[WIRE] = b->wire->progs.wire_xdp,
		[WIRE_FATES] = b->fates->progs.wire_xdp,
	};

	return bpf_program__fd(prog[which]);
}

static struct wire_config config_of(const struct bench *b)
{
	struct wire_config cfg = {
		.record_mask = 1u << REC_SEGMENT | 1u << REC_FRAGMENT,
		.wake_bytes = WAKE_BYTES,
		.tap = TAP,
		.mtu = 1500,
	};

	wire_view__configure(b->view, &cfg);
	return cfg;
}

/* Each with a cache of its own. */
static int load_wire(const struct bench *b, const struct wire_view *view, uint16_t fate_looks,
		     struct wire_bpf **out)
{
	struct wire_config cfg = config_of(b);
	const struct listener_key any = {0}; /* the bench's listener has no cookie */
	struct wire_bpf *wire = wire_bpf__open();
	uint32_t slot = 0;
	int err;

	if (!wire)
		return -errno;
	*out = wire;
	cfg.fate_looks = fate_looks;
	memcpy((void *)&wire->rodata->cfg, &cfg, sizeof(cfg));
	err = bpf_map__reuse_fd(wire->maps.cache, wire_view__cache_fd(view));
	if (!err)
		err = bpf_map__set_max_entries(wire->maps.records, RING_BYTES);
	if (!err)
		err = wire_bpf__load(wire);
	if (!err && bpf_map_update_elem(bpf_map__fd(wire->maps.listeners), &any, &slot, BPF_ANY))
		err = -errno;
	return err;
}

/* Its copies of the wire programs are there for their functions' sake and stay unloaded. */
static int load_comparators(struct bench *b)
{
	struct wire_config cfg = config_of(b);
	struct bpf_program *prog;

	b->cmp = comparators_bpf__open();
	if (!b->cmp)
		return -errno;
	memcpy((void *)&b->cmp->rodata->cfg, &cfg, sizeof(cfg));
	bpf_object__for_each_program(prog, b->cmp->obj)
		bpf_program__set_autoload(prog, strncmp(bpf_program__name(prog), "wire_", 5));
	bpf_map__set_max_entries(b->cmp->maps.records, RING_BYTES);
	bpf_map__set_max_entries(b->cmp->maps.lru, b->slots);
	return comparators_bpf__load(b->cmp);
}

static int bench__open(struct bench *b)
{
	int err = wire_view__open(&b->view, b->slots);

	if (!err)
		err = wire_view__open(&b->fates_view, b->slots);
	if (!err)
		err = load_wire(b, b->view, 0, &b->wire);
	if (!err)
		err = load_wire(b, b->fates_view, UINT16_MAX, &b->fates);
	if (!err)
		err = load_comparators(b);
	if (err)
		return err;
	b->rings = ring_buffer__new(bpf_map__fd(b->wire->maps.records), drop_record, NULL, NULL);
	if (!b->rings)
		return -errno;
	return ring_buffer__add(b->rings, bpf_map__fd(b->cmp->maps.records), drop_record, NULL)
		       ?: ring_buffer__add(b->rings, bpf_map__fd(b->fates->maps.records),
					   drop_record, NULL);
}

static void bench__close(struct bench *b)
{
	ring_buffer__free(b->rings);
	wire_bpf__destroy(b->wire);
	wire_bpf__destroy(b->fates);
	comparators_bpf__destroy(b->cmp);
	wire_view__close(b->view);
	wire_view__close(b->fates_view);
}

/* The next @count frames of the series into @which. Returns nanoseconds for each, or -errno. */
static double send_next(struct bench *b, enum program which, const struct bench_frame *fr,
			uint32_t count)
{
	double ns = vary__send(b->cmp, fr, b->sent[which], count);

	b->sent[which] += count;
	return ns < 0 ? ns : ns / count;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_samples(const struct bench *b, const char *name, bool is_v6,
			  const struct samples *s)
{
	double sorted[MAX_ROUNDS];

	for (enum program p = 0; p < N_PROGRAMS; p++) {
		memcpy(sorted, s->ns[p], b->rounds * sizeof(*sorted));
		qsort(sorted, b->rounds, sizeof(*sorted), compare_doubles);
		printf("{\"case\": \"%s\", \"family\": \"IPv%d\", \"program\": \"%s\", "
		       "\"min_ns\": %.1f, \"median_ns\": %.1f, \"max_ns\": %.1f}\n",
		       name, is_v6 ? 6 : 4, program_names[p], sorted[0], sorted[b->rounds / 2],
		       sorted[b->rounds - 1]);
	}
	fflush(stdout);
}

/* One handshake for each flow, so that what follows is an established session's. */
static int shake_hands(struct bench *b, bool is_v6, uint32_t flow_shift)
{
	static const enum frame_kind steps[] = {FRAME_SYN, FRAME_SYNACK, FRAME_ACK};
	struct bench_frame fr;
	double ns;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		bench_frame__make(&fr, steps[i], is_v6);
		vary__shape(b->cmp, &fr, flow_shift, 0);
		ns = vary__send(b->cmp, &fr, 0, 1u << flow_shift);
		if (ns < 0)
			return (int)ns;
	}
	ring_buffer__consume(b->rings);
	return 0;
}

/* Data segments of established sessions, 1 << @flow_shift of them in turn. */
static int measure_established(struct bench *b, const char *name, bool is_v6, uint32_t flow_shift)
{
	struct bench_frame fr;
	struct samples s;
	int err;

	memset(b->sent, 0, sizeof(b->sent));
	for (enum program p = 0; p < N_PROGRAMS; p++) {
		err = vary__aim(b->cmp, program_fd(b, p)) ?: shake_hands(b, is_v6, flow_shift);
		if (err)
			return err;
	}
	bench_frame__make(&fr, FRAME_DATA, is_v6);
	vary__shape(b->cmp, &fr, flow_shift, FRAME_PAYLOAD);
	for (unsigned i = 0; i < b->rounds * N_PROGRAMS; i++) {
		enum program p = i % N_PROGRAMS;

		err = vary__aim(b->cmp, program_fd(b, p));
		if (err)
			return err;
		if (send_next(b, p, &fr, 1u << flow_shift) < 0) /* warms up */
			return -EIO;
		s.ns[p][i / N_PROGRAMS] = send_next(b, p, &fr, HOT_REPEATS);
		ring_buffer__consume(b->rings);
	}
	print_samples(b, name, is_v6, &s);
	return 0;
}

static double send_syns(struct bench *b, enum program p, const struct bench_frame *fr,
			uint32_t batches, bool consume)
{
	double ns, sum = 0;

	for (uint32_t i = 0; i < batches; i++) {
		ns = send_next(b, p, fr, SYN_BATCH);
		if (ns < 0)
			return ns;
		sum += ns;
		if (consume)
			ring_buffer__consume(b->rings);
	}
	return sum / batches;
}

/* SYNs of new sessions into a full cache; the ring buffer is read after each batch, or never. */
static int measure_syns(struct bench *b, const char *name, const struct bench_frame *fr,
			bool consume)
{
	struct samples s;
	int err;

	for (unsigned i = 0; i < b->rounds * N_PROGRAMS; i++) {
		enum program p = i % N_PROGRAMS;

		err = vary__aim(b->cmp, program_fd(b, p));
		if (err)
			return err;
		s.ns[p][i / N_PROGRAMS] = send_syns(b, p, fr, SYN_BATCHES, consume);
		if (s.ns[p][i / N_PROGRAMS] < 0)
			return -EIO;
	}
	ring_buffer__consume(b->rings);
	print_samples(b, name, fr->is_v6, &s);
	return 0;
}

/* Brings @p to @total SYNs of the series. */
static int flood(struct bench *b, enum program p, const struct bench_frame *fr, uint64_t total)
{
	int err = vary__aim(b->cmp, program_fd(b, p));
	uint64_t left = b->sent[p] < total ? total - b->sent[p] : 0;

	if (err)
		return err;
	return send_syns(b, p, fr, left / SYN_BATCH + 1, true) < 0 ? -EIO : 0;
}

static int measure_flood(struct bench *b, bool is_v6)
{
	struct bench_frame fr;
	int err = 0;

	memset(b->sent, 0, sizeof(b->sent));
	bench_frame__make(&fr, FRAME_SYN, is_v6);
	vary__shape(b->cmp, &fr, 32, 0);
	for (enum program p = LRU; !err && p < N_PROGRAMS; p++)
		err = flood(b, p, &fr, 4ull * b->slots);
	if (!err)
		err = measure_syns(b, "syn", &fr, true);
	if (!err)
		err = measure_syns(b, "syn, ring full", &fr, false);
	if (!err)
		err = flood(b, WIRE, &fr, FLOOD_SYNS);
	return err ?: measure_syns(b, "syn after flood", &fr, true);
}

/* What the kernel itself accounts for the array of @cpu, in bytes; 0: unknown. */
static uint64_t array_memlock(const struct bench *b, uint32_t cpu)
{
	uint64_t bytes = 0;
	char line[128];
	uint32_t id;
	FILE *info;
	int fd;

	if (bpf_map_lookup_elem(wire_view__cache_fd(b->view), &cpu, &id))
		return 0;
	fd = bpf_map_get_fd_by_id(id);
	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	info = fd < 0 ? NULL : fopen(line, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "memlock: %lu", &bytes) == 1)
			break;
	if (info)
		fclose(info);
	if (fd >= 0)
		close(fd);
	return bytes;
}

static void print_memory(const struct bench *b)
{
	struct wire_view_stats stats;
	uint64_t memlock = 0;

	wire_view__stats(b->view, &stats);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		memlock += array_memlock(b, cpu);
	printf("{\"case\": \"memory\", \"slots\": %lu, \"bytes\": %lu, \"memlock\": %lu}\n",
	       stats.slots, stats.bytes, memlock);
}

/* Each family begins with an empty cache. */
static int run(struct bench *b, bool is_v6)
{
	int err = bench__open(b);

	if (!err)
		err = measure_established(b, "hot", is_v6, 0);
	if (!err)
		err = measure_established(b, "many", is_v6, MANY_SHIFT);
	if (!err)
		err = measure_flood(b, is_v6);
	if (!err)
		print_memory(b);
	bench__close(b);
	return err;
}

/* Who the SYNs are for: on any address of a namespace of the bench's own. */
static int listen_alone(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(FRAME_PORT)};
	int fd;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0); /* open as long as the process */
	if (fd < 0 || bind(fd, (void *)&any, sizeof(any)) || listen(fd, 128))
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = {.slots = 65536, .rounds = 11};
	int cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1, opt, err;

	while ((opt = getopt(argc, argv, "s:r:c:")) != -1) {
		if (opt == 's')
			b.slots = strtoul(optarg, NULL, 10);
		else if (opt == 'r')
			b.rounds = strtoul(optarg, NULL, 10);
		else if (opt == 'c')
			cpu = atoi(optarg);
		else
			return 2;
	}
	if (b.rounds < 1 || b.rounds > MAX_ROUNDS)
		return 2;
	err = vary__pin(cpu) ?: listen_alone();
	for (int is_v6 = 0; !err && is_v6 < 2; is_v6++)
		err = run(&b, is_v6);
	if (err)
		fprintf(stderr, "packet: %s\n", strerror(-err));
	return !!err;
}
