# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch handshakes` against the counters of the kernel and of nftables."""
import contextlib
import socket

import pytest

from lib.handshakes import Handshakes
from lib.netns import NETS
from lib.traffic import Connection, connect, listen, refused
from lib.wait import wait_for

PORT = 8080
COUNT = 50
NETWORKS = {4: "10.9.0.0/24", 6: "fd09::/64"}


@pytest.fixture(name="both_sides")
def fixture_both_sides(pair):
    """The tool at the near end, where clients are, and at the far end, where servers are."""
    with Handshakes(pair.near, "-i", pair.near_if) as near, Handshakes(pair.far, "-i", pair.far_if) as far:
        yield near, far


def nft(ns, *lines):
    """A table of rules, each with a counter."""
    for line in ("add table inet hand", *lines):
        ns.run("nft", line)


def nft_packets(ns):
    """Packets that the rules of nft() matched, in order."""
    words = ns.run("nft", "list", "table", "inet", "hand").split()
    return [int(words[i + 1]) for i, word in enumerate(words) if word == "packets"]


@pytest.mark.parametrize("family", [4, 6])
def test_completed_are_the_kernels_opens(pair, both_sides, family):
    near, far = both_sides
    for _ in range(COUNT):
        with Connection(pair.near, pair.far, NETS[family].far, PORT) as conn:
            conn.finish()
    client = near.wait("client", completed=COUNT, failed=0)
    server = far.wait("server", completed=COUNT, failed=0)
    assert near.counted()["active_opens"] == near.kernel["active_opens"] == COUNT
    assert far.counted()["passive_opens"] == far.kernel["passive_opens"] == COUNT
    for row in client, server:
        assert (row["server_addr"], row["server_port"]) == (NETS[family].far, PORT)
        assert row["client_network"] == NETWORKS[family]
        assert row["total_histogram"] and sum(b["count"] for b in row["total_histogram"]) == COUNT
        assert row["network_p50_seconds"] <= row["total_p50_seconds"] <= row["total_max_seconds"] < 1
