# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is watched changes under tcpwatch: the rest goes on, and the header says what happened."""
import contextlib
import re
import subprocess
from pathlib import Path

import pytest

from lib import bpf, tool
from lib.netns import NETS, Namespace, Pair, removing
from lib.traffic import Connection, listen, probe
from lib.wait import wait_for

PORT = 8080


@pytest.fixture
def two():
    """Two pairs: the near ends are what is watched, from the host's namespace."""
    with removing(Pair()) as one, removing(Pair()) as other:
        yield one, other


class Header(tool.Background):
    """`top -b` of some namespaces; the newest header."""

    def __init__(self, ns, *args):
        super().__init__(ns, "top", "-b", "-d", "0.2", "--color", "never", *args)
        self.lines = []

    def wait(self, pattern, seconds=8.0):
        def find():
            self.assert_running()
            self.lines += self.read().splitlines()
            self.lines = self.lines[-100:]
            return any(re.search(pattern, line) for line in self.lines[-10:])

        wait_for(find, lambda: "\n".join([f"{pattern} in the header:", *self.lines[-10:], self.stderr()]), seconds)
        self.lines.clear()
        return self


def sees_traffic(events, pair):
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        conn.finish()
    events.wait(conn.client_key, "closed")


def test_interface_deleted(two):
    one, other = two
    with Header(None, "-N", one.near.name, "-N", other.near.name, "-i", "near*") as top, \
            tool.Events(None, "-N", one.near.name, "-N", other.near.name, "-i", "near*", "--view", "wire") as events:
        top.wait(r"near0 tcx?/tcx?  near0 tcx?/tcx?")
        events.wait_ready(probe(other, ["wire"]))
        one.near.link_delete("near0")
        top.wait(r"near0 gone: the interface was deleted")
        sees_traffic(events, other)


def test_interface_renamed_down_and_up(pair):
    with Header(pair.near, "-i", pair.near_if) as top, \
            tool.Events(pair.near, "-i", pair.near_if, "--view", "wire") as events:
        events.wait_ready(probe(pair, ["wire"]))
        pair.near.link("near0", state="down")
        top.wait(r"near0 tcx?/tcx? down")
        pair.near.run("ip", "link", "set", "near0", "name", "other0")
        top.wait(r"other0 tcx?/tcx? down")
        pair.near.link_up("other0")
        pair.near.addr("other0", f"{NETS[6].near}/64")  # IPv6 addresses go with the link
        for net in NETS.values():
            pair.near.neighbour("other0", net.far, "02:00:00:00:00:02")
        top.wait(r"other0 tcx?/tcx?$")
        sees_traffic(events, pair)


def test_interface_made_anew_is_watched_again(pair):
    with Header(pair.near, "-i", "near*") as top, tool.Events(pair.near, "-i", "near*", "--view", "wire") as events:
        events.wait_ready(probe(pair, ["wire"]))
        top.wait("near0 tcx?/tcx?")
        pair.near.link_delete("near0")
        with pair.near.ipr() as ipr:
            ipr.link("add", ifname="near7", kind="veth", address="02:00:00:00:00:01",
                     peer={"ifname": "far7", "address": "02:00:00:00:00:02", "net_ns_fd": pair.far.fd})
        for ns, ifname, address in ((pair.near, "near7", NETS[4].near), (pair.far, "far7", NETS[4].far)):
            ns.link_up(ifname)
            ns.addr(ifname, f"{address}/24")
        top.wait("near7 tcx?/tcx?")
        wait_for(lambda: len([kind for kind, _ in bpf.held_by(events.pid) if kind == "link"]) == 2, "both to watch it")
        sees_traffic(events, pair)


def test_interface_moved_away_and_back(pair):
    with removing(Namespace("elsewhere")) as other, Header(pair.near, "-i", pair.near_if) as top:
        top.wait("near0 tcx?/tcx?")
        pair.near.run("ip", "link", "set", "near0", "netns", other.name)
        top.wait("near0 gone: it was moved to another network namespace")
        other.run("ip", "link", "set", "near0", "netns", pair.near.name)
        pair.near.link_up("near0")
        top.wait("near0 tcx?/tcx?  1 gone so far$")


