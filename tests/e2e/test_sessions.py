# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch sessions`: which sockets are listed, and what each row says."""
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from lib import tool, web
from lib.compare import same_as_ss
from lib.netns import NETS
from lib.traffic import Connection, connect, listen, many_connections

PORT = 8080


def by_key(rows):
    return {tool.key_of(row): row for row in rows}


@pytest.mark.parametrize("family", [4, 6])
def test_socket_older_than_the_tool(pair, family):
    with Connection(pair.near, pair.far, NETS[family].far, PORT) as old:
        old.send(b"x" * 5000)
        old.send(b"y" * 300, to_server=False)
        row = by_key(same_as_ss(pair.near))[old.client_key]
        same_as_ss(pair.far)
    assert (row["tx_bytes"], row["rx_bytes"]) == (5000, 300)
    assert (row["pid"], row["comm"]) == (os.getpid(), Path("/proc/self/comm").read_text().strip())
    assert row["view"] == "socket" and row["rtt_seconds"] > 0
    for unknown in ("age_seconds", "handshake_seconds", "peer_state", "conn_state", "history", "ifname"):
        assert row[unknown] is None, f"{unknown} is made up"


def test_twenty_thousand_sockets(pair):
    with many_connections(pair.near, 10000):
        assert len(same_as_ss(pair.near)) == 20001


def test_none_is_missed_or_doubled_while_others_come_and_go(pair):
    """Those that stay are in the same chains of the kernel's table as those that do not."""
    count = 2000
    with many_connections(pair.near, count, port=PORT), web.Nginx(pair.near) as nginx, \
            web.churn(pair.near, nginx, "127.0.0.1"):
        for _ in range(40):
            rows = Counter(map(tool.ss_row, tool.sessions_one_by_one(pair.near)))
            held = [row for row in rows if PORT in (row.local_port, row.remote_port)]
            assert len(held) == 2 * count and {row.state for row in held} == {"ESTAB"}
            assert max(rows.values()) == 1, "doubled"
        assert len(rows) > 2 * count + 100, "nothing came and went"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("options", [["--view", "socket"], ["-i", "lo"]], ids=["socket", "both"])
def test_loopback_session_is_two_rows(pair, host, options):
    with Connection(pair.near, pair.near, host, PORT) as loop:
        rows = tool.sessions(pair.near, *options)
    assert sorted(map(tool.key_of, rows)) == sorted([loop.client_key, loop.server_key])
    assert {row["pid"] for row in rows} == {os.getpid()}


@pytest.mark.parametrize("family", [4, 6])
def test_dual_stack_listener_and_its_clients(pair, family):
    with listen(pair.far, "::", PORT, dual_stack=True) as listener, \
            connect(pair.near, NETS[family].far, PORT) as client, listener.accept()[0]:
        rows = same_as_ss(pair.far)
        key = (*client.getpeername()[:2], *client.getsockname()[:2])
    assert by_key(rows)[key]["state"] == "ESTAB"
    assert sorted(row["state"] for row in rows) == ["ESTAB", "LISTEN"]


def test_listeners_bound_to_each_kind_of_address(pair):
    with listen(pair.near, "0.0.0.0", PORT), listen(pair.near, "::", PORT), \
            listen(pair.near, NETS[4].near, PORT + 1), listen(pair.near, NETS[6].near, PORT + 1), \
            listen(pair.near, "127.0.0.1", PORT + 2), listen(pair.near, "::1", PORT + 2):
        assert len(same_as_ss(pair.near)) == 6


def test_addresses_are_written_as_ss_writes_them(pair):
    """A listener on all IPv6 addresses is * where it takes IPv4 too."""
    with listen(pair.near, "0.0.0.0", PORT), listen(pair.near, "::", PORT + 1), listen(pair.near, "::1", PORT + 2), \
            listen(pair.near, "::", PORT + 3, dual_stack=True), \
            listen(pair.near, "::ffff:127.0.0.1", PORT + 4, dual_stack=True):
        written = {tuple(line.split()[3:5]) for line in pair.near.run("ss", "-Hltn").splitlines()}
        done = tool.run(pair.near, "sessions", "state", "listening", "--fields", "local,remote")
        assert {tuple(line.split()) for line in done.stdout.splitlines()[1:]} == written
        assert len(written) == 5 and (f"*:{PORT + 3}", "*:*") in written
        done = tool.run(pair.near, "backlog", "--fields", "local", "sport", f":{PORT + 3}")
        assert f"*:{PORT + 3}" in done.stdout.splitlines()


def test_queues_of_a_listener_are_those_of_ss(pair):
    with listen(pair.far, NETS[4].far, PORT, backlog=5), \
            connect(pair.near, NETS[4].far, PORT), connect(pair.near, NETS[4].far, PORT):
        row = next(r for r in same_as_ss(pair.far) if r["state"] == "LISTEN")
        assert (row["rx_queue"], row["tx_queue"]) == (2, 5)


def test_hostile_name_of_a_process(pair):
    """A comm is any 15 bytes: each line stays one JSON object in valid UTF-8."""
    hostile = b'\xff\xc3"\\\n\x1b[2Jx'
    script = ("import socket, sys; f = open('/proc/self/comm', 'wb'); f.write(bytes.fromhex(sys.argv[1])); "
              "f.close(); s = socket.create_server(('127.0.0.1', 8080)); print(flush=True); input()")
    with pair.near.popen(["/usr/bin/python3", "-c", script, hostile.hex()], stdin=-1, stdout=-1) as holder:
        holder.stdout.readline()
        row, = same_as_ss(pair.near)
        text = tool.run(pair.near, "sessions", "--view", "socket", "state", "all", "--fields", "pid,comm").stdout
        holder.communicate(b"\n")
    assert row["pid"] == holder.pid
    assert row["comm"] == hostile.decode(errors="replace")
    assert "\x1b" not in text and len(text.splitlines()) == 2


def test_text_has_a_heading_and_a_line_for_each_row(pair):
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        done = tool.run(pair.near, "sessions", "--view", "socket",
                        "--fields", "state,local_addr,local_port,remote_addr,remote_port")
    assert done.returncode == 0
    heading, *lines = done.stdout.splitlines()
    assert "STATE" in heading.upper()
    assert [line.split() for line in lines] == [["ESTAB", *map(str, conn.client_key)]]


@pytest.mark.parametrize("sort, descending", [("remote_port", False), ("-remote_port", True)])
def test_sort(pair, sort, descending):
    with Connection(pair.near, pair.far, NETS[4].far, 8300), \
            Connection(pair.near, pair.far, NETS[4].far, 8100), \
            Connection(pair.near, pair.far, NETS[4].far, 8200):
        ports = [row["remote_port"] for row in tool.sessions(pair.near, "--view", "socket", "--sort", sort)]
    assert ports == sorted([8100, 8200, 8300], reverse=descending)


def test_color_always_never_and_no_color(pair):
    with Connection(pair.near, pair.far, NETS[4].far, PORT):
        def output(*args, **env):
            return tool.run(pair.near, "sessions", "--view", "socket", *args, env={**os.environ, **env}).stdout

        assert "\x1b[" in output("--color", "always")
        assert "\x1b[" not in output("--color", "never")
        assert "\x1b[" not in output("--color", "auto")
        assert "\x1b[" not in output(NO_COLOR="1")


def test_json_is_the_same_whatever_the_fields_and_colors(pair):
    with Connection(pair.near, pair.far, NETS[4].far, PORT):
        done = tool.run(pair.near, "sessions", "--view", "socket", "--json", "--color", "always")
    assert json.loads(done.stdout)["schema"].startswith("tcpwatch.session.")
