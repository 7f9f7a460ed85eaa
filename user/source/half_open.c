/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting the half-open connections that the kernel gave up. Not here: how they are kept
 * (bpf/half_open.h).
 */
#include <bpf/bpf.h>

#include "bpf/shared/half_open.h"
#include "sock_view_internal.h"
#include "user/model/handshake.h"

/* Deleted by whoever is first: the program, if it was completed just now. */
static bool has_timed_out(int fd, const struct half_open_key *key, uint64_t now_ns)
{
	struct half_open request;

	if (bpf_map_lookup_elem(fd, key, &request) ||
	    now_ns < request.sent_ns + handshake__patience_ns(request.timeouts))
		return false;
	return !bpf_map_delete_elem(fd, key) && !request.is_acked;
}

uint64_t sock_view__timed_out(struct sock_view *view, uint64_t now_ns)
{
	int fd = bpf_map__fd(view->skel->maps.half_open);
	struct half_open_key key, next;
	bool has_next = !bpf_map_get_next_key(fd, NULL, &next);

	/* A key is deleted only after the next is known, so the walk does not begin anew. */
	for (size_t i = 0; has_next && i < HALF_OPEN_MAX; i++) {
		key = next;
		has_next = !bpf_map_get_next_key(fd, &key, &next);
		view->n_timed_out += has_timed_out(fd, &key, now_ns);
	}
	return view->n_timed_out;
}
