/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loads the socket programs, attaches their tracepoints and lists what their iterators find.
 * Not here: reading an iterator (sock_records.c), what the programs report (bpf/sock.bpf.c), who
 * reads the ring buffer (source/live.h).
 */
#include "sock_view_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "user/util/heap.h"
#include "user/util/log.h"

/* What libbpf makes of the kernel's BTF, at most at once. */
#define KERNEL_TYPES_BYTES (32u << 20)
/* Room beyond those chosen at first: a container that is started again has another. */
#define SPARE_NETNS 64

/* What is given up, step by step, when a kernel refuses the programs. */
enum effort { EFFORT_WALK, EFFORT_FULL, EFFORT_NO_PACKETS, EFFORT_STATES_ONLY, EFFORT_COUNT };

static const char *const effort_lacks[EFFORT_COUNT] = {
	[EFFORT_NO_PACKETS] = "resets sent without a socket are counted but not shown",
	[EFFORT_STATES_ONLY] = "retransmissions and resets are not seen",
};

/* ---- loading --------------------------------------------------------------------------------- */

#define TRACEPOINT_RECORDS (1u << REC_SOCK_STATE | 1u << REC_SOCK_RETRANSMIT | 1u << REC_SOCK_RESET)

static bool is_live(const struct sock_config *config)
{
	return config->follow || config->record_mask & TRACEPOINT_RECORDS;
}

/* Transitions are told of, or counted. */
static bool wants_states(const struct sock_config *config)
{
	return is_live(config) || config->record_mask & (1u << REC_OPENING | 1u << REC_CLOSING);
}

static void choose_programs(struct sock_bpf *skel, const struct sock_config *config,
			    enum effort effort)
{
	uint32_t mask = config->record_mask;
	bool has_more = is_live(config) && effort < EFFORT_STATES_ONLY;

	bpf_program__set_autoload(skel->progs.iter_sockets, mask & 1u << REC_SOCK);
	bpf_program__set_autoload(skel->progs.walk_sockets, effort == EFFORT_WALK);
	bpf_program__set_autoload(skel->progs.iter_owners,
				  mask & 1u << REC_OWNER && mask & 1u << REC_SOCK);
	bpf_program__set_autoload(skel->progs.iter_tuples, mask & 1u << REC_TUPLE);
	bpf_program__set_autoload(skel->progs.sock_state, wants_states(config));
	bpf_program__set_autoload(skel->progs.sock_retransmit, has_more);
	bpf_program__set_autoload(skel->progs.sock_retransmit_synack, has_more);
	bpf_program__set_autoload(skel->progs.sock_reset_sent, has_more);
	bpf_program__set_autoload(skel->progs.sock_reset_received, has_more);
	bpf_program__set_autoload(skel->progs.iter_tally, config->tally);
	bpf_program__set_autoload(skel->progs.iter_listeners, config->count_listeners);
	bpf_program__set_autoload(skel->progs.iter_marked_listeners,
				  config->count_listeners && config->follow);
	bpf_program__set_autoattach(skel->progs.iter_marked_listeners, false);
	bpf_program__set_autoload(skel->progs.iter_requests, mask & 1u << REC_REQUEST);
	bpf_program__set_autoload(skel->progs.iter_listener_owners,
				  config->count_listeners && mask & 1u << REC_OWNER);
	bpf_program__set_autoload(skel->progs.iter_processes,
				  config->count_listeners && mask & 1u << REC_OWNER);
}

/* A clock that advances with the kernel's jiffies. */
static uint32_t tick_ns(void)
{
	struct timespec resolution;

	clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
	return resolution.tv_nsec;
}

static int prepare(struct sock_bpf *skel, const struct netns_list *netns,
		   const struct sock_config *config, const struct sock_maps *maps,
		   enum effort effort)
{
	int err;

