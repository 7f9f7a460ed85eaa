/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The TCP options of a SYN, from the raw bytes that a segment record carries. Native only: the
 * packet path copies the bytes and leaves their meaning to userspace.
 */
#ifndef TCPWATCH_SHARED_TCP_OPTIONS_H
#define TCPWATCH_SHARED_TCP_OPTIONS_H

#include "fragment.h"

struct tcp_options {
	__u16 mss; /* 0: no such option */
	__u8 wscale;
	bool has_wscale, sack_permitted, timestamps;
};

#define TCPOPT_EOL	 0
#define TCPOPT_NOP	 1
#define TCPOPT_MSS	 2
#define TCPOPT_WSCALE	 3
#define TCPOPT_SACK_PERM 4
#define TCPOPT_TIMESTAMP 8

/*
 * tcp_options__parse() - the options in the @len bytes at @bytes (at most TCP_OPTIONS_MAX)
 *
 * Stops at the first malformed option and keeps what it has (RFC 9293 section 3.1).
 */
static inline struct tcp_options tcp_options__parse(const __u8 *bytes, __u32 len)
{
	struct tcp_options opt = {0};
	__u32 at = 0;

	while (at + 1 < len && bytes[at] != TCPOPT_EOL) {
		__u8 kind = bytes[at], size = bytes[at + 1];

		if (kind == TCPOPT_NOP) {
			at++;
			continue;
		}
		if (size < 2 || at + size > len)
			break;
		if (kind == TCPOPT_MSS && size == 4)
			opt.mss = (__u16)(bytes[at + 2] << 8 | bytes[at + 3]);
		if (kind == TCPOPT_WSCALE && size == 3) {
			opt.wscale = bytes[at + 2];
			opt.has_wscale = true;
		}
		opt.sack_permitted |= kind == TCPOPT_SACK_PERM;
		opt.timestamps |= kind == TCPOPT_TIMESTAMP;
		at += size;
	}
	return opt;
}

#endif
