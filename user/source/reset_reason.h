/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of the reasons for which the running kernel sends a RST. The numbers differ between
 * kernels, so the names are read from its BTF. Not here: kernels before 6.10, which give no reason.
 */
#ifndef TCPWATCH_RESET_REASON_H
#define TCPWATCH_RESET_REASON_H

/*
 * reset_reason__name() - @reason of struct rec_sock_reset in words, "no_socket" for
 * SK_RST_REASON_NO_SOCKET
 *
 * Returns NULL if the kernel gave none (negative) or does not know this one. The first call reads
 * the BTF, some milliseconds; the strings stay. Source: enum sk_rst_reason in
 * include/net/rstreason.h.
 */
const char *reset_reason__name(int reason);

#endif
