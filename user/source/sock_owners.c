/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which processes hold listeners. The iterator looks at each open file of each process, and a process
 * with hundreds of thousands of connections costs most of it; so where there is one, processes
 * are looked at one by one, those with few files first, until all listeners are found.
 * Not here: the processes of all sockets (sock_view.c).
 */
#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "sock_view_internal.h"

struct process {
	uint32_t pid, room;
};

struct processes {
	struct process *items;
	size_t count, size;
	int err;
};

static void add_process(void *ctx, const union record *rec)
{
	struct processes *all = ctx;
	size_t size = all->size ? 2 * all->size : 256;
	struct process *more;

	if (rec->hdr.kind != REC_PROCESS || all->err)
		return;
	if (all->count == all->size) {
		more = reallocarray(all->items, size, sizeof(*more));
		if (!more) {
			all->err = -ENOMEM;
			return;
		}
		all->items = more;
		all->size = size;
	}
	all->items[all->count++] = (struct process){rec->process.pid, rec->process.room};
}

static int by_room(const void *a, const void *b)
{
	const struct process *one = a, *other = b;

	if (one->room != other->room)
		return one->room < other->room ? -1 : 1;
	return one->pid < other->pid ? -1 : one->pid > other->pid; /* a parent before its children */
}

static int iterate(struct sock_view *view, const struct bpf_link *link, record_sink sink, void *ctx)
{
	int fd = bpf_iter_create(bpf_link__fd(link));

	return fd < 0 ? -errno : sock_view__iterate(view, fd, true, sink, ctx);
}

static int list_processes(struct sock_view *view, struct processes *all)
{
	int err = iterate(view, view->skel->links.iter_processes, add_process, all);

	if (err || all->err)
		return err ? err : all->err;
	qsort(all->items, all->count, sizeof(*all->items), by_room);
	return 0;
}

/* One of them may have more files than all others together. */
static bool has_giant(const struct processes *all)
{
	uint64_t others = 0;

	for (size_t i = 0; i + 1 < all->count; i++)
		others += all->items[i].room;
	return all->count && all->items[all->count - 1].room > others;
}

struct searching {
	record_sink sink;
	void *ctx;
	uint32_t pid;
	bool is_ignored; /* Linux before 6.1 does not know how to look at one process */
};

static void take(void *ctx, const union record *rec)
{
	struct searching *searching = ctx;

	searching->is_ignored |= rec->owner.pid != searching->pid;
	searching->sink(searching->ctx, rec);
}

static int search_one(struct sock_view *view, struct searching *searching)
{
	union bpf_iter_link_info info = {.task.pid = searching->pid};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link =
		bpf_program__attach_iter(view->skel->progs.iter_listener_owners, &opts);
	int err = link ? iterate(view, link, take, searching) : -errno;

	bpf_link__destroy(link);
	return err;
}

/* Returns false if that is not possible here, or not all was found. A process may have ended. */
static bool search_one_by_one(struct sock_view *view, const struct processes *all,
			      record_sink sink, void *ctx)
{
	struct searching searching = {.sink = sink, .ctx = ctx};

	for (size_t i = 0; i < all->count && view->skel->bss->n_unowned_listeners; i++) {
		searching.pid = all->items[i].pid;
		if (search_one(view, &searching) == -E2BIG || searching.is_ignored)
			return false;
	}
	return true;
}

static int search(struct sock_view *view, record_sink sink, void *ctx)
{
	struct processes all = {0};
	int err = list_processes(view, &all);
	bool is_done = !err && has_giant(&all) && search_one_by_one(view, &all, sink, ctx);

	free(all.items);
	if (err || is_done)
		return err;
	return iterate(view, view->skel->links.iter_listener_owners, sink, ctx);
}

int sock_view__listener_owners(struct sock_view *view, const uint64_t *cookies, size_t count,
			       record_sink sink, void *ctx)
{
	int fd = bpf_map__fd(view->skel->maps.unowned_listeners), err;
	uint8_t is_unowned = 1;

	view->skel->bss->n_unowned_listeners = 0;
	for (size_t i = 0; i < count; i++)
		view->skel->bss->n_unowned_listeners +=
			!bpf_map_update_elem(fd, &cookies[i], &is_unowned, BPF_ANY);
	err = search(view, sink, ctx);
	for (size_t i = 0; i < count; i++)
		(void)bpf_map_delete_elem(fd, &cookies[i]); /* nobody has it */
	return err;
}
