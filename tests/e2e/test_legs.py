# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
One session seen at several taps, in several namespaces: it is one row, told of once, counted once. Not here: several
devices of one namespace (test_devices.py).
"""
import contextlib
import re
import socket

import pytest

from lib import ss, tool
from lib.devices import bonds, bonds_in_turn, ipvlans, ipvlans_l3, macvtaps, vlans
from lib.traffic import Connection, connect, listen, refused
from lib.wait import wait_for
from lib.watched import Watched, spaces, taps
from lib.world import bridged, macvlans, make, overlay, twins

PORT = 8080
ONCE = ("syn", "syn_ack", "established", "closed")


@pytest.fixture(name="world")
def fixture_world():
    with make(bridged) as made:
        yield made


def talk(conn, count=1000):
    conn.send(b"x" * count)
    conn.finish()


def test_wire_view_of_two_namespaces_is_one_session(world):
    """The container's own interface, the bridge and its port: each segment passes all three."""
    with Watched(world, lambda: refused(world.a, "10.8.0.1", 9), "--view", "wire", *spaces(world, "a", "host"),
                 *taps("eth0", "va", "br0")) as watched:
        with Connection(world.a, world.host, "10.8.0.1", PORT) as conn:
            keys = {conn.client_key, conn.server_key}
            talk(conn)
        wait_for(lambda: watched.of(keys, "closed"), "the end")
        refused(world.a, "10.8.0.1", 10)
        for kind in ONCE:
            event, = watched.of(keys, kind)
        assert event["tx_bytes"] + event["rx_bytes"] == 1000
        assert set(event["taps"].split(",")) == {"eth0", "va", "br0"}
        assert len(watched.of(keys, "fin")) == 2


def test_a_socket_and_what_passes_the_bridge_are_one_row(world):
    """Only the bridge's port is tapped; the socket is in the container."""
    with contextlib.ExitStack() as stack:
        conn = stack.enter_context(Connection(world.a, world.b, "10.8.0.3", PORT))
        args = ("top", "-b", "-d", "0.2", "--json", *spaces(world, "host", "a"), *taps("va"))
        top = stack.enter_context(tool.Background(world.host, *args))

        def rows():
            top.assert_running()
            conn.send(b"x")
            found = [row for row in tool.parse_json_lines(top.read()) if "local_addr" in row]
            return [row for row in found if tool.key_of(row) in (conn.client_key, conn.server_key)
                    and row["taps"] == "va"]

        found = wait_for(rows, "the row with what the tap saw", 10)
        assert {(tool.key_of(row), row["view"]) for row in found} == {(conn.client_key, "both")}


def test_both_ends_are_rows_as_in_ss(world):
    """From container to container: a socket each, and the segments counted at one of six taps."""
    with Watched(world, lambda: refused(world.a, "10.8.0.3", 9), *spaces(world, "a", "b", "host"),
                 *taps("eth0", "va", "vb", "br0")) as watched:
        with Connection(world.a, world.b, "10.8.0.3", PORT) as conn:
            assert ss.state_of(world.a, conn.client_key) == ss.state_of(world.b, conn.server_key) == "ESTAB"
            talk(conn)
        keys = {conn.client_key, conn.server_key}
        wait_for(lambda: len(watched.of(keys, "closed")) == 2, "both ends", 10)
        for kind in ("established", "closed"):
            assert {tool.key_of(e) for e in watched.of(keys, kind)} == keys
            assert len(watched.of(keys, kind)) == 2
        for kind in ("syn", "syn_ack"):
            event, = watched.of(keys, kind)
        assert len(watched.of(keys, "fin")) == 2
        seen_at = watched.of(keys, "closed")[-1]["taps"]
        assert set(seen_at.split(",")) == {"va", "vb", *(f"eth0@{world.spaces[label].name}" for label in "ab")}


