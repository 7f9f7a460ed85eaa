/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting the half-open connections that the kernel gave up. Not here: how they are kept
 * (bpf/half_open.h).
 */
#include <errno.h>

#include <bpf/bpf.h>

#include "bpf/shared/half_open.h"
#include "sock_view_internal.h"
#include "user/model/handshake.h"

#define AT_ONCE 256

static bool is_due(const struct half_open *request, uint64_t now_ns)
{
	return now_ns >= request->sent_ns + handshake__patience_ns(request->timeouts);
}

/* As it is now: deleted by whoever is first, the program if it was completed just now. */
static void count_if_due(int fd, const struct half_open_key *key, uint64_t now_ns,
			 struct requests_given_up *given_up)
{
	struct half_open request;

	if (bpf_map_lookup_elem(fd, key, &request) || !is_due(&request, now_ns) ||
	    bpf_map_delete_elem(fd, key))
		return;
	if (request.is_acked)
		given_up->accept_full++;
	else
		given_up->timed_out++;
}

struct requests_given_up sock_view__given_up(struct sock_view *view, uint64_t now_ns)
{
	int fd = bpf_map__fd(view->skel->maps.half_open), err = 0;
	struct half_open requests[AT_ONCE];
	struct half_open_key keys[AT_ONCE];
	uint32_t position, count;

	for (bool is_first = true; !err; is_first = false) {
		count = AT_ONCE;
		err = bpf_map_lookup_batch(fd, is_first ? NULL : &position, &position, keys,
					   requests, &count, NULL);
		if (err && err != -ENOENT) /* which says that these are the last */
			break;
		for (uint32_t i = 0; i < count; i++)
			if (is_due(&requests[i], now_ns))
				count_if_due(fd, &keys[i], now_ns, &view->given_up);
	}
	return view->given_up;
}
