/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's connection tracking, as far as it translates addresses of TCP: all translations of
 * a namespace once, then each that comes or goes (ctnetlink, through libmnl). Not here: keeping
 * them (model/nat.h).
 */
#ifndef TCPWATCH_CONNTRACK_H
#define TCPWATCH_CONNTRACK_H

#include "user/model/nat.h"
#include "user/tap/netns.h"

/* What conntrack__read() and conntrack__list() give; of @nat only .netns and .side are set. */
typedef void (*conntrack_sink)(void *ctx, const struct nat *nat, bool is_gone);

struct conntrack;

/* conntrack__is_loaded() - the kernel has connection tracking now. Asking loads no module */
bool conntrack__is_loaded(void);

/* conntrack__open() - hear of translations in @ns from now on. Returns 0 or -errno */
int conntrack__open(struct conntrack **out, const struct netns *ns);
void conntrack__close(struct conntrack *ct);

uint32_t conntrack__netns(const struct conntrack *ct);
int conntrack__fd(const struct conntrack *ct); /* readable when conntrack__read() has something */

/*
 * conntrack__read() - what came and went since the last call, without waiting
 *
 * Returns 0; -ENOBUFS: some was lost, so list anew; or -errno.
 */
int conntrack__read(struct conntrack *ct, conntrack_sink sink, void *ctx);

/* conntrack__list() - all there are. Costs with all connections of the host; nothing where the
 * namespace tracks none. Returns 0 or -errno */
int conntrack__list(struct conntrack *ct, conntrack_sink sink, void *ctx);

#endif
