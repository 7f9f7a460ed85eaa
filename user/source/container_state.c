/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The state files of docker, containerd, cri-o and podman, all of them JSON: a table of where they
 * are and who reads them. Those of LXC and systemd-nspawn are not needed: their ids are names. Not
 * here: the pods of podman (podman_pod.c).
 */
#include "container_state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "podman_pod.h"
#include "user/util/log.h"

#define STATE_BYTES_MAX	   (16l << 20) /* podman's file has all of its containers */

#define PATTERN_MAX	   512

#define COPY(member, text) copy_text(member, sizeof(member), text)

/* Texts that are there and not empty replace what was known. */
static void copy_text(char *member, size_t size, const char *text)
{
	if (text && *text)
		container__copy(member, size, text, strlen(text));
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- annotations and labels ------------------------------------------------------------------ */

/*
 * What stands for the name, the pod … in the annotations of an OCI configuration or in the labels
 * of docker: "io.kubernetes.cri" of containerd (pkg/cri/annotations), "io.kubernetes.cri-o" of
 * cri-o (pkg/annotations), "io.kubernetes" of the kubelet, which cri-o has as annotations too
 * (internal/factory/container), nerdctl's own.
 */
static const struct label {
	const char *key;
	size_t offset, size;
} labels[] = {
#define LABEL(key_, member)                                                                       \
	{                                                                                         \
		key_, offsetof(struct container, member), sizeof(((struct container *)0)->member) \
	}
	LABEL("io.kubernetes.cri.container-name", name),
	LABEL("io.kubernetes.cri.sandbox-name", pod),
	LABEL("io.kubernetes.cri.sandbox-namespace", pod_namespace),
	LABEL("io.kubernetes.cri.sandbox-uid", pod_id),
	LABEL("io.kubernetes.cri-o.KubeName", pod), /* of a sandbox, whoever asked for it */
	LABEL("io.kubernetes.cri-o.Namespace", pod_namespace),
	LABEL("io.kubernetes.container.name", name),
	LABEL("io.kubernetes.pod.name", pod),
	LABEL("io.kubernetes.pod.namespace", pod_namespace),
	LABEL("io.kubernetes.pod.uid", pod_id),
	LABEL("nerdctl/name", name),
#undef LABEL
};

/* Which label says that it is the container of a pod's namespaces, and how. */
static const struct {
	const char *key, *value;
} sandbox_labels[] = {
	{"io.kubernetes.cri.container-type", "sandbox"},
	{"io.kubernetes.cri-o.ContainerType", "sandbox"},
	{"io.kubernetes.docker.type", "podsandbox"},
};

static void take_labels(struct container *out, const json_t *object)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		copy_text((char *)out + labels[i].offset, labels[i].size,
			  text_of(object, labels[i].key));
	for (size_t i = 0; i < sizeof(sandbox_labels) / sizeof(sandbox_labels[0]); i++) {
		const char *value = text_of(object, sandbox_labels[i].key);

		if (value && !strcmp(value, sandbox_labels[i].value))
			out->is_sandbox = true;
	}
}

/* ---- one reader for each kind of file; each returns whether it tells of the container -------- */

/* docker: {"Name": "/web", "Config": {"Labels": {…}}} */
static bool read_docker(const json_t *json, struct container *out)
{
	const char *name = text_of(json, "Name");

	if (!name)
		return false;
	COPY(out->name, name + (*name == '/'));
	take_labels(out, json_object_get(json_object_get(json, "Config"), "Labels"));
	return true;
}

/* An OCI configuration: {"annotations": {…}} */
static bool read_oci(const json_t *json, struct container *out)
{
	if (!json_is_object(json))
		return false;
	take_labels(out, json_object_get(json, "annotations"));
	return true;
}

/* cri-o's; the same directory has podman's, which say who made them. */
static bool read_crio(const json_t *json, struct container *out)
{
	const char *manager = text_of(json_object_get(json, "annotations"), "io.container.manager");

	if (!manager || strcmp(manager, "cri-o"))
		return false;
	return read_oci(json, out);
}

/* containers/storage: [{"id": …, "names": ["web"]}, …] */
static bool read_storage(const json_t *json, struct container *out)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json, i, entry)
	{
		const char *id = text_of(entry, "id");

		if (!id || strcmp(id, out->id))
			continue;
		COPY(out->name,
		     json_string_value(json_array_get(json_object_get(entry, "names"), 0)));
		return true;
	}
	return false;
}

