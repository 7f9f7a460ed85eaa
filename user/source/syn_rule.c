/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The question put to the kernel.
 */
#include "syn_rule.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns_stats.h"

static bool set_lo_up(int fd)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return !ioctl(fd, SIOCSIFFLAGS, &lo);
}

/* A connection to a listener that has no room, and is full if so much as its limit is too much. */
static bool open_connection(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(any);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool ok = server >= 0 && client >= 0 && set_lo_up(client) &&
		  !bind(server, (void *)&any, size) && !listen(server, 0) &&
		  !getsockname(server, (void *)&any, &size);

	if (ok) /* over lo the SYN has been dealt with when this returns */
		(void)connect(client, (void *)&any, size);
	if (server >= 0)
		close(server);
	if (client >= 0)
		close(client);
	return ok;
}

/* Within the namespace. */
static bool ask(void)
{
	const struct netns here = {.fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
	const netns_stat_set wanted =
		NETNS_SET(REQ_QUEUE_FULL_COOKIES) | NETNS_SET(REQ_QUEUE_FULL_DROPS);
	struct netns_values values = {0};
	struct netns_stats *stats;

	if (here.fd < 0)
		return false;
	if (open_connection() && !netns_stats__open(&stats, &here, wanted)) {
		netns_stats__read(stats, &values);
		netns_stats__close(stats);
	}
	close(here.fd);
	return values.value[NETNS_REQ_QUEUE_FULL_COOKIES] +
	       values.value[NETNS_REQ_QUEUE_FULL_DROPS];
}

bool syn_rule__is_full_at_limit(void)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	bool answer = false;

	if (home < 0)
		return false;
	if (!unshare(CLONE_NEWNET)) {
		answer = ask();
		(void)setns(home, CLONE_NEWNET); /* what unshare() allows this does too */
	}
	close(home);
	return answer;
}
