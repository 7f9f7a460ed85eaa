# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Listeners: their queues as ss has them, and what became of each SYN as the kernel's counters have it."""
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from lib import tool
from lib.backlog import Backlog, nstat, ss_queues
from lib.netns import FAR_MAC, NEAR_MAC, NETS, Namespace
from lib.wait import wait_for
from test_faults import Header

PORT = 8080
NET = NETS[4]
DROPS = ("TcpExtListenDrops", "TcpExtListenOverflows", "TcpExtTCPReqQFullDrop")


def listen(ns, backlog, port=PORT, family=socket.AF_INET, reuse=False):
    with ns.entered():
        sock = socket.socket(family)
    if reuse:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("", port))
    sock.listen(backlog)
    return sock


def connecting(stack, ns, count, address=NET.near, port=PORT):
    """Clients on their way, whatever becomes of them."""
    clients = []
    for _ in range(count):
        with ns.entered():
            sock = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
        sock.setblocking(False)
        sock.connect_ex((address, port))
        clients.append(sock)
    return clients


def send_syns(ns, count, port=PORT, first=10000, source=NET.ghost):
    """SYNs of nobody who would answer a SYN-ACK."""
    with ns.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with sock:
        sock.bind(("far0", 0))
        for i in range(count):
            sock.send(bytes(Ether(src=FAR_MAC, dst=NEAR_MAC) / IP(src=source, dst=NET.near) /
                            TCP(sport=first + i, dport=port, flags="S", seq=i)))


@pytest.fixture
def backlog(pair):
    with Backlog(pair.near, "-i", "near0") as watching:
        yield watching.ready()


def test_full_accept_queue(pair, backlog):
    """A server that never accepts: the queue holds one more than its backlog, every further SYN is dropped."""
    before = nstat(pair.near)
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.near, 1))
        backlog.wait(PORT, accept_queue=0)
        connecting(stack, pair.far, 2)
        backlog.wait(PORT, accept_queue=2)
        with contextlib.ExitStack() as refused:
            connecting(refused, pair.far, 5)
            row = backlog.wait(PORT, syns_dropped_accept_queue=lambda n: n >= 5 + 5)  # each sent again
        assert (row["accept_queue"], row["accept_queue_limit"]) == ss_queues(pair.near, PORT) == (2, 1)
        assert row["syns_queued"] == row["completed"] == 2
        assert row["accept_queue_oldest_seconds"] > 1
        drops = nstat(pair.near)["TcpExtListenOverflows"] - before["TcpExtListenOverflows"]
        backlog.wait(PORT, syns_dropped_accept_queue=drops, drops=drops, drops_difference=0)
        totals = backlog.wait_totals(listen_overflows=drops, listen_overflows_seen=drops)
        assert totals["listen_overflows_difference"] == totals["listen_drops_difference"] == 0


@pytest.mark.parametrize("cookies, fate, counter", [
    (0, "syns_dropped_syn_queue", "TcpExtTCPReqQFullDrop"),
    (1, "syns_cookie", "TcpExtSyncookiesSent"),
])
def test_full_syn_queue(pair, backlog, cookies, fate, counter):
    pair.near.sysctl("ipv4/tcp_syncookies", cookies)
    before = nstat(pair.near)
    with listen(pair.near, 2):
        backlog.wait(PORT, syn_queue=0)
        send_syns(pair.far, 10)
        row = backlog.wait(PORT, syns=10)
        now = nstat(pair.near)
        assert row["syn_queue"] == row["syns_queued"] == 3 and row["syn_queue_limit"] == 2
        assert row["syn_queue_young"] == 3 or row["synack_retransmits"]
        assert row[fate] == now[counter] - before[counter] == 7
        assert row["drops_difference"] == 0
        backlog.wait(PORT, syn_queue_oldest_seconds=lambda age: age and age > 0.5)
        # SYN-ACKs go out again, then the kernel gives up.
        row = backlog.wait(PORT, synack_retransmits=lambda n: n >= 3)
        backlog.wait(PORT, syn_queue_young=0)


