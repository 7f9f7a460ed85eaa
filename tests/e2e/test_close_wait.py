# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sessions in CLOSE-WAIT: since when, exactly where tcpwatch saw the peer close, at least where it did not."""
import os
import time

from lib import tool
from lib.netns import NETS
from lib.traffic import Connection
from lib.wait import wait_for

PORT = 8080


def leaked(pair):
    """The peer closed; the server, this process, does not."""
    conn = Connection(pair.far, pair.near, NETS[4].near, PORT)
    conn.client.close()
    closed = time.monotonic()
    assert conn.server.recv(1) == b""
    return conn, closed


def row_of(rows, conn):
    return next((row for row in rows if tool.key_of(row) == conn.server_key), None)


def test_older_than_the_tool(pair):
    conn, closed = leaked(pair)
    with conn:
        def look():
            row = row_of(tool.sessions(pair.near, "state", "close-wait"), conn)
            return row["close_wait_seconds"] > 0.3 and row

        row = wait_for(look, "0.3 s in CLOSE-WAIT")
        assert row["close_wait_seconds"] < time.monotonic() - closed + 0.05  # a few jiffies
        assert row["close_wait_at_least"] is True and row["pid"] == os.getpid()


def test_followed(pair):
    with tool.Background(pair.near, "top", "-b", "-d", "0.1", "--json", "--view", "socket") as top:
        rows = []

        def look(conn=None):
            rows.extend(tool.parse_json_lines(top.read()))
            return conn and next((row for row in reversed(rows) if tool.key_of(row) == conn.server_key
                                  and (row["close_wait_seconds"] or 0) > 0.3), None)

        with Connection(pair.far, pair.near, NETS[4].near, PORT + 1) as first:
            wait_for(lambda: look() or any(tool.key_of(row) == first.server_key for row in rows), top.stderr)
        conn, closed = leaked(pair)
        with conn:
            row = wait_for(lambda: look(conn), top.stderr)
            assert row["close_wait_at_least"] is False
            assert row["close_wait_seconds"] < time.monotonic() - closed


def test_of_no_other_state(pair):
    with Connection(pair.far, pair.near, NETS[4].near, PORT) as conn:
        row = row_of(tool.sessions(pair.near), conn)
        assert row["state"] == "ESTAB"
        assert row["close_wait_seconds"] is None and row["close_wait_at_least"] is None
