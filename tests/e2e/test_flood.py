# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A flood of SYNs from ever new sources: nothing wrong is shown, each loss is counted, memory stays."""
import socket
import struct

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from lib import tool
from lib.handshakes import Handshakes
from lib.netns import FAR_MAC, NEAR_MAC, NETS
from lib.traffic import Connection, probe
from lib.wait import wait_for
from test_faults import Header

PORT = 8080
SYNS = 300_000
IP_SRC, TCP_PORTS_SEQ = 26, 34  # offsets in an Ethernet frame


def flood(ns, ifname, first, count):
    """count SYNs, each from another address, as fast as they go: some 100,000 a second."""
    frame = bytearray(bytes(Ether(src=FAR_MAC, dst=NEAR_MAC) /
                            IP(src="10.0.0.0", dst=NETS[4].ghost) / TCP(dport=PORT, flags="S")))
    with ns.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with sock:
        sock.bind((ifname, 0))
        for i in range(first, first + count):
            struct.pack_into("!I", frame, IP_SRC, 0x0a000000 | i)
            struct.pack_into("!HHI", frame, TCP_PORTS_SEQ, 1024 + i % 60000, PORT, i)
            sock.send(frame)


def of_flood(events, kind):
    return [e for e in events if e["event"] == kind and e["local_port"] in (PORT, None)]


def test_every_syn_is_told_or_counted_as_lost(pair, watch):
    events = watch(pair, "wire")
    flood(pair.far, "far0", 0, SYNS)

    def told():
        return sum(1 for e in events.all() if e["event"] == "syn" and PORT in (e["remote_port"], e["local_port"]))

    def lost():
        return sum(e["lost"] for e in events.all() if e["event"] == "lost" and e["reason"] == "segment")

    wait_for(lambda: told() + lost() >= SYNS, lambda: f"{SYNS} SYNs; told {told()}, lost {lost()}", 30)
    assert told() + lost() == SYNS
    assert events.rss_kib() < 1_500_000


def test_open_sessions_stay_and_memory_does_not_grow(pair):
    with Connection(pair.near, pair.far, NETS[4].far, PORT + 1) as conn, \
            Header(pair.near, "-i", "near0", "--view", "wire", "--cache", "4096", f"dport = :{PORT + 1}") as top:
        top.wait("near0 tcx?/")
        conn.send(b"x" * 1000)
        row = rf"ESTAB\s+{NETS[4].near}:\d+\s+{NETS[4].far}:{PORT + 1}"
        top.wait(row)
        flood(pair.far, "far0", 0, SYNS)
        top.wait(r"evicted \d{5}")
        before = top.rss_kib()
        flood(pair.far, "far0", SYNS, SYNS)
        conn.send(b"y" * 1000)
        top.wait(row)
        assert top.rss_kib() < before * 1.6 + 50_000


def test_probe_after_the_flood(pair, watch):
    events = watch(pair, "both")
    flood(pair.far, "far0", 0, 50_000)
    events.seen.clear()
    events.wait_ready(probe(pair, ["socket", "wire"]), 20)


def test_two_views_of_a_flood_agree_on_the_listener(pair):
    """The half-open sessions that tcpwatch shows are those that the kernel has."""
    with Connection(pair.far, pair.near, NETS[4].near, PORT) as conn:
        rows = tool.sessions(pair.near, "--view", "socket")
    assert tool.key_of(rows[0]) == conn.server_key


def test_handshakes_of_real_clients_show_through(pair):
    """What is not followed to its end is counted, and memory does not grow."""
    with Handshakes(pair.near, "-i", pair.near_if, "--cache", "4096") as near:
        flood(pair.far, "far0", 0, SYNS)
        wait_for(lambda: near.frame() and near.kernel["not_followed"], lambda: near.kernel, 20)
        before = near.rss_kib()
        flood(pair.far, "far0", SYNS, SYNS)
        with Connection(pair.near, pair.far, NETS[4].far, PORT + 1):
            row = near.wait("client", completed=1, failed=0)
        assert (row["server_addr"], row["server_port"]) == (NETS[4].far, PORT + 1)
        assert near.rss_kib() < before * 1.2 + 10_000
