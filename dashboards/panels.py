# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
What the dashboard shows: rows of panels, each with its unit, its text and its queries. How that becomes Grafana's
JSON is in generate.

In an expression @host stands for the matchers of the variables job and instance, @netns for these and the variable
namespace, and @rate for the range of a rate.
"""
from typing import NamedTuple


class Query(NamedTuple):
    """One expression and the name of the lines it draws. A table shows the labels, so it needs no name."""
    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """kind is Grafana's name of the visualisation; warn and bad are where its value turns yellow and red."""
    title: str
    unit: str
    description: str
    queries: tuple
    kind: str = "timeseries"
    width: int = 12
    stacked: bool = False
    warn: float = None
    bad: float = None
    max: float = None


class Row(NamedTuple):
    title: str
    panels: tuple


def quantiles(metric, by, legend, *shares):
    """Lines of a histogram: the time that this share of the sessions stays below, for each value of by."""
    return tuple(
        Query(f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{@host}}[@rate])))"
              if by else f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{{@host}}[@rate])))",
              f"{legend} p{share * 100:g}".strip())
        for share in shares)


def stat(title, unit, description, expr, **more):
    return Panel(title, unit, description, (Query(expr),), kind="stat", width=4, **more)


def table(title, description, expr):
    return Panel(title, "none", description, (Query(expr),), kind="table")


OVERVIEW = Row("Overview", (
    stat("Established", "short",
         "Sockets in state ESTABLISHED in the chosen network namespaces, as `ss` counts them.",
         'sum(tcpwatch_sessions{@netns,state="established"})'),
    stat("Opened", "cps", "Sessions whose handshake completed, per second, opened by this host or by others.",
         "sum(rate(tcpwatch_sessions_opened_total{@host}[@rate]))"),
    stat("Failed handshakes", "percentunit",
         "Share of the handshakes begun by either side that did not complete. No value while none is tried.",
         'sum(rate(tcpwatch_handshakes_total{@host,outcome!="completed"}[@rate]))'
         " / sum(rate(tcpwatch_handshakes_total{@host}[@rate]))", warn=0.02, bad=0.1),
    stat("SYNs dropped", "cps",
         "Connection requests that this host's kernel dropped, per second. Clients see them as delay or time-out.",
         'sum(rate(tcpwatch_syn_fate_total{@host,fate=~"dropped_.*"}[@rate]))', warn=0.001, bad=1),
    stat("Fullest accept queue", "percentunit",
         "The listener whose accept queue is fullest, as share of its limit. At 100 % new sessions are dropped.",
         "max(tcpwatch_listener_accept_queue{@netns} / (tcpwatch_listener_accept_queue_limit{@netns} > 0))",
         warn=0.5, bad=0.9),
    stat("Records lost", "short",
         "What tcpwatch could not keep or read in the last hour: as long as it is 0 the counters miss nothing.",
         "sum(increase(tcpwatch_records_lost_total{@host}[1h]))", warn=1, bad=1000),
    Panel("Sessions by state", "short",
          "Sockets of the chosen namespaces in each state; TIME_WAIT by the kernel's own count.",
          (Query("sum by (state) (tcpwatch_sessions{@netns})", "{{state}}"),), stacked=True),
    Panel("Opened and closed", "cps", "Sessions opened and closed per second, by who opened and how they ended.",
          (Query("sum by (side) (rate(tcpwatch_sessions_opened_total{@host}[@rate]))", "opened as {{side}}"),
           Query("sum by (reason) (rate(tcpwatch_sessions_closed_total{@host}[@rate]))", "closed by {{reason}}"))),
    Panel("Who closes first", "cps",
          "Sessions closed per second, by the side that ended them. Who closes first keeps the TIME_WAIT.",
          (Query("sum by (by) (rate(tcpwatch_sessions_closed_total{@host}[@rate]))", "{{by}}"),), stacked=True),
    Panel("Session duration", "s", "How long the sessions lasted that ended: half of them less than p50.",
          quantiles("tcpwatch_session_duration_seconds", "", "", 0.5, 0.95, 0.99)),
    Panel("Payload at the taps", "Bps", "Payload of TCP that passed each watched interface, both directions.",
          (Query("rate(tcpwatch_tap_bytes_total{@netns}[@rate])", "{{instance}} {{netns}} {{tap}}"),)),
    Panel("Segments at the taps", "pps", "TCP segments that passed each watched interface, both directions.",
          (Query("rate(tcpwatch_tap_segments_total{@netns}[@rate])", "{{instance}} {{netns}} {{tap}}"),)),
))