def test_request_expires(pair, backlog):
    pair.near.sysctl("ipv4/tcp_synack_retries", 0)
    with listen(pair.near, 8):
        backlog.wait(PORT, syn_queue=0)
        send_syns(pair.far, 4)
        backlog.wait(PORT, syn_queue=4, expired=0)
        backlog.wait(PORT, syn_queue=0, expired=4)


def test_expired_beside_cookies(pair, backlog):
    """Cookies that nobody answers leave no doubt about what was queued; one that comes back does."""
    pair.near.sysctl("ipv4/tcp_syncookies", 1)
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.near, 2))
        backlog.wait(PORT, syn_queue=0)
        send_syns(pair.far, 10)
        backlog.wait(PORT, syns_queued=3, syns_cookie=7, syn_queue=3, expired=0)
        connecting(stack, pair.far, 1)
        row = backlog.wait(PORT, completed=1)
        assert nstat(pair.near)["TcpExtSyncookiesRecv"] == 1 and row["syns_cookie"] == 8
        backlog.wait(PORT, expired=None)


def test_again_and_in_session_and_no_listener(pair, backlog):
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.near, 8))
        backlog.wait(PORT, syns=0)
        send_syns(pair.far, 1)
        backlog.wait(PORT, syn_queue=1)
        send_syns(pair.far, 1)  # the same one again
        row = backlog.wait(PORT, syns=2)
        assert row["syns_queued"] == row["syns_repeated"] == 1
        send_syns(pair.far, 3, port=9)
        totals = backlog.wait_totals(syns_no_listener=3)
        assert totals["syns_queued"] == 1
        client, = connecting(stack, pair.far, 1)
        wait_for(lambda: client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and
                 backlog.look().listeners[PORT]["completed"] == 1, "the connection")
        with pair.far.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("far0", 0))
            raw.send(bytes(Ether(src=FAR_MAC, dst=NEAR_MAC) / IP(src=NET.far, dst=NET.near) /
                           TCP(sport=client.getsockname()[1], dport=PORT, flags="S", seq=1)))
        backlog.wait_totals(syns_in_session=1)


def test_forwarded_syns_are_not_ours(pair, backlog):
    pair.near.sysctl("ipv4/ip_forward", 1)
    with listen(pair.near, 8):
        with pair.far.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("far0", 0))
            raw.send(bytes(Ether(src=FAR_MAC, dst=NEAR_MAC) / IP(src=NET.far, dst=NET.ghost) /
                           TCP(sport=1000, dport=PORT, flags="S")))
        send_syns(pair.far, 1, port=9)
        totals = backlog.wait_totals(syns_no_listener=1)
        assert totals["syns_queued"] == 0


def test_sent_again_is_not_dropped(pair, backlog):
    """sk_drops counts SYNs that repeat a request, which are answered all the same."""
    pair.far.run("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; }; "
                 "add rule ip t c tcp flags & (syn|ack) == syn|ack drop")
    before = nstat(pair.near)
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.near, 16))
        connecting(stack, pair.far, 2)
        row = backlog.wait(PORT, syns_repeated=lambda n: n >= 2)
        assert row["syns_queued"] == 2 and row["drops_difference"] == 0
        assert nstat(pair.near)["TcpExtListenDrops"] == before["TcpExtListenDrops"]


