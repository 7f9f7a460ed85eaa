# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Zones of conntrack: two containers with the same address, told apart by the zone that their interfaces are in. Each tuple
is translated in both, to another port. The oracle is the kernel's own list of connections.
"""
import contextlib

import pytest

from lib import tool
from lib.traffic import Connection, connect, listen, refused, reset_on_close
from lib.wait import wait_for
from lib.watched import Watched, spaces, taps
from lib.world import make, translations

OUTSIDE, INSIDE, HOST, PORT = "192.0.2.9", "10.8.0.2", "192.0.2.1", 40000
ZONES = {"a": 1, "b": 2}
RULES = """
table ip nat {
	chain zones { type filter hook prerouting priority -300;
		iifname va ct original zone set 1
		iifname vb ct original zone set 2; }
	chain marks { type filter hook prerouting priority -150;
		iifname va ct mark set 1
		iifname vb ct mark set 2
		iifname out0 meta mark set ct mark; }
	chain post { type nat hook postrouting priority 100; oifname out0 masquerade; }
}
"""


def zoned(world):
    """a and b are both 10.8.0.2, behind the host's va and vb; out is beyond its out0."""
    world.ip("host", "link add name out0 up type veth peer name eth0 netns {out}", f"addr add {HOST}/24 dev out0")
    world.ip("out", "link set eth0 up", f"addr add {OUTSIDE}/24 dev eth0")
    world.host.sysctl("ipv4/ip_forward", 1)
    world.host.sysctl("ipv4/conf/all/rp_filter", 0)
    for label, zone in ZONES.items():
        world.ip("host", f"link add name v{label} type veth peer name eth0 netns {{{label}}}", f"link set v{label} up",
                 f"addr add 10.8.0.1/32 dev v{label}", f"route add {INSIDE}/32 dev v{label} table {100 + zone}",
                 f"rule add fwmark {zone} lookup {100 + zone}")
        world.host.sysctl(f"ipv4/conf/v{label}/rp_filter", 0)
        world.ip(label, "link set eth0 up", f"addr add {INSIDE}/24 dev eth0", "route add default via 10.8.0.1")
    world.host.run("nft", "-f", "-", input=RULES)


class Pair:
    """A connection of a's and one of b's, which have the same tuple; .there is what out calls their clients."""

    def __init__(self, world):
        self.ends, self.there = {}, {}
        with listen(world.out, OUTSIDE, 80) as listener:
            for label in ZONES:
                client = connect(world.spaces[label], OUTSIDE, 80, local=(INSIDE, PORT))
                server, self.there[label] = listener.accept()
                self.ends[label] = (client, server)
        self.key = (INSIDE, PORT, OUTSIDE, 80)
        assert {(self.key, (*there, OUTSIDE, 80)) for there in self.there.values()} <= translations(world)
        assert len(set(self.there.values())) == 2

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self.ends.values():
            end[0].close()
            end[1].close()

    def send(self, label, count):
        client, server = self.ends[label]
        client.sendall(b"x" * count)
        while count:
            count -= len(server.recv(count))

    def finish(self, label):
        client, server = self.ends[label]
        client.close()
        assert server.recv(1) == b""
        server.close()


@pytest.fixture(name="world")
def fixture_world():
    with make(zoned) as made:
        yield made


@pytest.mark.parametrize("names", [["va", "vb", "out0"], ["out0", "vb", "va"], ["eth0", "out0"], ["out0", "eth0"]],
                         ids="+".join)
def test_each_session_has_its_own_other_side(world, names):
    labels = ("host", "a", "b") if "eth0" in names else ("host",)
    sizes = {"a": 1000, "b": 700}
    with Watched(world, lambda: refused(world.a, OUTSIDE, 9), "--view", "wire", *spaces(world, *labels),
                 *taps(*names)) as watched, Pair(world) as pair:
        for label, size in sizes.items():
            pair.send(label, size)
        for label in sizes:
            pair.finish(label)
        keys = {key for one in (pair.key, *((*there, OUTSIDE, 80) for there in pair.there.values()))
                for key in (one, (*one[2:], *one[:2]))}
        wait_for(lambda: len(watched.of(keys, "closed")) >= 2, lambda: f"both ends; {watched.of(keys)}", 10)
        refused(world.a, OUTSIDE, 10)
        ends = watched.of(keys, "closed")
        inner = {label: "eth0" if "eth0" in names else f"v{label}" for label in ZONES}
        found = {label: [e for e in ends if e["tx_bytes"] + e["rx_bytes"] == size] for label, size in sizes.items()}
        assert [len(events) for events in found.values()] == [1, 1] and len(ends) == 2, ends
        for label, (event,) in found.items():
            assert set(event["taps"].split(",")) == {inner[label], "out0"}
            assert pair.there[label][1] in (event["nat_local_port"], event["nat_remote_port"], event["local_port"],
                                            event["remote_port"])


def test_sockets_have_no_name_that_may_be_the_others(world):
    """Nothing tells of which of the two a socket is, unless it is seen on its way."""
    with Pair(world) as pair:
        row, = (r for r in tool.sessions(world.host, "--view", "socket", *spaces(world, "a")) if
                tool.key_of(r) == pair.key)
        assert (row["nat_local_addr"], row["nat_local_port"]) == (None, None)


def test_the_end_of_one_is_not_that_of_the_other(world):
    """What is left when one is forgotten is the other's name."""
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(tool.Background(world.host, "top", "-b", "-d", "0.2", "--json", "--view", "socket",
                                                  *spaces(world, "a", "b", "host")))
        # Of connections that nobody listened for the kernel does not tell the end.
        stack.enter_context(Connection(world.a, world.out, OUTSIDE, 81))
        wait_for(top.read, "a frame", 10)
        pair = stack.enter_context(Pair(world))
        frames = []

        def names():
            top.assert_running()
            frames[:] = [r for r in tool.parse_json_lines(top.read()) if "local_addr" in r] or frames
            return {r["nat_local_port"] for r in frames if tool.key_of(r) == pair.key}

        wait_for(lambda: names() == {None}, lambda: f"a row without a name; {frames}", 10)
        world.host.sysctl("netfilter/nf_conntrack_tcp_timeout_close", 1)
        reset_on_close(pair.ends["a"][0])
        pair.ends["a"][0].close()
        # The kernel forgets what has expired when it is looked at.
        wait_for(lambda: sum(before == pair.key for before, _ in translations(world)) == 1, "the end of one", 10)
        wait_for(lambda: names() == {pair.there["b"][1]}, lambda: f"the other's name; {frames}", 10)
