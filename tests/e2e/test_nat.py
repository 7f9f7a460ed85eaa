# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Sessions whose addresses are translated on their way, by nftables and by a container runtime: one session, whatever it is
called where. The oracle is the kernel's own list of connections.
"""
import contextlib
import re
import signal
import socket

import pytest

from lib import podman as lib_podman
from lib import tool
from lib.netns import removing
from lib.traffic import connect, listen, refused, reset_on_close
from lib.wait import wait_for
from lib.watched import Watched, spaces, taps
from lib.world import (HOST_ADDR, INSIDE_ADDR, OUTSIDE_ADDR, PUBLISHED, hairpin, make, publishing, routed, translate,
                       translating, translations)

NAT_KEYS = ("nat_local_addr", "nat_local_port", "nat_remote_addr", "nat_remote_port")
ONCE = ("syn", "syn_ack", "established", "closed")


@pytest.fixture(name="world")
def fixture_world():
    with make(translating) as made:
        yield made


class Talk:
    """A connection through the translation, in either direction."""

    def __init__(self, world, way, published=HOST_ADDR):
        """way: "masquerade", or who asks for a's published port at that address."""
        self.world, self.is_out = world, way == "masquerade"
        server, client = (world.out, world.a) if self.is_out else (world.a, world.spaces[way])
        with listen(server, OUTSIDE_ADDR if self.is_out else INSIDE_ADDR, 80) as listener:
            self.client = connect(client, *(OUTSIDE_ADDR, 80) if self.is_out else (published, PUBLISHED))
            self.server, _ = listener.accept()
        # What each end calls both, the client first.
        self.before = (*self.client.getsockname(), *self.client.getpeername())
        self.after = (*self.server.getpeername(), *self.server.getsockname())
        assert (self.before, self.after) in translations(world)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.server.close()

    def keys(self):
        names = self.before, self.after, (*self.before[:2], *self.after[2:])
        return {key for one in names for key in (one, (*one[2:], *one[:2]))}

    def inside(self):
        """The session as a's socket has it, and what the other side calls its ends."""
        mine, there = (self.before, self.after) if self.is_out else (self.after, self.before)
        if not self.is_out:
            mine, there = (*mine[2:], *mine[:2]), (*there[2:], *there[:2])
        names = [name if name != own else None for name, own in ((there[:2], mine[:2]), (there[2:], mine[2:]))]
        return mine, [part for name in names for part in (name or (None, None))]

    def finish(self):
        self.client.sendall(b"x" * 1000)
        while not self.server.recv(4096).endswith(b"x"):
            pass
        self.client.shutdown(socket.SHUT_WR)
        while self.server.recv(4096):
            pass
        self.server.close()
        assert self.client.recv(1) == b""
        self.client.close()


def names_of(row):
    return [row[key] for key in NAT_KEYS]


@pytest.mark.parametrize("way", ["masquerade", "out"])
@pytest.mark.parametrize("at", ["all", "on the way", "beyond"])
def test_events_tell_once(world, way, at):
    """The container's own interface, the bridge and its port see one name of it, the interface outwards the other."""
    labels, names = {"all": (["host", "a"], ["eth0", "va", "br0", "out0"]), "on the way": (["host"], ["br0", "out0"]),
                     "beyond": (["host", "a"], ["out0"])}[at]
    probe = (lambda: refused(world.a, OUTSIDE_ADDR, 9)) if way == "masquerade" else \
        (lambda: refused(world.out, HOST_ADDR, PUBLISHED))
    with Watched(world, probe, *spaces(world, *labels), *taps(*names)) as watched:
        with Talk(world, way) as talk:
            keys = talk.keys()
            inside, there = talk.inside()
            talk.finish()
        wait_for(lambda: watched.of(keys, "closed"), lambda: f"the end; {watched.of(keys)}", 10)
        probe()
        for kind in ONCE:
            event, = watched.of(keys, kind)
        assert len(watched.of(keys, "fin")) == 2
        assert set(event["taps"].split(",")) == set(names)
        assert event["tx_bytes"] + event["rx_bytes"] == 1000
        if "a" in labels:
            assert (tool.key_of(event), names_of(event)) == (inside, there)


