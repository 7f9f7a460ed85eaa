# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""-N: sockets of other network namespaces, by name, PID and path, of all of them, and of those to come."""
import contextlib
import os
import re
import subprocess

import pytest

from lib import ss, tool
from lib.netns import NETS, Namespace, removing
from lib.traffic import Connection, connect, listen, probe
from lib.user import OrdinaryUser
from lib.wait import wait_for

PORT = 8080


@pytest.fixture(name="user", scope="module")
def fixture_user(tmp_path_factory):
    return OrdinaryUser(tmp_path_factory.mktemp("public"))


@pytest.fixture
def connection(pair):
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as the_connection:
        yield the_connection


@pytest.fixture
def holder(pair):
    """A process in the near namespace."""
    with pair.near.popen(["cat"], stdin=-1, stdout=-1) as process:
        yield process
        process.communicate()


def words(pair, holder):
    return {"name": pair.near.name, "pid": str(holder.pid), "path": str(pair.near.path),
            "proc-path": f"/proc/{holder.pid}/ns/net"}


@pytest.mark.parametrize("kind", ["name", "pid", "path", "proc-path"])
def test_namespace_by(pair, connection, holder, kind):
    rows = tool.sessions(None, "--view", "socket", "-N", words(pair, holder)[kind], "state", "all")
    assert list(map(tool.ss_row, rows)) == ss.rows(pair.near)
    assert rows[0]["netns"] == pair.near.name
    assert tool.key_of(rows[0]) == connection.client_key


def test_two_namespaces(pair, connection):
    rows = tool.sessions(None, "--view", "socket", "-N", pair.near.name, "-N", pair.far.name, "state", "all")
    assert {(row["netns"], tool.key_of(row)) for row in rows} == {
        (pair.near.name, connection.client_key), (pair.far.name, connection.server_key)}


@pytest.mark.parametrize("command", ["sessions", "timewait", "backlog"])
def test_text_says_which_of_them(pair, command):
    """A column that comes by itself, where there is more than one."""
    near, far = pair.near.name, pair.far.name
    with Connection(pair.far, pair.near, NETS[4].near, PORT) as conn:
        conn.finish()
    with listen(pair.near, NETS[4].near, PORT + 1), connect(pair.far, NETS[4].near, PORT + 1):
        for chosen in [near], [near, far]:
            args = [word for name in chosen for word in ("-N", name)]
            done = tool.run(None, command, *args, "--color", "never")
            assert ("NETNS" in done.stdout.split()) == (len(chosen) > 1), done.stdout
        assert {near, far} & set(done.stdout.split()), done.stdout


def test_all_namespaces(pair, connection):
    rows = tool.sessions(None, "--view", "socket", "-N", "all", "state", "all")
    for ns in (pair.near, pair.far):
        mine = [tool.ss_row(row) for row in rows if row["netns"] == ns.name]
        assert sorted(mine) == sorted(ss.rows(ns))


def test_self_is_the_default(pair, connection):
    for args in ([], ["-N", "self"]):
        row, = tool.sessions(pair.near, "--view", "socket", *args)
        assert tool.key_of(row) == connection.client_key


class Anonymous:
    """A process with a listener in a namespace that only it holds."""

    script = ("import ctypes, socket; ctypes.CDLL(None).unshare(0x40000000); "
              "s = socket.create_server(('0.0.0.0', 8080)); print(flush=True); input()")

    def __enter__(self):
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", self.script], stdin=-1, stdout=-1)
        self.process.stdout.readline()
        self.inum = os.stat(f"/proc/{self.process.pid}/ns/net").st_ino
        return self

    def __exit__(self, *_):
        self.process.communicate(b"\n")


def test_namespace_without_a_name_is_told_by_its_number():
    with Anonymous() as anonymous:
        row, = tool.sessions(None, "--view", "socket", "-N", str(anonymous.process.pid), "state", "all")
    assert row["netns"] == str(anonymous.inum) and row["pid"] == anonymous.process.pid


@pytest.mark.parametrize("word", ["no-such-namespace", "999999999", "/no/such/path", "/etc/passwd"])
def test_unknown_namespace_is_a_usage_error(word):
    done = tool.run(None, "sessions", "-N", word)
    assert done.returncode == 2
    assert word in done.stderr and len(done.stderr.splitlines()) == 1


def test_events_of_another_namespace(pair):
    with tool.Events(None, "--view", "socket", "-N", pair.near.name) as events:
        events.wait_ready(probe(pair, ["socket"]))
        with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
            assert events.wait(conn.client_key, "established")["netns"] == pair.near.name
            assert not events.of(conn.server_key)