	skel->rodata->cfg = *config;
	skel->rodata->cfg.filter_netns = !netns->all;
	skel->rodata->cfg.count_listeners = config->count_listeners && config->follow;
	skel->rodata->cfg.tick_ns = tick_ns();
	skel->rodata->cfg.remembers = wants_states(config) || config->count_listeners;
	skel->rodata->cfg.may_walk = effort == EFFORT_WALK;
	skel->rodata->cfg.can_read_kernel = effort < EFFORT_NO_PACKETS;
	choose_programs(skel, config, effort);
	err = bpf_map__set_autocreate(skel->maps.walked, effort == EFFORT_WALK);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.records, maps->records_fd);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.lost, maps->lost_fd);
	if (!err && listener_maps__are_open(&maps->listeners))
		err = listener_maps__share(&maps->listeners, skel->obj);
	if (!err && netns->count)
		err = bpf_map__set_max_entries(skel->maps.namespaces, netns->count + SPARE_NETNS);
	if (!err)
		err = sock_tally__size(skel, netns, config->tally);
	return err;
}

static int choose_namespaces(const struct sock_bpf *skel, const struct netns_list *netns)
{
	int fd = bpf_map__fd(skel->maps.namespaces);
	uint8_t is_chosen = 1;

	if (netns->all)
		return 0;
	for (size_t i = 0; i < netns->count; i++)
		if (bpf_map_update_elem(fd, &netns->items[i].inum, &is_chosen, BPF_ANY))
			return -errno;
	skel->bss->lone_namespace = netns->count == 1 ? netns->items[0].inum : 0;
	return 0;
}

/* Whatever is in the map and not in the list is let go of. */
static void drop_namespaces(int fd, const struct netns_list *netns)
{
	uint32_t key, next;
	bool has_next = !bpf_map_get_next_key(fd, NULL, &next);

	while (has_next) {
		key = next;
		has_next = !bpf_map_get_next_key(fd, &key, &next);
		if (!netns_list__name(netns, key))
			(void)bpf_map_delete_elem(fd, &key); /* it is there */
	}
}

int sock_view__follow_netns(struct sock_view *view)
{
	if (view->netns->all)
		return 0;
	drop_namespaces(bpf_map__fd(view->skel->maps.namespaces), view->netns);
	return choose_namespaces(view->skel, view->netns);
}

void sock_view__forget_netns(struct sock_view *view, uint32_t inum)
{
	sock_quiet__forget(view, inum);
	sock_listeners__forget(view, inum);
}

static int load(struct sock_view *view, const struct sock_config *config,
		const struct sock_maps *maps, enum effort effort)
{
	int err;

	view->skel = sock_bpf__open();
	if (!view->skel)
		return -errno;
	err = prepare(view->skel, view->netns, config, maps, effort);
	if (!err) {
		heap__expect(KERNEL_TYPES_BYTES);
		err = sock_bpf__load(view->skel);
		heap__settle();
	}
	if (!err)
		err = choose_namespaces(view->skel, view->netns);
	if (!err)
		err = sock_bpf__attach(view->skel);
	if (!err && view->skel->rodata->cfg.count_listeners)
		err = sock_listeners__attach(view);
	if (!err && effort == EFFORT_WALK)
		err = sock_walk__open(view);
	if (err) {
		sock_bpf__destroy(view->skel);
		view->skel = NULL;
	}
	return err;
}

/* Too few file descriptors show as strange errors of the verifier: is that it? */
static bool is_out_of_files(void)
{
	int fd = dup(STDERR_FILENO);

	if (fd < 0)
		return errno == EMFILE;
	close(fd);
	return false;
}

static void explain(int err)
{
	const char *remedy = "`tcpwatch doctor` tells what this kernel lacks";

	if (err == -EPERM || err == -EACCES)
		remedy = "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN";
	else if (is_out_of_files())
		remedy = "allow more open files (ulimit -n)";
	else if (access("/sys/kernel/btf/vmlinux", R_OK))
		remedy = "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF), which the socket view "
			 "needs";
	log_error("cannot load the socket view: %s; %s", strerror(-err), remedy);
}

