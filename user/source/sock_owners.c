/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which processes hold listeners. The iterator looks at each open file of each process, and those
 * with many thousands of connections cost most of it. So where there are such, processes are looked
 * at one by one, and of each the first files, for a listener is there before its connections; then
 * the others, until all are found.
 * Not here: the processes of all sockets (sock_view.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "sock_view_internal.h"

struct processes {
	uint32_t *pids;
	size_t count, room;
	int err;
};

static void add_process(void *ctx, const union record *rec)
{
	struct processes *all = ctx;
	size_t room = all->room ? 2 * all->room : 256;
	uint32_t *more;

	if (rec->hdr.kind != REC_PROCESS || all->err)
		return;
	if (all->count == all->room) {
		more = reallocarray(all->pids, room, sizeof(*more));
		if (!more) {
			all->err = -ENOMEM;
			return;
		}
		all->pids = more;
		all->room = room;
	}
	all->pids[all->count++] = rec->process.pid;
}

static int iterate(struct sock_view *view, const struct bpf_link *link, record_sink sink, void *ctx)
{
	int fd = bpf_iter_create(bpf_link__fd(link));

	return fd < 0 ? -errno : sock_view__iterate(view, fd, true, sink, ctx);
}

/* An iterator for each process costs as much as some 40 files: little beside so many on average. */
#define MANY_FILES 256

/* Open files of this host: the first number of Documentation/admin-guide/sysctl/fs.rst's file-nr.
 */
static bool has_many_files(size_t n_processes)
{
	FILE *file = fopen("/proc/sys/fs/file-nr", "re");
	unsigned long open_files = 0;
	bool is_known;

	if (!file)
		return false;
	is_known = fscanf(file, "%lu", &open_files) == 1;
	fclose(file);
	return is_known && open_files > MANY_FILES * n_processes;
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

#define FIRST_FILES 512

/* The first files of each process, which may have ended, until all is found or Linux cannot. */
static void search_first_files(struct sock_view *view, const struct processes *all,
			       record_sink sink, void *ctx)
{
	struct searching searching = {.sink = sink, .ctx = ctx};

	view->skel->bss->first_files = FIRST_FILES;
	for (size_t i = 0; i < all->count && view->skel->bss->n_unowned_listeners; i++) {
		searching.pid = all->pids[i];
		if (search_one(view, &searching) == -E2BIG || searching.is_ignored)
			break;
	}
	view->skel->bss->first_files = UINT32_MAX;
}

static int search(struct sock_view *view, record_sink sink, void *ctx)
{
	struct processes all = {0};
	int err = iterate(view, view->skel->links.iter_processes, add_process, &all);

	err = err ? err : all.err;
	if (!err && has_many_files(all.count))
		search_first_files(view, &all, sink, ctx);
	free(all.pids);
	if (err || !view->skel->bss->n_unowned_listeners)
		return err;
	return iterate(view, view->skel->links.iter_listener_owners, sink, ctx);
}

int sock_view__listener_owners(struct sock_view *view, const uint64_t *cookies, size_t count,
			       record_sink sink, void *ctx)
{
	int fd = bpf_map__fd(view->skel->maps.unowned_listeners), err;
	uint8_t is_unowned = 1;

	view->skel->bss->n_unowned_listeners = 0;
	view->skel->bss->first_files = UINT32_MAX;
	for (size_t i = 0; i < count; i++)
		view->skel->bss->n_unowned_listeners +=
			!bpf_map_update_elem(fd, &cookies[i], &is_unowned, BPF_ANY);
	err = search(view, sink, ctx);
	for (size_t i = 0; i < count; i++)
		(void)bpf_map_delete_elem(fd, &cookies[i]); /* nobody has it */
	return err;
}
