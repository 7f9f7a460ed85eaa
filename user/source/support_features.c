/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel's BPF offers, found by using each feature for a moment. Not here: tcpwatch's own
 * programs (support_programs.c).
 */
#include "support.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "reset_reason.h"
#include "user/model/session.h"
#include "user/util/log.h"
#include "wire_view.h"

#define SECTION		 "BPF"
#define RING_BYTES	 4096
#define MAX_REASON	 64
#define TCX_INGRESS	 46 /* enum bpf_attach_type, Linux 6.6 */
#define LOOPBACK_IFINDEX 1

/* Each returns 0 or -errno. */

static int create_map(enum bpf_map_type type, uint32_t value_bytes, uint32_t entries,
		      uint32_t flags, int inner_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags,
		    .inner_map_fd = inner_fd >= 0 ? (uint32_t)inner_fd : 0);
	uint32_t key_bytes = type == BPF_MAP_TYPE_RINGBUF ? 0 : sizeof(uint32_t);
	int fd = bpf_map_create(type, "tcpw_check", key_bytes, value_bytes, entries, &opts);

	return fd < 0 ? -errno : fd;
}

static int try_map(enum bpf_map_type type, uint32_t value_bytes, uint32_t entries)
{
	int fd = create_map(type, value_bytes, entries, 0, -1);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int try_ring(void)
{
	return try_map(BPF_MAP_TYPE_RINGBUF, 0, RING_BYTES);
}

static int try_percpu_array(void)
{
	return try_map(BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct lost_counters), 1);
}

static int try_mmapable_array(void)
{
	size_t bytes = sysconf(_SC_PAGESIZE);
	int fd = create_map(BPF_MAP_TYPE_ARRAY, sizeof(uint64_t), 1, BPF_F_MMAPABLE, -1);
	int err = 0;
	void *at;

	if (fd < 0)
		return fd;
	at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		err = -errno;
	else
		munmap(at, bytes);
	close(fd);
	return err;
}

static int try_array_of_maps(void)
{
	int inner = create_map(BPF_MAP_TYPE_ARRAY, sizeof(uint64_t), 1, BPF_F_MMAPABLE, -1), outer;

	if (inner < 0)
		return inner;
	outer = create_map(BPF_MAP_TYPE_ARRAY_OF_MAPS, sizeof(uint32_t), 1, 0, inner);
	close(inner);
	if (outer < 0)
		return outer;
	close(outer);
	return 0;
}

/* Such a map needs BTF of its value, which libbpf's probe brings along. */
static int try_sk_storage(void)
{
	int has = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_SK_STORAGE, NULL);

	return has > 0 ? 0 : has < 0 ? has : -EOPNOTSUPP;
}

/* Asking needs no program: a kernel without tcx does not know the attach type. */
static int try_tcx(void)
{
	uint32_t count = 0;

	if (!bpf_prog_query(LOOPBACK_IFINDEX, TCX_INGRESS, 0, NULL, NULL, &count))
		return 0;
	return errno == EINVAL ? -EOPNOTSUPP : -errno;
}

static int load_code(enum bpf_prog_type type, const struct bpf_insn *code, size_t n_insns)
{
	int fd = bpf_prog_load(type, "tcpw_check", "GPL", code, n_insns, NULL);

	return fd < 0 ? -errno : fd;
}

/* return 0; */
static int try_jit(void)
{
	static const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int err, fd = load_code(BPF_PROG_TYPE_SOCKET_FILTER, code, sizeof(code) / sizeof(code[0]));
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 0;
	close(fd);
	return err || info.jited_prog_len ? err : -EOPNOTSUPP;
}

