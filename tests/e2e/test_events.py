# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch events`: what is told of one session, in which order, once, and with what."""
import contextlib
import errno
import os
import re
import socket
from pathlib import Path

import pytest

from lib import scenes, tool
from lib.netns import NETS, removing
from lib.stage import Stage
from lib.traffic import Connection, refused, reset_on_close
from lib.wait import wait_for

PORT = 8080
VIEWS = ["socket", "wire", "both"]
STEPS = {"socket": ["established", "closed"],
         "wire": ["syn", "syn_ack", "established", "fin", "fin", "closed"],
         "both": ["syn", "syn_ack", "established", "fin", "fin", "closed"]}


def steps(events, key):
    return [kind for kind in events.kinds(key) if kind != "state_change"]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("side", ["near", "far"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_whole_session(pair, watch, view, side, family):
    events = watch(pair, view, side=side)
    with Connection(pair.near, pair.far, NETS[family].far, PORT) as conn:
        conn.send(b"a" * 3000)
        conn.send(b"b" * 70000, to_server=False)
        conn.finish()
    key = conn.client_key if side == "near" else conn.server_key
    closed = events.wait(key, "closed")
    assert steps(events, key) == STEPS[view] or view == "both" and sorted(steps(events, key)) == sorted(STEPS[view])
    tx_bytes, rx_bytes = (3000, 70000) if side == "near" else (70000, 3000)
    assert (closed["tx_bytes"], closed["rx_bytes"]) == (tx_bytes, rx_bytes)
    assert closed["reason"] == "fin"
    assert closed["closed_by"] == ("local" if side == "near" else "remote")
    assert closed["direction"] == ("out" if side == "near" else "in")
    if view != "socket":
        assert closed["conn_state"] == "SF" and closed["history"].startswith("ShA")
    assert 0 < closed["handshake_seconds"] < closed["duration_seconds"] < 10


def test_what_began_to_open_before_is_marked(pair, watch):
    """SYNs that nothing answers, the first of them before tcpwatch ran: those it sees were sent again, nobody knows since when."""
    pair.far.run("nft", f"add table ip t; add chain ip t c {{ type filter hook input priority 0; }}; "
                        f"add rule ip t c tcp dport {PORT} drop")
    with pair.near.entered():
        client = socket.socket()
    with contextlib.ExitStack() as stack:
        stack.callback(pair.far.run, "nft", "delete table ip t")
        stack.enter_context(client)
        client.setblocking(False)
        assert client.connect_ex((NETS[4].far, PORT)) == errno.EINPROGRESS
        events = watch(pair, "both")
        key = (*client.getsockname(), NETS[4].far, PORT)
        assert events.wait(key, "syn", seconds=10)["reason"] == "retransmit"

        def row():
            args = ("-i", pair.near_if, "--duration", "2", "dport", "=", f":{PORT}")
            return next((r for r in tool.sessions(pair.near, *args) if r["view"] == "both"), None)

        found = wait_for(row, "a row of both views", 10)
        assert (found["state"], found["peer_state"], found["age_seconds"]) == ("SYN-SENT", None, None)


def test_segments_of_a_server(pair, watch):
    """A request sock sends the SYN-ACK, and no socket counts it."""
    by_socket, by_wire = watch(pair, "socket", side="far"), watch(pair, "wire", side="far")
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        conn.send(b"a" * 100)
        conn.finish()
    socket, wire = (events.wait(conn.server_key, "closed") for events in (by_socket, by_wire))
    assert socket["closed_by"] == "remote"
    assert (socket["tx_segments"] + 1, socket["rx_segments"]) == (wire["tx_segments"], wire["rx_segments"])


def test_roles_of_a_session_picked_up_midstream_are_marked(pair, watch):
    """Nobody saw its handshake: who opened it is a guess, in events as in a table of text."""
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        events = watch(pair, "wire")
        with tool.Background(pair.near, "sessions", "-i", pair.near_if, "--view", "wire", "--duration", "1") as table:
            def is_over():
                conn.send(b"x")
                return table.process.poll() is not None

            wait_for(is_over, "the table", 10)
            row, = (line for line in table.read().splitlines() if f":{conn.client_key[1]} " in line)
        conn.finish()
    assert "out?" in row.split()
    closed = events.wait(conn.client_key, "closed")
    assert (closed["direction"], closed["roles_guessed"]) == ("out", True)


def test_times_are_rfc_3339_with_nanoseconds_and_in_order(pair, watch):
    events = watch(pair, "wire")
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        conn.finish()
    events.wait(conn.client_key, "closed")
    times = [event["time"] for event in events.of(conn.client_key)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)", time) for time in times)
    assert times == sorted(times)


@pytest.mark.parametrize("view", VIEWS)
def test_states_on_the_way(pair, watch, view):
    events = watch(pair, view)
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        conn.finish()
    events.wait(conn.client_key, "closed")
    changes = [(e["old_state"], e["new_state"]) for e in events.of(conn.client_key) if e["event"] == "state_change"]
    states = ["SYN-SENT", "ESTAB", "FIN-WAIT-1", "FIN-WAIT-2"]
    # The kernel enters SYN-SENT before it chooses the port.
    told = states if view == "wire" else states[1:]
    assert [new for _, new in changes][:len(told)] == told
    assert [old for old, new in changes if old in states] == states
    assert changes[-1][1] == ("TIME-WAIT" if view == "wire" else "UNCONN")


@pytest.mark.parametrize("view", VIEWS)
def test_refused(pair, watch, view):
    events = watch(pair, view)
    port = refused(pair.near, NETS[4].far, PORT)
    key = (NETS[4].near, port, NETS[4].far, PORT)
    events.wait(key, "handshake_failed", reason="refused")
    kinds = events.kinds(key)
    assert kinds.count("handshake_failed") == 1
    assert not {"established", "closed"} & set(kinds)
    assert kinds.count("syn") == (view != "socket")


@pytest.mark.parametrize("view", ["socket", "both"])
def test_unanswered_syn(pair, watch, view):
    pair.near.sysctl("ipv4/tcp_syn_retries", 1)
    pair.near.no_linear_timeouts()
    events = watch(pair, view)
    with pair.near.entered(), socket.socket() as sock:
        sock.bind((NETS[4].near, 0))
        key = (*sock.getsockname(), NETS[4].ghost, PORT)
        sock.settimeout(20)
        assert sock.connect_ex((NETS[4].ghost, PORT)) == errno.ETIMEDOUT
    events.wait(key, "handshake_failed", reason="timeout")
    kinds = events.kinds(key)
    assert kinds.count("handshake_failed") == 1 and kinds.count("retransmit") == 1
    if view == "both":
        assert [e["reason"] for e in events.of(key) if e["event"] == "syn"] == [None, "retransmit"]


@pytest.fixture(name="fresh_stage")
def fixture_fresh_stage():
    with removing(Stage()) as the_stage:
        yield the_stage


@pytest.mark.parametrize("view", VIEWS)
def test_retransmitted_data(fresh_stage, watch, view):
    events = watch(fresh_stage, view)
    session = fresh_stage.play(scenes.established)
    session.sock.send(b"lost")
    session.conn.expect("PA")
    session.conn.expect("PA")
    events.wait(session.key, "retransmit")
    session.conn.send("A")
    assert "closed" not in events.kinds(session.key)


@pytest.mark.parametrize("view", ["wire", "both"])
def test_retransmitted_syn_ack(fresh_stage, watch, view):
    events = watch(fresh_stage, view)
    session = fresh_stage.play(scenes.syn_recv_again)
    events.wait(session.key, "syn_ack", reason="retransmit")
    assert [e["reason"] for e in events.of(session.key) if e["event"] == "syn"] == [None]


@pytest.mark.parametrize("view", ["wire", "both"])
def test_syn_tells_its_options(fresh_stage, watch, view):
    events = watch(fresh_stage, view)
    session = fresh_stage.play(scenes.syn_recv)
    syn = events.wait(session.key, "syn")
    assert (syn["isn"], syn["mss"], syn["wscale"]) == (session.conn.isn, 1400, None)
    assert syn["direction"] == "in"
    assert events.wait(session.key, "syn_ack")["isn"] == (session.conn.ack - 1) % 2**32


@pytest.mark.parametrize("opens", ["active", "passive"])
@pytest.mark.parametrize("scene, kind, by", [
    (scenes.reset_by_near, "reset_sent", "local"), (scenes.reset_by_peer, "reset_received", "remote")])
@pytest.mark.parametrize("view", VIEWS)
def test_reset(fresh_stage, watch, view, scene, kind, by, opens):
    events = watch(fresh_stage, view)
    session = fresh_stage.play(scene, opens=opens)
    closed = events.wait(session.key, "closed")
    events.wait(session.key, kind)
    kinds = events.kinds(session.key)
    assert (closed["reason"], closed["closed_by"]) == ("reset", by)
    assert kinds.count("closed") == 1 and kinds.count("established") == 1 and kinds.count(kind) == 1


@pytest.mark.parametrize("flags, offset", [("R", 5000), ("S", 100)])
def test_in_window_rst_or_syn_does_not_close(fresh_stage, watch, flags, offset):
    """RFC 5961: only a RST exactly at RCV.NXT closes."""
    events = watch(fresh_stage, "wire")
    session = fresh_stage.play(scenes.established)
    session.conn.send(flags, seq=(session.conn.seq + offset) % 2**32)
    session.conn.expect("A")  # the challenge
    scenes.close_from_established(session)
    closed = events.wait(session.key, "closed")
    assert (closed["reason"], closed["conn_state"]) == ("fin", "SF")
    assert events.kinds(session.key).count("established") == 1


def test_tuple_used_again_is_a_new_session(fresh_stage, watch):
    events = watch(fresh_stage, "wire")
    first = fresh_stage.play(scenes.reset_by_peer, opens="passive")
    events.wait(first.key, "closed")
    first.call()
    first.conn.send("A")
    wait_for(lambda: events.kinds(first.key).count("established") == 2, lambda: events.of(first.key))


@pytest.mark.parametrize("view", ["socket", "both"])
def test_process_is_right_or_unknown(pair, watch, view):
    events = watch(pair, view)
    with Connection(pair.near, pair.near, NETS[4].near, PORT) as conn:
        conn.finish()
    for key in (conn.client_key, conn.server_key):
        events.wait(key, "closed")
    own = (os.getpid(), Path("/proc/self/comm").read_text().strip())
    told = [(e["pid"], e["comm"]) for key in (conn.client_key, conn.server_key) for e in events.of(key)]
    assert set(told) <= {own, (None, None)}
    assert {(e["pid"], e["comm"]) for e in events.of(conn.client_key) if e["event"] == "established"} == {own}


def test_filter(pair, watch):
    events = watch(pair, "wire", "dport = :8081 or sport = :8081 or dport = :9")
    for port in (PORT, PORT + 1):
        with Connection(pair.near, pair.far, NETS[4].far, port) as conn:
            conn.finish()
    events.wait(conn.client_key, "closed")
    assert not [event for event in events.all() if PORT in (event["local_port"], event["remote_port"])]


def test_abandoned_connection_is_reset(pair, watch):
    events = watch(pair, "both")
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        reset_on_close(conn.client)
        conn.client.close()
        closed = events.wait(conn.client_key, "closed")
    assert (closed["reason"], closed["closed_by"]) == ("reset", "local")


def test_text_is_one_line_for_each_event(pair):
    with tool.Background(pair.near, "events", "-i", pair.near_if, "--color", "never") as events:
        def lines():
            refused(pair.near, NETS[4].far, PORT)
            events.text += events.read()
            return [line for line in events.text.splitlines() if "handshake_failed" in line]

        line = wait_for(lines, lambda: f"a line; {events.stderr()}")[0]
    assert NETS[4].far in line and "refused" in line
