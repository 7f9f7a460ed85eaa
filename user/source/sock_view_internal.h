/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The inside of the socket view, shared by its files alone: loading and listing (sock_view.c),
 * reading an iterator (sock_records.c) and the kernel's table (sock_walk.c), counts kept in the
 * kernel (sock_tally.c), namespaces with nothing to list (sock_quiet.c), listeners
 * (sock_listeners.c) and their processes (sock_owners.c).
 */
#ifndef TCPWATCH_SOCK_VIEW_INTERNAL_H
#define TCPWATCH_SOCK_VIEW_INTERNAL_H

#include "sock_view.h"

#include <bpf/libbpf.h>

#include "sock.skel.h"

/* The kernel hands over at most eight pages at a time (bpf_seq_read in kernel/bpf/bpf_iter.c). */
#define SOCK_BUFFER_BYTES (128u << 10)

struct sock_view {
	struct sock_bpf *skel;
	const struct netns_list *netns;
	int n_cpus;
	char *buffer;
	char *walked;	      /* what a walk finds (sock_walk.c), NULL: this kernel allows none */
	record_herald herald; /* NULL: nobody wants to know */
	void *herald_ctx;
	struct quiet_netns *quiet;   /* by inode number */
	struct marked_netns *marked; /* likewise */
	struct requests_given_up given_up;
	uint32_t unmarked; /* listeners that could not be, as last read */
};

/* What a list of all sockets of a namespace had. */
enum listed { LISTED_NOTHING, LISTED_LISTENERS, LISTED_SOCKETS };

/*
 * sock_quiet__listed() - a list of all sockets of @inum was made, begun when its activity was so
 * sock_quiet__is_settled() - it had listeners alone when it was last listed, and nothing has
 * changed its state since: what may have come is half open sock_quiet__activity() - changes
 * whenever a socket of @inum changes its state
 */
void sock_quiet__listed(struct sock_view *view, uint32_t inum, uint32_t activity, enum listed had);
bool sock_quiet__is_settled(const struct sock_view *view, uint32_t inum);
uint32_t sock_quiet__activity(const struct sock_view *view, uint32_t inum);
/* sock_quiet__is_empty() - the kernel counts no TCP socket in @ns, which is as good as a list */
bool sock_quiet__is_empty(struct sock_view *view, const struct netns *ns);
void sock_quiet__forget(struct sock_view *view, uint32_t inum);
void sock_quiet__free(struct sock_view *view);

/*
 * sock_view__iterator_in() - an iterator of @link that lists @ns, wherever it is read
 *
 * Returns its file descriptor or -errno.
 */
int sock_view__iterator_in(const struct bpf_link *link, const struct netns *ns);

/*
 * sock_view__iterate() - hand the records of @iter_fd to @sink, to the end; closes it
 *
 * @stops_itself: its program ends it before. Returns 0 or -errno.
 */
int sock_view__iterate(struct sock_view *view, int iter_fd, bool stops_itself, record_sink sink,
		       void *ctx);

/* sock_view__now() - CLOCK_MONOTONIC in nanoseconds */
uint64_t sock_view__now(void);
/* sock_view__hand_out() - the whole records that fill @len bytes go to @sink, with the time given
 */
void sock_view__hand_out(const struct sock_view *view, char *records, size_t len, uint64_t time_ns,
			 record_sink sink, void *ctx);

/* sock_walk__open() - the program is loaded: make it ready; sock_walk__close(). Returns 0 or -errno
 */
int sock_walk__open(struct sock_view *view);
void sock_walk__close(struct sock_view *view);
/* sock_walk__is_due() - the iterator has listed the listeners of a namespace and left the rest,
 * since sock_walk__forget() */
void sock_walk__forget(struct sock_view *view);
bool sock_walk__is_due(const struct sock_view *view);
/*
 * sock_walk__list() - hand out a REC_SOCK for each of those; without a cookie, unless it has one
 * already
 *
 * Returns 0 or -errno (-EOVERFLOW: too many in one place of the kernel's table).
 */
int sock_walk__list(struct sock_view *view, record_sink sink, void *ctx);

/*
 * sock_view__list() - hand the records that @link lists in @ns to @sink, between SNAPSHOT_BEGIN and
 * SNAPSHOT_END
 *
 * Returns 0 or -errno; -ESTALE: the namespace vanished, its list is empty and not ok.
 */
int sock_view__list(struct sock_view *view, const struct bpf_link *link, const struct netns *ns,
		    bool stops_itself, record_sink sink, void *ctx);
/* sock_view__list_nothing() - if it is known that @ns has no sockets an empty list; false: it is
 * not
 */
bool sock_view__list_nothing(struct sock_view *view, const struct netns *ns, record_sink sink,
			     void *ctx);
/* sock_view__mark() - a record of @kind, SNAPSHOT_BEGIN or SNAPSHOT_END */
void sock_view__mark(uint32_t kind, uint32_t netns, bool ok, record_sink sink, void *ctx);

/* sock_listeners__attach() - the iterator of marked listeners. Returns 0 or -errno */
int sock_listeners__attach(struct sock_view *view);
/*
 * sock_listeners__snapshot() - as sock_view__snapshot(), of the namespaces that have nothing but
 * listeners, all at once; sock_listeners__has_listed() - @inum was among them
 *
 * Returns 0 or -errno.
 */
int sock_listeners__snapshot(struct sock_view *view, record_sink sink, void *ctx);
bool sock_listeners__has_listed(const struct sock_view *view, uint32_t inum);
void sock_listeners__forget(struct sock_view *view, uint32_t inum);
void sock_listeners__free(struct sock_view *view);

/* sock_tally__size() - give the maps of the counts no more room than they need. Returns 0 or -errno
 */
int sock_tally__size(struct sock_bpf *skel, const struct netns_list *netns, bool is_wanted);

#endif
