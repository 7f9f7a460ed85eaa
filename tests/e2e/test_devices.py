# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Which device shows which sessions: bridges and bonds and their ports, VLAN, macvlan, ipvlan, macvtap and what they are
on, VXLAN and what is below it. What docs/CONTAINERS.md says of them is what is checked here.
"""
import contextlib

import pytest

from lib import tool
from lib.devices import bonds, bonds_in_turn, ipvlans, ipvlans_l3, ipvlans_l3s, macvtaps, stacked_vlans, vlans
from lib.traffic import Connection, connect, listen, refused
from lib.wait import wait_for
from lib.world import bridged, macvlans, make, overlay

PORT = 8080


def has_port(events, port):
    return [e for e in events.all() if port in (e["local_port"], e["remote_port"])]


class Watched:
    """tcpwatch at devices of a namespace of the scene, on once it tells of what client does."""

    def __init__(self, world, place, devices, client, host):
        self.refuse = lambda port: refused(world.spaces[client], host, port)
        self.events = tool.Events(world.spaces[place], "--view", "wire",
                                  *(word for device in devices for word in ("-i", device)))

    def __enter__(self):
        self.events.__enter__()
        return self

    def __exit__(self, *args):
        return self.events.__exit__(*args)

    def is_on(self):
        self.events.assert_running()
        self.refuse(9)
        return has_port(self.events, 9)

    def settle(self):
        """What was done before this has been told."""
        self.refuse(10)
        wait_for(lambda: any(e["event"] == "handshake_failed" for e in has_port(self.events, 10)), "the end", 10)

    def of(self, keys):
        return [e for e in self.events.all() if tool.key_of(e) in keys]


def talk(world, client, server, host):
    """A session of 1000 bytes; its keys."""
    with Connection(world.spaces[client], world.spaces[server], host, PORT) as conn:
        keys = {conn.client_key, conn.server_key}
        conn.send(b"x" * 1000)
        conn.finish()
    return keys


# What happens, in which scene; at which devices it is seen, and at which it is not.
CASES = {
    "from port to port of a bridge": (bridged, "host", ["va", "vb"], ["br0"], "a", "b", "10.8.0.3"),
    "from a port of a bridge to the host": (bridged, "host", ["br0", "va"], ["vb"], "a", "host", "10.8.0.1"),
    "from a macvlan outwards": (macvlans, "host", ["par0"], [], "a", "out", "10.8.0.9"),
    "from outside to a macvlan": (macvlans, "host", ["par0"], [], "out", "b", "10.8.0.3"),
    # The driver hands it to the parent first (macvlan_queue_xmit in drivers/net/macvlan.c).
    "from macvlan to macvlan": (macvlans, "host", ["par0"], [], "a", "b", "10.8.0.3"),
    "from a macvlan outwards, at the macvlan": (macvlans, "a", ["eth0"], [], "a", "out", "10.8.0.9"),
    "over a VXLAN": (overlay, "a", ["vx0"], ["eth0"], "a", "b", "10.8.0.2"),
    "from the host over a VLAN": (vlans, "host", ["par0", "vl7"], ["vl8"], "host", "out", "10.8.7.9"),
    "from outside over a VLAN": (vlans, "host", ["vl7", "par0"], ["vl8"], "out", "host", "10.8.7.1"),
    "from a container on a VLAN": (vlans, "host", ["par0"], ["vl7"], "a", "out", "10.8.9.9"),
    "from a container on a VLAN, in it": (vlans, "a", ["eth0"], [], "a", "out", "10.8.9.9"),
    "over a VLAN within a VLAN": (stacked_vlans, "host", ["par0", "sv7", "cv8"], [], "host", "out", "10.8.0.9"),
    "over a bond": (bonds, "host", ["bond0", "s0"], ["s1"], "host", "out", "10.8.0.9"),
    "from outside over a bond": (bonds, "host", ["s0", "bond0"], ["s1"], "out", "host", "10.8.0.1"),
    "over a bond whose slaves take turns": (bonds_in_turn, "host", ["bond0"], [], "out", "host", "10.8.0.1"),
    "over a VLAN on a bond": (bonds, "host", ["s0", "bond0", "vl7"], ["s1"], "host", "out", "10.8.7.9"),
    "from an ipvlan outwards": (ipvlans, "host", ["par0"], ["iv0"], "a", "out", "10.8.0.9"),
    "from outside to an ipvlan": (ipvlans, "host", ["par0"], ["iv0"], "out", "b", "10.8.0.3"),
    "from outside to the host's ipvlan": (ipvlans, "host", ["iv0", "par0"], [], "out", "host", "10.8.0.1"),
    # The driver hands it to the other one by itself (ipvlan_xmit_mode_l2 in drivers/net/ipvlan/ipvlan_core.c).
    "from ipvlan to ipvlan": (ipvlans, "b", ["eth0"], [], "a", "b", "10.8.0.3"),
    "from a container's ipvlan to the host's": (ipvlans, "host", ["iv0"], ["par0"], "a", "host", "10.8.0.1"),
    "from an ipvlan of layer 3": (ipvlans_l3, "host", ["par0"], [], "a", "out", "192.0.2.9"),
    "from an ipvlan of layer 3, at the ipvlan": (ipvlans_l3, "a", ["eth0"], [], "a", "out", "192.0.2.9"),
    "from outside to an ipvlan of layer 3": (ipvlans_l3, "host", ["par0"], [], "out", "b", "10.8.0.3"),
    "from an ipvlan of layer 3s": (ipvlans_l3s, "host", ["par0"], [], "a", "out", "192.0.2.9"),
    "from a guest on a macvtap": (macvtaps, "host", ["mt0", "par0"], [], "a", "out", "10.8.0.9"),
    "from outside to a guest on a macvtap": (macvtaps, "host", ["par0", "mt0"], [], "out", "a", "10.8.0.2"),
}


@pytest.mark.parametrize("case", CASES)
def test_where_a_session_is_seen(case):
    """One tcpwatch for each device: they cannot know of each other."""
    scene, place, seeing, blind, client, server, host = CASES[case]
    with make(scene) as world, contextlib.ExitStack() as stack:
        at = {device: stack.enter_context(Watched(world, place, [device], client, host)) for device in seeing + blind}
        wait_for(lambda: all([at[device].is_on() for device in seeing]), "all to be on", 10)
        keys = talk(world, client, server, host)
        for device in seeing:
            at[device].settle()
        told = {device: watched.of(keys) for device, watched in at.items()}
        assert {device for device in told if told[device]} == set(seeing)
        for device in seeing:
            end, = (e for e in told[device] if e["event"] == "closed")
            assert (end["ifname"], end["tx_bytes"] + end["rx_bytes"]) == (device, 1000)


@pytest.mark.parametrize("case", [case for case in CASES if len(CASES[case][2]) > 1])
def test_session_seen_at_several_devices_is_one(case):
    """Master and slave show the same packets: they are one session and counted once."""
    scene, place, seeing, _, client, server, host = CASES[case]
    with make(scene) as world, Watched(world, place, seeing, client, host) as watched:
        wait_for(watched.is_on, "it to be on", 10)
        keys = talk(world, client, server, host)
        watched.settle()
        for kind in ("syn", "established", "closed"):
            event, = (e for e in watched.of(keys) if e["event"] == kind)
        assert event["tx_bytes"] + event["rx_bytes"] == 1000


# Who talks to a listener of the host, and the devices that show it.
HANDSHAKES = [(bridged, "a", "10.8.0.1", devices) for devices in (["br0"], ["va"], ["va", "br0"], ["br0", "va"])]
HANDSHAKES += [(vlans, "out", "10.8.7.1", devices) for devices in (["vl7"], ["par0"], ["par0", "vl7"], ["vl7", "par0"])]
HANDSHAKES += [(stacked_vlans, "out", "10.8.0.1", devices) for devices in (["par0", "cv8"], ["cv8", "sv7", "par0"])]
HANDSHAKES += [(bonds, "out", "10.8.0.1", devices) for devices in (["s0"], ["s0", "s1", "bond0"])]
HANDSHAKES += [(bonds_in_turn, "out", "10.8.0.1", devices) for devices in (["bond0"], ["bond0", "s0", "s1"])]
HANDSHAKES += [(bonds, "out", "10.8.7.1", devices) for devices in (["vl7"], ["vl7", "bond0"], ["s0", "bond0", "vl7"])]
HANDSHAKES += [(ipvlans, client, "10.8.0.1", devices) for client in ("out", "a") for devices in (["iv0"], ["par0", "iv0"])]


@pytest.mark.parametrize("scene,client,host,devices", HANDSHAKES,
                         ids=[f"{scene.__name__}-{client}-{'+'.join(devices)}" for scene, client, _, devices in HANDSHAKES])
def test_handshakes_of_the_host_are_counted_once(scene, client, host, devices):
    """What became of a SYN, and how long its answer took: several devices show it to the same listener."""
    count = 10
    with make(scene) as world, listen(world.host, host, PORT) as listener, contextlib.ExitStack() as stack:
        export = stack.enter_context(tool.Background(world.host, "export", "--stdout", "--interval", "0.2",
                                                     *(word for device in devices for word in ("-i", device))))
        said = {}

        def read(name):
            export.assert_running()
            said.update(line.rpartition(" ")[::2] for line in export.read().splitlines() if line[:1] != "#")
            return int(said.get(name, 0))

        wait_for(lambda: read("tcpwatch_cache_capacity") or len(said) > 20, lambda: f"figures; {export.stderr()}", 10)
        for _ in range(count):
            stack.enter_context(connect(world.spaces[client], host, PORT))
            stack.enter_context(listener.accept()[0])
        queued = 'tcpwatch_syn_fate_total{fate="queued"}'
        wait_for(lambda: read(queued) >= count, lambda: f"{count} SYNs; {said.get(queued)}", 10)
        assert read(queued) == read("tcpwatch_syns_received_total") == count
        assert read('tcpwatch_handshake_seconds_count{side="server",part="host"}') == count
