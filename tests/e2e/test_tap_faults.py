# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What becomes of taps: indices used again, interfaces that move, namespaces that nobody keeps, many of them."""
import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from lib import podman, tool
from lib.bpf import attachments, held_by, taps, wait_all_gone, wait_attached
from lib.netns import Namespace, removing
from lib.traffic import Connection
from lib.wait import wait_for

PORT = 8080
HOT = f"hot{os.getpid()}"  # others may run this at the same time


@pytest.fixture
def host():
    with removing(Namespace("host")) as ns:
        ns.run("ip", "link", "add", "veth0", "up", "type", "veth", "peer", "name", "other0")
        yield ns


def watching(ns, *args):
    """tcpwatch, once it has its first taps."""
    background = tool.Background(ns, "top", "-b", "-d", "1", "--view", "wire", *args)
    wait_attached(background.pid)
    return background


def test_a_default_route_that_comes_last_is_enough(host):
    with removing(Namespace("far")) as far:
        host.run("ip", "link", "add", "eth1", "up", "type", "veth", "peer", "name", "eth0", "netns", far.name)
        far.link_up("eth0")
        host.run("ip", "addr", "add", "10.8.0.1/24", "dev", "veth0")
        host.run("ip", "link", "set", "other0", "up")
        host.run("ip", "route", "add", "default", "dev", "veth0")
        with watching(host) as top:
            index = host.index("eth1")
            assert index not in taps(top.pid)
            host.run("ip", "route", "add", "default", "dev", "eth1", "metric", "7")
            wait_for(lambda: taps(top.pid).count(index) == 2, "taps at eth1")


def test_an_index_that_is_used_again(host):
    """Deleted and made anew with the same index, name and address, before anybody could look."""
    make = ("link add vethx index 4242 address 02:00:00:00:00:42 type veth peer name otherx\n")
    with watching(host, "-i", "veth*") as top:
        host.run("ip", "-batch", "-", input=make)
        wait_for(lambda: taps(top.pid).count(4242) == 2, "taps")
        for _ in range(5):
            host.run("ip", "-batch", "-", input="link del vethx\n" + make)
            wait_for(lambda: taps(top.pid).count(4242) == 2 and len(taps(top.pid)) == 4,
                     "taps at the new one and none of the old")
        host.link_delete("vethx")
        wait_for(lambda: 4242 not in taps(top.pid), "no taps")


def test_it_goes_to_another_namespace_and_comes_back(host):
    with watching(host, "-i", "veth*") as top, removing(Namespace("box")) as box:
        host.run("ip", "link", "add", "veth9", "type", "veth", "peer", "name", "other9")
        wait_for(lambda: len(taps(top.pid)) == 4, "taps")
        host.run("ip", "link", "set", "veth9", "netns", box.name)
        wait_for(lambda: len(taps(top.pid)) == 2, "that it is let go of")
        box.run("ip", "link", "set", "veth9", "netns", host.name)
        wait_for(lambda: len(taps(top.pid)) == 4, "taps again")


def test_a_namespace_that_only_a_descriptor_keeps_is_let_go_of():
    with tool.Background(None, "top", "-b", "-d", "1", "--view", "wire", "-N", "all", "-i", HOT + "*") as top:
        wait_for(top.read, "the first frame")
        with removing(Namespace("held")) as held:
            held.run("ip", "link", "add", HOT, "type", "veth", "peer", "name", "other0")
            wait_for(lambda: len(taps(top.pid)) == 2, "taps")
            subprocess.run(["ip", "netns", "del", held.name], check=True)
            wait_for(lambda: not taps(top.pid), "that it is let go of")


class Life:
    """A namespace with an interface and a session over its loopback that is gone soon."""

    def __init__(self, number):
        with removing(Namespace(f"life{number}")) as ns:
            ns.run("ip", "link", "add", HOT, "type", "veth", "peer", "name", "other0")
            with Connection(ns, ns, "127.0.0.1", PORT) as conn:
                conn.send(b"x")
            self.name = ns.name


def watching_lives(*options):
    top = tool.Background(None, "top", "-b", "-d", "0.5", "-N", "all", "-i", HOT + "*", "--fields", "+netns", *options)
    wait_for(top.read, "the first frame", 10)
    return top