/* "--state" of containerd, of that in k3s and RKE2, in k0s, in MicroK8s. */
#define CONTAINERD_STATES(X)     \
	X("/run/containerd")     \
	X("/run/k3s/containerd") \
	X("/run/k0s/containerd") \
	X("/var/snap/microk8s/common/run/containerd")
#define TASKS	     "/io.containerd.runtime.v2.task/"
#define DOCKER_FILE  "/containers/%s/config.v2.json"
#define STORAGE_GLOB "storage/*-containers/*containers.json" /* volatile-containers.json too */
#define CONFIG_GLOB  "storage/*-containers/%s/userdata/config.json"

/* What a pattern is below. */
enum base {
	BASE_ROOT,
	BASE_HOME,   /* the home directory of a rootless runtime's user */
	BASE_DOCKER, /* "data-root" of the daemon's configuration, if it names one */
};

/*
 * Where to look, as a glob: "%s" stands for the id. The first that tells is believed, and then what
 * has more on a container of a pod: which of podman's is its sandbox.
 */
static const struct source {
	enum container_runtime runtime;
	enum base base;
	bool is_more;
	const char *pattern;
	bool (*read)(const json_t *json, struct container *out);
} sources[] = {
	{RUNTIME_DOCKER, BASE_ROOT, false, "/var/lib/docker" DOCKER_FILE, read_docker},
	{RUNTIME_DOCKER, BASE_HOME, false, "/.local/share/docker" DOCKER_FILE, read_docker},
#define X(state) {RUNTIME_CONTAINERD, BASE_ROOT, false, state TASKS "*/%s/config.json", read_oci},
	CONTAINERD_STATES(X)
#undef X
		{RUNTIME_CRIO, BASE_ROOT, false, "/run/containers/" CONFIG_GLOB, read_crio},
	{RUNTIME_CRIO, BASE_ROOT, false, "/var/lib/containers/" CONFIG_GLOB, read_crio},
	{RUNTIME_PODMAN, BASE_ROOT, false, "/var/lib/containers/" STORAGE_GLOB, read_storage},
	{RUNTIME_PODMAN, BASE_ROOT, false, "/run/containers/" STORAGE_GLOB, read_storage},
	{RUNTIME_PODMAN, BASE_HOME, false, "/.local/share/containers/" STORAGE_GLOB, read_storage},
	{RUNTIME_PODMAN, BASE_ROOT, true, "/var/lib/containers/" CONFIG_GLOB, read_oci},
	{RUNTIME_PODMAN, BASE_HOME, true, "/.local/share/containers/" CONFIG_GLOB, read_oci},
	{RUNTIME_DOCKER, BASE_DOCKER, false, DOCKER_FILE, read_docker},
};

/* ---- files ----------------------------------------------------------------------------------- */

void state_file__free(struct state_file *file)
{
	free(file->path);
	*file = (struct state_file){0};
}

void state_reader__fini(struct state_reader *reader)
{
	json_decref(reader->json);
	state_file__free(&reader->last);
}

static bool is_unchanged(const struct state_file *file)
{
	struct stat st;

	return file->path && !stat(file->path, &st) && st.st_ino == file->inode &&
	       st.st_mtim.tv_sec == file->changed.tv_sec &&
	       st.st_mtim.tv_nsec == file->changed.tv_nsec;
}

static bool is_at(const struct state_file *file, const char *path)
{
	return file->path && !strcmp(file->path, path);
}

static void set_file(struct state_file *file, const char *path, struct timespec changed,
		     ino_t inode)
{
	if (!is_at(file, path)) {
		free(file->path);
		file->path = strdup(path);
	}
	file->changed = changed;
	file->inode = inode;
}

/* A rootless runtime's files are its user's: they may be anything. NULL: not to be read. */
static json_t *load(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	json_error_t error;
	json_t *json = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, st) && S_ISREG(st->st_mode) && st->st_size <= STATE_BYTES_MAX) {
		json = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
		if (!json)
			log_debug("%s, line %d: %s", path, error.line, error.text);
	}
	close(fd);
	return json;
}

static void load_again(struct state_reader *reader, const char *path)
{
	struct stat st;

	json_decref(reader->json);
	state_file__free(&reader->last);
	reader->json = load(path, &st);
	if (reader->json)
		set_file(&reader->last, path, st.st_mtim, st.st_ino);
}

static bool read_file(struct state_reader *reader, struct state_file *file, struct container *out,
		      const struct source *source, const char *path)
{
	if (!is_at(&reader->last, path) || !is_unchanged(&reader->last))
		load_again(reader, path);
	if (!reader->json || !source->read(reader->json, out))
		return false;
	set_file(file, path, reader->last.changed, reader->last.inode);
	out->runtime = source->runtime;
	return true;
}

