/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps in which the packet path and the tracepoints count what comes for each listener: which
 * slot a listener has, what is counted in each slot, which are free. Not here: what the counts mean
 * (model/listener.h).
 */
#ifndef TCPWATCH_LISTENER_MAPS_H
#define TCPWATCH_LISTENER_MAPS_H

#include <stdbool.h>

#include <bpf/libbpf.h>

#include "bpf/shared/abi.h"

/* Room for so many listeners: what comes for more is counted as of none. */
#define LISTENER_SLOTS 4096

struct listener_maps {
	int slots_fd;  /* struct listener_key → slot */
	int counts_fd; /* slot → per-CPU struct listener_counters */
	int free_fd;   /* queue of slots */
};

#define LISTENER_MAPS_NONE \
	{                  \
		-1, -1, -1 \
	}

/* listener_maps__open() - returns 0 or -errno; *maps can be closed in any case */
int listener_maps__open(struct listener_maps *maps);
void listener_maps__close(struct listener_maps *maps);
bool listener_maps__are_open(const struct listener_maps *maps);

/* listener_maps__share() - an object that is not loaded yet uses them. Returns 0 or -errno */
int listener_maps__share(const struct listener_maps *maps, struct bpf_object *object);

/* listener_maps__add() - give @key a slot, if it has none. Returns 0 or -errno */
int listener_maps__add(const struct listener_maps *maps, const struct listener_key *key);

/* listener_maps__next() - the key after @key, NULL: the first. False: there are no more */
bool listener_maps__next(const struct listener_maps *maps, const struct listener_key *key,
			 struct listener_key *next);

/*
 * listener_maps__read() - what was counted for @key, each CPU's own; @per_cpu has room for all
 * possible ones. Returns 0 or -errno (-ENOENT: it is not there)
 */
int listener_maps__read(const struct listener_maps *maps, const struct listener_key *key,
			struct listener_counters *per_cpu);

/* listener_maps__remove() - its slot is free for another; @per_cpu is room for all possible CPUs */
void listener_maps__remove(const struct listener_maps *maps, const struct listener_key *key,
			   struct listener_counters *per_cpu, int n_cpus);

#endif