static int load_what_works(struct sock_view *view, const struct sock_config *config,
			   const struct sock_maps *maps)
{
	enum effort effort = config->may_walk ? EFFORT_WALK : EFFORT_FULL;
	int err = 0;

	for (; effort < EFFORT_COUNT; effort++) {
		err = load(view, config, maps, effort);
		if (!err && effort_lacks[effort])
			log_warn("the socket view is incomplete on this kernel: %s",
				 effort_lacks[effort]);
		if (!err || err == -EPERM || is_out_of_files())
			break;
	}
	if (err)
		explain(err);
	return err;
}

int sock_view__open(struct sock_view **out, const struct netns_list *netns,
		    const struct sock_config *config, const struct sock_maps *maps)
{
	struct sock_view *view = calloc(1, sizeof(*view));
	int err = -ENOMEM;

	if (!view)
		return err;
	view->netns = netns;
	view->n_cpus = libbpf_num_possible_cpus();
	view->buffer = malloc(SOCK_BUFFER_BYTES);
	if (view->n_cpus < 0)
		err = view->n_cpus;
	else if (view->buffer)
		err = load_what_works(view, config, maps);
	if (err) {
		sock_view__close(view);
		return err;
	}
	*out = view;
	return 0;
}

void sock_view__close(struct sock_view *view)
{
	if (!view)
		return;
	sock_quiet__free(view);
	sock_listeners__free(view);
	sock_walk__close(view);
	sock_bpf__destroy(view->skel);
	free(view->buffer);
	free(view);
}

/* ---- iterators ------------------------------------------------------------------------------- */

struct noting_sink {
	record_sink sink;
	void *ctx;
	enum listed had;
};

static void note_record(void *ctx, const union record *rec)
{
	struct noting_sink *noting = ctx;

	if (rec->sock.sock.state != TCPS_LISTEN || rec->sock.sock.syn_queue)
		noting->had = LISTED_SOCKETS;
	else if (noting->had == LISTED_NOTHING)
		noting->had = LISTED_LISTENERS;
	noting->sink(noting->ctx, rec);
}

/* Closes the iterator. */
static int list_all(struct sock_view *view, int iter_fd, record_sink sink, void *ctx)
{
	int err;

	sock_walk__forget(view);
	err = sock_view__iterate(view, iter_fd, view->walked, sink, ctx);
	return !err && sock_walk__is_due(view) ? sock_walk__list(view, sink, ctx) : err;
}

/* All there is of a namespace, if there is anything. */
static int list_sockets(struct sock_view *view, int iter_fd, uint32_t inum, record_sink sink,
			void *ctx)
{
	uint32_t activity = sock_quiet__activity(view, inum);
	struct noting_sink noting = {sink, ctx, LISTED_NOTHING};
	int err = list_all(view, iter_fd, note_record, &noting);

	sock_quiet__listed(view, inum, activity, err ? LISTED_SOCKETS : noting.had);
	return err;
}

int sock_view__list(struct sock_view *view, const struct bpf_link *link, const struct netns *ns,
		    bool stops_itself, record_sink sink, void *ctx)
{
	bool has_all = link == view->skel->links.iter_sockets;
	int fd = sock_view__iterator_in(link, ns);
	int err = fd;

	sock_view__mark(REC_SNAPSHOT_BEGIN, ns->inum, 0, sink, ctx);
	if (fd >= 0)
		err = has_all ? list_sockets(view, fd, ns->inum, sink, ctx)
			      : sock_view__iterate(view, fd, stops_itself, sink, ctx);
	sock_view__mark(REC_SNAPSHOT_END, ns->inum, !err, sink, ctx);
	return fd >= 0 || fd == -EMFILE || fd == -ENFILE ? err : -ESTALE;
}

