/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lists sockets by a walk through the kernel's table, step by step: the program reads some of them
 * into memory that is mapped here. Not here: the walk itself (bpf/sock_walk.h), listeners
 * (sock_view.c).
 */
#include "sock_view_internal.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#define WALKED_BYTES (WALK_STEPS * WALK_RECORDS * sizeof(struct rec_sock))

int sock_walk__open(struct sock_view *view)
{
	void *walked = mmap(NULL, WALKED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(view->skel->maps.walked), 0);

	if (walked == MAP_FAILED)
		return -errno;
	view->walked = walked;
	return 0;
}

void sock_walk__close(struct sock_view *view)
{
	if (view->walked)
		munmap(view->walked, WALKED_BYTES);
}

static struct sock_walk *walk_of(const struct sock_view *view)
{
	return &view->skel->bss->walk;
}

void sock_walk__forget(struct sock_view *view)
{
	walk_of(view)->n_buckets = 0;
}

bool sock_walk__is_due(const struct sock_view *view)
{
	return view->walked && walk_of(view)->n_buckets;
}

/* ---- one thread finds, the other hands out ----------------------------------------------------
 */

struct found {
	uint64_t time_ns;
	uint32_t n;
	bool is_last;
};

struct walker {
	const struct sock_view *view;
	struct found found[WALK_STEPS];
	sem_t n_free, n_filled;
	int err;
};

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem)) /* a signal came */
		;
}

static void find_some(struct walker *w, uint32_t slot)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct sock_walk *walk = walk_of(w->view);
	struct found *found = &w->found[slot];
	uint32_t from = walk->bucket;

	walk->first = slot * WALK_RECORDS;
	found->time_ns = sock_view__now();
	w->err = bpf_prog_test_run_opts(bpf_program__fd(w->view->skel->progs.walk_sockets), &opts);
	if (!w->err && walk->bucket == from)
		w->err = -EOVERFLOW;
	found->n = w->err ? 0 : walk->n;
	found->is_last = w->err || walk->bucket >= walk->n_buckets;
}

static void *find_all(void *ctx)
{
	struct walker *w = ctx;
	uint32_t slot = 0;

	walk_of(w->view)->bucket = 0;
	for (bool is_last = false; !is_last; slot = (slot + 1) % WALK_STEPS) {
		wait_for(&w->n_free);
		find_some(w, slot);
		is_last = w->found[slot].is_last;
		sem_post(&w->n_filled);
	}
	return NULL;
}

static void hand_out_all(struct walker *w, record_sink sink, void *ctx)
{
	const size_t size = sizeof(struct rec_sock);
	bool is_last = false;

	for (uint32_t slot = 0; !is_last; slot = (slot + 1) % WALK_STEPS) {
		const struct found *found = &w->found[slot];

		wait_for(&w->n_filled);
		is_last = found->is_last;
		sock_view__hand_out(w->view, w->view->walked + slot * WALK_RECORDS * size,
				    found->n * size, found->time_ns, sink, ctx);
		sem_post(&w->n_free);
	}
}

/* Signals are for the thread that waits for them. */
static int start(pthread_t *thread, struct walker *w)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, NULL, find_all, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int sock_walk__list(struct sock_view *view, record_sink sink, void *ctx)
{
	struct walker w = {.view = view};
	pthread_t thread;
	int err;

	sem_init(&w.n_free, 0, WALK_STEPS);
	sem_init(&w.n_filled, 0, 0);
	err = start(&thread, &w);
	if (!err) {
		hand_out_all(&w, sink, ctx);
		pthread_join(thread, NULL);
		err = w.err;
	}
	sem_destroy(&w.n_free);
	sem_destroy(&w.n_filled);
	return err;
}
