/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The session cache seen from userspace: made here, one array per CPU on that CPU's memory node,
 * and read through mmap. Not here: who writes it (bpf/cache.h).
 */
#include "wire_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/shared/cache_layout.h"
#include "cache_memory.h"
#include "jiffies.h"
#include "user/util/fetch.h"
#include "user/util/log.h"

#define MIN_SETS CACHE_GROUP_SETS
#define MAX_SETS (1u << 24)
/* Unless asked for: this many sessions on all CPUs, and this many at least on each. */
#define SLOTS_TOTAL (1u << 18)
#define SLOTS_LEAST (1u << 13)
#define TORN_TRIES  8
/* A group touched in the tick of the last scan may have been touched again after it. A tick is at
 * most 10 ms (CONFIG_HZ=100), and these are units of coarse_time. */
#define TOUCH_SLACK 16

struct cpu_cache {
	bool has_array;
	struct cache_group *groups; /* the array mapped, if it is to be read; else NULL */
	size_t map_bytes;
	uint16_t *generations; /* of each way at the last scan */
	uint32_t scanned;      /* coarse_time of the last scan */
	uint64_t used;
};

struct wire_view {
	int cache_fd;
	int template_fd, template_node; /* an array that no CPU has taken yet; -1: none */
	bool is_read;
	uint32_t n_sets, n_groups;
	uint32_t n_cpus; /* possible ones */
	uint64_t hash_seed;
	uint64_t tick_ns;
	int64_t jiffies_0_ns;
	uint64_t torn_reads;
	struct cpu_cache *cpus;
};

static uint32_t round_up_pow2(uint32_t n)
{
	uint32_t p = 1;

	while (p < n && p < 1u << 31)
		p <<= 1;
	return p;
}

static size_t array_bytes(const struct wire_view *view)
{
	return (size_t)view->n_groups * sizeof(struct cache_group);
}

/* The memory node of @cpu, or -1: let the kernel choose. */
static int numa_node_of(uint32_t cpu)
{
	char path[96];

	for (int node = 0; node < 64; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/node%d", cpu, node);
		if (!access(path, F_OK))
			return node;
	}
	return -1;
}

static int create_array(const struct wire_view *view, int node)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	if (node >= 0) {
		opts.map_flags |= BPF_F_NUMA_NODE;
		opts.numa_node = node;
	}
	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "tcpw_cache_cpu", sizeof(uint32_t),
			      sizeof(struct cache_group), view->n_groups, &opts);
}

/*
 * Inner arrays must be alike in all but their memory node, which the kernel does not compare,
 * though it does compare the flag that there is one (bpf_map_meta_equal in
 * kernel/bpf/map_in_map.c).
 */
static int map_array(const struct wire_view *view, struct cpu_cache *cc, int fd)
{
	void *mem;

	cc->map_bytes = array_bytes(view);
	cc->generations = calloc((size_t)view->n_sets * CACHE_WAYS, sizeof(*cc->generations));
	if (!cc->generations)
		return -ENOMEM;
	mem = mmap(NULL, cc->map_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	cc->groups = mem;
	return 0;
}

static void unmap_array(struct cpu_cache *cc)
{
	if (cc->groups)
		munmap(cc->groups, cc->map_bytes);
	free(cc->generations);
	*cc = (struct cpu_cache){0};
}

/* The template of the outer map is an array like any other. */
static int take_array(struct wire_view *view, int node)
{
	int fd = view->template_fd;

	if (fd < 0 || node != view->template_node)
		return create_array(view, node);
	view->template_fd = -1;
	return fd;
}

static int add_cpu(struct wire_view *view, uint32_t cpu)
{
	struct cpu_cache *cc = &view->cpus[cpu];
	int fd = take_array(view, numa_node_of(cpu)), err = 0;

	if (fd < 0)
		return -errno;
	if (view->is_read)
		err = map_array(view, cc, fd);
	if (!err && bpf_map_update_elem(view->cache_fd, &cpu, &fd, BPF_ANY))
		err = -errno;
	close(fd); /* the outer map and the mapping keep it */
	if (err)
		unmap_array(cc);
	else
		cc->has_array = true;
	return err;
}

static void drop_template(struct wire_view *view)
{
	if (view->template_fd >= 0)
		close(view->template_fd);
	view->template_fd = -1;
}

/* Gives an array to each CPU that is online and has none: at the start, and to those that come
 * later. */
static int add_online_cpus(struct wire_view *view)
{
	FILE *file = fopen("/sys/devices/system/cpu/online", "re");
	unsigned first, last;
	int n, err = 0;

	if (!file)
		return -errno;
	while (!err && (n = fscanf(file, "%u-%u", &first, &last)) >= 1) {
		if (n == 1)
			last = first;
		for (uint32_t cpu = first; !err && cpu <= last && cpu < view->n_cpus; cpu++)
			if (!view->cpus[cpu].has_array)
				err = add_cpu(view, cpu);
		if (fgetc(file) != ',')
			break;
	}
	fclose(file);
	return err;
}

static int create_outer(struct wire_view *view)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	view->template_node = numa_node_of(0);
	view->template_fd = create_array(view, view->template_node);
	if (view->template_fd < 0)
		return -errno;
	opts.inner_map_fd = view->template_fd;
	view->cache_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "tcpw_cache", sizeof(uint32_t),
					sizeof(uint32_t), view->n_cpus, &opts);
	return view->cache_fd < 0 ? -errno : 0;
}

