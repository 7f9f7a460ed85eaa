/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The inside of the containers, shared by its files alone: what is remembered (containers.c), the
 * look at all processes (containers_scan.c), --container (containers_choose.c).
 */
#ifndef TCPWATCH_CONTAINERS_INTERNAL_H
#define TCPWATCH_CONTAINERS_INTERNAL_H

#include <uthash.h>

#include "cgroup.h"
#include "container_state.h"
#include "containers.h"

/* A container. Whatever points to one was used no later than it: see forget() in containers.c. */
struct container_entry {
	struct container container;
	struct state_file file;
	uint64_t used_ns, check_ns; /* last asked for; when its file is to be looked at again */
	uint64_t check_pause_ns;
	char key[CONTAINER_ID_MAX + 3]; /* runtime of the path, id */
	UT_hash_handle hh;
};

/* Of a cgroup, a process or a network namespace: its container, or NULL: it is of none. */
struct container_link {
	uint64_t key;
	struct container_entry *entry;
	uint64_t used_ns;
	bool is_final; /* of a cgroup: it says that there is no container, ask no further */
	/* Of a namespace: */
	bool is_shared;	      /* processes of several containers, or of none as well */
	bool is_pod;	      /* … but all of the pod in .pod */
	uint32_t scan;	      /* that saw it last */
	struct container pod; /* the pod alone: no id */
	UT_hash_handle hh;
};

struct containers {
	struct cgroup_tree tree;
	struct state_reader reader;
	struct container_entry *entries;
	struct container_link *by_cgroup, *by_pid, *by_netns;
	uint32_t host_netns; /* of process 1, or the own: there are processes of all kinds */
	uint32_t scan;	     /* number of the last one … */
	uint64_t scanned_ns; /* … and when it was */
	uint64_t walked_ns;  /* when all cgroups were last looked at */
	uint64_t swept_ns;
	bool told_full;
};

/* containers__entry() - the entry of what @path is the cgroup of; NULL: of no container, or no
 * memory */
struct container_entry *containers__entry(struct containers *all, const char *path,
					  uint64_t now_ns);

/* containers__link() - that of @key in @links, made if there is none; NULL: no memory */
struct container_link *containers__link(struct container_link **links, uint64_t key,
					uint64_t now_ns);

/* containers__scan() - look at all processes: whose cgroup is of which container, in which network
 * namespace */
void containers__scan(struct containers *all, uint64_t now_ns);

/*
 * containers__visit_processes() - call @visit with each process
 *
 * @netns: 0 if it may not be looked at. @entry: its container, NULL: none. With @skip_netns (0:
 * none) its processes are left out.
 */
typedef void (*process_visitor)(void *ctx, uint32_t pid, uint32_t netns,
				struct container_entry *entry);
void containers__visit_processes(struct containers *all, uint32_t skip_netns, uint64_t now_ns,
				 process_visitor visit, void *ctx);

#endif
