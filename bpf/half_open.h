/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections half open at a listener whose SYN-ACK was sent again. Nothing tells when the kernel
 * gives one up, so each is kept here until it is completed; userspace takes out those that have
 * been silent for longer than the kernel's timer runs (user/source/half_open.c).
 */
#ifndef TCPWATCH_HALF_OPEN_H
#define TCPWATCH_HALF_OPEN_H

#include "record.h"
#include "shared/half_open.h"
#include "sock_info.h"
#include "sock_watch.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HALF_OPEN_MAX);
	__type(key, struct half_open_key);
	__type(value, struct half_open);
} half_open SEC(".maps");

static __always_inline void half_open__key(struct half_open_key *key, const struct sock_common *skc)
{
	__builtin_memset(key, 0, sizeof(*key));
	skc__addresses(skc, &key->local, &key->remote);
	key->netns = skc__netns(skc);
	key->local_port = skc->skc_num;
	key->remote_port = TW_BE16(skc->skc_dport);
}

/* half_open__sent_again() - the SYN-ACK of @treq; what a full accept queue drops the kernel counts
 */
static __always_inline void half_open__sent_again(const struct tcp_request_sock *treq,
						  const struct sock *listener)
{
	struct half_open request = {.sent_ns = bpf_ktime_get_ns()};
	struct half_open_key key;

	half_open__key(&key, &treq->req.req.__req_common);
	request.timeouts = BPF_CORE_READ_BITFIELD(&treq->req.req, num_timeout) + 1;
	request.is_acked = request__is_acked(treq, listener);
	if (bpf_map_update_elem(&half_open, &key, &request, BPF_ANY))
		record__count_lost(REC_REQUEST);
}

/* half_open__completed() - @tp is its child, which has inherited how often the SYN-ACK was sent
 * again
 */
static __always_inline void half_open__completed(const struct tcp_sock *tp)
{
	struct half_open_key key;

	if (!tp->total_retrans)
		return;
	half_open__key(&key, &tcp__sock(tp)->__sk_common);
	bpf_map_delete_elem(&half_open, &key);
}

#endif
