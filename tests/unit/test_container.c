/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Containers: what the path of a cgroup tells, which path of a process is believed, and what the
 * state files of each runtime add. The paths and files have the forms that the runtimes give them.
 */
#include <ftw.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "bolt_fixture.h"
#include "user/source/cgroup.h"
#include "user/source/container_state.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define ID	    "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
#define ID_2	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define POD	    "5c2bd9e4-6a7b-4c0e-9f1d-0123456789ab"
#define POD_U	    "5c2bd9e4_6a7b_4c0e_9f1d_0123456789ab"
#define MD5	    "0123456789abcdef0123456789abcdef"

/* ---- paths ----------------------------------------------------------------------------------- */

#define CONTAINER(name_, path_, runtime_, ...)                                                 \
	{                                                                                      \
		.name = name_, .path = path_, .runtime = RUNTIME_##runtime_, .id = __VA_ARGS__ \
	}
#define NO_CONTAINER(name_, path_)           \
	{                                    \
		.name = name_, .path = path_ \
	}

static void test_paths(void **state)
{
	static const struct {
		const char *name, *path;
		enum container_runtime runtime;
		const char *id, *pod_id; /* NULL: of no container; of no pod */
		uint32_t uid;
	} cases[] = {
		CONTAINER("docker, cgroupfs", "/docker/" ID, DOCKER, ID),
		CONTAINER("docker, systemd", "/system.slice/docker-" ID ".scope", DOCKER, ID),
		CONTAINER("docker, a cgroup below", "/docker/" ID "/system.slice/cron.service",
			  DOCKER, ID),
		CONTAINER("docker in docker: the outer one", "/docker/" ID "/docker/" ID_2, DOCKER,
			  ID),
		CONTAINER("docker, rootless",
			  "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID
			  ".scope",
			  DOCKER, ID, .uid = 1000),
		CONTAINER("docker, a parent of its own", "/batch/" ID, UNKNOWN, ID),
		NO_CONTAINER("docker of a build", "/docker/buildkit/abc"),
		NO_CONTAINER("docker itself", "/system.slice/docker.service"),
		CONTAINER("podman, cgroupfs", "/libpod_parent/libpod-" ID, PODMAN, ID),
		CONTAINER("podman, systemd", "/machine.slice/libpod-" ID ".scope", PODMAN, ID),
		CONTAINER("podman, systemd, version 2",
			  "/machine.slice/libpod-" ID ".scope/container", PODMAN, ID),
		CONTAINER("podman, rootless",
			  "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
			  ".scope/container",
			  PODMAN, ID, .uid = 1000),
		CONTAINER("podman, split cgroups", "/system.slice/web.service/libpod-payload-" ID,
			  PODMAN, ID),
		CONTAINER("podman, pod, cgroupfs", "/libpod_parent/" ID_2 "/libpod-" ID, PODMAN, ID,
			  .pod_id = ID_2),
		CONTAINER("podman, pod, systemd",
			  "/machine.slice/machine-libpod_pod_" ID_2 ".slice/libpod-" ID ".scope",
			  PODMAN, ID, .pod_id = ID_2),
		CONTAINER("podman, rootless pod",
			  "/user.slice/user-7.slice/user@7.service/user.slice/user-libpod_pod_" ID_2
			  ".slice/libpod-" ID ".scope",
			  PODMAN, ID, .pod_id = ID_2, .uid = 7),
		NO_CONTAINER("podman's monitor", "/machine.slice/libpod-conmon-" ID ".scope"),
		NO_CONTAINER("podman's monitor, cgroupfs", "/libpod_parent/conmon"),
		CONTAINER("kubelet, containerd, cgroupfs", "/kubepods/burstable/pod" POD "/" ID,
			  UNKNOWN, ID, .pod_id = POD),
		CONTAINER("kubelet, containerd, systemd",
			  "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_U
			  ".slice/cri-containerd-" ID ".scope",
			  CONTAINERD, ID, .pod_id = POD),
		CONTAINER("kubelet, guaranteed",
			  "/kubepods.slice/kubepods-pod" POD_U ".slice/cri-containerd-" ID ".scope",
			  CONTAINERD, ID, .pod_id = POD),
		CONTAINER("kubelet, static pod",
			  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" MD5
			  ".slice/cri-containerd-" ID ".scope",
			  CONTAINERD, ID, .pod_id = MD5),
		CONTAINER("kubelet, systemd, but containerd without it",
			  "/system.slice/containerd.service/kubepods-burstable-pod" POD_U
			  ".slice:cri-containerd:" ID,
			  CONTAINERD, ID, .pod_id = POD),
		CONTAINER("kubelet, cri-o, systemd",
			  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_U
			  ".slice/crio-" ID ".scope",
			  CRIO, ID, .pod_id = POD),
		CONTAINER("kubelet, cri-o, cgroupfs", "/kubepods/besteffort/pod" POD "/crio-" ID,
			  CRIO, ID, .pod_id = POD),
		NO_CONTAINER("cri-o's monitor", "/kubepods.slice/kubepods-pod" POD_U
						".slice/crio-conmon-" ID ".scope"),
		NO_CONTAINER("cri-o's monitor, outside the pod",
			     "/system.slice/crio-conmon-" ID ".scope"),
		NO_CONTAINER("cri-o's monitor, cgroupfs",
			     "/kubepods/besteffort/pod" POD "/crio-conmon-" ID),
		CONTAINER("cri-o without a kubelet, systemd", "/system.slice/crio-" ID ".scope",
			  CRIO, ID),
		CONTAINER("cri-o without a kubelet, cgroupfs", "/crio/crio-" ID, CRIO, ID),
		CONTAINER("cri-o, systemd, but its runtime without it",
			  "/kubepods-burstable-pod" POD_U ".slice:crio:" ID, CRIO, ID,
			  .pod_id = POD),
		CONTAINER("cri-o, no pod's slice, its runtime without systemd",
			  "/system.slice:crio:" ID, CRIO, ID),
		CONTAINER("cri-o, guaranteed, cgroupfs", "/kubepods/pod" POD "/crio-" ID, CRIO, ID,
			  .pod_id = POD),
		CONTAINER("cri-o, static pod, cgroupfs", "/kubepods/burstable/pod" MD5 "/crio-" ID,
			  CRIO, ID, .pod_id = MD5),
		CONTAINER("cri-o, systemd in the container",
			  "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_U
			  ".slice/crio-" ID ".scope/system.slice/cron.service",
			  CRIO, ID, .pod_id = POD),
		CONTAINER("kubelet, docker",
			  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_U
			  ".slice/docker-" ID ".scope",
			  DOCKER, ID, .pod_id = POD),
		CONTAINER("Kubernetes in docker: the outer one",
			  "/docker/" ID "/kubelet/kubepods/pod" POD "/" ID_2, DOCKER, ID),
		CONTAINER("kind, on its host: the node",
			  "/docker/" ID "/kubelet.slice/kubelet-kubepods.slice/"
			  "kubelet-kubepods-pod" POD_U ".slice/cri-containerd-" ID_2 ".scope",
			  DOCKER, ID),
		CONTAINER("kind on podman, on its host: the node",
			  "/machine.slice/libpod-" ID ".scope/container/kubelet.slice/"
			  "kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
			  "kubelet-kubepods-burstable-pod" POD_U ".slice/cri-containerd-" ID_2
			  ".scope",
			  PODMAN, ID),
		CONTAINER("kind, in its node, systemd",
			  "/kubelet.slice/kubelet-kubepods.slice/"
			  "kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" POD_U
			  ".slice/cri-containerd-" ID ".scope",
			  CONTAINERD, ID, .pod_id = POD),
		CONTAINER("kind, in its node, cgroupfs",
			  "/kubelet/kubepods/besteffort/pod" POD "/" ID, UNKNOWN, ID,
			  .pod_id = POD),
		CONTAINER("kind, rootless, on its host: the node",
			  "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
			  ".scope/container/kubelet.slice/kubelet-kubepods.slice/"
			  "kubelet-kubepods-pod" POD_U ".slice/cri-containerd-" ID_2 ".scope",
			  PODMAN, ID, .uid = 1000),
		CONTAINER("kind with cri-o, in its node, cgroupfs",
			  "/kubelet/kubepods/burstable/pod" POD "/crio-" ID, CRIO, ID,
			  .pod_id = POD),
		CONTAINER("k3d, on its host: the node",
			  "/system.slice/docker-" ID ".scope/kubepods/burstable/pod" POD "/" ID_2,
			  DOCKER, ID),
		CONTAINER("minikube in docker with cri-o: the node",
			  "/docker/" ID "/kubepods.slice/kubepods-besteffort.slice/"
			  "kubepods-besteffort-pod" POD_U ".slice/crio-" ID_2 ".scope",
			  DOCKER, ID),
		CONTAINER("k3s", "/kubepods/pod" POD "/" ID, UNKNOWN, ID, .pod_id = POD),
		CONTAINER("k3s, systemd",
			  "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_U
			  ".slice/cri-containerd-" ID ".scope",
			  CONTAINERD, ID, .pod_id = POD),
		CONTAINER("a --cgroup-root that is a slice",
			  "/pods.slice/pods-kubepods.slice/pods-kubepods-pod" POD_U
			  ".slice/crio-" ID ".scope",
			  CRIO, ID, .pod_id = POD),
		CONTAINER("cri-dockerd, cgroupfs", "/kubepods/burstable/pod" POD "/" ID, UNKNOWN,
			  ID, .pod_id = POD),
		CONTAINER("cri-dockerd, a cgroup below",
			  "/kubepods.slice/kubepods-pod" POD_U ".slice/docker-" ID
			  ".scope/kube-proxy",
			  DOCKER, ID, .pod_id = POD),
		CONTAINER("cri-o with crun",
			  "/kubepods.slice/kubepods-pod" POD_U ".slice/crio-" ID ".scope/container",
			  CRIO, ID, .pod_id = POD),
		CONTAINER("ECS", "/ecs/0123456789abcdef0123456789abcdef/" ID, UNKNOWN, ID),
		CONTAINER(
			"ECS, systemd",
			"/ecstasks.slice/ecstasks-0123456789abcdef0123456789abcdef.slice/docker-" ID
			".scope",
			DOCKER, ID),
		NO_CONTAINER("containerd's shim", "/system.slice/containerd.service"),
		NO_CONTAINER("the kubelet of kind", "/kubelet.slice/kubelet.service"),
		NO_CONTAINER("ctr, whose ids are any text", "/default/web"),
		CONTAINER("nerdctl, systemd", "/system.slice/nerdctl-" ID ".scope", CONTAINERD, ID),
		CONTAINER("nerdctl, cgroupfs", "/default/" ID, UNKNOWN, ID),
		CONTAINER("nspawn, a service",
			  "/machine.slice/systemd-nspawn@web.service/payload/init.scope", NSPAWN,
			  "web"),
		CONTAINER("nspawn, by hand", "/machine.slice/machine-web.scope/payload", NSPAWN,
			  "web"),
		NO_CONTAINER("nspawn's own process",
			     "/machine.slice/systemd-nspawn@web.service/supervisor"),
		NO_CONTAINER("nspawn's own process, by hand",
			     "/machine.slice/machine-web.scope/supervisor"),
		CONTAINER("nspawn, an escaped name",
			  "/machine.slice/systemd-nspawn@web\\x2done.service", NSPAWN, "web-one"),
		CONTAINER("nspawn, a wrong escape", "/machine.slice/machine-web\\x2.scope", NSPAWN,
			  "web\\x2"),
		NO_CONTAINER("a virtual machine", "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope"),
		CONTAINER("LXC 4 and later", "/lxc.payload.web/system.slice", LXC, "web"),
		CONTAINER("LXC 3", "/lxc.payload/web", LXC, "web"),
		CONTAINER("LXC 2, Proxmox", "/lxc/101/ns", LXC, "101"),
		NO_CONTAINER("LXC's monitor", "/lxc.monitor.web"),
		CONTAINER("seen from another cgroup namespace", "/../../docker/" ID, DOCKER, ID),
		NO_CONTAINER("deleted meanwhile", "/docker/" ID " (deleted)"),
		NO_CONTAINER("the root", "/"),
		NO_CONTAINER("nothing", ""),
		NO_CONTAINER("a session", "/user.slice/user-0.slice/session-1.scope"),
		NO_CONTAINER("a pod's own cgroup", "/kubepods/pod" POD),
		NO_CONTAINER("an id that is too short", "/docker/0a1b2c3d4e5f"),
		NO_CONTAINER("an id that is none", "/docker/g" ID),
		NO_CONTAINER("a scope without a name", "/machine.slice/machine-.scope"),
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		const char *id = cases[i].id, *pod_id = cases[i].pod_id ? cases[i].pod_id : "";
		struct container c;

		if (container__parse_path(cases[i].path, &c) != !!id)
			fail_msg("%s: %s", cases[i].name, id ? "not found" : c.id);
		if (!id)
			continue;
		if (c.runtime != cases[i].runtime || strcmp(c.id, id) || strcmp(c.pod_id, pod_id) ||
		    c.uid != cases[i].uid)
			fail_msg("%s: runtime %d, id %s, pod %s, user %u", cases[i].name, c.runtime,
				 c.id, c.pod_id, c.uid);
	}
}