def last_frame(top):
    """What a frame that begins from now on shows."""
    top.read()
    frames = []
    wait_for(lambda: frames.append(top.read()) or "".join(frames).count("sessions") >= 3, "some frames", 10)
    return "".join(frames).split("sessions")[-2]


def test_a_hundred_lives_leave_nothing():
    """No link, no program, no descriptor, no row."""
    with removing(Namespace("first")) as first:
        first.run("ip", "link", "add", HOT, "type", "veth", "peer", "name", "other0")
        with watching_lives() as top:
            wait_for(lambda: len(taps(top.pid)) == 2, "the tap of the one that stays")
            before = programs_and_links(top.pid)
            names = [Life(number).name for number in range(100)]
            wait_for(lambda: len(taps(top.pid)) == 2, lambda: f"2 links, not {len(taps(top.pid))}", 20)
            wait_for(lambda: programs_and_links(top.pid) == before, "the programs and links of before")
            wait_for(lambda: not deleted_namespaces(top.pid), "no namespace to be held open")
            wait_for(lambda: not set(names) & set(last_frame(top).split()), "no row of them")


def programs_and_links(pid):
    return {thing for thing in held_by(pid) if thing[0] != "map"}


def deleted_namespaces(pid):
    """Those of this file's lives that a process keeps open though nobody else does."""
    kept = set()
    for path in (*Path("/run/netns").iterdir(), *Path("/proc").glob("[0-9]*/ns/net")):
        with contextlib.suppress(OSError):  # others' come and go meanwhile
            kept.add(os.stat(path).st_ino)
    held = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = os.readlink(fd)
            if target.startswith("net:["):
                held.add(int(target[5:-1]))
    return held - kept


def test_many_taps_of_a_killed_run_are_gone(host):
    names = [f"veth{number}" for number in range(1, 81)]  # more than are attached at the start
    host.run("ip", "-batch", "-", input="".join(f"link add {name} type veth peer name p{name}\n" for name in names))
    with watching(host, "-i", "veth*") as top:
        wait_for(lambda: len(taps(top.pid)) == 2 * (len(names) + 1), lambda: f"{len(taps(top.pid))} links", 30)
        held = held_by(top.pid)
        top.process.kill()
        top.process.wait()
        wait_all_gone(held, 20)
        for name in (names[0], names[-1]):
            assert not any(attachments(host, name))


def test_the_taps_of_many_tell_themselves_apart(host):
    """They share a program: each counts its own, under its own namespace."""
    with contextlib.ExitStack() as stack:
        boxes = [stack.enter_context(removing(Namespace(f"box{number}"))) for number in range(3)]
        for number, box in enumerate(boxes):
            host.run("ip", "link", "add", f"veth{number + 1}", "up", "type", "veth", "peer", "name", "eth0",
                     "netns", box.name)
            host.addr(f"veth{number + 1}", f"10.8.{number}.1/24")
            box.link_up("eth0")
            box.addr("eth0", f"10.8.{number}.2/24")
        args = [word for box in boxes for word in ("-N", box.name)]
        events = stack.enter_context(tool.Events(None, "--view", "wire", "-i", "eth0", *args))
        wait_for(lambda: len(taps(events.pid)) == 6, "taps", 10)
        for number, box in enumerate(boxes):
            with Connection(box, host, f"10.8.{number}.1", PORT) as conn:
                told = events.wait(conn.client_key, "established")
                assert told["netns"] == box.name
        assert {event["netns"] for event in events.all() if event["event"] == "established"} == {b.name for b in boxes}


@pytest.mark.skipif(bool(podman.missing()), reason=str(podman.missing()))
def test_containers_that_are_started_and_removed_leave_nothing():
    labels = [f"short{number}" for number in range(6)]
    with removing(podman.Podman()) as engine:
        theirs = " or ".join(f"container = {engine.prefix}-{label}" for label in labels)  # others have rows too
        with tool.Background(None, "top", "-b", "-d", "0.5", "-N", "all", "--fields", "container,state",
                             f"state all ( {theirs} )") as top:
            wait_for(top.read, "the first frame", 10)
            shown = []
            for label in labels:
                engine.start_web(label)
                wait_for(lambda label=label: shown.append(top.read()) or label in "".join(shown), "its listener", 10)
                engine.remove_containers()
            wait_for(lambda: not deleted_namespaces(top.pid), "no namespace to be held open", 10)
            wait_for(lambda: engine.prefix not in last_frame(top), "no row of them")
