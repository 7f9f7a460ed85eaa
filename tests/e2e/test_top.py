# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch top`: the screen at any size, its keys, how it gives the terminal back, and frames for a pipe."""
import json
import os
import re
import signal
import subprocess

import pytest

from lib import tool
from lib.netns import NETS
from lib.top import Screen
from lib.traffic import Connection, many_connections
from lib.wait import wait_for

PORT = 8080
SIZES = [(80, 24), (40, 10), (200, 50), (20, 5), (10, 3), (1, 1)]


@pytest.fixture
def busy(pair):
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        yield pair, conn


def pids_in(ns):
    """Of tcpwatch in ns."""
    names = (line.split(maxsplit=1) for line in ns.run("ps", "-eo", "pid=,comm=").splitlines())
    tools = {pid for pid, name in names if name == "tcpwatch"}
    return tools & set(ns.run("ip", "netns", "pids", ns.name).split())


@pytest.mark.parametrize("width, height", SIZES)
def test_fits_any_size_and_ends_on_q(busy, width, height):
    pair, _ = busy
    with Screen(pair.near, width, height, "top", "-d", "0.2") as screen:
        if width >= 40:
            assert any("sessions" in line for line in screen.wait("ESTAB"))
        wait_for(lambda: pids_in(pair.near), "tcpwatch to run")
        assert all(len(line) <= width for line in screen.lines())
        screen.resize(80, 24)
        screen.wait("ESTAB +10.9.0.1:")
        screen.keys("q")
        screen.wait("ended: 0")


def test_follows_resizes(busy):
    pair, _ = busy
    with Screen(pair.near, 80, 24, "top", "-d", "0.2") as screen:
        screen.wait("q quit")
        for width, height in SIZES + [(132, 43), (80, 24)]:
            screen.resize(width, height)
        lines = screen.wait("ESTAB +10.9.0.1:")
        assert lines[0].startswith("2 sessions") or lines[0].startswith("1 sessions")
        assert sum("STATE" in line for line in lines) == 1
        assert "q quit" in lines[-1]


def test_keys_scroll_sort_and_pause(pair):
    with many_connections(pair.near, 40), Screen(pair.near, 80, 16, "top", "-d", "0.2", "--sort", "remote_port",
                                                 "--fields", "local_port,remote_port") as screen:
        top = next(line for line in screen.wait(r"^ *8000 +\d+|^ *\d+ +8000") if "8000" in line)
        screen.keys("End")
        wait_for(lambda: top not in screen.lines(), lambda: screen.lines())
        screen.keys("Home")
        screen.wait(re.escape(top.strip()))
        screen.keys("r")
        wait_for(lambda: top not in screen.lines(), lambda: screen.lines())
        screen.keys("p")
        screen.wait("PAUSED")
        screen.keys("p")
        screen.wait("q quit")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(busy, signum):
    pair, _ = busy
    with Screen(pair.near, 80, 24, "top", "-d", "0.2") as screen:
        screen.wait("ESTAB")
        pid, = pids_in(pair.near)
        os.kill(int(pid), signum)
        screen.wait("ended: 0")
        assert not any("ESTAB" in line for line in screen.lines()), "the screen was not left"


def test_messages_do_not_garble_the_screen(busy):
    pair, _ = busy
    with Screen(pair.near, 80, 24, "top", "-d", "0.2", "-i", "near*") as screen:
        screen.wait("near0 tcx?/tcx?")
        pair.near.link_delete("near0")
        screen.wait("near0 gone")
        assert "STATE" in "".join(line[:5] for line in screen.lines())


def test_without_a_terminal_it_names_the_remedy(pair):
    done = tool.run(pair.near, "top", "-i", "lo", stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "-b" in done.stderr and done.stdout == ""


def test_frames_for_a_pipe(busy):
    pair, conn = busy
    done = tool.run(pair.near, "top", "-b", "-n", "3", "-d", "0.2", "-i", "near0")
    assert done.returncode == 0 and "\x1b" not in done.stdout
    frames = done.stdout.split("\n\n")[:-1]
    assert len(frames) == 3
    for frame in frames:
        assert re.search(rf"^ESTAB +{NETS[4].near}:{conn.client_key[1]} ", frame, re.M)
        assert re.search(r"^\d+ sessions", frame) and re.search("near0 tcx?/tcx?", frame) and "lost 0" in frame
    assert "opens -/s" in frames[0] and "opens 0.0/s" in frames[1]


def test_json_frames(busy):
    pair, conn = busy
    done = tool.run(pair.near, "top", "-b", "-n", "2", "-d", "0.2", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [tool.key_of(row) for row in rows] == [conn.client_key] * 2


def test_header_counts_as_the_kernel_does(pair):
    """Listener, SYN backlog and TIME-WAIT against /proc/net/sockstat."""
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        conn.finish()
    with pair.near.entered():
        sockstat = open("/proc/net/sockstat", encoding="ascii").read()
    time_wait = re.search(r"^TCP: .* tw (\d+)", sockstat, re.M)[1]
    frame = tool.run(pair.near, "top", "-b", "-n", "1", "--view", "socket").stdout
    assert f"TIME-WAIT {time_wait}" in frame and time_wait == "1"
    assert "SYN backlog 0" in frame and "accept queues full 0" in frame