def test_all_takes_in_a_namespace_made_later(pair):
    with tool.Events(None, "--view", "socket", "-N", "all") as events:
        events.wait_ready(probe(pair, ["socket"]))
        with removing(Namespace("late")) as late:
            with Connection(late, late, "127.0.0.1", PORT) as conn:
                assert events.wait(conn.client_key, "established")
                assert events.wait(conn.server_key, "established")
            wait_for(lambda: events.kinds(conn.client_key).count("closed") == 1, "the close")


def wait_for_frame(top, pattern):
    """Until the last header of `top -b` is as given."""
    def is_so():
        top.assert_running()
        top.text += top.read()
        headers = re.findall(r"^\d+ sessions\b.*", top.text, re.M)
        return headers and re.match(pattern, headers[-1])

    wait_for(is_so, lambda: f"{pattern}; it says {top.text[-2000:]}; {top.stderr()}", 10)


@pytest.mark.parametrize("view", ["socket", "both"])
def test_sockets_go_with_their_namespace(pair, view):
    """What is left then is what is in the others."""
    with contextlib.ExitStack() as stack:
        spaces = [stack.enter_context(removing(Namespace("gone"))) for _ in range(6)]
        for ns in spaces:
            stack.enter_context(Connection(ns, ns, "127.0.0.1", PORT))
            stack.enter_context(listen(ns, "127.0.0.1", PORT + 1))
        stack.enter_context(Connection(pair.near, pair.far, NETS[4].far, PORT))
        words = [word for ns in (*spaces, pair.near) for word in ("-N", ns.name)]
        with tool.Background(None, "top", "-b", "-d", "0.2", "--view", view, *words) as top:
            wait_for_frame(top, "19 sessions ")
            for ns in spaces:
                ns.remove()
            wait_for_frame(top, "1 sessions ")


@pytest.mark.parametrize("view", ["socket", "both"])
def test_a_name_is_followed_to_the_next_namespace_that_has_it(view):
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(removing(Namespace("again")))
        top = stack.enter_context(tool.Background(None, "top", "-b", "-d", "0.2", "-N", ns.name, "-i", "veth*",
                                                  "--view", view, "state", "listening"))
        wait_for(top.read, "a frame", 10)
        for lives in (1, 2):
            ns.remove()
            wait_for(lambda: top.stderr().count(f"network namespace {ns.name} is gone") == lives, top.stderr)
            ns = stack.enter_context(removing(Namespace("again", ns.name)))
            ns.run("ip", "link", "add", "veth0", "up", "type", "veth", "peer", "name", "other0")
            with listen(ns, "127.0.0.1", PORT):
                wait_for(lambda: "LISTEN" in top.read(), "the listener of the new one")
            if view == "both":
                wait_for(lambda: re.search(r"\bveth0 (xdp|tc)", top.read()), "its tap")


@pytest.mark.parametrize("words", [["far"], ["self", "far"]], ids=" ".join)
@pytest.mark.parametrize("command", [
    "sessions", "top -b -n 1", "events --duration 0.2", "backlog", "timewait", "handshakes --duration 0.2",
    "export --stdout"])
def test_what_may_not_be_entered_is_an_error(pair, user, command, words):
    args = [word for name in words for word in ("-N", pair.far.name if name == "far" else name)]
    done = user.run(*command.split(), *args, caps=("bpf", "net_admin", "perfmon"), ns=pair.near)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (f"tcpwatch: may not enter network namespace {pair.far.name}; run as root, "
                           "or with CAP_SYS_ADMIN\n")


@pytest.mark.parametrize("opens", ["listener", "session"])
def test_a_namespace_that_was_empty_is_shown_as_soon_as_it_is_not(opens):
    """It was not looked at any more, as there was nothing in it."""
    with removing(Namespace("empty")) as ns, tool.Background(
            None, "top", "-b", "-d", "0.2", "-N", ns.name, "--view", "socket", "state", "all") as top:
        frames = []
        wait_for(lambda: frames.append(top.read()) or "".join(frames).count("0 sessions") >= 5, "empty frames", 10)
        if opens == "listener":
            with listen(ns, "127.0.0.1", PORT):
                wait_for(lambda: "LISTEN" in top.read(), "the listener", 10)
        else:
            with Connection(ns, ns, "127.0.0.1", PORT):
                wait_for(lambda: "ESTAB" in top.read(), "the session", 10)
        frames.clear()
        wait_for(lambda: "TIME-WAIT" in top.read() or opens == "listener", "its end", 10)
