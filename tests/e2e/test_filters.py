# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Filters in the grammar of ss, and scopes of addresses: the rows of each filter, and what they say, are those of ss."""
import contextlib
import re
import socket
from pathlib import Path

import pytest

from lib import ss, tool
from lib.netns import NETS
from lib.traffic import connect, listen
from lib.wait import wait_for

PORT = 8080
SO_MARK, SO_BINDTODEVICE = 36, 25
NEAR, FAR = "fe80::1", "fe80::2"


@pytest.fixture(name="links")
def fixture_links(pair):
    """Sockets of near with each kind of place: link-local, bound to an interface, marked, of either family."""
    pair.near.addr(pair.near_if, f"{NEAR}/64")
    pair.far.addr(pair.far_if, f"{FAR}/64")
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(listen(pair.far, "::", PORT, dual_stack=True))
        own = stack.enter_context(listen(pair.near, "::", PORT, dual_stack=True))
        scope = pair.near.index(pair.near_if)
        with pair.near.entered():
            client = stack.enter_context(socket.socket(socket.AF_INET6))
            bound = stack.enter_context(socket.create_server((NETS[4].near, PORT + 1)))
        bound.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, pair.near_if.encode())
        client.setsockopt(socket.SOL_SOCKET, SO_MARK, 0x15)
        client.connect((FAR, PORT, 0, scope))
        with pair.far.entered():
            back = stack.enter_context(socket.socket(socket.AF_INET6))
        back.connect((NEAR, PORT, 0, pair.far.index(pair.far_if)))
        stack.enter_context(connect(pair.far, NETS[4].near, PORT))  # of an AF_INET6 socket, mapped
        stack.enter_context(connect(pair.near, NETS[4].far, PORT))
        stack.enter_context(connect(pair.near, NETS[4].far, PORT, local=(NETS[4].near, 1234)))
        for listener, count in ((far, 3), (own, 2)):
            for _ in range(count):
                stack.enter_context(listener.accept()[0])
        yield pair


def same_as_ss_with(ns, words):
    """ss shows scopes but takes none."""
    expected = sorted(ss.rows(ns, *re.sub(r"%\w+", "", words).split()))
    found = sorted(map(tool.ss_row, tool.sessions(ns, "--view", "socket", "state", "all", *words.split())))
    assert found == expected, words
    return expected


def own_cgroup():
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    mount = next((words[1] for words in mounts if words[2] == "cgroup2"), None)
    own = next((line[3:] for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
                if line.startswith("0::")), None)
    if not mount or not own or not Path(mount + own).is_dir():
        pytest.skip("no cgroup of version 2 is in use")
    return mount + own


@pytest.mark.parametrize("words", [
    "src inet:10.9.0.1", "src inet6:[::]", "src inet6:[fe80::1]:8080", "dst inet:10.9.0.2:8080", "dst [fe80::2%near0]",
    "dst [fe80::2%near0]:8080", "dev near0", "fwmark = 0x15", "fwmark 0x05/0x0f", "autobound", "sport eq :8080",
    "dport gt 1023 and sport lt 2000", "src 10.9.0.0/24 and not autobound and sport != 8080", "cgroup ."])
def test_same_rows_as_ss(links, words):
    if words == "cgroup .":
        words = f"cgroup {own_cgroup()}"
    assert same_as_ss_with(links.near, words), "the filter chose nothing"


def local_texts(text):
    return sorted(word for line in text.splitlines() for word in line.split() if "%" in word)


@pytest.mark.parametrize("views", [["--view", "socket"], ["-i", "near0"]])
def test_scopes_are_shown_as_by_ss(links, views):
    expected = local_texts(links.near.run("ss", "-tanHO"))
    text = tool.run(links.near, "sessions", *views, "state", "all", "--fields", "local,remote").stdout
    assert local_texts(text) == expected and len(expected) == 3


def test_scope_of_a_listener(links):
    text = tool.run(links.near, "backlog", "--fields", "local", "dev", "near0").stdout
    assert [line.strip() for line in text.splitlines() if "%" in line] == [f"{NETS[4].near}%near0:{PORT + 1}"]


def test_json_has_the_scope_apart(links):
    rows = tool.sessions(links.near, "--view", "socket", "state", "established", "src", "fe80::/10")
    assert {(row["local_addr"], row["scope"]) for row in rows} == {(NEAR, "near0")} and len(rows) == 2


def test_scope_of_what_the_wire_alone_sees(links):
    with tool.Background(links.near, "top", "-b", "-d", "0.1", "--json", "--view", "wire", "-i", "near0",
                         "src", f"{NEAR}%near0") as top:
        def rows():
            top.assert_running()
            with links.near.entered(), contextlib.closing(socket.socket(socket.AF_INET6)) as sock:
                sock.connect_ex((FAR, PORT, 0, links.near.index("near0")))
            return tool.parse_json_lines(top.read())

        row = wait_for(rows, lambda: f"a row; {top.stderr()}", 10)[0]
    assert (row["local_addr"], row["remote_addr"], row["scope"]) == (NEAR, FAR, "near0")


def test_name_of_an_interface_that_is_renamed(pair):
    pair.near.addr(pair.near_if, f"{NEAR}/64")
    pair.far.addr(pair.far_if, f"{FAR}/64")
    with listen(pair.far, "::", PORT), pair.near.entered(), socket.socket(socket.AF_INET6) as client:
        client.connect((FAR, PORT, 0, pair.near.index(pair.near_if)))
        with tool.Background(pair.near, "top", "-b", "-d", "0.1", "--view", "socket", "--json") as top:
            def names():
                top.assert_running()
                return {row["scope"] for row in tool.parse_json_lines(top.read())}

            wait_for(lambda: names() == {"near0"}, "its name", 10)
            pair.near.run("ip", "link", "set", "near0", "down")
            pair.near.run("ip", "link", "set", "near0", "name", "other")
            wait_for(lambda: names() == {"other"}, "its new name", 10)
