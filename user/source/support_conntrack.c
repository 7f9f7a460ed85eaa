/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether conntrack can be asked which tuples are one session. Not here: asking (conntrack.h).
 */
#include <errno.h>
#include <string.h>

#include "conntrack.h"
#include "support.h"
#include "user/model/session.h"

static int try_conntrack(void)
{
	struct netns_list home = {0};
	struct conntrack *ct = NULL;
	int err = netns_list__resolve(&home, NULL, 0);

	if (!err)
		err = conntrack__open(&ct, &home.items[0]);
	conntrack__close(ct);
	netns_list__free(&home);
	return err;
}

void support__check_conntrack(struct check_list *list, const struct support_needs *needs)
{
	struct check *check;
	int err;

	if (!(needs->views & VIEW_WIRE))
		return;
	check = check_list__add(list, "wire view", "conntrack");
	if (!check)
		return;
	if (!conntrack__is_loaded())
		return check__detail(check, "not loaded: this host translates no addresses");
	err = try_conntrack();
	if (!err)
		return check__detail(check,
				     "tells which sessions are one where addresses are translated");
	check__detail(check, "%s: a translated session is shown once for each side",
		      strerror(-err));
	check__refuse(check, CHECK_LIMITED, "%s",
		      err == -EPERM || err == -EACCES ? "give it CAP_NET_ADMIN"
						      : "modprobe nf_conntrack_netlink");
}
