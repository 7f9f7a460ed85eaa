/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which kinds of attachment an interface is given, in the order in which they are tried.
 * Not here: attaching (attach.h).
 */
#ifndef TCPWATCH_HOOK_H
#define TCPWATCH_HOOK_H

#include "tap.h"

/* hook__ingress_kinds(), hook__egress_kinds() - ended by ATTACH_NONE. lo is watched on ingress
 * alone: each of its packets passes both. */
const enum attach_kind *hook__ingress_kinds(enum hook_mode mode, const struct iface *iface);
const enum attach_kind *hook__egress_kinds(const struct iface *iface);

/* hook__is_costly() - native XDP on a veth switches the peer's segmentation offload off
 * (veth_xdp_set in drivers/net/veth.c) */
bool hook__is_costly(enum hook_mode mode, const struct iface *iface);

#endif
