# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""MPTCP: its subflows are TCP sockets that no process holds, and their process is that of the connection they are of."""
import contextlib
import re
import socket
import subprocess
import sys

import pytest

from lib import tool
from lib.backlog import Backlog
from lib.compare import same_as_ss
from lib.endpoint import pair as endpoint
from lib.netns import NETS
from lib.traffic import CONNECT_SECONDS
from lib.wait import wait_for

IPPROTO_MPTCP = 262  # include/uapi/linux/in.h
PORT = 8080
NET = NETS[4]
SECOND = "10.9.0.3"  # another address of the client's host


def has_mptcp():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP):
        return True
    return False


pytestmark = pytest.mark.skipif(not has_mptcp(), reason="this kernel has no MPTCP")

SERVER = f"""
import os, socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, {IPPROTO_MPTCP})
listener.bind(("", {PORT}))
listener.listen(8)
print(flush=True)
accepted = [listener.accept()[0] for _ in range(int(sys.argv[1]))]
print(flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def server(ns, n_connections):
    """A process that accepts so many connections; its output has a line once it listens, and one once it has them."""
    with ns.popen([sys.executable, "-c", SERVER, str(n_connections)], stdin=subprocess.PIPE,
                  stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def connect(ns, protocol=IPPROTO_MPTCP, port=PORT):
    with ns.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    sock.settimeout(CONNECT_SECONDS)
    sock.connect((NET.far, port))
    return sock


def ss_owners(ns):
    """The process of each TCP socket that has one, by (local, port, remote, port)."""
    found = {}
    for line in ns.run("ss", "-tanpHO").splitlines():
        words = line.split()
        pid = re.search(r"pid=(\d+)", line)
        found[(*endpoint(words[3]), *endpoint(words[4]))] = int(pid[1]) if pid else None
    return found


def same_owners_as_ss(ns):
    rows = same_as_ss(ns)
    found = {tool.key_of(row): row["pid"] for row in rows}
    assert found == ss_owners(ns)
    return found


def test_each_subflow_has_the_process_of_its_connection(pair):
    pair.near.addr(pair.near_if, f"{SECOND}/24")
    pair.near.run("ip", "mptcp", "limits", "set", "subflow", "2")
    pair.far.run("ip", "mptcp", "limits", "set", "subflow", "2")
    pair.near.run("ip", "mptcp", "endpoint", "add", SECOND, "dev", pair.near_if, "subflow")
    with server(pair.far, 1) as process, connect(pair.near) as client:
        process.stdout.readline()
        client.send(b"x")  # the second subflow is made once the connection is fully established
        wait_for(lambda: any(key[2] == SECOND for key in ss_owners(pair.far)), "the second subflow", 5)
        wait_for(lambda: all(ss_owners(pair.far).values()), "ss knows the process of each", 5)
        owners = same_owners_as_ss(pair.far)
        assert len(owners) == 3 and set(owners.values()) == {process.pid}
        assert len(same_owners_as_ss(pair.near)) == 2


def test_connections_that_fall_back_to_tcp(pair):
    """A client of plain TCP at an MPTCP listener, and the other way round."""
    with pair.near.entered():
        plain = socket.create_server((NET.near, PORT))
    with server(pair.far, 1) as process, connect(pair.near, 0):
        process.stdout.readline()
        assert set(same_owners_as_ss(pair.far).values()) == {process.pid}
    with pair.far.entered():
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    with plain, client:
        client.connect((NET.near, PORT))
        with plain.accept()[0]:
            assert all(same_owners_as_ss(pair.far).values())


def test_connection_that_nobody_has_accepted_is_nobodys(pair):
    with server(pair.far, 0) as process, connect(pair.near) as client:
        process.stdout.readline()
        client.send(b"x")
        owners = same_owners_as_ss(pair.far)
        assert sorted(map(bool, owners.values())) == [False, True]


def test_process_of_a_listener(pair):
    with server(pair.far, 0) as process, Backlog(pair.far, "--view", "socket") as watching:
        watching.wait(PORT, pid=process.pid)
