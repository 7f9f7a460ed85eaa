/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What became of one handshake: whose it was, how long its parts took, or where it broke. Pure
 * functions of a session as both views know it. Not here: when a handshake counts as failed
 * (session_table.h tells), how many there were (handshake_stats.h).
 */
#ifndef TCPWATCH_HANDSHAKE_H
#define TCPWATCH_HANDSHAKE_H

#include "session.h"

/* On which side of it this host is. X(enumerator, name) */
#define HANDSHAKE_SIDES(X)  \
	X(CLIENT, "client") \
	X(SERVER, "server") \
	X(FORWARD, "forward") /* on neither: it passes through */

enum handshake_side {
#define X(id, name) SIDE_##id,
	HANDSHAKE_SIDES(X)
#undef X
		SIDE_COUNT,
};

/*
 * Where a handshake broke. Append-only. X(enumerator, key, column title, help)
 *
 * "Inferred" is said where the kernel does not tell the cause itself.
 */
#define HANDSHAKE_BREAKS(X)                                                                   \
	X(SYN_UNANSWERED, syn_unanswered, "NO-ANSWER", "nothing answered the SYN")            \
	X(REFUSED, refused, "REFUSED", "a RST answered the SYN")                              \
	X(FILTERED, filtered, "FILTERED",                                                     \
	  "an ICMP error ended it; inferred from the socket's error, which a neighbour that " \
	  "does not answer sets too")                                                         \
	X(SYN_ACK_UNANSWERED, syn_ack_unanswered, "NO-ACK",                                   \
	  "nothing acknowledged the SYN-ACK; inferred from the time in which it would have "  \
	  "been sent again")                                                                  \
	X(SYN_ACK_RESET, syn_ack_reset, "ACK-RESET", "a RST answered the SYN-ACK")            \
	X(ACK_DROPPED, ack_dropped, "ACK-DROP",                                               \
	  "a full accept queue dropped the acknowledgement: the client believes that the "    \
	  "connection is established, the server does not")                                   \
	X(LOST_IN_HOST, lost_in_host, "LOST",                                                 \
	  "the peer's answer came in at the interface and never reached this host's TCP (a "  \
	  "packet filter), or after it had been sent for the last time; inferred from both "  \
	  "views")                                                                            \
	X(COOKIE_REJECTED, cookie_rejected, "COOKIE",                                         \
	  "the acknowledgement did not have a valid SYN cookie")                              \
	X(ABANDONED, abandoned, "ABANDONED", "whoever asked gave up before it asked again")   \
	X(NOT_SENT, not_sent, "NOT-SENT",                                                     \
	  "no SYN was sent: no local port was free, or the tuple was in use")                 \
	X(OTHER, other_error, "ERROR", "another error of the socket")                         \
	X(ACCEPT_FULL, dropped_accept_queue, "ACCEPT-FULL",                                   \
	  "a full accept queue dropped the last SYN; inferred from the listener's queues as " \
	  "they were when a tap saw it")                                                      \
	X(SYN_FULL, dropped_syn_queue, "SYN-FULL",                                            \
	  "a full SYN queue dropped the last SYN; inferred likewise")

enum handshake_break {
	BREAK_NONE,
#define X(id, key, title, help) BREAK_##id,
	HANDSHAKE_BREAKS(X)
#undef X
		BREAK_COUNT,
};

/* handshake_break__name() - its key, or NULL for BREAK_NONE */
const char *handshake_break__name(enum handshake_break at);
const char *handshake_side__name(enum handshake_side side);

/* handshake__side() - false: nothing tells who opened the session */
bool handshake__side(const struct session *s, enum handshake_side *side);

/*
 * The parts of a completed handshake, ns; UNKNOWN_U64 where a step was not seen.
 *
 * The whole is from the SYN to when the socket is established; where no socket tells, to the
 * acknowledgement. The network part of a client is from its SYN to the SYN-ACK (what the server
 * takes is in it), of a server from its SYN-ACK to the acknowledgement; the host part is the rest.
 * What is passed through has a network part alone.
 */
struct handshake_parts {
	uint64_t total_ns, network_ns, host_ns;
};
struct handshake_parts handshake__parts(const struct session *s);

/*
 * handshake__patience_ns() - the kernel sends a SYN-ACK again within this time, ns, when its timer
 * has expired @timeouts times; a half-open connection that is silent for longer is gone
 */
uint64_t handshake__patience_ns(unsigned timeouts);

/*
 * handshake__syn_patience_ns() - whoever asks sends its SYN again within this time, ns, if the last
 * one came @asked_ns after the first; one that is silent for longer has given up
 */
uint64_t handshake__syn_patience_ns(uint64_t asked_ns);

/* handshake__is_held_up() - the answer should have come by @now_ns: whoever waits for it since
 * @since_ns (0: unknown) has begun to send again */
bool handshake__is_held_up(uint64_t since_ns, uint64_t now_ns);

/* handshake__break_so_far() - of one that is held up: where it would have broken if it failed now
 */
enum handshake_break handshake__break_so_far(const struct session *s);

/* handshake__break_of_sock() - of a socket that left SYN_SENT or SYN_RECV for CLOSED */
enum handshake_break handshake__break_of_sock(const struct session *s, uint8_t old_state);

/* handshake__break_of_request() - of a request that the kernel gave up without a child */
enum handshake_break handshake__break_of_request(const struct session *s);

/* handshake__break_of_wire() - of a session that the wire view alone followed, and that ended */
enum handshake_break handshake__break_of_wire(const struct session *s);

#endif
