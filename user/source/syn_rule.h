/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When this kernel takes a SYN queue for full: with one more connection than its limit, as it is
 * since January 2025, or with as many as its limit, as it was before
 * (inet_csk_reqsk_queue_is_full() in include/net/inet_connection_sock.h). The change went into the
 * stable series too, so that a version does not tell.
 */
#ifndef TCPWATCH_SYN_RULE_H
#define TCPWATCH_SYN_RULE_H

#include <stdbool.h>

/*
 * syn_rule__is_full_at_limit() - true: with as many
 *
 * Asks the kernel: in a network namespace made for it a connection is opened to a listener whose
 * limit is 0, and the kernel's counters say whether it found the queue full. Without the privilege
 * to make one (CAP_SYS_ADMIN) the answer is false, the rule of kernels today.
 */
bool syn_rule__is_full_at_limit(void);

#endif