/* A namespace that vanished is none. */
static int failure(int err)
{
	return err == -ESTALE ? 0 : err;
}

bool sock_view__list_nothing(struct sock_view *view, const struct netns *ns, record_sink sink,
			     void *ctx)
{
	if (!sock_view__is_quiet(view, ns->inum) && !sock_quiet__is_empty(view, ns))
		return false;
	sock_view__mark(REC_SNAPSHOT_BEGIN, ns->inum, 0, sink, ctx);
	sock_view__mark(REC_SNAPSHOT_END, ns->inum, true, sink, ctx);
	return true;
}

/* All of them are tried. */
static int list_each(struct sock_view *view, const struct bpf_link *link, record_sink sink,
		     void *ctx)
{
	/* A list of tuples tells something else at its end. */
	bool may_skip = link != view->skel->links.iter_tuples;
	int err, result = 0;

	for (size_t i = 0; i < view->netns->count; i++) {
		const struct netns *ns = &view->netns->items[i];

		if (may_skip && (sock_listeners__has_listed(view, ns->inum) ||
				 sock_view__list_nothing(view, ns, sink, ctx)))
			continue;
		err = failure(sock_view__list(view, link, ns, false, sink, ctx));
		result = err ? err : result;
	}
	return result;
}

int sock_view__snapshot(struct sock_view *view, record_sink sink, void *ctx)
{
	int err = sock_listeners__snapshot(view, sink, ctx);
	int others_err = list_each(view, view->skel->links.iter_sockets, sink, ctx);

	return err ? err : others_err;
}

void sock_view__announce(struct sock_view *view, record_herald herald, void *ctx)
{
	view->herald = herald;
	view->herald_ctx = ctx;
}

int sock_view__tuples(struct sock_view *view, record_sink sink, void *ctx)
{
	return list_each(view, view->skel->links.iter_tuples, sink, ctx);
}

int sock_view__requests(struct sock_view *view, record_sink sink, void *ctx)
{
	int fd, err = 0;

	for (size_t i = 0; !err && i < view->netns->count; i++) {
		if (sock_view__is_quiet(view, view->netns->items[i].inum))
			continue;
		fd = sock_view__iterator_in(view->skel->links.iter_requests,
					    &view->netns->items[i]);
		if (fd >= 0)
			err = sock_view__iterate(view, fd, false, sink, ctx);
	}
	return err;
}

static int list_owners(struct sock_view *view, const struct bpf_link *link, record_sink sink,
		       void *ctx)
{
	int fd = bpf_iter_create(bpf_link__fd(link));

	return fd < 0 ? -errno : sock_view__iterate(view, fd, false, sink, ctx);
}

int sock_view__tuples_of(struct sock_view *view, const struct netns *ns, record_sink sink,
			 void *ctx)
{
	return failure(sock_view__list(view, view->skel->links.iter_tuples, ns, false, sink, ctx));
}

int sock_view__owners(struct sock_view *view, record_sink sink, void *ctx)
{
	return list_owners(view, view->skel->links.iter_owners, sink, ctx);
}

/* ---- counters -------------------------------------------------------------------------------- */

int sock_view__counters(const struct sock_view *view, struct sock_counters *out)
{
	struct sock_counters *per_cpu = calloc(view->n_cpus, sizeof(*per_cpu));
	uint32_t zero = 0;
	int err = 0;

	if (!per_cpu)
		return -ENOMEM;
	memset(out, 0, sizeof(*out));
	if (bpf_map_lookup_elem(bpf_map__fd(view->skel->maps.counters), &zero, per_cpu))
		err = -errno;
	for (int cpu = 0; !err && cpu < view->n_cpus; cpu++)
		for (int i = 0; i < SOCK_COUNTER_COUNT; i++)
			out->value[i] += per_cpu[cpu].value[i];
	free(per_cpu);
	return err;
}