def test_quarter_kept_back(pair, backlog):
    """Without cookies the last quarter of tcp_max_syn_backlog is refused, and counted in ListenDrops alone."""
    pair.near.sysctl("ipv4/tcp_syncookies", 0)
    pair.near.sysctl("ipv4/tcp_max_syn_backlog", 16)
    before = nstat(pair.near)
    with listen(pair.near, 100):
        backlog.wait(PORT, syn_queue=0, syn_queue_limit=12)
        send_syns(pair.far, 20)
        row = backlog.wait(PORT, syns=20)
        assert row["syns_queued"] == row["syn_queue"] == 13 and row["syns_dropped_syn_backlog"] == 7
        now = nstat(pair.near)
        assert now["TcpExtListenDrops"] - before["TcpExtListenDrops"] == 7
        assert now["TcpExtTCPReqQFullDrop"] == before["TcpExtTCPReqQFullDrop"]
        backlog.wait_totals(listen_drops_difference=0, req_queue_full_drops_difference=0)


NOWHERE = "10.1.0.0"  # no route leads there


def test_no_route_back(pair, backlog):
    """The queues have room, and the kernel drops them all the same: none is queued, whoever else is."""
    before = nstat(pair.near)
    with contextlib.ExitStack() as stack, Header(pair.near, "-i", "near0") as top:
        stack.enter_context(listen(pair.near, 100))
        stack.enter_context(listen(pair.near, 100, port=PORT + 1))
        backlog.wait(PORT, syns_dropped_other=0)
        backlog.wait(PORT + 1, syns_dropped_other=0)
        top.wait("SYN backlog 0")
        send_syns(pair.far, 40, source=NOWHERE)
        connecting(stack, pair.far, 3)
        connecting(stack, pair.far, 2, port=PORT + 1)
        row = backlog.wait(PORT, syns=43, syns_dropped_other=40, syns_queued=3, completed=3)
        assert row["drops"] == row["drops_difference"] == 40 and row["expired"] == 0
        backlog.wait(PORT + 1, syns=2, syns_dropped_other=0, syns_queued=2, expired=0)
        backlog.wait_totals(syns_dropped_other=40, syns_queued=5)
        drops = {name: nstat(pair.near)[name] - before[name] for name in DROPS}
        assert drops == {"TcpExtListenDrops": 40, "TcpExtListenOverflows": 0, "TcpExtTCPReqQFullDrop": 0}
        top.wait("SYNs dropped, no queue full 40")


def test_no_route_back_beside_a_full_queue(pair, backlog):
    """Each of the two is counted for what it is, and a flood by its sums."""
    pair.near.sysctl("ipv4/tcp_syncookies", 0)
    with listen(pair.near, 4):
        backlog.wait(PORT, syns_dropped_other=0)
        send_syns(pair.far, 2, source=NOWHERE)
        send_syns(pair.far, 10)
        row = backlog.wait(PORT, syns=12, syns_dropped_other=2, syns_dropped_syn_queue=5)
        assert row["syns_queued"] == row["syn_queue"] == 5 and row["drops"] == 7
    with listen(pair.near, 100, port=PORT + 1) as server:
        backlog.wait(PORT + 1, accept_queue=0)
        sent = flood(pair.far, 1, PORT + 1)
        assert server and sent == backlog.wait_totals(20, syns_dropped_other=2 + sent, syns_queued=5)["listen_drops"] - 7


def test_cookies_for_all_are_no_alarm(pair, watch):
    pair.near.sysctl("ipv4/tcp_syncookies", 2)
    events = watch(pair)
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.near, 100))
        connecting(stack, pair.far, 3)
        wait_for(lambda: len(of_kind(events, "syn", fate="cookie")) == 3, "three cookies")
        full = stack.enter_context(listen(pair.near, 0, port=PORT + 1))  # told after a look at all of them
        connecting(stack, pair.far, 1, port=PORT + 1)
        wait_for(lambda: of_kind(events, "backlog_full", queue="accept"), events.stderr)
        assert full and not of_kind(events, "backlog_full", queue="syn", local_port=PORT)


