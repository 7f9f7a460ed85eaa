# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What fills up or fails is told once when it begins and once when it is over, as the kernel counts it."""
import contextlib
import os
import socket

import pytest

from lib import tool
from lib.backlog import nstat
from lib.handshakes import Handshakes
from lib.netns import NETS, Namespace, removing
from lib.traffic import Connection, probe, refused
from lib.wait import wait_for
from test_backlog import connecting, listen, of_kind, send_syns
from test_faults import Header

pytestmark = pytest.mark.patient

PORT = 8080
NET = NETS[4]
LEAK = 20  # sockets of one process, for over a minute
LONG = 60


def sockstat_tw(ns):
    line = next(line for line in ns.run("cat", "/proc/net/sockstat").splitlines() if line.startswith("TCP:"))
    words = line.split()
    return int(words[words.index("tw") + 1])


def changes(events, kind, *names, **fields):
    return [(e["reason"], *(e[name] for name in names)) for e in of_kind(events, kind, **fields)]


def close_first(pair, count, first=0):
    """Sessions that near closes before far does."""
    for i in range(first, first + count):
        with Connection(pair.near, pair.far, NET.far, PORT + i) as conn:
            conn.finish()


def test_time_wait_nearly_full(pair, watch):
    pair.near.sysctl("ipv4/tcp_max_tw_buckets", 20)
    events = watch(pair, "socket")
    before = sockstat_tw(pair.near)
    close_first(pair, 18 - before)
    wait_for(lambda: of_kind(events, "time_wait_full"), events.stderr)
    raised, = of_kind(events, "time_wait_full")
    assert (raised["reason"], raised["used"], raised["limit"]) == ("raised", sockstat_tw(pair.near), 20)
    assert raised["local_addr"] is None and raised["remote_port"] is None
    with Header(pair.near, "--view", "socket", "state", "listening") as top:
        top.wait(r"TIME-WAIT NEARLY FULL: \S+ 18 of 20")
        pair.near.sysctl("ipv4/tcp_max_tw_buckets", 22)  # 82 %: within the hysteresis
        top.wait(r"TIME-WAIT NEARLY FULL: \S+ 18 of 22")
        pair.near.sysctl("ipv4/tcp_max_tw_buckets", 23)
        wait_for(lambda: changes(events, "time_wait_full", "used", "limit") == [("raised", 18, 20), ("cleared", 18, 23)],
                 lambda: f"{of_kind(events, 'time_wait_full')}")
        top.wait(r"TIME-WAIT \d+  (?!TIME-WAIT NEARLY)")


def test_time_wait_refused_between_two_looks(pair, watch):
    pair.near.sysctl("ipv4/tcp_max_tw_buckets", 0)
    pair.near.sysctl("ipv4/tcp_max_tw_buckets", 1000)
    events = watch(pair, "socket")
    before = nstat(pair.near).get("TcpExtTCPTimeWaitOverflow", 0)
    pair.near.sysctl("ipv4/tcp_max_tw_buckets", 0)
    close_first(pair, 3)
    pair.near.sysctl("ipv4/tcp_max_tw_buckets", 1000)
    assert nstat(pair.near)["TcpExtTCPTimeWaitOverflow"] > before
    wait_for(lambda: changes(events, "time_wait_full")[-2:] == [("raised",), ("cleared",)],
             lambda: f"{of_kind(events, 'time_wait_full')}")


def test_what_is_full_goes_with_its_namespace(pair):
    """TIME_WAIT and the ports that it holds are left when the namespace is deleted: nobody waits for them any more."""
    told = ("time_wait_full", "ports_low")
    with removing(Namespace("full")) as ns, \
            tool.Events(None, "-N", pair.near.name, "-N", ns.name, "--view", "socket") as events:
        ns.sysctl("ipv4/ip_local_port_range", "40000 40003")
        ns.sysctl("ipv4/tcp_max_tw_buckets", 4)
        ns.sysctl("ipv4/tcp_tw_reuse", 0)
        events.wait_ready(probe(pair, ["socket"]))
        for _ in range(4):
            with Connection(ns, ns, "127.0.0.1", PORT) as conn:
                conn.finish()
        wait_for(lambda: all(of_kind(events, kind) for kind in told), events.stderr)
        ns.remove()
        wait_for(lambda: all(len(of_kind(events, kind)) == 2 for kind in told), lambda: f"{events.all()}")
        for kind in told:
            assert changes(events, kind, "netns", "used", "limit") == [("raised", ns.name, 4, 4),
                                                                       ("cleared", ns.name, 0, 4)]


