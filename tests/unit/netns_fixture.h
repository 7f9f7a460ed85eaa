/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Network namespaces of a test's own, and ip(8) in them. All of it vanishes with the test's
 * process: names are given in a mount namespace of its own.
 */
#ifndef TCPWATCH_TESTS_NETNS_FIXTURE_H
#define TCPWATCH_TESTS_NETNS_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "user/tap/netns.h"

#define FIXTURE_DEADLINE_MS 10000

/* fixture_run() - a shell command line in the present namespace; true if it succeeded */
__attribute__((format(printf, 1, 2))) static inline bool fixture_run(const char *fmt, ...)
{
	char line[512] = "PATH=$PATH:/usr/sbin:/sbin; ";
	size_t len = strlen(line);
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + len, sizeof(line) - len, fmt, args);
	va_end(args);
	return !system(line);
}

static inline uint64_t fixture_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* fixture_until() - true once @is_so(@ctx); false after the deadline */
static inline bool fixture_until(bool (*is_so)(void *ctx), void *ctx)
{
	const struct timespec tick = {.tv_nsec = 2000000};
	uint64_t end_ms = fixture_clock_ms() + FIXTURE_DEADLINE_MS;

	while (!is_so(ctx)) {
		if (fixture_clock_ms() >= end_ms)
			return false;
		nanosleep(&tick, NULL);
	}
	return true;
}

static inline bool fixture_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return is_done;
}

/* An ordinary user gets there by a user namespace, where the kernel allows them. */
static inline bool fixture_unshare(void)
{
	char uid_map[32], gid_map[32];

	if (!unshare(CLONE_NEWNET | CLONE_NEWNS))
		return true;
	snprintf(uid_map, sizeof(uid_map), "0 %u 1", (unsigned)getuid());
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", (unsigned)getgid());
	return !unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) &&
	       fixture_write("/proc/self/uid_map", uid_map) &&
	       fixture_write("/proc/self/setgroups", "deny") &&
	       fixture_write("/proc/self/gid_map", gid_map);
}

/* fixture_begin() - put the test into namespaces of its own; false: SKIP, said why */
static inline bool fixture_begin(void)
{
	if (fixture_unshare() && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mount("tmpfs", "/run", "tmpfs", 0, NULL) && !mkdir("/run/netns", 0755))
		return true;
	printf("SKIP: cannot make namespaces: %s\n", strerror(errno));
	return false;
}

static inline uint32_t fixture_inum(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint32_t)st.st_ino;
}

static inline uint32_t fixture_own_inum(void)
{
	return fixture_inum("/proc/thread-self/ns/net");
}

/* fixture_netns() - a new namespace, lo up, named as by ip-netns(8); false: errno says why */
static inline bool fixture_netns(struct netns *ns, const char *name)
{
	int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;
	char path[64];
	bool is_done;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	is_done = fd >= 0 && back >= 0 && !unshare(CLONE_NEWNET) &&
		  !mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) &&
		  fixture_run("ip link set lo up");
	*ns = (struct netns){.inum = fixture_own_inum(), .fd = open(path, O_RDONLY | O_CLOEXEC)};
	snprintf(ns->name, sizeof(ns->name), "%s", name);
	is_done = is_done && ns->fd >= 0 && !setns(back, CLONE_NEWNET);
	close(back);
	return is_done;
}

/* fixture_netns_end() - nothing of the test's keeps it then */
static inline void fixture_netns_end(struct netns *ns)
{
	char path[sizeof(ns->name) + 16];

	snprintf(path, sizeof(path), "/run/netns/%s", ns->name);
	umount2(path, MNT_DETACH);
	unlink(path);
	close(ns->fd);
}

/* fixture_child() - a process that does @task and then waits to be killed; -1: it could not */
static inline pid_t fixture_child(bool (*task)(void *ctx), void *ctx)
{
	int fds[2];
	char is_ready = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		is_ready = task(ctx);
		if (write(fds[1], &is_ready, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(fds[1]);
	if (pid > 0 && (read(fds[0], &is_ready, 1) != 1 || !is_ready)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(fds[0]);
	return pid;
}

static inline void fixture_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