def test_states_are_counted_once(world):
    """The header of top, held against ss in each namespace; the host only passes them on."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(world.b, "10.8.0.3", PORT))
        conns = [stack.enter_context(connect(world.a, "10.8.0.3", PORT)) for _ in range(5)]
        served = [stack.enter_context(listener.accept()[0]) for _ in conns]
        args = ("top", "-b", "-d", "0.2", *spaces(world, "host", "a", "b"), *taps("va", "vb"))
        top = stack.enter_context(tool.Background(world.host, *args))

        headers = []

        def counts():
            top.assert_running()
            for one, other in zip(conns, served):
                one.sendall(b"x")
                other.recv(1)
            headers.extend(re.findall(r"(\d+) sessions(?: \(.*?\))?  .*?ESTAB (\d+)", top.read()))
            return len(headers) > 3

        wait_for(counts, lambda: f"frames; {top.stderr()}", 10)
        assert headers[-1] == (str(len(ss.rows(world.a)) + len(ss.rows(world.b))),
                               str(ss.states(world.a)["ESTAB"] + ss.states(world.b)["ESTAB"]))


TWINS = {"a": "b", "host": "out"}  # client and server of each


@pytest.mark.parametrize("began", ["before", "after"])
@pytest.mark.parametrize("view", ["all", "wire"])
def test_same_addresses_are_sessions_of_their_own(began, view):
    """One after the other, so that the kernel's ISNs are hardly apart; what each sent stays its own to the end."""
    local, sent = ("10.8.0.1", 46201), {"a": 100000, "host": 3000}
    with make(twins) as world, contextlib.ExitStack() as stack:
        spots = world.spaces
        conns = {}

        def begin():
            for client, server in TWINS.items():
                listener = stack.enter_context(listen(spots[server], "10.8.0.2", PORT))
                conns[client] = stack.enter_context(connect(spots[client], "10.8.0.2", PORT, local)), listener.accept()[0]

        if began == "before":
            begin()
        watched = stack.enter_context(
            Watched(world, lambda: [refused(spots[client], "10.8.0.2", 9) for client in TWINS],
                    *(("--view", "wire") if view == "wire" else ()), *spaces(world, *TWINS, *TWINS.values()),
                    *taps("h1", "h2", "eth0")))
        if began == "after":
            begin()
        for client, (mine, theirs) in conns.items():
            mine.sendall(b"x" * sent[client])
            theirs.recv(sent[client], socket.MSG_WAITALL)
        for mine, theirs in conns.values():
            mine.shutdown(socket.SHUT_WR)
            assert theirs.recv(1) == b""
            theirs.close()
            mine.close()
        key = (*local, "10.8.0.2", PORT)
        keys = {key, (*key[2:], *key[:2])}

        def told():
            return {e["netns"]: (e["tx_bytes"] + e["rx_bytes"], set(e["taps"].split(",")))
                    for e in watched.of(keys, "closed")}

        ends = [*TWINS, *TWINS.values()] if view == "all" else TWINS
        wait_for(lambda: len(watched.of(keys, "closed")) >= len(ends), lambda: f"all ends; {watched.of(keys)}", 10)
        named = told()
        for client, ifname in (("a", "h1"), ("host", "h2")):
            both = {spots[client].name, spots[TWINS[client]].name}
            found = [told for netns, told in named.items() if netns in both]
            assert len(found) == (2 if view == "all" else 1)
            for count, seen_at in found:
                assert seen_at == {ifname, "eth0"}
                assert began == "before" or count == sent[client]


# Which devices are watched in which namespaces, who talks to whom, and where the session is seen.
PAIRS = {
    "both ends of a veth": (bridged, ("host", "a"), ("va", "eth0"), "a", "b", "10.8.0.3", {"va", "eth0"}),
    "bridge, port and what is in it": (bridged, ("host", "a"), ("br0", "va", "eth0"), "a", "host", "10.8.0.1",
                                       {"br0", "va", "eth0"}),
    "macvlan and its parent": (macvlans, ("host", "a"), ("par0", "eth0"), "a", "out", "10.8.0.9", {"par0", "eth0"}),
    "two macvlans and their parent": (macvlans, ("host", "a", "b"), ("par0", "eth0"), "a", "b", "10.8.0.3",
                                      {"par0", "eth0"}),
    "VXLAN and below": (overlay, ("a",), ("vx0", "eth0"), "a", "b", "10.8.0.2", {"vx0"}),
    "VXLAN at both ends": (overlay, ("a", "b"), ("vx0", "eth0"), "a", "b", "10.8.0.2", {"vx0"}),
    "VLAN in a container and its parent": (vlans, ("a", "host"), ("eth0", "par0"), "a", "out", "10.8.9.9",
                                           {"eth0", "par0"}),
    "bond and its slaves": (bonds, ("host",), ("s0", "s1", "bond0"), "host", "out", "10.8.0.9", {"s0", "bond0"}),
    "VLAN, bond and slaves": (bonds, ("host",), ("s0", "bond0", "vl7"), "out", "host", "10.8.7.1",
                              {"s0", "bond0", "vl7"}),
    # Each slave has a part alone: what is counted is what the bond has.
    "bond and slaves in turn": (bonds_in_turn, ("host",), ("s0", "s1", "bond0"), "host", "out", "10.8.0.9",
                                {"s0", "s1", "bond0"}),
    "ipvlan and its parent": (ipvlans, ("host", "a"), ("par0", "eth0"), "a", "out", "10.8.0.9", {"par0", "eth0"}),
    "two ipvlans and their parent": (ipvlans, ("host", "a", "b"), ("par0", "eth0"), "a", "b", "10.8.0.3", {"eth0"}),
    "ipvlan of layer 3 and its parent": (ipvlans_l3, ("host", "a"), ("par0", "eth0"), "a", "out", "192.0.2.9",
                                         {"par0", "eth0"}),
    "macvtap, its guest and its parent": (macvtaps, ("host", "a"), ("par0", "mt0", "eth0"), "a", "out", "10.8.0.9",
                                          {"par0", "mt0", "eth0"}),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_packets_are_counted_at_one_of(pair):
    scene, labels, names, client, server, host, seen_at = PAIRS[pair]
    with make(scene) as world:
        spots = world.spaces
        with Watched(world, lambda: refused(spots[client], host, 9), "--view", "wire", *spaces(world, *labels),
                     *taps(*names)) as watched:
            with Connection(spots[client], spots[server], host, PORT) as conn:
                keys = {conn.client_key, conn.server_key}
                talk(conn)
            wait_for(lambda: watched.of(keys, "closed"), "the end")
            refused(spots[client], host, 10)
            for kind in ONCE:
                event, = watched.of(keys, kind)
            assert event["tx_bytes"] + event["rx_bytes"] == 1000
            # SYN, SYN-ACK, ACK, data, its ACK, FIN, FIN, ACK at least.
            assert 8 <= event["tx_segments"] + event["rx_segments"] < 15
            assert {name.partition("@")[0] for name in event["taps"].split(",")} == seen_at
