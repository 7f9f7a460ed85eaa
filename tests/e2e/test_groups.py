# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sessions grouped by a field, above all by container; and the column of containers in top. The oracles are ss and podman."""
import contextlib
import re
import socket

import pytest

from lib import podman as lib_podman
from lib import ss, tool
from lib.netns import removing
from lib.traffic import Connection
from lib.wait import wait_for
from lib.watched import spaces
from lib.world import bridged, make

STATES = {"established": "ESTAB", "time_wait": "TIME-WAIT", "close_wait": "CLOSE-WAIT", "fin_wait_2": "FIN-WAIT-2",
          "syn_recv": "SYN-RECV", "fin_wait_1": "FIN-WAIT-1", "last_ack": "LAST-ACK", "closing": "CLOSING",
          "syn_sent": "SYN-SENT"}


@pytest.fixture(name="world")
def fixture_world():
    with make(bridged) as made:
        yield made


def groups(text):
    """The newest row of each group."""
    return {row["group"]: row for row in tool.parse_json_lines(text) if row["schema"] == "tcpwatch.group.v1"}


def test_states_of_each_namespace_as_in_ss(world):
    with contextlib.ExitStack() as stack:
        conns = [stack.enter_context(Connection(world.a, world.b, "10.8.0.3", 8080 + i)) for i in range(4)]
        conns[0].client.shutdown(socket.SHUT_WR)
        conns[1].finish()
        done = tool.run(world.host, "sessions", "--by", "netns", "--json", "--view", "socket",
                        *spaces(world, "a", "b", "host"))
        found = groups(done.stdout)
        for ns in (world.a, world.b):
            said, expected = found[ns.name], ss.states(ns)
            assert {state: said[key] for key, state in STATES.items() if said[key]} == dict(expected)
            assert said["sessions"] == sum(expected.values())
        assert found[world.a.name]["opens"] is None
        assert found[world.a.name].keys() >= {"group", "is_other", "tx_bytes", "rx_bytes", "retransmits", "closes"}


def test_what_is_counted_over_time(world):
    """Opens, closes and bytes of what has closed too, in each namespace."""
    args = ("top", "-b", "-d", "0.2", "--json", "--by", "netns", *spaces(world, "a", "b"), "-i", "eth0")
    with tool.Background(world.host, *args) as top:
        found = {}

        def read():
            top.assert_running()
            found.update(groups(top.read()))
            return found

        with Connection(world.a, world.b, "10.8.0.3", 80):
            wait_for(lambda: read().get(world.b.name, {}).get("established"), lambda: f"{found} {top.stderr()}", 10)
        begun = {name: dict(row) for name, row in read().items()}
        for _ in range(7):
            with Connection(world.a, world.b, "10.8.0.3", 80) as conn:
                conn.send(b"x" * 1000)
                conn.finish()

        def gained(ns, key):
            return read()[ns.name][key] - begun[ns.name][key]

        wait_for(lambda: gained(world.a, "opens") == 7 and gained(world.b, "opens") == 7, lambda: f"{found}", 10)
        wait_for(lambda: gained(world.b, "closes") >= 7, lambda: f"{found}", 10)
        assert gained(world.a, "tx_bytes") == gained(world.b, "rx_bytes") == 7000
        assert read()[world.a.name]["failures"] == 0


@pytest.mark.parametrize("word", ["local_port", "nonsense"])
def test_what_is_no_name_is_no_group(world, word):
    done = tool.run(world.host, "top", "--by", word)
    assert done.returncode == 2
    assert "no field to group by" in done.stderr


# ---- containers -----------------------------------------------------------------------------------------------------


@pytest.fixture(name="podman", scope="module")
def fixture_podman():
    why = lib_podman.missing()
    if why:
        pytest.skip(f"no containers are tested: {why}")
    with removing(lib_podman.Podman()) as podman:
        yield podman


def test_by_container(podman):
    webs = [podman.start_web(label) for label in ("one", "two")]
    with contextlib.ExitStack() as stack:
        for web, count in zip(webs, (2, 5)):
            for _ in range(count):
                stack.enter_context(socket.create_connection((web.addr, 8080), timeout=10))
        done = tool.run(None, "sessions", "-N", "all", "--by", "container", "--json", "--view", "socket")
        found = groups(done.stdout)
        for web in webs:
            assert found[web.name]["established"] == ss.states(web.ns)["ESTAB"]
        assert done.returncode == 0


def headings(text):
    return re.findall(r"^STATE .*$", text, re.M)


def test_column_of_containers(podman):
    web = podman.start_web("column")
    with socket.create_connection((web.addr, 8080), timeout=10):
        shown = tool.run(None, "top", "-b", "-n", "1", "--container", web.name).stdout
        assert re.search(rf"^ESTAB .*{re.escape(web.name)}", shown, re.M), shown
        assert "CONTAINER" in headings(shown)[0]
        asked = tool.run(None, "top", "-b", "-n", "1", "--container", web.name, "--fields", "state,local").stdout
        assert "CONTAINER" not in headings(asked)[0]


def test_no_column_without_containers(world):
    with Connection(world.a, world.b, "10.8.0.3", 8080):
        shown = tool.run(world.host, "top", "-b", "-n", "1", *spaces(world, "a", "b")).stdout
        assert "ESTAB" in shown and "CONTAINER" not in headings(shown)[0]
