# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Socket view: in each state of RFC 9293 `tcpwatch sessions` says what `ss -tan` says, row by row."""
import pytest

from lib import ss, tool
from lib.compare import same_as_ss
from lib.scenes import LISTEN_PORT, cases, closed, half_closed_data, time_wait
from lib.wait import wait_for

CASES = [pytest.param(family, scene, opens, id=f"{scene.name}-{opens}-ipv{family}")
         for family in (4, 6) for scene, opens in cases()]


def row_of(rows, key):
    found = [row for row in rows if tool.key_of(row) == key]
    assert len(found) == 1, f"{len(found)} rows of {key}"
    return found[0]


@pytest.mark.parametrize("family, scene, opens", CASES)
def test_state_is_that_of_ss(stage, family, scene, opens):
    session = stage.play(scene.play, family, opens)
    wait_for(lambda: ss.state_of(stage.near, session.key) == scene.ss,
             lambda: f"{scene.ss}; ss says {ss.state_of(stage.near, session.key)}")
    rows = same_as_ss(stage.near)
    if scene.ss:
        assert row_of(rows, session.key)["state"] == scene.ss


def test_listener_has_no_peer_and_no_direction(stage):
    rows = [row for row in same_as_ss(stage.near) if row["state"] == "LISTEN"]
    assert {row["local_port"] for row in rows} == {LISTEN_PORT}
    for row in rows:
        assert row["remote_port"] is None and row["direction"] is None


@pytest.mark.parametrize("opens", ["active", "passive"])
def test_bytes_received_after_half_close(stage, opens):
    key = stage.play(half_closed_data, opens=opens).key
    row = row_of(same_as_ss(stage.near), key)
    assert (row["rx_bytes"], row["tx_bytes"]) == (len(b"still talking"), 0)


def test_time_wait_has_no_process(stage):
    key = stage.play(time_wait).key
    row = row_of(same_as_ss(stage.near), key)
    assert row["state"] == "TIME-WAIT" and row["pid"] is None and row["comm"] is None


@pytest.mark.parametrize("words, states", [
    (["state", "established"], {"ESTAB"}),
    (["state", "time-wait"], {"TIME-WAIT"}),
    (["state", "listening"], {"LISTEN"}),
    (["state", "fin-wait-2"], {"FIN-WAIT-2"}),
    (["state", "syn-recv", "state", "syn-sent"], {"SYN-RECV", "SYN-SENT"}),
    (["state", "bucket"], {"SYN-RECV", "TIME-WAIT"}),
    (["state", "all", "exclude", "listening"], None),
    (["state", "connected"], None),
    (["state", "synchronized"], None),
    (["state", "big"], None),
    (["state", "all", f"( sport = :{LISTEN_PORT} and not src fd09::/16 )"], None),
    (["state", "all", "dst", "10.9.0.9/32"], None),
    (["state", "all", "dport > :{first} and dport <= :{last}"], None),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_filter_selects_what_ss_selects(stage, words, states):
    ports = [stage.play(scene.play, opens=opens).conn.port for scene, opens in cases()
             if scene.name in ("syn_sent", "syn_recv", "established", "fin_wait2", "time_wait")]
    words = [word.format(first=ports[0], last=ports[-2]) for word in words]
    ss_words = [part for word in words for part in word.split()]
    only = next(iter(states)) if states and len(states) == 1 else None

    def both():
        expected = sorted(ss.rows(stage.near, *ss_words, only=only))
        found = tool.sessions(stage.near, "--view", "socket", *words)
        return (expected, found) if expected == sorted(ss.rows(stage.near, *ss_words, only=only)) else None

    expected, rows = wait_for(both, "a moment in which ss does not change")
    assert sorted(map(tool.ss_row, rows)) == expected
    assert expected, "the case selects nothing"
    if states:
        assert {row["state"] for row in rows} == states


def test_closed_session_is_gone(stage):
    key = stage.play(closed).key
    assert key not in {tool.key_of(row) for row in same_as_ss(stage.near)}