def test_namespace_deleted(two):
    """tcpwatch does not keep it alive: the far end of its veth goes too."""
    one, other = two
    with Header(None, "-N", one.near.name, "-N", other.near.name, "-i", "near*") as top, \
            tool.Events(None, "-N", one.near.name, "-N", other.near.name, "-i", "near*", "--view", "wire") as events:
        events.wait_ready(probe(other, ["wire"]))
        one.near.remove()
        top.wait(r"near0 gone: its network namespace is gone")
        with one.far.ipr() as ipr:
            wait_for(lambda: not ipr.link_lookup(ifname=one.far_if), "the far end to go")
        sees_traffic(events, other)


def open_inodes(pid):
    """Of all files that a process has open; one that it closes meanwhile is left out."""
    inodes = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            inodes.add(path.stat().st_ino)
    return inodes


def test_only_namespace_deleted():
    with removing(Namespace("gone")) as gone, Header(None, "-N", gone.name, "--view", "socket") as top:
        top.wait(r"sessions")
        gone.remove()
        wait_for(lambda: gone.inum not in open_inodes(top.pid), "the namespace to be let go")
        top.wait(r"0 sessions")


def test_taken_hook_falls_back_and_names_the_other(pair):
    with tool.Events(pair.near, "-i", pair.near_if, "--hook", "xdp", "--view", "wire") as first:
        first.wait_ready(probe(pair, ["wire"]))
        with tool.Events(pair.near, "-i", pair.near_if, "--hook", "xdp", "--view", "wire") as second:
            second.wait_ready(probe(pair, ["wire"]))
            assert re.search(r"near0: xdp: program \d+ \(wire_xdp\) is already there; watched by \S+", second.stderr())


def test_native_xdp_on_a_veth_says_what_it_costs(pair):
    with tool.Events(pair.near, "-i", pair.near_if, "--hook", "xdp", "--view", "wire") as events:
        events.wait_ready(probe(pair, ["wire"]))
        assert "segmentation offload" in events.stderr()


def test_descriptors_are_enough_for_many_interfaces():
    with removing(Namespace("many")) as many:
        with many.ipr() as ipr:
            for i in range(20):
                ipr.link("add", ifname=f"one{i}", kind="veth", peer=f"two{i}")
        done = tool.run_argv(["prlimit", "--nofile=64:4096", tool.BINARY, "sessions", "-i", "one*",
                              "--duration", "0.1"], many)
    assert done.returncode == 0, done.stderr


def run_with_few_descriptors(args):
    """In 100 namespaces, one of which has a listener."""
    with contextlib.ExitStack() as stack:
        spaces = [stack.enter_context(removing(Namespace("many"))) for _ in range(100)]
        stack.enter_context(listen(spaces[-1], "127.0.0.1", 8080))
        words = [word for ns in spaces for word in ("-N", ns.name)]
        done = tool.run_argv(["prlimit", "--nofile=256:256", tool.BINARY, *args.split(), *words])
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("args, seen", [
    ("timewait", ""), ("backlog", "^1 listener "), ("top -b -n 1 --view socket", "^1 sessions"),
    ("export --stdout --once", 'netns="twe2e-.*-many"')])
def test_descriptors_are_enough_for_many_namespaces(args, seen):
    done = run_with_few_descriptors(args)
    assert done.stderr == ""
    assert re.search(seen, done.stdout, re.M), done.stdout


@pytest.mark.parametrize("args, seen", [("backlog -w -b -n 1", "^1 listener "), ("top -b -n 1", "^1 sessions")])
def test_taps_leave_descriptors_for_the_rest(args, seen):
    """They are too few for taps in all: some are not tapped, and the sockets of all are listed."""
    done = run_with_few_descriptors(args)
    told, = done.stderr.splitlines()
    assert "only 256 files may be open" in told and "ulimit -Hn" in told
    assert re.search(seen, done.stdout, re.M), done.stdout


def test_without_btf_it_says_what_to_do():
    script = f"mount -t tmpfs none /sys/kernel/btf && exec {tool.BINARY} sessions"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "BTF" in done.stderr and len(done.stderr.splitlines()) == 1