def test_loopback_without_a_tap(pair, backlog):
    with listen(pair.near, 8), contextlib.ExitStack() as stack:
        with pair.near.entered():
            sock = stack.enter_context(socket.socket())
        sock.bind(("127.0.0.1", PORT + 1))
        sock.listen(4)
        connecting(stack, pair.near, 1, address="127.0.0.1", port=PORT + 1)
        row = backlog.wait(PORT + 1, completed=1)
        assert row["syns"] is None and row["drops_difference"] is None and row["drops"] == 0
        assert backlog.look().listeners[PORT]["syns"] == 0
        connecting(stack, pair.near, 1, address="127.0.0.1", port=PORT)  # by a way that nothing watches
        backlog.wait(PORT, completed=1, syns=None, syns_unseen=None)
        connecting(stack, pair.far, 2)
        backlog.wait(PORT, completed=3, syns=2, syns_unseen=1)


def test_process_that_hands_a_listener_on(pair):
    """The parent that called listen() ends; the child that has it is named."""
    script = f"""
import os, signal, socket, sys
sock = socket.create_server(("", {PORT}))
if os.fork():
    sys.stdin.readline()
    os._exit(0)
print(os.getpid(), flush=True)
signal.pause()
"""
    parent = pair.near.popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    try:
        with Backlog(pair.near, "--view", "socket") as watching:
            watching.wait(PORT, pid=lambda pid: pid)
            parent.stdin.close()  # not communicate(): the child holds the other end of its output
            assert parent.wait(5) == 0
            watching.wait(PORT, pid=child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_namespaces_vanish_with_their_listeners(pair):
    others = [Namespace(f"gone{i}") for i in range(5)]
    with contextlib.ExitStack() as stack:
        for other in others:
            stack.callback(other.remove)
        socks = [listen(other, 5) for other in others]
        kept = stack.enter_context(listen(pair.near, 5, port=PORT + 1))
        words = [word for ns in (pair.near, *others) for word in ("-N", ns.name)]
        with Backlog(None, "--view", "socket", *words) as watching:
            rows = {}

            def frame():
                """The rows of the last whole frame."""
                for row in tool.parse_json_lines(watching.read()):
                    if row["schema"] == "tcpwatch.listener.v1":
                        rows.setdefault(watching.frames, {})[row["netns"]] = row
                    elif row["netns"] == pair.near.name:
                        watching.frames += 1
                return rows.get(watching.frames - 1, {})

            wait_for(lambda: len(frame()) == 6, lambda: f"six listeners; {rows}; {watching.stderr()}")
            for other, sock in zip(others, socks):
                sock.close()
                other.remove()
            wait_for(lambda: set(frame()) == {pair.near.name}, lambda: f"one listener; {frame()}", 10)
            assert kept


def test_reuseport_group(pair, backlog):
    """Each listener of a group has its own SYNs, as the kernel shares them out."""
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(listen(pair.near, 100, reuse=True))
        for count in range(20, 101, 20):  # no faster than each SYN is looked at
            connecting(stack, pair.far, 20)
            wait_for(lambda: sum(row["accept_queue"] for row in rows_of(pair.near)) == count, f"{count} connections")
        done = {row["cookie"]: row["accept_queue"] for row in rows_of(pair.near)}
        assert len(done) == 4

        last = {}

        def counted(field):
            last.update((row["cookie"], row) for row in tool.parse_json_lines(backlog.read())
                        if row["schema"] == "tcpwatch.listener.v1")
            return {cookie: row[field] for cookie, row in last.items()}

        wait_for(lambda: counted("completed") == done, lambda: f"{done}; it says {last}")
        wait_for(lambda: counted("syns_queued") == done, lambda: f"{done}; it says {last}")


def rows_of(ns, *args):
    done = tool.run(ns, "backlog", "--json", *args)
    assert done.returncode == 0, done.stderr
    return [row for row in tool.parse_json_lines(done.stdout) if row["schema"] == "tcpwatch.listener.v1"]


def test_dual_stack_listener(pair, backlog):
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.near, 10, family=socket.AF_INET6))
        backlog.wait(PORT, syns=0)
        connecting(stack, pair.far, 3)
        connecting(stack, pair.far, 2, address=NETS[6].near)
        row = backlog.wait(PORT, completed=5)
        assert row["syns_queued"] == 5 and row["accept_queue"] == 5