/* Returns 0 or -E2BIG, logged. */
static int check_memory(const struct wire_view *view, uint32_t slots)
{
	uint64_t bytes = array_bytes(view);

	if (view->is_read)
		bytes += (uint64_t)view->n_sets * CACHE_WAYS * sizeof(view->cpus->generations[0]);
	return cache_memory__check(slots, bytes);
}

static uint32_t default_slots(uint32_t n_cpus)
{
	uint32_t slots = SLOTS_TOTAL / n_cpus;

	return slots < SLOTS_LEAST ? SLOTS_LEAST : slots;
}

static uint32_t sets_for(uint32_t slots)
{
	uint32_t sets = slots / CACHE_WAYS + !!(slots % CACHE_WAYS);

	return round_up_pow2(sets < MIN_SETS ? MIN_SETS : sets > MAX_SETS ? MAX_SETS : sets);
}

static int make(struct wire_view *view)
{
	int err;

	if (getrandom(&view->hash_seed, sizeof(view->hash_seed), 0) != sizeof(view->hash_seed))
		return -errno;
	err = jiffies__read(&view->tick_ns, &view->jiffies_0_ns);
	if (!err)
		err = create_outer(view);
	if (!err)
		err = add_online_cpus(view);
	drop_template(view);
	return err;
}

static int open_view(struct wire_view **out, uint32_t slots, bool is_read)
{
	struct wire_view *view = calloc(1, sizeof(*view));
	int n_cpus = libbpf_num_possible_cpus();
	int err = -ENOMEM;

	if (!view)
		goto err_out;
	view->cache_fd = view->template_fd = -1;
	view->n_cpus = n_cpus > 0 ? (uint32_t)n_cpus : 1;
	if (!slots)
		slots = default_slots(view->n_cpus);
	view->is_read = is_read;
	view->n_sets = sets_for(slots);
	view->n_groups = view->n_sets >> CACHE_GROUP_SHIFT;
	view->cpus = calloc(view->n_cpus, sizeof(*view->cpus));
	if (!view->cpus)
		goto err_out;
	err = check_memory(view, slots);
	if (err)
		goto err_told;
	err = make(view);
	if (err)
		goto err_out;
	*out = view;
	return 0;

err_out:
	log_error("cannot make the session cache of %u sessions for each CPU: %s; "
		  "try fewer with --cache",
		  slots, strerror(-err));
err_told:
	wire_view__close(view);
	return err;
}

int wire_view__open(struct wire_view **out, uint32_t slots)
{
	return open_view(out, slots, true);
}

int wire_view__open_unread(struct wire_view **out, uint32_t slots)
{
	return open_view(out, slots, false);
}

void wire_view__close(struct wire_view *view)
{
	if (!view)
		return;
	for (uint32_t cpu = 0; view->cpus && cpu < view->n_cpus; cpu++)
		unmap_array(&view->cpus[cpu]);
	drop_template(view);
	if (view->cache_fd >= 0)
		close(view->cache_fd);
	free(view->cpus);
	free(view);
}

int wire_view__cache_fd(const struct wire_view *view)
{
	return view->cache_fd;
}

void wire_view__configure(const struct wire_view *view, struct wire_config *config)
{
	config->n_sets = view->n_sets;
	config->hash_seed = view->hash_seed;
	config->tick_ns = view->tick_ns;
	config->jiffies_0_ns = view->jiffies_0_ns;
}

/* A set where it lies in the array of its CPU. */
struct cache_at {
	const struct cache_head *head;
	const struct cache_set *set;
};

static struct cache_at set_at(const struct cpu_cache *cc, uint32_t index)
{
	const struct cache_group *group = &cc->groups[index >> CACHE_GROUP_SHIFT];
	uint32_t i = index & (CACHE_GROUP_SETS - 1);
	struct cache_at at = {&group->head[i], &group->set[i]};

	return at;
}

/* A whole copy of one way into @rec: false if it is empty, or (counted) if its CPU kept writing it.
 */
static bool copy_way(struct wire_view *view, const struct cache_at *at, unsigned way,
		     struct fragment *copy, uint16_t *generation)
{
	for (int tries = 0; tries < TORN_TRIES; tries++) {
		uint16_t before = __atomic_load_n(&at->head->generation[way], __ATOMIC_ACQUIRE);

		if (!at->head->tag[way])
			return false;
		if (before & 1)
			continue;
		memcpy(copy, &at->set->way[way], sizeof(*copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&at->head->generation[way], __ATOMIC_RELAXED) != before)
			continue;
		*generation = before;
		return true;
	}
	view->torn_reads++;
	return false;
}

/* All but .frag. */
static void label(struct rec_fragment *rec, uint32_t cpu, uint64_t now_ns)
{
	rec->hdr = (struct record_hdr){REC_FRAGMENT, sizeof(*rec), cpu, now_ns};
	rec->why = FRAGMENT_LIVE;
	rec->zero = 0;
}

