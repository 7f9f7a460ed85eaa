/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads the records of an iterator of the socket view, and hands them out. Not here: which iterator
 * lists what (sock_view.c). */
#include "sock_view_internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

uint64_t sock_view__now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * TW_NSEC_PER_SEC + ts.tv_nsec;
}

/* How many of the first @len bytes are whole records. */
static size_t whole_records(const char *buffer, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(struct record_hdr)) {
		const struct record_hdr *hdr = (const void *)(buffer + at);

		if (hdr->size < sizeof(*hdr) || hdr->size > len - at)
			break;
		at += hdr->size;
	}
	return at;
}

void sock_view__hand_out(const struct sock_view *view, char *buffer, size_t len, uint64_t time_ns,
			 record_sink sink, void *ctx)
{
	size_t announced = 0;

	for (size_t at = 0; at < len;) {
		union record *rec = (union record *)(buffer + at);

		if (view->herald && at >= announced)
			announced = at + view->herald(view->herald_ctx, rec, len - at);
		rec->hdr.time_ns = time_ns;
		sink(ctx, rec);
		at += rec->hdr.size;
	}
}

/*
 * Records are given the time just before they were read: whatever a tracepoint told at a later time
 * is newer than they are, or already in them.
 *
 * EAGAIN means that a million objects gave no record and there are more; or, if @stops_itself, that
 * the program wants no more.
 */
static int read_records(const struct sock_view *view, int fd, bool stops_itself, record_sink sink,
			void *ctx)
{
	char *buffer = view->buffer;
	size_t have = 0, used;

	for (;;) {
		uint64_t time_ns = sock_view__now();
		ssize_t n = read(fd, buffer + have, SOCK_BUFFER_BYTES - have);

		if (n == 0 || (n < 0 && errno == EAGAIN && stops_itself))
			return have ? -EIO : 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		have += n;
		used = whole_records(buffer, have);
		sock_view__hand_out(view, buffer, used, time_ns, sink, ctx);
		have -= used;
		memmove(buffer, buffer + used, have);
	}
}

int sock_view__iterate(struct sock_view *view, int iter_fd, bool stops_itself, record_sink sink,
		       void *ctx)
{
	int err = read_records(view, iter_fd, stops_itself, sink, ctx);

	close(iter_fd);
	return err;
}

void sock_view__mark(uint32_t kind, uint32_t netns, bool ok, record_sink sink, void *ctx)
{
	union record rec = {
		.snapshot =
			{
				.hdr = {kind, sizeof(struct rec_snapshot), 0, sock_view__now()},
				.netns = netns,
				.ok = ok,
			},
	};

	sink(ctx, &rec);
}

/* The iterator lists the namespace it was created in, wherever it is read. */
int sock_view__iterator_in(const struct bpf_link *link, const struct netns *ns)
{
	struct netns_return back;
	int fd, err = netns__enter(ns, &back);

	if (err)
		return err;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		fd = -errno;
	netns__leave(&back);
	return fd;
}