static void test_long_names_are_cut(void **state)
{
	char path[CONTAINER_ID_MAX * 4] = "/lxc/";
	struct container c;

	(void)state;
	memset(path + strlen(path), 'x', sizeof(path) - 16);
	assert_true(container__parse_path(path, &c));
	assert_int_equal(strlen(c.id), CONTAINER_ID_MAX);
	assert_int_equal(strlen(c.name), CONTAINER_NAME_MAX);
}

static bool take_container(void *ctx, const char *path)
{
	return container__parse_path(path, ctx);
}

static void test_processes(void **state)
{
	static const struct {
		const char *name, *text, *id; /* NULL: none */
	} cases[] = {
		{"version 2", "0::/docker/" ID "\n", ID},
		{"version 1", "5:memory:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", ID},
		{"hybrid: version 2 first", "5:memory:/docker/" ID_2 "\n0::/docker/" ID "\n", ID},
		{"a kubelet's, version 1",
		 "12:cpuset:/kubepods/burstable/pod" POD "/crio-" ID
		 "\n1:name=systemd:/kubepods/burstable/pod" POD "/crio-" ID "\n",
		 ID},
		{"hybrid: the kubelet uses version 1",
		 "3:memory:/kubepods.slice/kubepods-pod" POD_U ".slice/crio-" ID
		 ".scope\n1:name=systemd:/kubepods.slice/kubepods-pod" POD_U ".slice/crio-" ID
		 ".scope\n0::/system.slice/crio.service\n",
		 ID},
		{"hybrid: version 2 says nothing", "5:memory:/docker/" ID "\n0::/\n", ID},
		{"of none", "5:memory:/\n1:name=systemd:/init.scope\n0::/init.scope\n", NULL},
		{"a controller's name with a colon in the path",
		 "1:cpu,cpuacct:/a:b/docker/" ID "\n", ID},
		{"no path", "garbage\n1:cpu\n", NULL},
		{"nothing", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char *text = strdup(cases[i].text);
		struct container c = {0};
		bool is_found = cgroup__parse_process(text, take_container, &c);

		if (is_found != !!cases[i].id || (is_found && strcmp(c.id, cases[i].id)))
			fail_msg("%s: %d %s", cases[i].name, is_found, c.id);
		free(text);
	}
}

/* ---- state files ----------------------------------------------------------------------------- */

struct place {
	char root[64];
	struct state_reader reader;
	struct state_file file;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->root, "/tmp/tcpwatch-XXXXXX");
	place->reader.root = mkdtemp(place->root);
	*state = place;
	return !place->reader.root;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	state_reader__fini(&place->reader);
	state_file__free(&place->file);
	nftw(place->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(place);
	return 0;
}

/* Replaces the file, as the runtimes do. */
static void write_file(const struct place *place, const char *path, const char *text)
{
	char whole[512], new[520];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s%s", place->root, path);
	for (char *slash = whole + strlen(place->root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(whole, 0700);
		*slash = '/';
	}
	snprintf(new, sizeof(new), "%s.new", whole);
	file = fopen(new, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(new, whole), 0);
}

#define CRI "io.kubernetes.cri."

static void test_state_files(void **state)
{
	static const struct {
		const char *name;
		enum container_runtime by_path;
		const char *path, *text;
		bool is_told;
		enum container_runtime runtime;
		const char *container, *pod, *namespace;
		enum { WORKS, SANDBOX } kind;
	} cases[] = {
		{"docker", RUNTIME_DOCKER, "/var/lib/docker/containers/" ID "/config.v2.json",
		 "{\"ID\":\"" ID "\",\"Name\":\"/web\",\"Config\":{\"Labels\":{}}}", true,
		 RUNTIME_DOCKER, "web", "", "", WORKS},
		{"docker under a kubelet", RUNTIME_DOCKER,
		 "/var/lib/docker/containers/" ID "/config.v2.json",
		 "{\"Name\":\"/k8s_web_web-0_prod_x_0\",\"Config\":{\"Labels\":{"
		 "\"io.kubernetes.container.name\":\"web\",\"io.kubernetes.pod.name\":\"web-0\","
		 "\"io.kubernetes.pod.namespace\":\"prod\"}}}",
		 true, RUNTIME_DOCKER, "web", "web-0", "prod", WORKS},
		{"containerd under a kubelet", RUNTIME_CONTAINERD,
		 "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
		 "{\"ociVersion\":\"1.0.2\",\"annotations\":{\"" CRI
		 "container-name\":\"web\",\"" CRI "container-type\":\"container\",\"" CRI
		 "sandbox-name\":\"web-0\",\"" CRI "sandbox-namespace\":\"prod\",\"" CRI
		 "sandbox-uid\":\"" POD "\"}}",
		 true, RUNTIME_CONTAINERD, "web", "web-0", "prod", WORKS},
		{"the runtime found by its file", RUNTIME_UNKNOWN,
		 "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
		 "{\"annotations\":{\"" CRI "container-type\":\"sandbox\",\"" CRI
		 "sandbox-name\":\"web-0\",\"" CRI "sandbox-namespace\":\"prod\"}}",
		 true, RUNTIME_CONTAINERD, "", "web-0", "prod", SANDBOX},
		{"k3s", RUNTIME_CONTAINERD,
		 "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
		 "{\"annotations\":{\"" CRI "container-name\":\"web\"}}", true, RUNTIME_CONTAINERD,
		 "web", "", "", WORKS},
		{"nerdctl", RUNTIME_UNKNOWN,
		 "/run/containerd/io.containerd.runtime.v2.task/default/" ID "/config.json",
		 "{\"annotations\":{\"nerdctl/name\":\"web\"}}", true, RUNTIME_CONTAINERD, "web",
		 "", "", WORKS},
		{"cri-o", RUNTIME_CRIO,
		 "/run/containers/storage/overlay-containers/" ID "/userdata/config.json",
		 "{\"annotations\":{\"io.container.manager\":\"cri-o\","
		 "\"io.kubernetes.container.name\":\"web\",\"io.kubernetes.pod.name\":\"web-0\","
		 "\"io.kubernetes.pod.namespace\":\"prod\","
		 "\"io.kubernetes.cri-o.ContainerType\":\"container\"}}",
		 true, RUNTIME_CRIO, "web", "web-0", "prod", WORKS},
		{"cri-o, a sandbox", RUNTIME_CRIO,
		 "/run/containers/storage/overlay-containers/" ID "/userdata/config.json",
		 "{\"annotations\":{\"io.container.manager\":\"cri-o\","
		 "\"io.kubernetes.container.name\":\"POD\",\"io.kubernetes.cri-o.KubeName\":"
		 "\"web-0\",\"io.kubernetes.cri-o.Namespace\":\"prod\","
		 "\"io.kubernetes.cri-o.ContainerType\":\"sandbox\"}}",
		 true, RUNTIME_CRIO, "POD", "web-0", "prod", SANDBOX},
		{"cri-o, another storage driver", RUNTIME_CRIO,
		 "/run/containers/storage/vfs-containers/" ID "/userdata/config.json",
		 "{\"annotations\":{\"io.container.manager\":\"cri-o\","
		 "\"io.kubernetes.container.name\":\"web\"}}",
		 true, RUNTIME_CRIO, "web", "", "", WORKS},
		{"cri-o, what outlives a start", RUNTIME_CRIO,
		 "/var/lib/containers/storage/overlay-containers/" ID "/userdata/config.json",
		 "{\"annotations\":{\"io.container.manager\":\"cri-o\","
		 "\"io.kubernetes.container.name\":\"web\"}}",
		 true, RUNTIME_CRIO, "web", "", "", WORKS},
		{"podman's beside cri-o's", RUNTIME_UNKNOWN,
		 "/run/containers/storage/overlay-containers/" ID "/userdata/config.json",
		 "{\"annotations\":{\"io.container.manager\":\"libpod\"}}", false, RUNTIME_UNKNOWN,
		 "", "", "", WORKS},
		{"k0s", RUNTIME_CONTAINERD,
		 "/run/k0s/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
		 "{\"annotations\":{\"" CRI "container-name\":\"web\"}}", true, RUNTIME_CONTAINERD,
		 "web", "", "", WORKS},
		{"MicroK8s", RUNTIME_UNKNOWN,
		 "/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID
		 "/config.json",
		 "{\"annotations\":{\"" CRI "container-name\":\"web\"}}", true, RUNTIME_CONTAINERD,
		 "web", "", "", WORKS},
		{"podman", RUNTIME_PODMAN,
		 "/var/lib/containers/storage/overlay-containers/containers.json",
		 "[{\"id\":\"" ID_2 "\",\"names\":[\"db\"]},{\"id\":\"" ID
		 "\",\"names\":[\"web\",\"www\"]}]",
		 true, RUNTIME_PODMAN, "web", "", "", WORKS},
		{"podman, with --rm", RUNTIME_PODMAN,
		 "/var/lib/containers/storage/vfs-containers/volatile-containers.json",
		 "[{\"id\":\"" ID "\",\"names\":[\"web\"]}]", true, RUNTIME_PODMAN, "web", "", "",
		 WORKS},
		{"podman, another's", RUNTIME_PODMAN,
		 "/var/lib/containers/storage/overlay-containers/containers.json",
		 "[{\"id\":\"" ID_2 "\",\"names\":[\"db\"]},{}, 7]", false, RUNTIME_PODMAN, "", "",
		 "", WORKS},
		{"of another runtime", RUNTIME_PODMAN,
		 "/var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":\"/web\"}", false,
		 RUNTIME_PODMAN, "", "", "", WORKS},
		{"no JSON", RUNTIME_DOCKER, "/var/lib/docker/containers/" ID "/config.v2.json",
		 "{\"Name\":\"/we", false, RUNTIME_DOCKER, "", "", "", WORKS},
		{"a name that is no text", RUNTIME_DOCKER,
		 "/var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":[1]}", false,
		 RUNTIME_DOCKER, "", "", "", WORKS},
		{"a NUL in the name", RUNTIME_DOCKER,
		 "/var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":\"/a\\u0000b\"}",
		 false, RUNTIME_DOCKER, "", "", "", WORKS},
		{"an empty file", RUNTIME_DOCKER,
		 "/var/lib/docker/containers/" ID "/config.v2.json", "", false, RUNTIME_DOCKER, "",
		 "", "", WORKS},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct container c = {.runtime = cases[i].by_path, .id = ID};
		struct place *place;
		void *made;
		bool is_told;

		assert_int_equal(make_place(&made), 0);
		place = made;
		write_file(place, cases[i].path, cases[i].text);
		is_told = state_reader__complete(&place->reader, &place->file, &c);
		remove_place(&made);
		if (is_told != cases[i].is_told || c.runtime != cases[i].runtime ||
		    strcmp(c.name, cases[i].container) || strcmp(c.pod, cases[i].pod) ||
		    strcmp(c.pod_namespace, cases[i].namespace) ||
		    c.is_sandbox != (cases[i].kind == SANDBOX))
			fail_msg("%s: %d %d %s %s %s %d", cases[i].name, is_told, c.runtime, c.name,
				 c.pod, c.pod_namespace, c.is_sandbox);
	}
}

#define TASKS "/run/containerd/io.containerd.runtime.v2.task/"

/* Ids that only containerd can tell from the names of other cgroups. */
static void test_ids_of_any_text(void **state)
{
	static const struct {
		const char *name, *cgroup, *id; /* NULL: of no container */
	} cases[] = {
		{"ctr", "/default/web", "web"},
		{"not running", "/default/db", NULL},
		{"another namespace", "/batch/web", NULL},
		{"k3s", "/k8s.io/pause", "pause"},
		{"a cgroup below", "/default/web/init", NULL},
		{"without a namespace", "/web", NULL},
		{"out of the directory", "/../default/web", NULL},
		{"the directory itself", "/default/.", NULL},
		{"its parent", "/default/..", NULL},
		{"a pattern", "/default/w*", NULL},
		{"nothing", "/default/", NULL},
		{"the root", "/", NULL},
	};
	struct place *place = *state;

	write_file(place, TASKS "default/web/config.json", "{\"annotations\":{}}");
	write_file(place, TASKS "config.json", "{}");
	write_file(place, TASKS "default/config.json", "{}");
	write_file(place,
		   "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/pause/config.json",
		   "{}");
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct container c;
		bool is_found = state_reader__find(&place->reader, cases[i].cgroup, &c);

		if (is_found != !!cases[i].id ||
		    (is_found && (strcmp(c.id, cases[i].id) || c.runtime != RUNTIME_CONTAINERD)))
			fail_msg("%s: %d", cases[i].name, is_found);
	}
}

