/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The look at all processes: in which network namespace each is, and of which container. Not here:
 * when it is due (containers.c).
 */
#include "containers_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUP_TEXT_MAX 16384 /* of /proc/PID/cgroup: a line for each of some 14 hierarchies */

struct parsing {
	struct containers *all;
	struct container_entry *entry;
	uint64_t now_ns;
};

static bool take_path(void *ctx, const char *path)
{
	struct parsing *p = ctx;

	p->entry = containers__entry(p->all, path, p->now_ns);
	return p->entry;
}

/* False: the process is gone, or may not be looked at. */
static bool read_cgroups(int dir_fd, const char *pid, char *text)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%.16s/cgroup", pid);
	fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, CGROUP_TEXT_MAX - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

/* 0: it may not be looked at. False: the process is gone. */
static bool netns_of(int dir_fd, const char *pid, uint32_t *inum)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "%.16s/ns/net", pid);
	*inum = 0;
	if (fstatat(dir_fd, path, &st, 0))
		return errno == EACCES || errno == EPERM;
	*inum = (uint32_t)st.st_ino;
	return true;
}

void containers__visit_processes(struct containers *all, uint32_t skip_netns, uint64_t now_ns,
				 process_visitor visit, void *ctx)
{
	struct parsing p = {.all = all, .now_ns = now_ns};
	char text[CGROUP_TEXT_MAX];
	DIR *dir = opendir("/proc");
	struct dirent *process;
	uint32_t netns;

	while (dir && (process = readdir(dir))) {
		const char *pid = process->d_name;

		if (!isdigit((unsigned char)*pid) || !netns_of(dirfd(dir), pid, &netns) ||
		    (skip_netns && netns == skip_netns) || !read_cgroups(dirfd(dir), pid, text))
			continue;
		p.entry = NULL;
		(void)cgroup__parse_process(text, take_path, &p);
		visit(ctx, (uint32_t)strtoul(pid, NULL, 10), netns, p.entry);
	}
	if (dir)
		closedir(dir);
}

/* ---- namespaces ------------------------------------------------------------------------------ */

static bool is_same_pod(const struct container *a, const struct container *b)
{
	return a->pod_id[0] && !strcmp(a->pod_id, b->pod_id);
}

static void set_pod(struct container *pod, const struct container *of)
{
	*pod = (struct container){.runtime = RUNTIME_UNKNOWN};
	memcpy(pod->pod_id, of->pod_id, sizeof(pod->pod_id));
	memcpy(pod->pod, of->pod, sizeof(pod->pod));
	memcpy(pod->pod_namespace, of->pod_namespace, sizeof(pod->pod_namespace));
}

/* The first process of this scan in a namespace. */
static void begin_netns(struct container_link *link, uint32_t scan, struct container_entry *entry)
{
	link->scan = scan;
	link->entry = entry;
	link->is_shared = !entry;
	link->is_pod = false;
}

static void share_netns(struct container_link *link, struct container_entry *entry)
{
	bool is_pod = entry && (link->is_pod ? is_same_pod(&link->pod, &entry->container)
					     : link->entry && !link->is_shared &&
						       is_same_pod(&link->entry->container,
								   &entry->container));

	if (is_pod)
		set_pod(&link->pod, &entry->container);
	link->is_pod = is_pod;
	link->is_shared = true;
}

/*
 * One more process in a namespace. What only holds a pod's namespaces is not what talks in them, so
 * it gives way to the container beside it.
 */
static void join_netns(struct container_link *link, uint32_t scan, struct container_entry *entry)
{
	if (link->scan != scan)
		begin_netns(link, scan, entry);
	else if (link->entry == entry && !link->is_shared)
		return;
	else if (entry && link->entry && !link->is_shared && link->entry->container.is_sandbox)
		link->entry = entry;
	else if (!entry || !entry->container.is_sandbox)
		share_netns(link, entry);
}

struct scanning {
	struct containers *all;
	uint64_t now_ns;
};

static void take_process(void *ctx, uint32_t pid, uint32_t netns, struct container_entry *entry)
{
	const struct scanning *s = ctx;
	struct containers *all = s->all;
	struct container_link *link = NULL;

	if (all->tree.has_v1 && entry)
		link = containers__link(&all->by_pid, pid, s->now_ns);
	if (link) {
		link->entry = entry;
		link->scan = all->scan;
	}
	link = !netns || netns == all->host_netns
		       ? NULL
		       : containers__link(&all->by_netns, netns, s->now_ns);
	if (link)
		join_netns(link, all->scan, entry);
}

void containers__scan(struct containers *all, uint64_t now_ns)
{
	struct scanning s = {all, now_ns};

	all->scan++;
	all->scanned_ns = now_ns;
	/* On the host's own network only sockets tell, by cgroup; where that may say nothing, by
	 * process. */
	containers__visit_processes(all, all->tree.has_v1 ? 0 : all->host_netns, now_ns,
				    take_process, &s);
}
