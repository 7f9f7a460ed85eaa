/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire view's memory: the session cache shared by all taps, created, mapped and read without
 * system calls. Not here: attaching (tap/tap.h), what fragments mean (bpf/shared/evidence.h).
 */
#ifndef TCPWATCH_WIRE_VIEW_H
#define TCPWATCH_WIRE_VIEW_H

#include "sock_view.h"

struct wire_view;

/* wire_view__open() - a cache of at least @slots sessions for each CPU online, 0: the usual share
 * of a quarter of a million. Returns 0 or -errno after logging */
int wire_view__open(struct wire_view **out, uint32_t slots);
/* wire_view__open_unread() - likewise, but nobody looks into the cache: it is not mapped, and scan
 * and pull find nothing */
int wire_view__open_unread(struct wire_view **out, uint32_t slots);
void wire_view__close(struct wire_view *view);

/* wire_view__follow_cpus() - give CPUs that came online a cache, as a scan does. Returns 0 or
 * -errno */
int wire_view__follow_cpus(struct wire_view *view);

int wire_view__cache_fd(const struct wire_view *view);
/* wire_view__configure() - the constants of @config that depend on the cache and on this kernel's
 * clock */
void wire_view__configure(const struct wire_view *view, struct wire_config *config);

/* Takes @count records at once, 1 … SCAN_BATCH, so that whatever they need can be fetched together.
 */
#define SCAN_BATCH 64
typedef void (*batch_sink)(void *ctx, const union record *records, size_t count);

/* wire_view__scan() - a live REC_FRAGMENT for every fragment that changed since the last scan */
int wire_view__scan(struct wire_view *view, uint64_t now_ns, batch_sink sink, void *ctx);

/* wire_view__pull() - a live REC_FRAGMENT for each CPU that holds one of @key */
void wire_view__pull(struct wire_view *view, const struct flow_key *key, uint64_t now_ns,
		     record_sink sink, void *ctx);

struct wire_view_stats {
	uint64_t slots;	     /* capacity, all CPUs */
	uint64_t used;	     /* slots that hold a fragment, at the last scan */
	uint64_t bytes;	     /* memory of the cache */
	uint64_t torn_reads; /* copies given up because the slot kept changing */
	uint32_t cpus;
};
void wire_view__stats(const struct wire_view *view, struct wire_view_stats *stats);

#endif
