/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be said of a session, one getter for each field; and the rows that the tables of
 * sessions and of events have in common. The kernel's value wins where there is a socket; what the
 * taps saw serves where there is none; what nothing has told is VALUE_NONE. Not here: the tables
 * (session_fields.c, event_fields.c).
 */
#ifndef TCPWATCH_SESSION_VALUES_H
#define TCPWATCH_SESSION_VALUES_H

#include "field.h"

/* Groups of rows. X(key, title, unit, kind, min_width, choices, help) */
#define ADDRESS_FIELDS(X)                                                                         \
	X(local_addr, "LOCAL ADDRESS", "", VALUE_ADDR, 15, NULL, "address of the local endpoint") \
	X(local_port, "LPORT", "", VALUE_PORT, 5, NULL, "port of the local endpoint")             \
	X(remote_addr, "REMOTE ADDRESS", "", VALUE_ADDR, 15, NULL, "address of the peer")         \
	X(remote_port, "RPORT", "", VALUE_PORT, 5, NULL, "port of the peer; a listener has none")

#define DIRECTION_FIELDS(X)                                                                   \
	X(direction, "DIR", "", VALUE_TEXT, 4, "in|out|forward",                              \
	  "who opened it: in (the peer), out (this host), forward (it passes through); ? in " \
	  "text: a guess")

#define ROLE_FIELDS(X)                                     \
	X(roles_guessed, "GUESS", "", VALUE_BOOL, 5, NULL, \
	  "who opened it is a guess: the handshake was not seen")

#define VIEW_FIELDS(X) \
	X(view, "VIEW", "", VALUE_TEXT, 6, "socket|wire|both", "which view tells of it")

#define PLACE_FIELDS(X)                                                                        \
	X(netns, "NETNS", "", VALUE_TEXT, 5, NULL, "network namespace: name, or inode number") \
	X(ifname, "IFACE", "", VALUE_TEXT, 5, NULL, "interface where the wire view saw it")

#define LEG_FIELDS(X)                            \
	X(taps, "TAPS", "", VALUE_TEXT, 5, NULL, \
	  "all interfaces where it was seen; what is counted is what the first one saw")

#define NAT_FIELDS(X)                                                                    \
	X(nat_local_addr, "NAT LOCAL ADDRESS", "", VALUE_ADDR, 15, NULL,                 \
	  "address of the local endpoint beyond a translation, if it has another there") \
	X(nat_local_port, "NLPORT", "", VALUE_PORT, 6, NULL, "port of the same")         \
	X(nat_remote_addr, "NAT REMOTE ADDRESS", "", VALUE_ADDR, 15, NULL,               \
	  "address of the peer beyond a translation, if it has another there")           \
	X(nat_remote_port, "NRPORT", "", VALUE_PORT, 6, NULL, "port of the same")

/* The same as columns. */
#define NAT_COLUMN_FIELDS(X)                                        \
	X(nat_local, "NAT LOCAL", "", VALUE_ENDPOINT, 21, NULL,     \
	  "what the local endpoint is called beyond a translation") \
	X(nat_remote, "NAT REMOTE", "", VALUE_ENDPOINT, 21, NULL, "what the peer is called there")

#define CONTAINER_RUNTIME_CHOICE(id, name) name "|"

#define CONTAINER_FIELDS(X)                                                                     \
	X(container, "CONTAINER", "", VALUE_TEXT, 9, NULL,                                      \
	  "container: its name, or the start of its id where its runtime's files tell no name") \
	X(container_id, "CONTAINER ID", "", VALUE_TEXT, 12, NULL, "id of the container")        \
	X(runtime, "RUNTIME", "", VALUE_TEXT, 7, CONTAINER_RUNTIMES(CONTAINER_RUNTIME_CHOICE),  \
	  "what runs the container")                                                            \
	X(pod, "POD", "", VALUE_TEXT, 5, NULL, "Kubernetes pod of the container")               \
	X(pod_namespace, "POD NAMESPACE", "", VALUE_TEXT, 13, NULL,                             \
	  "Kubernetes namespace of the pod")                                                    \
	X(pod_id, "POD ID", "", VALUE_TEXT, 6, NULL, "id of the pod, of podman's pods too")