def test_listener_closes_and_its_counts_stay(pair, backlog):
    with contextlib.ExitStack() as stack, listen(pair.near, 8):
        connecting(stack, pair.far, 3)
        backlog.wait(PORT, syns_queued=3, completed=3)
    wait_for(lambda: rows_of(pair.near) == [], "no listener")
    backlog.wait_totals(listeners=0, syns_queued=3)
    send_syns(pair.far, 1)
    backlog.wait_totals(syns_no_listener=1)


def test_limit_changes_at_run_time(pair, backlog):
    with listen(pair.near, 100) as server:
        backlog.wait(PORT, accept_queue_limit=100)
        pair.near.sysctl("core/somaxconn", 30)
        server.listen(100)
        backlog.wait(PORT, accept_queue_limit=30, syn_queue_limit=30)
        pair.near.sysctl("ipv4/tcp_syncookies", 0)
        pair.near.sysctl("ipv4/tcp_max_syn_backlog", 16)
        backlog.wait(PORT, syn_queue_limit=12)


def test_process_and_filter(pair):
    with listen(pair.near, 7), listen(pair.near, 8, port=PORT + 1):
        rows = rows_of(pair.near, f"sport = :{PORT + 1}")
        assert [row["accept_queue_limit"] for row in rows] == [8]
        assert rows[0]["pid"] and rows[0]["comm"]
        text = tool.run(pair.near, "backlog", "--fields", "local,accept_queue_limit").stdout
        assert f"0.0.0.0:{PORT}" in text and "2 listeners  " in text and "the kernel since the namespace began:" in text


def test_header_is_of_those_that_the_filter_lets_through(pair):
    with contextlib.ExitStack() as stack:
        for port in (PORT, PORT + 1):
            stack.enter_context(listen(pair.near, 1, port=port))
            connecting(stack, pair.far, 2, port=port)
        wait_for(lambda: ss_queues(pair.near, PORT + 1) == (2, 1), "full queues")
        text = tool.run(pair.near, "backlog", "sport", "=", f":{PORT}").stdout
        assert text.startswith("1 of 2 listeners  half open 0  accept queues full 1  "), text
        assert "the kernel, of all listeners, since the namespace began:" in text


def test_the_worst_comes_first(pair):
    with contextlib.ExitStack() as stack:
        for port in (PORT, PORT + 1, PORT + 2):
            stack.enter_context(listen(pair.near, 1, port=port))
        connecting(stack, pair.far, 2, port=PORT + 1)
        connecting(stack, pair.far, 1, port=PORT + 2)
        wait_for(lambda: [row["local_port"] for row in rows_of(pair.near)] == [PORT + 1, PORT + 2, PORT],
                 lambda: f"order; {rows_of(pair.near)}")


def of_kind(events, kind, **fields):
    return [e for e in events.all() if e["event"] == kind and all(e[name] == value for name, value in fields.items())]


def test_backlog_full_is_told_once_each_way(pair, watch):
    events = watch(pair)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(listen(pair.near, 1))
        connecting(stack, pair.far, 2)
        wait_for(lambda: of_kind(events, "backlog_full"), events.stderr)
        raised, = of_kind(events, "backlog_full")
        assert (raised["queue"], raised["reason"], raised["used"], raised["limit"]) == ("accept", "raised", 2, 1)
        assert raised["local_port"] == PORT and raised["comm"]
        with contextlib.ExitStack() as refused:
            connecting(refused, pair.far, 1)
            wait_for(lambda: of_kind(events, "syn", fate="dropped_accept_queue"), "the fate of a SYN")
        for _ in range(2):
            stack.enter_context(server.accept()[0])
        wait_for(lambda: len(of_kind(events, "backlog_full")) == 2, "the end of it")
        assert of_kind(events, "backlog_full")[1]["reason"] == "cleared"
        assert of_kind(events, "syn", fate="queued")


