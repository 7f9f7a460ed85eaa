/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of a container, and the part of it that the path of a cgroup tells: the runtime
 * that made it, its id, its pod. Not here: names, which only the runtime's own files have
 * (source/container_state.h), and which session is of which container (source/containers.h).
 */
#ifndef TCPWATCH_CONTAINER_H
#define TCPWATCH_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(enumerator, name) */
#define CONTAINER_RUNTIMES(X)       \
	X(DOCKER, "docker")         \
	X(CONTAINERD, "containerd") \
	X(CRIO, "cri-o")            \
	X(PODMAN, "podman")         \
	X(NSPAWN, "systemd-nspawn") \
	X(LXC, "lxc")

enum container_runtime {
	RUNTIME_UNKNOWN, /* a container all the same: its path says no more */
#define X(id, name) RUNTIME_##id,
	CONTAINER_RUNTIMES(X)
#undef X
		RUNTIME_COUNT,
};

/* container_runtime__name() - NULL: unknown */
const char *container_runtime__name(enum container_runtime runtime);

/*
 * Room for what the runtimes allow: ids of 64 digits, LXC's and machined's names (64), Kubernetes'
 * DNS labels (63) and subdomains (253). Longer texts are cut.
 */
#define CONTAINER_ID_MAX	127
#define CONTAINER_NAME_MAX	127
#define CONTAINER_POD_MAX	253
#define CONTAINER_NAMESPACE_MAX 63
#define CONTAINER_SHORT_ID	12 /* digits that docker ps and podman ps show */

/* All texts hostile; "": unknown. */
struct container {
	enum container_runtime runtime;
	char id[CONTAINER_ID_MAX + 1]; /* of LXC and nspawn: the name */
	char name[CONTAINER_NAME_MAX + 1];
	char pod_id[CONTAINER_ID_MAX + 1]; /* Kubernetes' UID, or podman's id */
	char pod[CONTAINER_POD_MAX + 1];
	char pod_namespace[CONTAINER_NAMESPACE_MAX + 1];
	uint32_t uid;	 /* of the user whose rootless runtime it is, else 0 */
	bool is_sandbox; /* holds a pod's namespaces and does nothing else */
	bool is_chosen;	 /* named by --container */
};

/*
 * container__parse_path() - what the cgroup @path tells of the container that is in it
 *
 * Sets all of @out; the names stay "". Of containers within each other the outermost is taken: it
 * is the one that this host's runtime knows. What the runtimes put in cgroups of their own beside
 * the container (conmon, LXC's monitor) is not of it.
 * Returns false if the path is of no container.
 */
bool container__parse_path(const char *path, struct container *out);

/* container__copy() - @text of @len bytes, cut, into a member of @size bytes */
void container__copy(char *member, size_t size, const char *text, size_t len);

#endif