HANDSHAKES = Row("Handshakes", (
    Panel("Handshakes by outcome", "cps",
          "Handshakes ended per second, by the side this host had in them and how they ended.",
          (Query("sum by (side, outcome) (rate(tcpwatch_handshakes_total{@host}[@rate]))",
                 "{{side}} {{outcome}}"),)),
    Panel("Failed share", "percentunit", "Share of the handshakes that did not complete, by side.",
          (Query('sum by (side) (rate(tcpwatch_handshakes_total{@host,outcome!="completed"}[@rate]))'
                 " / sum by (side) (rate(tcpwatch_handshakes_total{@host}[@rate]))", "{{side}}"),), warn=0.1, max=1),
    Panel("Handshake time, median", "s",
          "Half of the handshakes took less, in all and by where the time went: on the way to the other end and back,"
          " or in this host.",
          quantiles("tcpwatch_handshake_seconds", "side, part", "{{side}} {{part}}", 0.5)),
    Panel("Handshake time, 99th percentile", "s",
          "One handshake in a hundred took longer. A slow network part is a far or congested peer or a lost SYN, a slow"
          " host part a busy machine.",
          quantiles("tcpwatch_handshake_seconds", "side, part", "{{side}} {{part}}", 0.99)),
    Panel("Round-trip time", "s", "The kernel's smoothed round-trip time of each session at the moment it closed.",
          quantiles("tcpwatch_srtt_seconds", "", "", 0.5, 0.95, 0.99)),
))

BACKLOG = Row("Backlog", (
    Panel("SYNs received", "cps", "Connection requests that reached this host's kernel, per second.",
          (Query("sum by (instance) (rate(tcpwatch_syns_received_total{@host}[@rate]))", "{{instance}}"),)),
    Panel("What became of the SYNs", "cps",
          "queued: a request socket was made; cookie: answered without one; dropped: see the reason; no_listener:"
          " nobody listens there, answered by a reset.",
          (Query("sum by (fate) (rate(tcpwatch_syn_fate_total{@host}[@rate]))", "{{fate}}"),), stacked=True),
    Panel("Accept queues", "short",
          "Sessions that are open and wait for the program to accept() them, for each listener, and the limit: the"
          " smaller of listen()'s backlog and net.core.somaxconn.",
          (Query("tcpwatch_listener_accept_queue{@netns}", "{{netns}} {{address}} {{port}}"),
           Query("tcpwatch_listener_accept_queue_limit{@netns}", "limit {{netns}} {{address}} {{port}}"))),
    Panel("SYN queues", "short",
          "Handshakes that wait for the client's acknowledgement, for each listener, and the limit.",
          (Query("tcpwatch_listener_syn_queue{@netns}", "{{netns}} {{address}} {{port}}"),
           Query("tcpwatch_listener_syn_queue_limit{@netns}", "limit {{netns}} {{address}} {{port}}"))),
    Panel("Accept queue fill", "percentunit", "Accept queues as share of their limit.",
          (Query("tcpwatch_listener_accept_queue{@netns} / (tcpwatch_listener_accept_queue_limit{@netns} > 0)",
                 "{{netns}} {{address}} {{port}}"),), warn=0.9),
    Panel("Listener overflows", "cps",
          "What each listener dropped per second, by the kernel's own count, which holds SYNs that were sent again too. A"
          " queue that was full for less than an interval shows here and not in its length.",
          (Query("rate(tcpwatch_listener_overflows_total{@netns}[@rate])", "{{netns}} {{address}} {{port}}"),)),
))

TIME_WAIT = Row("TIME_WAIT and ports", (
    Panel("TIME_WAIT", "short",
          "Sockets in TIME_WAIT and the limit (net.ipv4.tcp_max_tw_buckets). Beyond it the kernel makes none.",
          (Query("tcpwatch_time_wait{@netns}", "{{instance}} {{netns}}"),
           Query("tcpwatch_time_wait_limit{@netns}", "limit {{instance}} {{netns}}"))),
    Panel("How TIME_WAIT ended", "cps",
          "gone: after its 60 s, or by a reset or a new SYN, which the kernel does not tell apart; reused: taken over by"
          " connect(); never_created: the limit was reached. Beside it how many began (Linux 5.17 and later).",
          (Query("sum by (how) (rate(tcpwatch_time_wait_ended_total{@host}[@rate]))", "{{how}}"),
           Query("sum(rate(tcpwatch_time_wait_begun_total{@host}[@rate]))", "begun"))),
    Panel("Local ports in use", "short",
          "Ports of the ephemeral range in use towards the remote endpoints that use most of them, and how many"
          " there are. A connect() beyond them fails with EADDRNOTAVAIL.",
          (Query("tcpwatch_ports_used{@host}", "{{instance}} to {{remote}}"),
           Query("tcpwatch_ports_available{@host}", "available {{instance}} to {{remote}}"))),
    Panel("Local ports used up", "percentunit", "Ports in use as share of those there are, for each remote endpoint.",
          (Query("tcpwatch_ports_used{@host} / (tcpwatch_ports_available{@host} > 0)",
                 "{{instance}} to {{remote}}"),), warn=0.8, max=1),
    Panel("CLOSE_WAIT older than a minute", "short",
          "The peer has closed and the program has not: if it grows, the program forgets to close its sockets.",
          (Query("tcpwatch_close_wait_old{@netns}", "{{instance}} {{netns}}"),)),
))

