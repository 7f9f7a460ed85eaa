/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Beginning the counts that the socket programs keep, and reading them.
 * Not here: keeping them (bpf/sock_tally.h).
 */
#include "sock_tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "sock_view_internal.h"

#define SPARE_SOCKETS	   4096 /* room for those made while the iterator runs */
#define NETNS_MOST	   1024
#define CLOSE_WAIT_SECONDS 96 /* a minute, and what waits to be dropped */

int sock_tally__size(struct sock_bpf *skel, const struct netns_list *netns, bool is_wanted)
{
	size_t count = netns->all ? NETNS_MOST : netns->count;
	int err;

	if (!is_wanted)
		count = 1;
	/* Of each namespace this count, and the one before until it is dropped. */
	err = bpf_map__set_max_entries(skel->maps.netns_tallies, 2 * count);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.close_waits,
					       is_wanted ? count * CLOSE_WAIT_SECONDS : 1);
	return err;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static int make_visited(size_t expected)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

	return bpf_map_create(BPF_MAP_TYPE_HASH, "tcpw_visited", sizeof(uint64_t), sizeof(uint8_t),
			      2 * expected + SPARE_SOCKETS, &opts);
}

static void ignore(void *ctx __attribute__((unused)),
		   const union record *record __attribute__((unused)))
{
}

static int visit_all(struct sock_view *view)
{
	int err, fd, result = 0;

	for (size_t i = 0; i < view->netns->count; i++) {
		fd = sock_view__iterator_in(view->skel->links.iter_tally, &view->netns->items[i]);
		err = fd < 0 ? fd : sock_view__iterate(view, fd, false, ignore, NULL);
		if (err && err != -ENOENT)
			result = err;
	}
	return result;
}

static void drop_epoch(const struct sock_view *view, uint32_t epoch)
{
	int fd = bpf_map__fd(view->skel->maps.netns_tallies);
	struct netns_tally_key key, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &key);

	while (more) {
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (key.epoch == epoch)
			(void)bpf_map_delete_elem(fd, &key); /* gone already: fine */
		key = next;
	}
}

int sock_tally__begin(struct sock_view *view, size_t expected)
{
	int outer = bpf_map__fd(view->skel->maps.visited), inner = make_visited(expected), err;
	uint32_t zero = 0, epoch = view->skel->data->tally_epoch;

	if (inner < 0)
		return -errno;
	err = bpf_map_update_elem(outer, &zero, &inner, BPF_ANY) ? -errno : 0;
	close(inner); /* the outer map keeps it */
	if (err)
		return err;
	/* From here on what happens counts anew; what was counted before is dropped. */
	__atomic_store_n(&view->skel->data->tally_epoch, epoch + 1, __ATOMIC_SEQ_CST);
	err = visit_all(view);
	(void)bpf_map_delete_elem(outer, &zero);
	drop_epoch(view, epoch);
	return err;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A value of @words 64-bit words for each CPU, of which the sums are wanted. */
static int read_sums(const struct sock_view *view, const struct bpf_map *map, const void *key,
		     uint64_t *sums, size_t words)
{
	uint64_t *per_cpu = calloc(view->n_cpus * words, sizeof(*per_cpu));
	int err = 0;

	if (!per_cpu)
		return -ENOMEM;
	memset(sums, 0, words * sizeof(*sums));
	if (bpf_map_lookup_elem(bpf_map__fd(map), key, per_cpu))
		err = -errno;
	for (size_t i = 0; !err && i < view->n_cpus * words; i++)
		sums[i % words] += per_cpu[i];
	free(per_cpu);
	return err;
}

int sock_tally__read(const struct sock_view *view, struct sock_tally *out)
{
	uint32_t zero = 0;

	return read_sums(view, view->skel->maps.tallies, &zero, (uint64_t *)out,
			 sizeof(*out) / sizeof(uint64_t));
}

int sock_tally__of_netns(const struct sock_view *view, uint32_t inum, struct netns_tally *out)
{
	const struct netns_tally_key key = {inum, view->skel->data->tally_epoch};
	int err = read_sums(view, view->skel->maps.netns_tallies, &key, (uint64_t *)out,
			    sizeof(*out) / sizeof(uint64_t));

	return err == -ENOENT ? 0 : err; /* it has had no socket yet */
}

bool sock_tally__counts_ends(const struct sock_view *view)
{
	return view->skel->bss->tally_counts_ends;
}

void sock_tally__forget_netns(struct sock_view *view, uint32_t inum)
{
	const struct netns_tally_key key = {inum, view->skel->data->tally_epoch};

	(void)bpf_map_delete_elem(bpf_map__fd(view->skel->maps.netns_tallies), &key);
}

int sock_tally__young_close_waits(struct sock_view *view, uint64_t since_ns, close_wait_fn found,
				  void *ctx)
{
	int fd = bpf_map__fd(view->skel->maps.close_waits);
	uint32_t since = since_ns / TW_NSEC_PER_SEC;
	struct close_wait_key key, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &key);
	uint64_t count;

	while (more) {
		more = !bpf_map_get_next_key(fd, &key, &next);
		if ((int32_t)(key.second - since) < 0)
			(void)bpf_map_delete_elem(fd, &key);
		else if (!bpf_map_lookup_elem(fd, &key, &count))
			found(ctx, key.netns, count);
		key = next;
	}
	return more ? -errno : 0;
}