/* Each container has one of its own: the last one read, which is all of podman's, is kept. */
static bool read_more(struct container *out, const struct source *source, const char *path)
{
	struct stat st;
	json_t *json = load(path, &st);
	bool is_told = json && source->read(json, out);

	json_decref(json);
	return is_told;
}

static bool read_any(struct state_reader *reader, struct state_file *file, struct container *out,
		     const struct source *source, const char *pattern)
{
	bool is_told = false;
	glob_t found;

	if (glob(pattern, GLOB_NOSORT, NULL, &found))
		return false;
	for (size_t i = 0; !is_told && i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];

		is_told = source->is_more ? read_more(out, source, path)
					  : read_file(reader, file, out, source, path);
	}
	globfree(&found);
	return is_told;
}

bool state_dir__home(char *dir, size_t size, uint32_t uid)
{
	const struct passwd *user = uid ? getpwuid(uid) : NULL;

	return user && (size_t)snprintf(dir, size, "%s", user->pw_dir) < size;
}

/* False: there is none. What the daemon was told on its command line is not looked for. */
static bool find_docker(char *base, const char *root)
{
	char path[PATTERN_MAX];
	struct stat st;
	const char *dir;
	json_t *json;
	bool is_found;

	snprintf(path, sizeof(path), "%s/etc/docker/daemon.json", root);
	json = load(path, &st);
	dir = text_of(json, "data-root");
	is_found = dir && snprintf(base, PATTERN_MAX, "%s", dir) < PATTERN_MAX;
	json_decref(json);
	return is_found;
}

static bool find_base(char *base, const struct source *source, const char *root, uint32_t uid)
{
	*base = '\0';
	switch (source->base) {
	case BASE_HOME:
		return state_dir__home(base, PATTERN_MAX, uid);
	case BASE_DOCKER:
		return find_docker(base, root);
	default:
		return true;
	}
}

/* @source may have something on @container, of which something else told or not. */
static bool may_tell(const struct source *source, const struct container *container, bool is_told)
{
	if (container->runtime && container->runtime != source->runtime)
		return false;
	return source->is_more ? is_told && container->pod_id[0] : !is_told;
}

static bool search(struct state_reader *reader, struct state_file *file, struct container *out)
{
	char base[PATTERN_MAX], relative[PATTERN_MAX], pattern[3 * PATTERN_MAX];
	bool is_told = false;

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		const struct source *source = &sources[i];

		if (!may_tell(source, out, is_told) ||
		    !find_base(base, source, reader->root, out->uid))
			continue;
		snprintf(relative, sizeof(relative), source->pattern, out->id);
		snprintf(pattern, sizeof(pattern), "%s%s%s", reader->root, base, relative);
		is_told |= read_any(reader, file, out, source, pattern);
	}
	return is_told;
}

/* What containerd allows in a namespace and an id, and no file name of another meaning is. */
static bool is_containerd_name(const char *text, size_t len)
{
	return len && isalnum((unsigned char)*text) &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") >=
		       len;
}

bool state_reader__find(const struct state_reader *reader, const char *cgroup,
			struct container *out)
{
	static const char *const states[] = {
#define X(state) state TASKS,
		CONTAINERD_STATES(X)
#undef X
	};
	const char *namespace = cgroup + (*cgroup == '/'), *id = strchr(namespace, '/');
	char path[3 * PATTERN_MAX];

	if (!id || !is_containerd_name(namespace, (size_t)(id - namespace)) ||
	    !is_containerd_name(id + 1, strlen(id + 1)))
		return false;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		snprintf(path, sizeof(path), "%s%s%s/config.json", reader->root, states[i],
			 namespace);
		if (access(path, F_OK))
			continue;
		*out = (struct container){.runtime = RUNTIME_CONTAINERD};
		COPY(out->id, id + 1);
		COPY(out->name, id + 1);
		return true;
	}
	return false;
}

/* Once: a container stays in its pod. A database that is being written is asked again later. */
static void find_pod(const char *root, struct state_file *file, struct container *container)
{
	if (container->runtime != RUNTIME_PODMAN || file->has_pod)
		return;
	file->has_pod = podman_pod__find(root, container) != -EAGAIN;
}

bool state_reader__complete(struct state_reader *reader, struct state_file *file,
			    struct container *container)
{
	if (container->runtime == RUNTIME_LXC || container->runtime == RUNTIME_NSPAWN)
		return true;
	find_pod(reader->root, file, container);
	return is_unchanged(file) || search(reader, file, container);
}
