# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Scenes of several namespaces: a host with containers on a bridge, on macvlans, behind a VXLAN. Not here: those of
devices that not every kernel has (devices.py).
"""
import contextlib
import re
import subprocess

import pytest

from lib.netns import Namespace, removing


class World:
    """The namespaces of a scene, by label."""

    def __init__(self, *labels):
        self.spaces = {label: Namespace(label) for label in labels}
        self.kept = contextlib.ExitStack()  # what else a scene needs, closed with it

    def __getattr__(self, label):
        return self.spaces[label]

    def ip(self, label, *lines):
        for line in lines:
            self.spaces[label].run("ip", *line.format(**{k: ns.name for k, ns in self.spaces.items()}).split())

    def remove(self):
        self.kept.close()
        for ns in self.spaces.values():
            ns.remove()


def bridged(world):
    """host: br0 10.8.0.1 with the ports va (to a, 10.8.0.2) and vb (to b, 10.8.0.3)."""
    world.ip("host", "link add name br0 up type bridge", "addr add 10.8.0.1/24 dev br0")
    for label, addr in (("a", "10.8.0.2"), ("b", "10.8.0.3")):
        world.ip("host", f"link add name v{label} type veth peer name eth0 netns {{{label}}}",
                 f"link set v{label} master br0 up")
        world.ip(label, "link set eth0 up", f"addr add {addr}/24 dev eth0")


def macvlans(world):
    """host: par0, a veth to the outside; on it the macvlans of a and b, which can reach each other."""
    world.ip("host", "link add name par0 up type veth peer name eth0 netns {out}")
    world.ip("out", "link set eth0 up", "addr add 10.8.0.9/24 dev eth0")
    for label, addr in (("a", "10.8.0.2"), ("b", "10.8.0.3")):
        world.ip("host", f"link add name sub{label} link par0 type macvlan mode bridge",
                 f"link set sub{label} netns {{{label}}} name eth0")
        world.ip(label, "link set eth0 up", f"addr add {addr}/24 dev eth0")


def overlay(world):
    """a and b: a VXLAN over the veth between them."""
    world.ip("a", "link add name eth0 up type veth peer name eth0 netns {b}")
    world.ip("b", "link set eth0 up")
    for label, mine, other in (("a", 1, 2), ("b", 2, 1)):
        world.ip(label, f"addr add 192.0.2.{mine}/24 dev eth0",
                 f"link add name vx0 type vxlan id 7 remote 192.0.2.{other} dstport 4789 dev eth0", "link set vx0 up",
                 f"addr add 10.8.0.{mine}/24 dev vx0")


def twins(world):
    """a - b and host - out: two veths that know nothing of each other, with the same addresses."""
    for near, far, ifname in (("a", "b", "h1"), ("host", "out", "h2")):
        world.ip(near, f"link add name {ifname} up type veth peer name eth0 netns {{{far}}}",
                 f"addr add 10.8.0.1/24 dev {ifname}")
        world.ip(far, "link set eth0 up", "addr add 10.8.0.2/24 dev eth0")


OUTSIDE_ADDR, HOST_ADDR, INSIDE_ADDR, PUBLISHED = "192.0.2.9", "192.0.2.1", "10.8.0.2", 8080


def routed(world):
    """bridged(), and out beyond the host's out0."""
    bridged(world)
    world.ip("host", "link add name out0 up type veth peer name eth0 netns {out}", f"addr add {HOST_ADDR}/24 dev out0")
    world.ip("out", "link set eth0 up", f"addr add {OUTSIDE_ADDR}/24 dev eth0")
    world.ip("a", "route add default via 10.8.0.1")
    world.host.sysctl("ipv4/ip_forward", 1)


def translate(world):
    """From now on out sees a's sessions as the host's, and reaches a's port 80 at the host's port 8080."""
    for line in ("add table ip nat", "add chain ip nat post { type nat hook postrouting priority 100; }",
                 "add chain ip nat pre { type nat hook prerouting priority -100; }",
                 "add rule ip nat post ip saddr 10.8.0.0/24 oifname out0 masquerade",
                 f"add rule ip nat pre iifname out0 tcp dport {PUBLISHED} dnat to {INSIDE_ADDR}:80"):
        world.host.run("nft", line)


def publishing(world):
    """translating(), and the host itself reaches a's port 80 at its port 8080, whichever its own address."""
    translating(world)
    world.host.sysctl("ipv4/conf/all/route_localnet", 1)
    for line in ("add chain ip nat out { type nat hook output priority -100; }",
                 f"add rule ip nat out fib daddr type local tcp dport {PUBLISHED} dnat to {INSIDE_ADDR}:80",
                 "add rule ip nat post ip saddr 127.0.0.0/8 oifname br0 masquerade"):
        world.host.run("nft", line)


def hairpin(world):
    """translating(), and b too reaches a's port 80 at the host's port 8080, through the bridge and back into it."""
    translating(world)
    for line in (f"add rule ip nat pre iifname br0 ip daddr 10.8.0.1 tcp dport {PUBLISHED} dnat to {INSIDE_ADDR}:80",
                 f"add rule ip nat post ip saddr 10.8.0.0/24 ip daddr {INSIDE_ADDR} oifname br0 masquerade"):
        world.host.run("nft", line)


def translating(world):
    routed(world)
    translate(world)


def translations(world):
    """What the host's conntrack says of TCP: (client, its port, target, its port) and the same as the server has it."""
    found = set()
    for line in world.host.run("cat", "/proc/net/nf_conntrack").splitlines():
        pairs = [word.partition("=")[::2] for word in line.split() if "=" in word]
        values = {key: [v for k, v in pairs if k == key] for key in ("src", "dst", "sport", "dport")}
        if " tcp " not in line:
            continue
        before, reply = (tuple(values[key][at] for key in ("src", "sport", "dst", "dport")) for at in (0, 1))
        found.add(((before[0], int(before[1]), before[2], int(before[3])),
                   (reply[2], int(reply[3]), reply[0], int(reply[1]))))
    return found


def missing_kind(failed):
    """The kind of device that `ip link add` was refused because this kernel has none; None: it failed otherwise."""
    kind = re.search(r" type (\S+)", " ".join(failed.cmd))
    return kind.group(1) if kind and "Unknown device type" in failed.stderr else None


@contextlib.contextmanager
def make(scene):
    with removing(World("host", "a", "b", "out")) as world:
        try:
            scene(world)
        except subprocess.CalledProcessError as failed:
            kind = missing_kind(failed)
            if not kind:
                raise
            pytest.skip(f"this kernel makes no device of kind {kind}")
        yield world