@pytest.mark.parametrize("addr", ["127.0.0.1", HOST_ADDR, "10.8.0.1"])
@pytest.mark.parametrize("labels", [("host",), ("host", "a")])
def test_own_session_to_a_published_port(labels, addr):
    """The host's own socket, the host's bridge and its port, which know it by another name; and the container's."""
    with make(publishing) as world:
        with Watched(world, lambda: refused(world.a, "10.8.0.1", 9), *spaces(world, *labels),
                     *taps("va", "br0", *(["eth0"] if "a" in labels else []))) as watched:
            with Talk(world, "host", addr) as talk:
                keys = talk.keys()
                row, = [r for r in tool.sessions(world.host, *spaces(world, "host"), *taps("va", "br0"),
                                                 "--duration", "1", "state", "established") if tool.key_of(r) in keys]
                assert (tool.key_of(row), row["direction"]) == (talk.before, "out")
                talk.finish()
            wait_for(lambda: len(watched.of(keys, "closed")) == len(labels), lambda: f"the ends; {watched.of(keys)}", 10)
            refused(world.a, "10.8.0.1", 10)
            client, server = talk.before, (*talk.after[2:], *talk.after[:2])
            for kind in ("established", "closed"):
                told = {tool.key_of(e): e for e in watched.of(keys, kind)}
                assert set(told) == {client, server} if "a" in labels else {client}
                assert len(told) == len(watched.of(keys, kind))
            assert set(told[client]["taps"].split(",")) >= {"br0", "va"}
            for kind in ("syn", "syn_ack"):
                event, = watched.of(keys, kind)
                assert tool.key_of(event) in (client, server)


@pytest.mark.parametrize("bridge_asks", [0, 1])
@pytest.mark.parametrize("labels, names", [("hab", ["eth0", "va", "vb", "br0"]), ("h", ["br0"]), ("h", ["va", "vb"])])
def test_from_container_to_container_by_the_host(labels, names, bridge_asks):
    """A bridge that calls netfilter sees a name between the two: the server's already, the client's still."""
    labels = [label if label != "h" else "host" for label in labels]
    with make(hairpin) as world:
        with contextlib.ExitStack() as stack:
            try:
                with world.host.entered():
                    open("/proc/sys/net/bridge/bridge-nf-call-iptables", "w", encoding="ascii").write(str(bridge_asks))
            except FileNotFoundError:
                if bridge_asks:
                    pytest.skip("br_netfilter is not loaded")
            watched = stack.enter_context(Watched(world, lambda: refused(world.b, "10.8.0.1", 9), *spaces(world, *labels),
                                                  *taps(*names)))
            with Talk(world, "b", "10.8.0.1") as talk:
                keys = talk.keys()
                talk.finish()
            if bridge_asks and names == ["br0"]:  # it passes on at once what it has asked about, past itself
                wait_for(lambda: watched.of(keys, "fin"), lambda: f"the server's end; {watched.of(keys)}", 10)
                refused(world.b, "10.8.0.1", 10)
                assert {tool.key_of(e) for e in watched.of(keys)} == {(*talk.before[:2], *talk.after[2:])}
                assert [names_of(e) for e in watched.of(keys, "syn")] == [[*talk.after[:2], *talk.before[2:]]]
                return
            n_ends = 1 if labels == ["host"] else 2
            wait_for(lambda: len(watched.of(keys, "closed")) >= n_ends, lambda: f"the ends; {watched.of(keys)}", 10)
            refused(world.b, "10.8.0.1", 10)
            for kind in ("established", "closed"):
                told = watched.of(keys, kind)
                assert len(told) == n_ends
                assert {e["direction"] for e in told} == ({"forward"} if n_ends == 1 else {"out", "in"})
                assert all({name.partition("@")[0] for name in e["taps"].split(",")} == set(names) for e in told)
            assert all(e["tx_bytes"] + e["rx_bytes"] == 1000 for e in told)
            assert sorted(e["event"] for e in watched.of(keys) if e["event"] in ("syn", "syn_ack", "fin")) == \
                ["fin", "fin", "syn", "syn_ack"]


@pytest.mark.parametrize("way", ["masquerade", "out"])
def test_what_was_translated_before_is_known(world, way):
    """Sockets alone: what their ends are called is asked of conntrack, once."""
    with Talk(world, way) as talk:
        inside, there = talk.inside()
        row, = [r for r in tool.sessions(world.host, "--view", "socket", *spaces(world, "a"), "state", "established")
                if tool.key_of(r) == inside]
        assert names_of(row) == there
        key, port = ("nat_local_port", there[1]) if there[1] else ("nat_remote_port", there[3])
        rows = tool.sessions(world.host, "--view", "socket", *spaces(world, "a"), f"{key} = {port}")
        assert [tool.key_of(r) for r in rows] == [inside]


