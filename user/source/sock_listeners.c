/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Listing the listeners. In a namespace that was listed once all of them are marked, for from then
 * on a tracepoint marks those that come; the marked ones of all namespaces are listed at once, in
 * time that does not grow with sockets and namespaces. Not here: other sockets (sock_view.c).
 */
#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <uthash.h>

#include "sock_view_internal.h"

/* A namespace whose listeners are marked. */
struct marked_netns {
	uint32_t inum;
	bool is_settled; /* it has nothing else, as of the snapshot under way … */
	bool is_begun;	 /* … which had been so when that began */
	UT_hash_handle hh;
};

int sock_listeners__attach(struct sock_view *view)
{
	union bpf_iter_link_info info = {
		.map.map_fd = bpf_map__fd(view->skel->maps.marked_listeners),
	};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link =
		bpf_program__attach_iter(view->skel->progs.iter_marked_listeners, &opts);

	view->skel->links.iter_marked_listeners = link;
	return link ? 0 : -errno;
}

static struct marked_netns *find(const struct sock_view *view, uint32_t inum)
{
	struct marked_netns *marked;

	HASH_FIND(hh, view->marked, &inum, sizeof(inum), marked);
	return marked;
}

void sock_listeners__forget(struct sock_view *view, uint32_t inum)
{
	struct marked_netns *marked = find(view, inum);

	if (!marked)
		return;
	HASH_DEL(view->marked, marked);
	free(marked);
}

void sock_listeners__free(struct sock_view *view)
{
	while (view->marked)
		sock_listeners__forget(view, view->marked->inum);
}

/* Without memory for it the namespace is listed by itself each time. */
static void remember(struct sock_view *view, uint32_t inum)
{
	struct marked_netns *marked = calloc(1, sizeof(*marked));

	if (!marked)
		return;
	marked->inum = inum;
	HASH_ADD(hh, view->marked, inum, sizeof(marked->inum), marked);
}

/* Some listeners may not be marked. */
static void doubt(struct sock_view *view)
{
	uint32_t unmarked = __atomic_load_n(&view->skel->bss->unmarked_listeners, __ATOMIC_ACQUIRE);

	if (unmarked != view->unmarked)
		sock_listeners__free(view);
	view->unmarked = unmarked;
}

struct choosing {
	const struct sock_view *view;
	record_sink sink;
	void *ctx;
};

/* A namespace may have appeared that nobody has listed yet. */
static void choose(void *ctx, const union record *rec)
{
	const struct choosing *choosing = ctx;

	if (rec->hdr.kind == REC_LISTENER && find(choosing->view, rec->listener.sock.netns))
		choosing->sink(choosing->ctx, rec);
}

static void mark_each(struct sock_view *view, uint32_t kind, bool ok, record_sink sink, void *ctx)
{
	for (struct marked_netns *marked = view->marked; marked; marked = marked->hh.next)
		sock_view__mark(kind, marked->inum, ok, sink, ctx);
}

static int iterate_marked(struct sock_view *view, record_sink sink, void *ctx)
{
	int fd = bpf_iter_create(bpf_link__fd(view->skel->links.iter_marked_listeners));

	return fd < 0 ? -errno : sock_view__iterate(view, fd, false, sink, ctx);
}

static int list_marked(struct sock_view *view, record_sink sink, void *ctx)
{
	struct choosing choosing = {view, sink, ctx};
	int err;

	if (!view->marked)
		return 0;
	mark_each(view, REC_SNAPSHOT_BEGIN, false, sink, ctx);
	err = iterate_marked(view, choose, &choosing);
	mark_each(view, REC_SNAPSHOT_END, !err, sink, ctx);
	return err;
}

/* ---- as sockets ---- */

/* What is half open at one is no socket that would be marked: then all are listed. */
static void take_settled(void *ctx, const union record *rec)
{
	const struct choosing *choosing = ctx;
	union record sock = {.sock = {.hdr = rec->hdr, .sock = rec->listener.sock}};
	struct marked_netns *marked;

	if (rec->hdr.kind != REC_LISTENER)
		return;
	marked = find(choosing->view, rec->listener.sock.netns);
	if (!marked || !marked->is_begun)
		return;
	if (rec->listener.sock.syn_queue)
		marked->is_settled = false;
	sock.hdr.kind = REC_SOCK;
	sock.hdr.size = sizeof(sock.sock);
	choosing->sink(choosing->ctx, &sock);
}

static bool begin_settled(struct sock_view *view, record_sink sink, void *ctx)
{
	bool has_any = false;

	for (struct marked_netns *marked = view->marked; marked; marked = marked->hh.next) {
		marked->is_settled = marked->is_begun = sock_quiet__is_settled(view, marked->inum);
		has_any |= marked->is_begun;
		if (marked->is_begun)
			sock_view__mark(REC_SNAPSHOT_BEGIN, marked->inum, false, sink, ctx);
	}
	return has_any;
}

int sock_listeners__snapshot(struct sock_view *view, record_sink sink, void *ctx)
{
	struct choosing choosing = {view, sink, ctx};
	int err;

	doubt(view);
	if (!begin_settled(view, sink, ctx))
		return 0;
	err = iterate_marked(view, take_settled, &choosing);
	for (struct marked_netns *marked = view->marked; marked; marked = marked->hh.next) {
		marked->is_settled &= !err;
		if (marked->is_begun)
			sock_view__mark(REC_SNAPSHOT_END, marked->inum, marked->is_settled, sink,
					ctx);
	}
	return err;
}

bool sock_listeners__has_listed(const struct sock_view *view, uint32_t inum)
{
	const struct marked_netns *marked = find(view, inum);

	return marked && marked->is_settled;
}

int sock_view__listeners(struct sock_view *view, record_sink sink, void *ctx)
{
	int err, result;

	doubt(view);
	result = list_marked(view, sink, ctx);
	for (size_t i = 0; i < view->netns->count; i++) {
		const struct netns *ns = &view->netns->items[i];

		if (find(view, ns->inum) || sock_view__list_nothing(view, ns, sink, ctx))
			continue;
		err = sock_view__list(view, view->skel->links.iter_listeners, ns, true, sink, ctx);
		if (err && err != -ESTALE)
			result = err;
		if (!err && view->skel->links.iter_marked_listeners)
			remember(view, ns->inum);
	}
	return result;
}
