/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signs that there may be a new network namespace: a name in /run/netns, an interface that comes or
 * moves, a number given to a namespace that one of them leads to. Not here: which namespaces there
 * are (netns.h).
 */
#ifndef TCPWATCH_NETNS_WATCH_H
#define TCPWATCH_NETNS_WATCH_H

#include "netns.h"

/*
 * What is seen from @home. Of a namespace that has neither a name nor an interface that comes from
 * there, nothing is told.
 */
struct netns_watch;
struct netns_watch *netns_watch__new(const struct netns *home); /* NULL: errno says why */
void netns_watch__free(struct netns_watch *watch);
/* netns_watch__fd() - readable when there is a sign; netns_watch__read() takes all of them */
int netns_watch__fd(const struct netns_watch *watch);
void netns_watch__read(struct netns_watch *watch);

#endif
