/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The names of hooks, and which kinds of attachment each mode tries.
 */
#include "hook.h"

#include <errno.h>
#include <string.h>

static const char *const mode_names[HOOK_COUNT] = {
#define X(id, name, help) [HOOK_##id] = name,
	HOOK_MODES(X)
#undef X
};

static const char *const kind_names[] = {
#define X(id, name) [ATTACH_##id] = name,
	ATTACH_KINDS(X)
#undef X
};

const char *hook_mode__name(enum hook_mode mode)
{
	return mode_names[mode];
}

int hook_mode__parse(enum hook_mode *mode, const char *name)
{
	for (int i = 0; i < HOOK_COUNT; i++) {
		if (strcmp(name, mode_names[i]))
			continue;
		*mode = i;
		return 0;
	}
	return -EINVAL;
}

const char *attach_kind__name(enum attach_kind kind)
{
	return kind_names[kind];
}

/* On a NIC generic XDP comes last: it copies what tc need not. */
static const enum attach_kind nic_kinds[] = {ATTACH_XDP, ATTACH_XDP_FRAGS, ATTACH_TCX,
					     ATTACH_CLSACT, ATTACH_NONE};
static const enum attach_kind xdp_kinds[] = {ATTACH_XDP, ATTACH_XDP_FRAGS, ATTACH_XDP_GENERIC,
					     ATTACH_TCX, ATTACH_CLSACT,	   ATTACH_NONE};
static const enum attach_kind generic_kinds[] = {ATTACH_XDP_GENERIC, ATTACH_TCX, ATTACH_CLSACT,
						 ATTACH_NONE};
static const enum attach_kind tc_kinds[] = {ATTACH_TCX, ATTACH_CLSACT, ATTACH_NONE};
static const enum attach_kind no_kinds[] = {ATTACH_NONE};

static bool is_nic(const struct iface *iface)
{
	return !iface->kind[0] && !(iface->flags & IFF_LOOPBACK);
}

const enum attach_kind *hook__ingress_kinds(enum hook_mode mode, const struct iface *iface)
{
	switch (mode) {
	case HOOK_XDP:
		return xdp_kinds;
	case HOOK_XDP_GENERIC:
		return generic_kinds;
	case HOOK_TC:
		return tc_kinds;
	default:
		return is_nic(iface) ? nic_kinds : tc_kinds;
	}
}

const enum attach_kind *hook__egress_kinds(const struct iface *iface)
{
	return iface->flags & IFF_LOOPBACK ? no_kinds : tc_kinds;
}

bool hook__is_costly(enum hook_mode mode, const struct iface *iface)
{
	return mode == HOOK_XDP && !strcmp(iface->kind, "veth");
}