#define OWNER_FIELDS(X)                                                          \
	X(pid, "PID", "", VALUE_COUNT, 7, NULL, "process that holds the socket") \
	X(comm, "COMMAND", "", VALUE_TEXT, 8, NULL, "name of that process")

#define HANDSHAKE_FIELDS(X)                                                   \
	X(handshake_seconds, "HANDSHAKE", "seconds", VALUE_DURATION, 9, NULL, \
	  "time from the SYN to the acknowledgement that completed the handshake")

#define TOTAL_FIELDS(X)                                                              \
	X(tx_bytes, "TX", "bytes", VALUE_BYTES, 5, NULL,                             \
	  "payload sent: acknowledged by the peer (socket), seen once each (wire)")  \
	X(rx_bytes, "RX", "bytes", VALUE_BYTES, 5, NULL, "payload received")         \
	X(tx_segments, "TXSEG", "segments", VALUE_COUNT, 6, NULL,                    \
	  "segments sent; a socket's as the kernel counts them, without a server's " \
	  "SYN-ACK and what answers in TIME_WAIT")                                   \
	X(rx_segments, "RXSEG", "segments", VALUE_COUNT, 6, NULL,                    \
	  "segments received; a socket's without what comes in TIME_WAIT")           \
	X(retransmits, "RETR", "segments", VALUE_COUNT, 4, NULL,                     \
	  "segments that the local endpoint sent again, SYN and FIN included")

#define CONN_STATE_CHOICE(id, help) #id "|"

#define SUMMARY_FIELDS(X)                                                        \
	X(conn_state, "CONN", "", VALUE_TEXT, 6, CONN_STATES(CONN_STATE_CHOICE), \
	  "how it went, in the words of Zeek's conn_state")                      \
	X(history, "HISTORY", "", VALUE_TEXT, 10, NULL,                          \
	  "what was seen, in order, in Zeek's letters; capitals are the originator's")

/* What only a session has. */
#define SESSION_STATE_FIELDS(X)                                                         \
	X(state, "STATE", "", VALUE_STATE, 10, NULL, "TCP state of the local endpoint") \
	X(peer_state, "PEER", "", VALUE_STATE, 10, NULL,                                \
	  "TCP state of the peer, as the segments on the wire prove it")

#define SESSION_TIME_FIELDS(X) \
	X(age_seconds, "AGE", "seconds", VALUE_DURATION, 6, NULL, "time since it began")

#define SESSION_RTT_FIELDS(X)                                     \
	X(rtt_seconds, "RTT", "seconds", VALUE_DURATION, 6, NULL, \
	  "round-trip time as the kernel smooths it (srtt)")