static void test_docker_with_a_directory_of_its_own(void **state)
{
	struct place *place = *state;
	struct container c = {.runtime = RUNTIME_DOCKER, .id = ID};

	write_file(place, "/data/docker/containers/" ID "/config.v2.json", "{\"Name\":\"/web\"}");
	assert_false(state_reader__complete(&place->reader, &place->file, &c));
	write_file(place, "/etc/docker/daemon.json", "{\"data-root\": 7}");
	assert_false(state_reader__complete(&place->reader, &place->file, &c));
	write_file(place, "/etc/docker/daemon.json", "{\"data-root\": \"/data/docker\"}");
	assert_true(state_reader__complete(&place->reader, &place->file, &c));
	assert_string_equal(c.name, "web");
}

#define STORAGE "/var/lib/containers/storage/overlay-containers/"

/* A rename is seen; what was known stays when the file goes. */
static void test_renamed_and_gone(void **state)
{
	struct place *place = *state;
	struct container c = {.runtime = RUNTIME_PODMAN, .id = ID};
	char path[256];

	write_file(place, STORAGE "containers.json", "[{\"id\":\"" ID "\",\"names\":[\"web\"]}]");
	assert_true(state_reader__complete(&place->reader, &place->file, &c));
	assert_string_equal(c.name, "web");
	write_file(place, STORAGE "containers.json", "[{\"id\":\"" ID "\",\"names\":[\"www\"]}]");
	assert_true(state_reader__complete(&place->reader, &place->file, &c));
	assert_string_equal(c.name, "www");
	snprintf(path, sizeof(path), "%s%s", place->root, STORAGE "containers.json");
	assert_int_equal(unlink(path), 0);
	assert_false(state_reader__complete(&place->reader, &place->file, &c));
	assert_string_equal(c.name, "www");
}

