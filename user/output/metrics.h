/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of metrics: what is exported, from which docs/METRICS.md is generated too. Names follow
 * Prometheus: base units, _total on counters. A label never holds a tuple, a process or a client.
 * Not here: the format (prom.h), what is counted (model/figures.h).
 */
#ifndef TCPWATCH_METRICS_H
#define TCPWATCH_METRICS_H

#include "user/model/figures.h"
#include "user/util/strbuf.h"

/*
 * X(id: the name after tcpwatch_, type, labels, most series, where the value is from, help)
 *
 * Each has a writer of its own in metrics.c, write_<id>().
 */
#define METRICS(X)                                                                                 \
	X(sessions, "gauge", "netns, state", "10 per namespace",                                   \
	  "tracepoints, after one iteration at the start; `time-wait`: `tw` of "                   \
	  "/proc/net/sockstat",                                                                    \
	  "This host's TCP sockets by state, as ss names it; TIME_WAIT includes orphaned "         \
	  "FIN_WAIT2 "                                                                             \
	  "minisocks.")                                                                            \
	X(sessions_opened_total, "counter", "side", "2", "tracepoints",                            \
	  "Connections established, by the end that this host is.")                                \
	X(sessions_closed_total, "counter", "reason, by", "12", "tracepoints",                     \
	  "Sockets of established connections that ended, by what ended them and by who closed "   \
	  "first; what times out this host closes. TIME_WAIT comes after.")                        \
	X(handshakes_total, "counter", "side, outcome", "11",                                      \
	  "tracepoints; server `reset`: EmbryonicRsts of /proc/net/netstat; server `timeout` and " \
	  "`overflow`, inferred: a SYN-ACK that was sent again, and then not for longer than the " \
	  "kernel's timer runs, `overflow` where a full accept queue dropped the acknowledgement", \
	  "Handshakes of this host's sockets, by how they ended. A SYN that is dropped begins "    \
	  "none: see `tcpwatch_syn_fate_total`.")                                                  \
	X(handshake_seconds, "histogram", "side, part", "5 histograms of 24 buckets",              \
	  "tracepoints; `network`: the kernel's first round trip, none if the SYN or SYN-ACK was " \
	  "sent again; client's `host`: what is left of `total`; server's `host`, by tc: SYN to "  \
	  "SYN-ACK where both passed on one CPU, none for cookies",                                \
	  "Time of handshakes: a client's from connect() to established, and the parts of it; a "  \
	  "server's in the network and in this host.")                                             \
	X(session_duration_seconds, "histogram", "", "1 histogram of 16 buckets", "tracepoints",   \
	  "Time from established to the end of the socket, of connections opened while tcpwatch "  \
	  "ran.")                                                                                  \
	X(srtt_seconds, "histogram", "", "1 histogram of 19 buckets", "the kernel's socket",       \
	  "Smoothed round-trip time of each established connection when it ended.")                \
	X(syns_received_total, "counter", "", "1", "XDP or tc",                                    \
	  "SYNs for this host that entered by an interface watched, retransmissions included.")    \
	X(syn_fate_total, "counter", "fate", "7",                                                  \
	  "XDP or tc, and the listener's queues at that moment",                                   \
	  "The same SYNs by what becomes of them.")                                                \
	X(listener_syn_queue, "gauge", "netns, address, port", "--max-listeners and 1",            \
	  "iteration over listeners", "Half-open connections in a listener's SYN queue.")          \
	X(listener_syn_queue_limit, "gauge", "netns, address, port", "--max-listeners and 1",      \
	  "iteration over listeners; sysctls tcp_syncookies, tcp_max_syn_backlog",                 \
	  "Half-open connections beyond which a listener sends cookies or drops SYNs.")            \
	X(listener_accept_queue, "gauge", "netns, address, port", "--max-listeners and 1",         \
	  "iteration over listeners", "Connections that wait for accept().")                       \
	X(listener_accept_queue_limit, "gauge", "netns, address, port", "--max-listeners and 1",   \
	  "iteration over listeners", "Connections waiting beyond which SYNs are dropped.")        \
	X(listener_drops_total, "counter", "netns, address, port", "--max-listeners and 1",        \
	  "iteration over listeners: the socket's drops",                                          \
	  "Handshake segments that a listener dropped since it was made, for a full queue or "     \
	  "another reason, such as a SYN that was sent again; and those of earlier members of "    \
	  "its SO_REUSEPORT group.")                                                               \
	X(time_wait, "gauge", "netns", "1 per namespace", "`tw` of /proc/net/sockstat",            \
	  "TIME_WAIT minisocks, orphaned FIN_WAIT2 included.")                                     \
	X(time_wait_limit, "gauge", "netns", "1 per namespace", "sysctl tcp_max_tw_buckets",       \
	  "TIME_WAIT minisocks above which the kernel makes no more.")                             \
	X(time_wait_begun_total, "counter", "", "1",                                               \
	  "TW and TWKilled of /proc/net/netstat; from Linux 5.17 on",                              \
	  "TIME_WAIT minisocks made since tcpwatch started.")                                      \
	X(time_wait_ended_total, "counter", "how", "3",                                            \
	  "`gone`: begun less those that are there; `reused`: TWRecycled; `never_created`: "       \
	  "TCPTimeWaitOverflow of /proc/net/netstat",                                              \
	  "TIME_WAITs by how they ended: taken over by connect(), never made for want of room, "   \
	  "or gone, by time-out, reset or a new SYN.")                                             \
	X(ports_used, "gauge", "netns, remote", "10",                                              \
	  "iteration over sockets, for a thousandth of the time at most",                          \
	  "Local ports of ip_local_port_range that connections to a remote endpoint hold, "        \
	  "TIME_WAIT included; of the most used ones, with two ports or more.")                    \
	X(ports_available, "gauge", "netns, remote", "10",                                         \
	  "sysctls ip_local_port_range, ip_local_reserved_ports; listeners",                       \
	  "Local ports that connect() may choose from in all, used ones included.")                \
	X(close_wait_old, "gauge", "netns", "1 per namespace",                                     \
	  "tracepoints; of sockets older than tcpwatch: the time of the last acknowledgement",     \
	  "Sockets that have been in CLOSE_WAIT for more than a minute: the application does not " \
	  "close them.")                                                                           \
	X(retransmits_total, "counter", "kind", "3", "tracepoints",                                \
	  "Segments sent again: of data, SYNs, and SYN-ACKs.")                                     \
	X(resets_total, "counter", "direction, reason", "68",                                      \
	  "tracepoints; `reason` sent: the kernel's own from 6.10 on; received: the phase of the " \
	  "connection",                                                                            \
	  "RST segments sent, and received and accepted.")                                         \
	X(out_of_order_total, "counter", "", "1", "TCPOFOQueue of /proc/net/netstat",              \
	  "Segments received out of order.")                                                       \
	X(zero_windows_total, "counter", "", "1", "TCPToZeroWindowAdv of /proc/net/netstat",       \
	  "Times that a receive window of this host went to 0.")                                   \
	X(tap_bytes_total, "counter", "netns, tap", "1 per interface watched", "XDP or tc",        \
	  "TCP payload that passed an interface, each byte as often as it passed.")                \
	X(tap_segments_total, "counter", "netns, tap", "1 per interface watched", "XDP or tc",     \
	  "TCP segments that passed an interface.")                                                \
	X(tap_info, "gauge", "netns, tap, ingress, egress", "1 per interface watched", "tcpwatch", \
	  "By which hooks an interface is watched.")                                               \
	X(parse_failures_total, "counter", "reason", "5", "XDP or tc",                             \
	  "Frames that were passed on but not understood, by reason.")                             \
	X(records_lost_total, "counter", "kind", "16", "BPF programs",                             \
	  "Records that found the ring buffer full.")                                              \
	X(cache_entries, "gauge", "", "1", "XDP or tc", "Fragments of sessions in the cache.")     \
	X(cache_capacity, "gauge", "", "1", "tcpwatch", "Fragments that the cache has room for.")  \
	X(cache_evictions_total, "counter", "", "1", "XDP or tc",                                  \
	  "Fragments that left the cache to make room.")                                           \
	X(recounts_total, "counter", "", "1", "tcpwatch",                                          \
	  "Times that the sockets were counted anew because the kernel's own totals differed.")    \
	X(build_info, "gauge", "version", "1", "tcpwatch", "Always 1; which tcpwatch this is.")    \
	X(start_time_seconds, "gauge", "", "1", "tcpwatch",                                        \
	  "When tcpwatch started, in seconds since 1970.")                                         \
	X(cpu_seconds_total, "counter", "", "1", "tcpwatch",                                       \
	  "Processor time of the tcpwatch process; its BPF programs are not part of it.")          \
	X(resident_bytes, "gauge", "", "1", "tcpwatch",                                            \
	  "Resident memory of the tcpwatch process.")                                              \
	X(write_errors_total, "counter", "", "1", "tcpwatch",                                      \
	  "Times that the file could not be written.")

/*
 * metrics__write() - append all families of which something is known
 *
 * Order and text depend on nothing but @figures and @version.
 */
void metrics__write(struct strbuf *sb, const struct figures *figures, const char *version);

/* metrics__describe() - append the table as a page of Markdown */
void metrics__describe(struct strbuf *sb);

#endif