#define SESSION_MORE_FIELDS(X)                                                                    \
	X(cwnd, "CWND", "segments", VALUE_COUNT, 5, NULL, "congestion window")                    \
	X(rx_queue, "RECV-Q", "bytes", VALUE_COUNT, 6, NULL,                                      \
	  "bytes not yet read; of a listener: connections in its accept queue")                   \
	X(tx_queue, "SEND-Q", "bytes", VALUE_COUNT, 6, NULL,                                      \
	  "bytes not yet acknowledged; of a listener: the limit of its accept queue")             \
	X(syn_queue, "SYN-Q", "", VALUE_COUNT, 5, NULL,                                           \
	  "of a listener: connections half open in its SYN queue")                                \
	X(uid, "UID", "", VALUE_COUNT, 5, NULL, "user who owns the socket")                       \
	X(scope, "SCOPE", "", VALUE_TEXT, 5, NULL,                                                \
	  "interface that the socket is bound to, or its link-local addresses are of")            \
	X(fwmark, "MARK", "", VALUE_COUNT, 5, NULL, "the socket's mark (SO_MARK)")                \
	X(autobound, "AUTO", "", VALUE_BOOL, 4, NULL,                                             \
	  "the kernel chose the local port; of a connection that was accepted: no")               \
	X(cookie, "COOKIE", "", VALUE_COUNT, 6, NULL, "the kernel's unique number of the socket") \
	X(cgroup_id, "CGROUP", "", VALUE_COUNT, 6, NULL, "id of the socket's cgroup (v2)")        \
	ROLE_FIELDS(X)                                                                            \
	X(close_wait_seconds, "CLOSE-WAIT", "seconds", VALUE_DURATION, 10, NULL,                  \
	  "how long it is in CLOSE-WAIT: the peer closed, the process did not")                   \
	X(close_wait_at_least, "LEAST", "", VALUE_BOOL, 5, NULL,                                  \
	  "it is at least that long: it began before tcpwatch")                                   \
	X(close_wait_of_process, "OF-PROC", "", VALUE_COUNT, 7, NULL,                             \
	  "of one in CLOSE-WAIT: how many its process has in this namespace")                     \
	X(close_wait_new, "NEW", "", VALUE_COUNT, 4, NULL,                                        \
	  "… and how many of these came into it within the last minute")                          \
	X(closed_by, "CLOSED BY", "", VALUE_TEXT, 9, "local|remote", "who ended it first")        \
	X(iface_gone, "GONE", "", VALUE_BOOL, 4, NULL,                                            \
	  "the interface vanished: what the wire view says is old")

#define SESSION_COLUMN_FIELDS(X)                                                                   \
	X(local, "LOCAL", "", VALUE_ENDPOINT, 21, NULL, "local address and port, as ss prints it") \
	X(remote, "REMOTE", "", VALUE_ENDPOINT, 21, NULL, "the peer's address and port")           \
	NAT_COLUMN_FIELDS(X)

#define SESSION_FIELDS(X)       \
	ADDRESS_FIELDS(X)       \
	DIRECTION_FIELDS(X)     \
	SESSION_STATE_FIELDS(X) \
	VIEW_FIELDS(X)          \
	PLACE_FIELDS(X)         \
	OWNER_FIELDS(X)         \
	SESSION_TIME_FIELDS(X)  \
	HANDSHAKE_FIELDS(X)     \
	SESSION_RTT_FIELDS(X)   \
	TOTAL_FIELDS(X)         \
	SUMMARY_FIELDS(X)       \
	CONTAINER_FIELDS(X)     \
	LEG_FIELDS(X)           \
	NAT_FIELDS(X)           \
	SESSION_MORE_FIELDS(X)

#define FIELD_ROW(key_, title_, unit_, kind_, width_, choices_, help_, column_only_, get_)        \
	{                                                                                         \
		FIELD_KEY(key_), .title = title_, .unit = unit_, .help = help_,                   \
				 .choices = choices_, .kind = kind_, .column_only = column_only_, \
				 .min_width = width_, .get = get_,                                \
	}

/* session_value__KEY() - the getter of each field of a session; @row is a struct session */
#define DECLARE_GETTER(key, title, unit, kind, width, choices, help) \
	void session_value__##key(const void *row, const struct moment *now, struct value *out);
SESSION_FIELDS(DECLARE_GETTER)
SESSION_COLUMN_FIELDS(DECLARE_GETTER)
#undef DECLARE_GETTER

/* The head of such a getter; most need no time. */
#define SESSION_VALUE(key)                                                          \
	void session_value__##key(const void *row,                                  \
				  const struct moment *now __attribute__((unused)), \
				  struct value *out)

/* session__close_wait_ns() - how long it is in CLOSE_WAIT; UNKNOWN_U64: it is not, or nobody knows
 */
uint64_t session__close_wait_ns(const struct session *s, uint64_t now_ns);

/* close_by__name() - "local", "remote", or NULL: nobody has */
const char *close_by__name(enum close_by by);

/* view__name() - "socket", "wire", "both", or NULL: none */
const char *view__name(unsigned view);

#endif
