/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A socket of rtnetlink and an inotify, both of which say no more than that it is time to look.
 */
#include "netns_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/rtnetlink.h>

#include "rtnl.h"

#define GROUP(id)   (1u << ((id)-1))
#define GROUPS	    (GROUP(RTNLGRP_LINK) | GROUP(RTNLGRP_NSID))
#define DRAIN_BYTES 32768
#define NAMES_ABOVE "/run" /* where the directory itself appears with the first name */

struct netns_watch {
	struct mnl_socket *news;
	int names_fd, epoll_fd;
};

/* Once it is there; again is the same watch. */
static void watch_names(const struct netns_watch *watch)
{
	(void)inotify_add_watch(watch->names_fd, NETNS_NAMES, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
}

static int add(const struct netns_watch *watch, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_all(struct netns_watch *watch, const struct netns *home)
{
	int err;

	watch->news = rtnl__open(home, GROUPS);
	if (!watch->news)
		return -errno;
	watch->names_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watch->names_fd < 0 || watch->epoll_fd < 0)
		return -errno;
	(void)inotify_add_watch(watch->names_fd, NAMES_ABOVE, IN_CREATE | IN_ONLYDIR);
	watch_names(watch);
	err = add(watch, mnl_socket_get_fd(watch->news));
	return err ? err : add(watch, watch->names_fd);
}

struct netns_watch *netns_watch__new(const struct netns *home)
{
	struct netns_watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return NULL;
	watch->names_fd = watch->epoll_fd = -1;
	err = open_all(watch, home);
	if (!err)
		return watch;
	netns_watch__free(watch);
	errno = -err;
	return NULL;
}

void netns_watch__free(struct netns_watch *watch)
{
	if (!watch)
		return;
	if (watch->news)
		mnl_socket_close(watch->news);
	if (watch->names_fd >= 0)
		close(watch->names_fd);
	if (watch->epoll_fd >= 0)
		close(watch->epoll_fd);
	free(watch);
}

int netns_watch__fd(const struct netns_watch *watch)
{
	return watch->epoll_fd;
}

void netns_watch__read(struct netns_watch *watch)
{
	char buffer[DRAIN_BYTES];
	int fd = mnl_socket_get_fd(watch->news);

	/* An overrun is news too. */
	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	while (read(watch->names_fd, buffer, sizeof(buffer)) > 0)
		;
	watch_names(watch);
}
