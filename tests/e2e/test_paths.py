# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Wire view: sessions that this host only forwards, VLANs one in another, and every hook."""
import functools
import socket

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from lib import tool
from lib.netns import FAR_MAC, NEAR_MAC, NETS, Namespace, removing
from lib.traffic import Connection, probe, refused
from lib.wait import wait_for

PORT = 8080
CHUNK, TO_SERVER, TO_CLIENT = 10_000, 100, 50  # a megabyte there, half of one back
ORDER = ["UNCONN", "SYN-SENT", "ESTAB", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
HOOKS = ["auto", "xdp", "xdp-generic", "tc"]


class Router:
    """Two hosts, left and right, and a router between them that forwards what they say."""

    def __init__(self):
        self.left, self.router, self.right = (Namespace(name) for name in ("left", "router", "right"))
        self.router.sysctl("ipv4/ip_forward", 1)
        for i, (host, ifname) in enumerate(((self.left, "to-left"), (self.right, "to-right"))):
            with self.router.ipr() as ipr:
                ipr.link("add", ifname=ifname, kind="veth", peer={"ifname": "eth0", "net_ns_fd": host.fd})
            for ns, name, last in ((self.router, ifname, 1), (host, "eth0", 2)):
                ns.link_up(name)
                ns.addr(name, f"10.{i + 1}.0.{last}/24")
            host.run("ip", "route", "add", "default", "via", f"10.{i + 1}.0.1")

    def remove(self):
        for ns in (self.left, self.router, self.right):
            ns.remove()


def talk(client, server, address):
    """A session with bulk both ways; its key as the client sees it."""
    with Connection(client, server, address, PORT) as conn:
        for _ in range(TO_SERVER):
            conn.send(b"x" * CHUNK)
        for _ in range(TO_CLIENT):
            conn.send(b"y" * CHUNK, to_server=False)
        conn.finish()
    return conn.client_key


def check(events, key, direction):
    closed = events.wait(key, "closed")
    assert closed["direction"] == direction
    assert (closed["tx_bytes"], closed["rx_bytes"]) == (CHUNK * TO_SERVER, CHUNK * TO_CLIENT)
    assert closed["conn_state"] == "SF" and closed["history"].startswith("ShAD")
    kinds = events.kinds(key)
    assert (kinds.count("syn"), kinds.count("established"), kinds.count("closed")) == (1, 1, 1)
    states = [e["new_state"] for e in events.of(key) if e["event"] == "state_change"]
    assert states == sorted(states, key=ORDER.index), "states go one way"
    assert states[-1] == "TIME-WAIT"


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("pattern", ["to-left", "to-right", "to-*"])
def test_forwarded_session(hook, pattern):
    """Told once, also if it passes two taps; the originator is the local end."""
    with removing(Router()) as net, tool.Events(net.router, "-i", pattern, "--hook", hook) as events:
        events.wait_ready(lambda: [refused(net.left, "10.2.0.2", 9) and (lambda e: e["remote_port"] == 9)])
        check(events, talk(net.left, net.right, "10.2.0.2"), "forward")


TAGS = {"untagged": [], "vlan": [Dot1Q(vlan=5)], "priority": [Dot1Q(vlan=0, prio=3)],
        "qinq": [Dot1AD(vlan=100), Dot1Q(vlan=7)], "two 802.1Q": [Dot1Q(vlan=100), Dot1Q(vlan=7)]}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("family", [4, 6])
def test_tagged_frames(pair, family, tags, hook):
    """A SYN in a frame with VLAN tags, as a NIC that strips none would hand it over."""
    net = NETS[family]
    layers = [Ether(src=FAR_MAC, dst=NEAR_MAC), *TAGS[tags],
              (IPv6 if family == 6 else IP)(src=net.ghost, dst=net.near), TCP(sport=4711, dport=PORT, flags="S")]
    frame = bytes(functools.reduce(lambda outer, inner: outer / inner, layers))
    with pair.far.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((pair.far_if, 0))
        with tool.Events(pair.near, "-i", pair.near_if, "--hook", hook, "--view", "wire") as events:
            events.wait_ready(probe(pair, ["wire"]))
            sock.send(frame)
            syn = events.wait((net.near, PORT, net.ghost, 4711), "syn")
    assert syn["direction"] == "in"


def test_table_has_the_forwarded_session():
    with removing(Router()) as net, Connection(net.left, net.right, "10.2.0.2", PORT) as conn:
        process = tool.Background(net.router, "sessions", "-i", "to-*", "--duration", "2", "--json")
        with process:
            def has_ended():
                conn.send(b"x")
                return process.process.poll() is not None

            wait_for(has_ended, "the end", 10)
            row, = tool.parse_json_lines(process.read())
    assert tool.key_of(row) == conn.client_key
    assert (row["direction"], row["view"], row["state"], row["peer_state"]) == ("forward", "wire", "ESTAB", "ESTAB")
    assert row["conn_state"] == "OTH" and row["roles_guessed"] is True
    for unknown in ("pid", "comm", "rtt_seconds", "age_seconds", "handshake_seconds"):
        assert row[unknown] is None
