# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
The header of `tcpwatch top`: opens, closes and failed handshakes count each session once, whichever view saw it. The
oracle is the number of connections that the test makes.
"""
import re

import pytest

from lib import tool
from lib.traffic import Connection, connect, listen, refused
from lib.wait import wait_for
from lib.watched import spaces, taps
from lib.world import HOST_ADDR, INSIDE_ADDR, OUTSIDE_ADDR, PUBLISHED, bridged, make, translating

PORT = 8080
N, N_REFUSED = 30, 7


class Header(tool.Background):
    """`top -b` over some namespaces, and what its latest header counts."""

    def __init__(self, world, *args):
        super().__init__(world.host, "top", "-b", "-d", "0.1", *args)
        self.totals = {}

    def look(self):
        for label, count in re.findall(r"(opens|closes|failed) \S+ \((\d+)\)", self.read()):
            self.totals[label] = int(count)
        return self.totals

    def wait(self, **wanted):
        """Until the counts are as given, and two frames later still."""
        def is_so():
            self.assert_running()
            return wanted.items() <= self.look().items()

        wait_for(is_so, lambda: f"{wanted}; it says {self.totals}; {self.stderr()}", 10)
        before = self.offset
        wait_for(lambda: self.look() and self.offset > before + 2000, "two more frames", 5)
        assert wanted.items() <= self.totals.items(), self.totals


def talk_and_fail(client, server, addr):
    for _ in range(N):
        with Connection(client, server, addr, PORT) as conn:
            conn.send(b"x" * 100)
            conn.finish()
    for _ in range(N_REFUSED):
        refused(client, addr, PORT + 1)


# Who talks to whom, what is watched where, and what is to be counted: by a socket of a watched namespace, or by a tap.
CASES = {
    "forwarded": ("a", "10.8.0.3", "b", ["host"], ["va"], N, N_REFUSED),
    "forwarded, two taps": ("a", "10.8.0.3", "b", ["host"], ["va", "vb", "br0"], N, N_REFUSED),
    "its client too": ("a", "10.8.0.3", "b", ["host", "a"], ["va"], N, N_REFUSED),
    "its server too": ("a", "10.8.0.3", "b", ["host", "b"], ["va"], N, N_REFUSED),
    "both ends": ("a", "10.8.0.3", "b", ["host", "a", "b"], ["va", "eth0"], 2 * N, N_REFUSED),
    "to the host": ("a", "10.8.0.1", "host", ["host"], ["va"], N, N_REFUSED),
    "host and client": ("a", "10.8.0.1", "host", ["host", "a"], ["va", "eth0"], 2 * N, N_REFUSED),
}


@pytest.mark.parametrize("case", CASES)
def test_each_session_counts_once(case):
    """Or as often as there are sockets of it, as the kernel counts: one for each end that is watched."""
    client, addr, server, watched, tapped, opens, failed = CASES[case]
    with make(bridged) as world, Header(world, *spaces(world, *watched), *taps(*tapped)) as header:
        header.wait(opens=0, closes=0, failed=0)
        talk_and_fail(world.spaces[client], world.spaces[server], addr)
        header.wait(opens=opens, closes=opens, failed=failed)


def test_by_the_wire_alone():
    with make(bridged) as world, Header(world, "--view", "wire", *spaces(world, "host", "a"), *taps("va", "eth0")) as header:
        header.wait(opens=0, closes=0, failed=0)
        talk_and_fail(world.a, world.b, "10.8.0.3")
        header.wait(opens=N, closes=N, failed=N_REFUSED)


@pytest.mark.parametrize("way", ["masquerade", "published port"])
def test_translated_sessions(way):
    """A session that the host translates has two tuples, and passes a tap with each."""
    with make(translating) as world, Header(world, *spaces(world, "host"), *taps("va", "out0")) as header:
        header.wait(opens=0, closes=0, failed=0)
        for _ in range(N):
            if way == "masquerade":
                listener, client = listen(world.out, OUTSIDE_ADDR, PORT), connect(world.a, OUTSIDE_ADDR, PORT)
            else:
                listener, client = listen(world.a, INSIDE_ADDR, 80), connect(world.out, HOST_ADDR, PUBLISHED)
            with listener, client, listener.accept()[0]:
                pass
        header.wait(opens=N, closes=N, failed=0)