/* bpf_probe_read_kernel(fp - 8, 8, NULL); return 0; Lockdown takes the helper away (-EINVAL). */
static int try_reading_kernel(void)
{
	static const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = load_code(BPF_PROG_TYPE_RAW_TRACEPOINT, code, sizeof(code) / sizeof(code[0]));

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* The names come with the tracepoint's argument that gives the reason, in 6.10. */
static int try_reasons(void)
{
	for (int reason = 0; reason < MAX_REASON; reason++)
		if (reset_reason__name(reason))
			return 0;
	return -EOPNOTSUPP;
}

/* In the order in which they are shown. */
static const struct feature {
	const char *name;
	int (*try)(void);
	unsigned required; /* by these views */
	unsigned used;	   /* by these */
	const char *purpose;
	const char *remedy; /* what is to be done, or what happens without it */
} features[] = {
	{"ring buffer", try_ring, VIEW_BOTH, VIEW_BOTH, "carries events",
	 "boot a kernel with CONFIG_BPF_SYSCALL=y"},
	{"per-CPU array", try_percpu_array, VIEW_BOTH, VIEW_BOTH, "counts",
	 "boot a kernel with CONFIG_BPF_SYSCALL=y"},
	{"mmapable array", try_mmapable_array, VIEW_WIRE, VIEW_WIRE,
	 "holds the session cache, read without system calls", "boot a newer kernel"},
	{"array of maps", try_array_of_maps, VIEW_WIRE, VIEW_WIRE,
	 "gives each CPU a session cache of its own", "boot a newer kernel"},
	{"sk_storage", try_sk_storage, VIEW_SOCKET, VIEW_SOCKET,
	 "remembers births and owners with the socket", "boot a newer kernel with CONFIG_NET=y"},
	{"JIT", try_jit, 0, VIEW_BOTH, "programs run as machine code",
	 "programs are interpreted, several times slower: sysctl net.core.bpf_jit_enable=1"},
	{"reading packets (lockdown)", try_reading_kernel, 0, VIEW_SOCKET,
	 "resets sent without a socket are shown with their addresses",
	 "such resets are counted but not shown; lift lockdown=confidentiality to have them"},
	{"sk_rst_reason names", try_reasons, 0, VIEW_SOCKET, "say why a reset was sent",
	 "resets are shown without a reason, and those that no socket sends by the wire view "
	 "alone; "
	 "Linux 6.10 and newer tell"},
	{"tcx link", try_tcx, 0, VIEW_WIRE, "tc programs that go away with tcpwatch",
	 "a clsact qdisc is used instead; Linux 6.6 and newer have tcx"},
};

static bool is_refused(int err)
{
	return err == -EPERM || err == -EACCES;
}

static const char *cause_of(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		return "refused";
	case EOPNOTSUPP:
	case EINVAL:
		return "this kernel has none";
	case E2BIG:
		return "more than there is";
	default:
		return strerror(-err);
	}
}

static const char *remedy_of(int err, bool is_required, const char *remedy)
{
	if (!is_refused(err))
		return remedy;
	return is_required
		       ? "give it the privileges above; if they are all there, a seccomp filter "
			 "or a security module forbids bpf(2): allow it"
		       : "see the privileges above";
}

static void check_feature(struct check_list *list, const struct feature *feature, unsigned views)
{
	struct check *check = check_list__add(list, SECTION, feature->name);
	bool is_required = feature->required & views;
	int err;

	if (!check)
		return;
	err = feature->try();
	check__detail(check, "%s", feature->purpose);
	if (is_required)
		check->without = is_refused(err) ? EXIT_PRIVILEGE : EXIT_KERNEL;
	if (!err)
		return;
	check__detail(check, "%s (%s)", cause_of(err), feature->purpose);
	check__refuse(check, is_required || is_refused(err) ? CHECK_NO : CHECK_LIMITED, "%s",
		      remedy_of(err, is_required, feature->remedy));
}

static void describe_cache(struct check *check, const struct wire_view *view)
{
	struct wire_view_stats stats;

	wire_view__stats(view, &stats);
	check__detail(check, "%llu MiB for %llu sessions on %u CPUs",
		      (unsigned long long)(stats.bytes >> 20), (unsigned long long)stats.slots,
		      stats.cpus);
}

static void check_cache(struct check_list *list, const struct support_needs *needs)
{
	struct check *check = check_list__add(list, SECTION, "memory for the cache");
	int err = try_array_of_maps(); /* without it, it is not for want of memory */
	struct wire_view *view = NULL;

	if (!check)
		return;
	log__hold(); /* the check says it */
	if (!err)
		err = wire_view__open(&view, needs->cache_slots);
	log__drop();
	check->without = is_refused(err) ? EXIT_PRIVILEGE : EXIT_KERNEL;
	if (err) {
		check__detail(check, "%s", cause_of(err));
		check__refuse(check, CHECK_NO, "%s",
			      remedy_of(err, true, "ask for less with --cache, or free memory"));
		return;
	}
	describe_cache(check, view);
	wire_view__close(view);
}

void support__check_features(struct check_list *list, const struct support_needs *needs)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].used & needs->views)
			check_feature(list, &features[i], needs->views);
	if (needs->views & VIEW_WIRE)
		check_cache(list, needs);
}