/* Which of a pod's containers only holds its namespaces is in a file beside. */
static void test_sandbox_of_podman(void **state)
{
	struct place *place = *state;
	struct container c = {.runtime = RUNTIME_PODMAN, .id = ID, .pod_id = ID_2};

	write_file(place, STORAGE "containers.json", "[{\"id\":\"" ID "\",\"names\":[\"a\"]}]");
	write_file(place, STORAGE ID "/userdata/config.json",
		   "{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"sandbox\"}}");
	assert_true(state_reader__complete(&place->reader, &place->file, &c));
	assert_true(c.is_sandbox);
	assert_string_equal(c.name, "a");
}

#define BOLT_STATE   "/containers/storage/libpod/bolt_state.db"
#define SQLITE_STATE "/containers/storage/db.sql"

/* Databases of a podman with one pod, ID_2, and the container ID in it: of version 4 … */
static void write_bolt(const char *path)
{
	static struct bolt_file db;
	FILE *file = fopen(path, "w");

	memset(&db, 0, sizeof(db));
	bolt__put_meta(&db, 0, 2, 1);
	bolt__put_head(&db, 2 * BOLT_PAGE, 2, BOLT_LEAF, 2);
	bolt__put_bucket(&db, 2 * BOLT_PAGE, 0, "allPods", 3);
	bolt__put_bucket(&db, 2 * BOLT_PAGE, 1, "ctr", 4);
	bolt__put_head(&db, 3 * BOLT_PAGE, 3, BOLT_LEAF, 1);
	bolt__put_leaf_item(&db, 3 * BOLT_PAGE, 0, 0, ID_2, "shop", 4);
	bolt__put_head(&db, 4 * BOLT_PAGE, 4, BOLT_LEAF, 1);
	bolt__put_bucket(&db, 4 * BOLT_PAGE, 0, ID, 5);
	bolt__put_head(&db, 5 * BOLT_PAGE, 5, BOLT_LEAF, 1);
	bolt__put_leaf_item(&db, 5 * BOLT_PAGE, 0, 0, "pod-id", ID_2, strlen(ID_2));
	assert_non_null(file);
	assert_int_equal(fwrite(&db, sizeof(db), 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

/* … and of version 5. */
static void write_sqlite(const char *path)
{
	static const char sql[] =
		"CREATE TABLE PodConfig (ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL, "
		"JSON TEXT NOT NULL);"
		"CREATE TABLE ContainerConfig (ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT "
		"NULL, PodID TEXT, JSON TEXT NOT NULL);"
		"INSERT INTO PodConfig VALUES ('" ID_2 "', 'shop', '{}');"
		"INSERT INTO ContainerConfig VALUES ('" ID "', 'web', '" ID_2 "', '{}');"
		"INSERT INTO ContainerConfig VALUES ('" ID_2 "', 'db', NULL, '{}');";
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void write_database(const struct place *place, const char *dir, bool is_bolt)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", dir, is_bolt ? BOLT_STATE : SQLITE_STATE);
	write_file(place, path, "");
	snprintf(path, sizeof(path), "%s%s%s", place->root, dir,
		 is_bolt ? BOLT_STATE : SQLITE_STATE);
	if (is_bolt)
		write_bolt(path);
	else
		write_sqlite(path);
}

#define A_USER 1 /* of every Debian */

static void test_pods_of_podman(void **state)
{
	static const struct {
		const char *name, *id, *pod_id; /* as the path tells them */
		uint32_t uid, owner;		/* of the container, of the database */
		const char *pod;		/* "": none */
	} cases[] = {
		{"told by the path", ID, ID_2, 0, 0, "shop"},
		{"told by the database", ID, "", 0, 0, "shop"},
		{"rootless", ID, ID_2, A_USER, A_USER, "shop"},
		{"rootless, told by the database", ID, "", A_USER, A_USER, "shop"},
		{"another pod", ID, ID, 0, 0, ""},
		{"of no pod", ID_2, "", 0, 0, ""},
		{"a user's database says nothing of root's", ID, ID_2, 0, A_USER, ""},
		{"nor root's of a user's", ID, ID_2, A_USER, 0, ""},
	};

	(void)state;
	for (size_t n = 0; n < 2 * N_OF(cases); n++) {
		size_t i = n / 2;
		struct container c = {.runtime = RUNTIME_PODMAN, .uid = cases[i].uid};
		const struct passwd *owner = getpwuid(cases[i].owner);
		char dir[128] = "/var/lib";
		void *made;

		assert_int_equal(make_place(&made), 0);
		assert_non_null(owner);
		if (cases[i].owner)
			snprintf(dir, sizeof(dir), "%s/.local/share", owner->pw_dir);
		write_database(made, dir, n % 2);
		strcpy(c.id, cases[i].id);
		strcpy(c.pod_id, cases[i].pod_id);
		(void)state_reader__complete(&((struct place *)made)->reader,
					     &((struct place *)made)->file, &c);
		remove_place(&made);
		if (strcmp(c.pod, cases[i].pod) != 0 || (*c.pod && strcmp(c.pod_id, ID_2) != 0))
			fail_msg("%s: %s %s", cases[i].name, c.pod, c.pod_id);
	}
}

/* While podman writes nothing is known; later it is. */
static void test_pod_is_looked_for_again(void **state)
{
	static const char journal[] = "/var/lib" SQLITE_STATE "-journal";
	struct place *place = *state;
	struct container c = {.runtime = RUNTIME_PODMAN, .id = ID, .pod_id = ID_2};
	char path[256];

	write_database(place, "/var/lib", false);
	write_file(place, journal, "being written");
	(void)state_reader__complete(&place->reader, &place->file, &c);
	assert_string_equal(c.pod, "");
	snprintf(path, sizeof(path), "%s%s", place->root, journal);
	assert_int_equal(unlink(path), 0);
	(void)state_reader__complete(&place->reader, &place->file, &c);
	assert_string_equal(c.pod, "shop");
}

/* A rootless user could put a pipe in place of the file: nobody waits for it. */
static void test_a_pipe_is_no_file(void **state)
{
	struct place *place = *state;
	struct container c = {.runtime = RUNTIME_PODMAN, .id = ID};
	char path[256];

	write_file(place, STORAGE "x", "");
	snprintf(path, sizeof(path), "%s%s", place->root, STORAGE "containers.json");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(state_reader__complete(&place->reader, &place->file, &c));
}

#define PLACED(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_state_files),
		PLACED(test_renamed_and_gone),
		PLACED(test_sandbox_of_podman),
		cmocka_unit_test(test_pods_of_podman),
		PLACED(test_pod_is_looked_for_again),
		PLACED(test_a_pipe_is_no_file),
		PLACED(test_ids_of_any_text),
		PLACED(test_docker_with_a_directory_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
