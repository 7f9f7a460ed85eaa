# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Scenes of devices that not every kernel has: VLANs, bonds, ipvlan, macvtap. In each the host's way out is par0 or a
bond, and out is beyond it. Not here: what every kernel has (world.py).
"""
import contextlib
import fcntl
import os
import select
import struct
import tempfile
import threading

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
FRAME_BYTES = 1 << 16


def uplink(world):
    """host: par0, a veth to out's eth0; neither has an address."""
    world.ip("host", "link add name par0 up type veth peer name eth0 netns {out}")
    world.ip("out", "link set eth0 up")


def vlans(world):
    """VLAN 7 and 8 are the host's vl7 and vl8, VLAN 9 is given to a."""
    uplink(world)
    for tag in (7, 8, 9):
        world.ip("host", f"link add name vl{tag} link par0 type vlan id {tag}")
        world.ip("out", f"link add name vl{tag} link eth0 up type vlan id {tag}",
                 f"addr add 10.8.{tag}.9/24 dev vl{tag}")
    for tag in (7, 8):
        world.ip("host", f"link set vl{tag} up", f"addr add 10.8.{tag}.1/24 dev vl{tag}")
    world.ip("host", "link set vl9 netns {a} name eth0")
    world.ip("a", "link set eth0 up", "addr add 10.8.9.2/24 dev eth0")


def stacked_vlans(world):
    """cv8, a VLAN within the VLAN sv7."""
    uplink(world)
    for label, parent, end in (("host", "par0", 1), ("out", "eth0", 9)):
        world.ip(label, f"link add name sv7 link {parent} up type vlan id 7 protocol 802.1ad",
                 "link add name cv8 link sv7 up type vlan id 8", f"addr add 10.8.0.{end}/24 dev cv8")


def _bonds(world, *mode):
    for label in ("host", "out"):
        world.ip(label, " ".join(("link add name bond0 type bond miimon 100", *mode)))
    for slave in ("s0", "s1"):
        world.ip("host", f"link add name {slave} type veth peer name {slave} netns {{out}}")
        for label in ("host", "out"):
            world.ip(label, f"link set {slave} master bond0")
    for label, end in (("host", 1), ("out", 9)):
        world.ip(label, "link set bond0 up", f"addr add 10.8.0.{end}/24 dev bond0",
                 "link add name vl7 link bond0 up type vlan id 7", f"addr add 10.8.7.{end}/24 dev vl7")


def bonds(world):
    """bond0 of the slaves s0, in use, and s1; on it the VLAN vl7."""
    _bonds(world, "mode active-backup")
    for label in ("host", "out"):
        world.ip(label, "link set bond0 type bond active_slave s0")


def bonds_in_turn(world):
    """The same, but each slave carries every other segment."""
    _bonds(world, "mode balance-rr")


def ipvlans(world):
    """Layer 2: the host's iv0 and one in a and b each, all on par0."""
    uplink(world)
    world.ip("out", "addr add 10.8.0.9/24 dev eth0")
    world.ip("host", "link add name iv0 link par0 up type ipvlan mode l2", "addr add 10.8.0.1/24 dev iv0")
    for label, addr in (("a", "10.8.0.2"), ("b", "10.8.0.3")):
        world.ip("host", f"link add name sub{label} link par0 type ipvlan mode l2",
                 f"link set sub{label} netns {{{label}}} name eth0")
        world.ip(label, "link set eth0 up", f"addr add {addr}/24 dev eth0")


def _routed_ipvlans(world, mode):
    uplink(world)
    world.ip("host", "addr add 192.0.2.1/24 dev par0")
    world.ip("out", "addr add 192.0.2.9/24 dev eth0", "route add 10.8.0.0/24 via 192.0.2.1")
    for label, addr in (("a", "10.8.0.2"), ("b", "10.8.0.3")):
        world.ip("host", f"link add name sub{label} link par0 type ipvlan mode {mode}",
                 f"link set sub{label} netns {{{label}}} name eth0")
        world.ip(label, "link set eth0 up", f"addr add {addr}/32 dev eth0", "route add default dev eth0")


def ipvlans_l3(world):
    """Layer 3: one in a and b each, routed in the host's namespace."""
    _routed_ipvlans(world, "l3")


def ipvlans_l3s(world):
    """The same, through the host's netfilter."""
    _routed_ipvlans(world, "l3s")


# ---- macvtap: a guest and its hypervisor ---------------------------------------------------------

def _open_tap(world, ifname):
    """The character device of a macvtap, where its guest's frames come and go."""
    with tempfile.TemporaryDirectory() as scratch, world.host.entered():
        number = world.host.run("unshare", "-m", "sh", "-c",
                                f"mount -t sysfs none /sys && cat /sys/class/net/{ifname}/tap*/dev")
        path = os.path.join(scratch, "tap")
        os.mknod(path, 0o600 | 0o020000, os.makedev(*map(int, number.split(":"))))
        tap = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH14x", b"", IFF_TAP | IFF_NO_PI))
    return tap


def _open_guest(world, label, ifname):
    with world.spaces[label].entered():
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH14x", ifname.encode(), IFF_TAP | IFF_NO_PI))
    return tun


@contextlib.contextmanager
def _carried(one, other):
    """Frames go from each of two descriptors to the other, as in a hypervisor."""
    stop_reader, stop = os.pipe()
    ways = {one: other, other: one}

    def carry():
        while True:
            ready, _, _ = select.select([stop_reader, *ways], [], [])
            if stop_reader in ready:
                return
            for source in ready:
                with contextlib.suppress(OSError):  # an interface that is down
                    os.write(ways[source], os.read(source, FRAME_BYTES))

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(stop, b"x")
        thread.join()
        for fd in (stop_reader, stop, one, other):
            os.close(fd)


def macvtaps(world):
    """a is a guest whose eth0 is the host's macvtap mt0 on par0."""
    uplink(world)
    world.ip("out", "addr add 10.8.0.9/24 dev eth0")
    world.ip("host", "link add name mt0 link par0 address 02:00:00:00:08:02 type macvtap mode bridge",
             "link set mt0 up")
    world.kept.enter_context(_carried(_open_tap(world, "mt0"), _open_guest(world, "a", "eth0")))
    world.ip("a", "link set eth0 address 02:00:00:00:08:02", "link set eth0 up", "addr add 10.8.0.2/24 dev eth0")