def test_backlog_full_is_over_when_the_listener_closes(pair, watch):
    events = watch(pair)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(listen(pair.near, 1))
        connecting(stack, pair.far, 2)
        wait_for(lambda: of_kind(events, "backlog_full"), events.stderr)
        server.close()
        wait_for(lambda: len(of_kind(events, "backlog_full")) == 2, "the end of it")
    raised, cleared = of_kind(events, "backlog_full")
    assert (cleared["reason"], cleared["used"]) == ("cleared", 0)
    assert all(cleared[key] == raised[key] for key in ("local_addr", "local_port", "comm", "queue", "limit", "netns"))


def test_top_names_the_listener_that_refuses(pair):
    with contextlib.ExitStack() as stack, Header(pair.near, "-i", "near0") as top:
        stack.enter_context(listen(pair.near, 1))
        connecting(stack, pair.far, 4)
        top.wait(rf"accept queue of 0.0.0.0:{PORT} refuses \(2/1\)")
        top.wait(r"SYNs dropped [1-9]")


SOURCES = 65_536
IP_ID, IP_SRC_LOW, TCP_SEQ_LOW = 18, 28, 40  # offsets in an Ethernet frame


def flood(ns, rounds, port=PORT):
    """SYNs from 65,536 sources, each with another port in each round, as fast as they go: some 100,000 a second.

    What a source adds to the two checksums the IP identification and the sequence number take off again."""
    with ns.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with sock:
        sock.bind(("far0", 0))
        for i in range(rounds):
            frame = bytearray(bytes(Ether(src=FAR_MAC, dst=NEAR_MAC) / IP(src="10.1.0.0", dst=NET.near, id=0xffff) /
                                    TCP(sport=2000 + i, dport=port, flags="S", seq=0xffff)))
            for source in range(SOURCES):
                struct.pack_into("!H", frame, IP_SRC_LOW, source)
                struct.pack_into("!H", frame, IP_ID, 0xffff - source)
                struct.pack_into("!H", frame, TCP_SEQ_LOW, 0xffff - source)
                sock.send(frame)
    return rounds * SOURCES


def test_flood(pair, backlog):
    """The flooded listener is named at once, real clients are shown, each SYN has a fate, memory does not grow."""
    pair.near.sysctl("ipv4/tcp_syncookies", 1)
    pair.near.run("ip", "route", "add", "10.1.0.0/16", "via", NET.far)
    with contextlib.ExitStack() as stack, tool.Events(pair.near, "-i", "near0", f"sport = :{PORT}") as events:
        stack.enter_context(listen(pair.near, 128))
        before_client, = connecting(stack, pair.far, 1)
        backlog.wait(PORT, completed=1)
        flooding = threading.Thread(target=flood, args=(pair.far, 3))
        flooding.start()
        named = wait_for(lambda: of_kind(events, "backlog_full", queue="syn", reason="raised"), events.stderr, 10)
        assert named[0]["local_port"] == PORT and flooding.is_alive()  # it takes two seconds and more
        memory = backlog.rss_kib()
        client, = connecting(stack, pair.far, 1)  # by a cookie
        wait_for(lambda: of_kind(events, "established", remote_port=client.getsockname()[1]), "a real client", 20)
        flooding.join()
        row = backlog.wait(PORT, 20, syns=lambda n: n >= 3 * SOURCES + 2)
        assert row["syns"] == 3 * SOURCES + 2 + row["syns_repeated"]
        assert row["completed"] == 2
        assert backlog.rss_kib() < memory * 1.2 + 2000
        rows = tool.sessions(pair.near, "state", "established")
        assert {row["remote_port"] for row in rows} >= {c.getsockname()[1] for c in (before_client, client)}