def test_close_wait_leak(pair, watch):
    """Nothing is told before they are old, and then once, with the process; closing half of them ends it."""
    events = watch(pair, "socket")
    with contextlib.ExitStack() as stack:
        leaked = []
        for i in range(LEAK):
            conn = stack.enter_context(Connection(pair.far, pair.near, NET.near, PORT + i))
            conn.client.close()
            assert conn.server.recv(1) == b""
            leaked.append(conn)
        wait_for(lambda: of_kind(events, "close_wait_leak"), events.stderr, LONG + 10)
        assert changes(events, "close_wait_leak", "used", "limit", "pid") == [("raised", LEAK, LEAK, os.getpid())]
        rows = tool.sessions(pair.near, "state", "close-wait")
        assert {(row["close_wait_of_process"], row["close_wait_new"]) for row in rows} == {(LEAK, 0)}
        for conn in leaked[:LEAK // 2 - 1]:
            conn.server.close()
        wait_for(lambda: len(tool.sessions(pair.near, "state", "close-wait")) == LEAK // 2 + 1, "one too many")
        leaked[-1].server.close()
        wait_for(lambda: len(of_kind(events, "close_wait_leak")) == 2, "the end of it")
        assert changes(events, "close_wait_leak", "used")[1] == ("cleared", LEAK // 2)


def test_new_in_close_wait(pair):
    """Of sockets older than tcpwatch it is not known when they came into it, unless that is long ago."""
    with Connection(pair.far, pair.near, NET.near, PORT) as conn, \
            tool.Background(pair.near, "top", "-b", "-d", "0.1", "--json", "--view", "socket") as top:
        rows = []

        def seen(**fields):
            rows.extend(tool.parse_json_lines(top.read()))
            return any(tool.key_of(row) == conn.server_key and all(row[k] == v for k, v in fields.items())
                       for row in rows)

        wait_for(lambda: seen(state="ESTAB", close_wait_of_process=None), top.stderr)
        conn.client.close()
        wait_for(lambda: seen(state="CLOSE-WAIT", close_wait_of_process=1, close_wait_new=1), top.stderr)
        row, = tool.sessions(pair.near, "state", "close-wait")
        assert (row["close_wait_of_process"], row["close_wait_new"]) == (1, None)


def failing(events, **fields):
    """Not those of the probe, which fail too."""
    return of_kind(events, "handshakes_failing", **fields)


@pytest.mark.parametrize("view", ["socket", "both"])
def test_handshakes_failing_as_client(pair, watch, view):
    events = watch(pair, view)
    before = nstat(pair.near)["TcpAttemptFails"]
    for _ in range(5):
        refused(pair.near, NET.far, PORT)
    wait_for(lambda: failing(events, remote_port=PORT), events.stderr)
    raised, = failing(events, remote_port=PORT)
    assert raised["used"] == raised["limit"] == nstat(pair.near)["TcpAttemptFails"] - before == 5
    assert (raised["reason"], raised["direction"]) == ("raised", "out")
    assert (raised["remote_addr"], raised["remote_port"], raised["local_port"]) == (NET.far, PORT, None)
    with listen(pair.far, 200) as server:
        for _ in range(19 * 5):  # five in a hundred
            with pair.near.entered():
                client = socket.create_connection((NET.far, PORT))
            with client, server.accept()[0]:
                pass
    wait_for(lambda: len(failing(events, remote_port=PORT)) == 2, "the end of it", 25)
    assert failing(events, remote_port=PORT)[1]["reason"] == "cleared"


def test_handshakes_failing_as_server(pair, watch):
    pair.near.sysctl("ipv4/tcp_synack_retries", 0)
    events = watch(pair, "both")
    with listen(pair.near, 16):
        send_syns(pair.far, 6)
        wait_for(lambda: failing(events, local_port=PORT), events.stderr, 10)
        raised, = failing(events, local_port=PORT)
        assert (raised["reason"], raised["direction"], raised["remote_port"]) == ("raised", "in", None)
        assert raised["used"] == raised["limit"] >= 5
        wait_for(lambda: [e["reason"] for e in failing(events, local_port=PORT)] == ["raised", "cleared"],
                 "silence, which ends it", 25)


def test_top_says_that_handshakes_fail(pair):
    with Header(pair.near, "--view", "socket", "state", "listening") as top:
        top.wait("sessions")
        for _ in range(6):
            refused(pair.near, NET.far, PORT)
        top.wait("HANDSHAKES FAIL: as client 6 of 6")


REFUSED = 12  # by a full accept queue


@pytest.fixture(name="refusing")
def fixture_refusing(pair):
    """Near's server never accepts and its queue is full: wait() until each of far's clients has sent two SYNs."""
    pair.far.no_linear_timeouts()
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.near, 0))
        connecting(stack, pair.far, 1)
        wait_for(lambda: pair.near.run("ss", "-ltnH").split()[1] == "1", "the queue to be full")
        clients = stack.enter_context(contextlib.ExitStack())
        before = nstat(pair.near).get("TcpExtListenOverflows", 0)

        def begin():
            connecting(clients, pair.far, REFUSED)
            wait_for(lambda: nstat(pair.near)["TcpExtListenOverflows"] - before == 2 * REFUSED, "SYNs to be dropped")

        yield begin, clients.close


def test_full_accept_queue_is_said_everywhere(pair, watch, refusing):
    """A client's attempt counts once, however many SYNs it took, in all that count handshakes; and soon."""
    begin, give_up = refusing
    events = watch(pair)
    with Handshakes(pair.near, "-i", pair.near_if, f"sport = :{PORT}") as there, \
            Header(pair.near, "-i", pair.near_if, "state", "listening") as top:
        top.wait("failed .*resets in")
        begin()
        held_up = [f"dropped_accept_queue {REFUSED}"]
        wait_for(lambda: there.frame() and [row["held_up"] for row in there.rows] == held_up, lambda: f"{there.rows}")
        assert there.wait("server", completed=0, failed=0, pending=REFUSED)
        wait_for(lambda: failing(events, local_port=PORT), events.stderr)
        raised, = failing(events, local_port=PORT)
        assert (raised["reason"], raised["used"], raised["limit"]) == ("raised", REFUSED, REFUSED)
        give_up()
        row = there.wait("server", 16, completed=0, failed=REFUSED, pending=0, dropped_accept_queue=REFUSED)
        assert row["held_up"] is None and row["syn_retransmits"] in range(REFUSED, 3 * REFUSED)
        top.wait(f"HANDSHAKES FAIL: as server {REFUSED} of {REFUSED}")
        top.wait(rf"failed \S+ \({REFUSED}\)")
        told = wait_for(lambda: of_kind(events, "handshake_failed", local_port=PORT), events.stderr)
    assert [(e["broke"], e["reason"]) for e in told] == [("dropped_accept_queue", "timeout")] * REFUSED


@pytest.mark.parametrize("by", [[], ["--by", "comm"]])
def test_top_counts_what_failed(pair, by):
    """From the kernel's counters, or where events are derived from these: the same."""
    with Header(pair.near, "-i", pair.near_if, *by) as top:
        top.wait(r"failed .*\(0\)  retransmits")
        for _ in range(3):
            refused(pair.near, NET.far, PORT)
            refused(pair.far, NET.near, PORT)  # no socket tells of it
        top.wait(r"failed .*\(6\)  retransmits")


def half_open(ns):
    return ns.run("ss", "-tanH", "state", "syn-recv").splitlines()


def test_top_says_that_a_server_gives_up(pair):
    pair.near.sysctl("ipv4/tcp_synack_retries", 1)
    with Header(pair.near, "--view", "socket", "state", "listening") as top, listen(pair.near, 16):
        top.wait("sessions")
        send_syns(pair.far, 6)
        top.wait("HANDSHAKES FAIL: as server 6 of 6", 12)
        assert not half_open(pair.near)


def test_a_server_gives_up_as_taps_see_it(pair, watch):
    """Not after three minutes, and not before the kernel has."""
    pair.near.sysctl("ipv4/tcp_synack_retries", 2)
    events = watch(pair, "wire")
    with listen(pair.near, 16):
        send_syns(pair.far, 1)
        wait_for(lambda: half_open(pair.near), "the kernel to have it")
        wait_for(lambda: of_kind(events, "handshake_failed", local_port=PORT), events.stderr, 15)
        assert not half_open(pair.near)
        failed, = of_kind(events, "handshake_failed", local_port=PORT)
        assert (failed["broke"], failed["reason"]) == ("syn_ack_unanswered", "timeout")
        assert len(of_kind(events, "syn_ack", local_port=PORT)) == 1 + 2