RESETS = Row("Retransmits and resets", (
    Panel("Retransmits", "cps", "Segments sent again per second: data, SYNs that nobody answered, and SYN-ACKs that no client acknowledged.",
          (Query("sum by (kind) (rate(tcpwatch_retransmits_total{@host}[@rate]))", "{{kind}}"),)),
    Panel("Retransmits per segment", "percentunit",
          "Segments of data sent again, as share of all segments at the taps. Above 1 % users notice.",
          (Query('sum by (instance) (rate(tcpwatch_retransmits_total{@host,kind="data"}[@rate]))'
                 " / (sum by (instance) (rate(tcpwatch_tap_segments_total{@host}[@rate])) > 0)", "{{instance}}"),),
          warn=0.01),
    Panel("Resets", "cps",
          "Resets sent and received per second, and by reason, as far as there are any: of those sent the kernel's own"
          " reason (Linux 6.10 and later), of those received the phase of the session.",
          (Query("sum by (direction) (rate(tcpwatch_resets_total{@host}[@rate]))", "all {{direction}}"),
           Query("sum by (direction, reason) (rate(tcpwatch_resets_total{@host}[@rate])) > 0",
                 "{{direction}} {{reason}}"))),
    Panel("Out of order and zero windows", "cps",
          "Segments that came out of order, and advertised windows of zero: a receiver that does not keep up.",
          (Query("sum(rate(tcpwatch_out_of_order_total{@host}[@rate]))", "out of order"),
           Query("sum(rate(tcpwatch_zero_windows_total{@host}[@rate]))", "zero windows"))),
))

ITSELF = Row("tcpwatch itself", (
    Panel("Records lost by kind", "cps", "What did not reach the counters, per second, by where it was lost.",
          (Query("sum by (instance, kind) (rate(tcpwatch_records_lost_total{@host}[@rate]))",
                 "{{instance}} {{kind}}"),)),
    Panel("Frames not understood", "cps", "Frames that could not be parsed as TCP, per second, by the reason.",
          (Query("sum by (reason) (rate(tcpwatch_parse_failures_total{@host}[@rate]))", "{{reason}}"),)),
    Panel("Cache fill", "percentunit",
          "Session cache in use. When it is full the oldest entries are handed over early, which costs time and"
          " loses nothing.",
          (Query("tcpwatch_cache_entries{@host} / (tcpwatch_cache_capacity{@host} > 0)", "{{instance}}"),), max=1),
    Panel("Cache evictions", "cps", "Entries handed over before their session ended, per second.",
          (Query("rate(tcpwatch_cache_evictions_total{@host}[@rate])", "{{instance}}"),)),
    Panel("CPU", "percentunit", "Processor time of the tcpwatch process, as share of one core.",
          (Query("rate(tcpwatch_cpu_seconds_total{@host}[@rate])", "{{instance}}"),)),
    Panel("Memory", "bytes", "Resident memory of the tcpwatch process.",
          (Query("tcpwatch_resident_bytes{@host}", "{{instance}}"),)),
    Panel("Age of the figures", "s",
          "How long ago the file for node_exporter was written. Empty where Prometheus asks tcpwatch itself.",
          (Query('time() - node_textfile_mtime_seconds{@host,file=~"(.*/)?tcpwatch\\\\.prom"}', "{{instance}}"),),
          warn=120),
    Panel("Failed writes", "short", "Intervals in the last hour whose file could not be written.",
          (Query("increase(tcpwatch_write_errors_total{@host}[1h])", "{{instance}}"),), warn=1),
    Panel("Sockets counted anew", "short",
          "Times in the last hour that the counts of sockets differed from the kernel's own totals and were begun anew.",
          (Query("increase(tcpwatch_recounts_total{@host}[1h])", "{{instance}}"),)),
    Panel("Running for", "dtdurations", "Time since tcpwatch started. A counter begins at zero with it.",
          (Query("time() - tcpwatch_start_time_seconds{@host}", "{{instance}}"),)),
    table("Versions", "The version of tcpwatch on each host.", "tcpwatch_build_info{@host}"),
    table("Taps", "The watched interfaces and the hook of each direction.", "tcpwatch_tap_info{@netns}"),
))

ROWS = (OVERVIEW, HANDSHAKES, BACKLOG, TIME_WAIT, RESETS, ITSELF)

# Metrics that no panel shows, and why.
NOT_SHOWN = {}