/* A scan under way. */
struct scan {
	struct wire_view *view;
	uint64_t now_ns;
	batch_sink sink;
	void *ctx;
	size_t count; /* of records that wait */
	union record records[SCAN_BATCH];
};

static void hand_on(struct scan *scan)
{
	if (scan->count)
		scan->sink(scan->ctx, scan->records, scan->count);
	scan->count = 0;
}

static uint16_t *seen_of(const struct cpu_cache *cc, uint32_t index, unsigned way)
{
	return &cc->generations[(size_t)index * CACHE_WAYS + way];
}

/* Since the last scan. */
static bool has_changed(const struct cpu_cache *cc, const struct cache_at *at, uint32_t index,
			unsigned way)
{
	return at->head->tag[way] && at->head->generation[way] != *seen_of(cc, index, way);
}

/* Some ways of a set are read and others not: the processor does not see the next ones coming. */
static void fetch_set(const struct cpu_cache *cc, uint32_t index)
{
	const struct cache_at at = set_at(cc, index);

	for (unsigned way = 0; way < CACHE_WAYS; way++)
		if (has_changed(cc, &at, index, way))
			fetch__range(&at.set->way[way], sizeof(at.set->way[way]));
}

static void scan_set(struct scan *scan, uint32_t cpu, uint32_t index)
{
	struct cpu_cache *cc = &scan->view->cpus[cpu];
	const struct cache_at at = set_at(cc, index);

	for (unsigned way = 0; way < CACHE_WAYS; way++) {
		uint16_t *seen = seen_of(cc, index, way);
		struct rec_fragment *rec = &scan->records[scan->count].fragment;
		uint16_t generation;

		if (!has_changed(cc, &at, index, way))
			continue;
		if (!copy_way(scan->view, &at, way, &rec->frag, &generation))
			continue;
		if (!*seen)
			cc->used++;
		*seen = generation ? generation
				   : 2; /* 0 means never seen; 2 is as unlikely to hide a change */
		label(rec, cpu, scan->now_ns);
		if (++scan->count == SCAN_BATCH)
			hand_on(scan);
	}
}

static void scan_cpu(struct scan *scan, uint32_t cpu)
{
	const struct wire_view *view = scan->view;
	struct cpu_cache *cc = &view->cpus[cpu];
	uint32_t since = cc->scanned - TOUCH_SLACK;

	for (uint32_t group = 0; group < view->n_groups; group++) {
		uint32_t touched = __atomic_load_n(&cc->groups[group].touched, __ATOMIC_RELAXED);

		if (!touched || (cc->scanned && (int32_t)(touched - since) < 0))
			continue;
		for (uint32_t i = 0; i < CACHE_GROUP_SETS; i++)
			fetch_set(cc, (group << CACHE_GROUP_SHIFT) + i);
		for (uint32_t i = 0; i < CACHE_GROUP_SETS; i++)
			scan_set(scan, cpu, (group << CACHE_GROUP_SHIFT) + i);
	}
	cc->scanned = coarse_time(scan->now_ns);
}

int wire_view__follow_cpus(struct wire_view *view)
{
	return add_online_cpus(view);
}

int wire_view__scan(struct wire_view *view, uint64_t now_ns, batch_sink sink, void *ctx)
{
	struct scan scan = {.view = view, .now_ns = now_ns, .sink = sink, .ctx = ctx};
	int err = add_online_cpus(view);

	for (uint32_t cpu = 0; cpu < view->n_cpus; cpu++)
		if (view->cpus[cpu].groups)
			scan_cpu(&scan, cpu);
	hand_on(&scan);
	return err;
}

void wire_view__pull(struct wire_view *view, const struct flow_key *key, uint64_t now_ns,
		     record_sink sink, void *ctx)
{
	uint32_t hash = flow_key__hash(key, view->hash_seed);
	uint32_t index = hash & (view->n_sets - 1);
	uint16_t generation;
	union record rec;

	for (uint32_t cpu = 0; cpu < view->n_cpus; cpu++) {
		const struct cpu_cache *cc = &view->cpus[cpu];
		struct cache_at at;

		if (!cc->groups)
			continue;
		at = set_at(cc, index);
		label(&rec.fragment, cpu, now_ns);
		for (unsigned way = 0; way < CACHE_WAYS; way++)
			if (flow_key__equal(&at.set->way[way].key, key) &&
			    copy_way(view, &at, way, &rec.fragment.frag, &generation) &&
			    flow_key__equal(&rec.fragment.frag.key, key))
				sink(ctx, &rec);
	}
}

void wire_view__stats(const struct wire_view *view, struct wire_view_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->torn_reads = view->torn_reads;
	for (uint32_t cpu = 0; cpu < view->n_cpus; cpu++) {
		if (!view->cpus[cpu].has_array)
			continue;
		stats->cpus++;
		stats->slots += (uint64_t)view->n_sets * CACHE_WAYS;
		stats->used += view->cpus[cpu].used;
		stats->bytes += array_bytes(view);
	}
}
