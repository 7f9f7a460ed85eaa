# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch export`: handshakes that a server gave up, which the kernel does not count, and connections that time out."""
import contextlib
import errno
import socket

import pytest

from lib.metrics import Export, of_file
from lib.netns import NETS
from lib.traffic import Connection
from lib.wait import wait_for
from test_backlog import connecting, listen, nstat, send_syns

PORT = 8080
NET = NETS[4]


def outcomes(path):
    return of_file(path).by("handshakes_total", "outcome", side="server")


def half_open(ns):
    return ns.run("ss", "-tanH", "state", "syn-recv").splitlines()


def test_timeouts_of_a_server(pair, tmp_path):
    """Each is counted once, when the kernel has given it up; what is completed late is not among them."""
    path = tmp_path / "tcpwatch.prom"
    pair.near.sysctl("ipv4/tcp_synack_retries", 2)
    pair.far.sysctl("ipv4/tcp_syn_retries", 3)
    with contextlib.ExitStack() as stack:
        exporter = stack.enter_context(Export(pair.near, "--textfile", str(path), "--interval", "0.1").wait_file(path))
        stack.enter_context(listen(pair.near, 8))
        assert outcomes(path)["timeout"] == 0
        pair.far.run("nft", "add table inet late")
        pair.far.run("nft", "add chain inet late c { type filter hook input priority 0; }")
        pair.far.run("nft", f"add rule inet late c tcp sport {PORT} drop")
        before = nstat(pair.near)["TcpExtTCPSynRetrans"]
        connecting(stack, pair.far, 1)
        wait_for(lambda: nstat(pair.near)["TcpExtTCPSynRetrans"] > before, "the SYN-ACK to be sent again")
        pair.far.run("nft", "delete table inet late")
        wait_for(lambda: outcomes(path)["completed"] == 1, "the late one to complete", 10)
        send_syns(pair.far, 4)
        wait_for(lambda: len(half_open(pair.near)) == 4, "four half open")
        wait_for(lambda: outcomes(path)["timeout"], exporter.stderr, 15)
        assert not half_open(pair.near)  # not told before the kernel gave up
        wait_for(lambda: outcomes(path)["timeout"] == 4, lambda: f"four: {outcomes(path)}")
        assert outcomes(path)["completed"] == 1


def test_overflow_of_a_server(pair, tmp_path):
    """A client whose acknowledgements find the accept queue full is one handshake, given up once."""
    path = tmp_path / "tcpwatch.prom"
    pair.near.sysctl("ipv4/tcp_synack_retries", 2)
    with contextlib.ExitStack() as stack:
        exporter = stack.enter_context(Export(pair.near, "--textfile", str(path), "--interval", "0.1").wait_file(path))
        stack.enter_context(listen(pair.near, 0))
        pair.far.run("nft", "add table inet late")
        pair.far.run("nft", "add chain inet late c { type filter hook output priority 0; }")
        pair.far.run("nft", f"add rule inet late c tcp dport {PORT} tcp flags & (syn | ack) == ack drop")
        before = nstat(pair.near).get("TcpExtListenOverflows", 0)
        connecting(stack, pair.far, 1)
        wait_for(lambda: half_open(pair.near), "the first client to be half open")
        first, = half_open(pair.near)
        pair.far.run("nft", "flush", "chain inet late c")
        pair.far.run("nft", f"add rule inet late c tcp dport {PORT} tcp sport {first.split()[3].rpartition(':')[2]} "
                            "tcp flags & (syn | ack) == ack drop")
        connecting(stack, pair.far, 1)
        wait_for(lambda: outcomes(path)["completed"] == 1, "the second one to fill the queue")
        pair.far.run("nft", "delete table inet late")
        wait_for(lambda: outcomes(path)["overflow"], exporter.stderr, 20)
        assert not half_open(pair.near)
        assert nstat(pair.near)["TcpExtListenOverflows"] - before == 2  # SYN-ACKs sent again
        assert (outcomes(path)["overflow"], outcomes(path)["timeout"], outcomes(path)["completed"]) == (1, 0, 1)


def drop_at_peer(pair):
    pair.far.run("nft", "add table inet late")
    pair.far.run("nft", "add chain inet late c { type filter hook input priority 0; }")
    pair.far.run("nft", f"add rule inet late c tcp dport {PORT} drop")


def lose_route(pair):
    """Of each probe that cannot be sent IPv6 leaves the error pending (inet6_csk_xmit)."""
    pair.near.run("ip", "route", "add", "unreachable", NETS[6].far)


@pytest.mark.parametrize("family, fail, error", [(4, drop_at_peer, errno.ETIMEDOUT), (6, lose_route, errno.EHOSTUNREACH)],
                         ids=["nothing pending", "an error pending"])
def test_a_keepalive_that_is_not_answered(pair, watch, tmp_path, family, fail, error):
    """The kernel sends a reset when it gives up: the reason is the time-out all the same, and who closed is this end."""
    path = tmp_path / "tcpwatch.prom"
    events = watch(pair, "both")
    with Export(pair.near, "--textfile", str(path), "--interval", "0.1").wait_file(path):
        with Connection(pair.near, pair.far, NETS[family].far, PORT) as conn:
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
                conn.client.setsockopt(socket.IPPROTO_TCP, option, 1)
            fail(pair)
            conn.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            with pytest.raises(OSError) as timeout:
                conn.client.recv(1)
            assert timeout.value.errno == error
            closed = events.wait(conn.client_key, "closed")
            wait_for(lambda: of_file(path).sum("sessions_closed_total"), "the end")
        assert nstat(pair.near)["TcpExtTCPAbortOnTimeout"] == 1
        assert (closed["reason"], closed["closed_by"]) == ("timeout", "local")
        assert +of_file(path).by("sessions_closed_total", "by", reason="timeout") == {"local": 1}