def test_a_row_of_top_is_one(world):
    with contextlib.ExitStack() as stack:
        talk = stack.enter_context(Talk(world, "masquerade"))
        top = stack.enter_context(tool.Background(world.host, "top", "-b", "-d", "0.2", "--json",
                                                  *spaces(world, "host", "a"), *taps("eth0", "br0", "out0")))
        frames = []

        def is_whole():
            top.assert_running()
            talk.client.sendall(b"x")
            frames[:] = [r for r in tool.parse_json_lines(top.read()) if "local_addr" in r]
            found = [r for r in frames if tool.key_of(r) in talk.keys()]
            return found and all(set((r["taps"] or "").split(",")) == {"eth0", "br0", "out0"} for r in found) and found

        rows = wait_for(is_whole, lambda: f"a row with all taps; {frames}", 10)
        inside, there = talk.inside()
        assert {tool.key_of(row) for row in rows} == {inside}
        assert names_of(rows[0]) == there


@pytest.mark.parametrize("way", ["masquerade", "out"])
def test_first_rule_comes_later(way):
    """Conntrack too, where it is a module that nobody has loaded: its first connection is the one that is looked at."""
    with make(routed) as world:
        world.ip("out", f"route add 10.8.0.0/24 via {HOST_ADDR}")
        with Watched(world, lambda: refused(world.a, OUTSIDE_ADDR, 9), "--view", "wire", *spaces(world, "host"),
                     *taps("br0", "out0")) as watched:
            translate(world)
            with Talk(world, way) as talk:
                keys = talk.keys()
                talk.finish()
            wait_for(lambda: watched.of(keys, "closed"), lambda: f"the end; {watched.of(keys)}", 10)
            refused(world.a, OUTSIDE_ADDR, 10)
            for kind in ONCE:
                event, = watched.of(keys, kind)
            assert set(event["taps"].split(",")) == {"br0", "out0"}


def test_without_translation_there_are_no_names(world):
    with listen(world.host, "10.8.0.1", 80), connect(world.a, "10.8.0.1", 80) as client:
        key = (*client.getsockname(), *client.getpeername())
        row, = [r for r in tool.sessions(world.host, *spaces(world, "a")) if tool.key_of(r) == key]
        assert names_of(row) == [None] * 4


def test_news_that_are_lost_are_made_up_for(world):
    """While tcpwatch stands still the kernel has news of more translations than its socket's buffer holds."""
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(tool.Background(world.host, "top", "-b", "-d", "0.2", *spaces(world, "host"),
                                                  *taps("out0")))
        headers = []

        def header(pattern):
            top.assert_running()
            headers.extend(re.findall(r"^.*lost .*$", top.read(), re.M))
            return headers and re.search(pattern, headers[-1])

        wait_for(lambda: header("lost"), lambda: top.stderr(), 10)
        top.process.send_signal(signal.SIGSTOP)
        listener = stack.enter_context(listen(world.out, OUTSIDE_ADDR, 80, backlog=4096))
        for _ in range(12000):
            with connect(world.a, OUTSIDE_ADDR, 80) as client:
                reset_on_close(client)
            listener.accept()[0].close()
        top.process.send_signal(signal.SIGCONT)
        wait_for(lambda: header(r"listed anew [1-9]"), lambda: f"a list; {headers[-3:]}", 20)
        expected = len([t for t in translations(world) if t[0] != t[1]])
        assert expected > 1000
        # They run out while they are counted.
        said = int(wait_for(lambda: header(r"translated (\d+)"), lambda: headers[-3:], 5)[1])
        assert said <= expected * 1.01


# ---- a container runtime ------------------------------------------------------------------------------------------


def test_published_port_of_a_container():
    why = lib_podman.missing()
    if why:
        pytest.skip(f"no containers are tested: {why}")
    with removing(lib_podman.Podman()) as podman:
        web = podman.start_web("web", options=("-p", "18081:8080"))
        gateway = podman.run("network", "inspect", podman.network, "--format", "{{(index .Subnets 0).Gateway}}")
        with socket.create_connection((gateway, 18081), timeout=10) as client:
            mine = (*client.getsockname(), *client.getpeername())
            rows = {tool.key_of(r): r for r in tool.sessions(None, "-N", "all", "--view", "socket", "state", "established")}
            assert names_of(rows[mine])[2:] == [web.addr, 8080]
            server, = [r for r in rows.values() if r["container"] == web.name]
            assert server["nat_local_port"] == 18081
