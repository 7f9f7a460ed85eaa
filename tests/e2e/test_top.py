# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch top`: the screen at any size, its keys, how it gives the terminal back, and frames for a pipe."""
import json
import os
import re
import signal
import unicodedata
from pathlib import Path

import pytest

from lib import tool
from lib.netns import NETS
from lib.top import Screen, Terminal
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


def test_a_number_is_shown_whole_or_not_at_all(busy):
    pair, _ = busy
    fields = "state,local,local_port,remote"  # 10, 21, 5 and 21 wide, two between them
    with Screen(pair.near, 40, 24, "top", "-d", "0.2", "--fields", fields) as screen:
        assert any(line == "STATE       LOCAL                  LPORT" for line in screen.wait("^STATE"))
        screen.resize(39, 24)
        screen.wait("^STATE       LOCAL +>$")
        assert not any(re.search(r"LP|\d  +\d", line) for line in screen.lines()[1:] if line.startswith("ESTAB"))


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


def is_whole(lines):
    """Each part of the screen is there once, at its place. The terminal takes a moment to change its size, too."""
    return len(lines) == 24 and re.match("[12] sessions", lines[0]) and "q quit" in lines[-1] and \
        sum("STATE" in line for line in lines) == 1 and any(re.match("ESTAB +10.9.0.1:", line) for line in lines)


def test_follows_resizes(busy):
    pair, _ = busy
    with Screen(pair.near, 80, 24, "top", "-d", "0.2") as screen:
        screen.wait("q quit")
        for width, height in SIZES + [(132, 43), (80, 24)]:
            screen.resize(width, height)
        wait_for(lambda: is_whole(screen.lines()), lambda: "\n".join(screen.lines()))


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


def heading(lines):
    return next((line for line in lines if line.startswith("STATE")), "")


def titles(line):
    return re.findall(r"[A-Z-]+", line)


def test_every_column_can_be_reached(busy):
    """80 by 24: what a row is of stays, the rest goes by, and values stay under their headings."""
    pair, conn = busy
    fields = "state,local,remote,tx_bytes,rx_bytes,pid,comm,tx_segments,rx_segments,cookie"
    all_titles = ["STATE", "LOCAL", "REMOTE", "TX", "RX", "PID", "COMMAND", "TXSEG", "RXSEG", "COOKIE"]
    row, = tool.sessions(pair.near, "--view", "socket")
    with Screen(pair.near, 80, 24, "top", "-d", "0.2", "--view", "socket", "--fields", fields) as screen:
        screen.wait("Left/Right columns")
        seen = set()
        for _ in range(2 * len(all_titles)):
            lines = screen.lines()
            assert titles(heading(lines))[:3] == ["STATE", "LOCAL", "REMOTE"]
            assert any(re.match(rf"ESTAB +{NETS[4].near}:{conn.client_key[1]} +{NETS[4].far}:{PORT} ", line) for line in lines)
            seen.update(titles(heading(lines)))
            if not heading(lines).endswith(">"):
                break
            before = heading(lines)
            screen.keys("Right")
            wait_for(lambda: heading(screen.lines()) != before, lambda: "\n".join(screen.lines()))
        assert set(all_titles) <= seen
        last = next(line for line in screen.lines() if line.startswith("ESTAB"))
        assert last.endswith(f" {row['cookie']}") and "<" in heading(screen.lines())
        screen.keys("Right")
        screen.keys("p")
        screen.wait("PAUSED")
        assert heading(screen.lines()).endswith("COOKIE"), "it went beyond the last column"
        screen.keys("p", *["Left"] * len(all_titles))
        wait_for(lambda: titles(heading(screen.lines()))[3] == "TX", lambda: "\n".join(screen.lines()))
        screen.resize(200, 24)
        wait_for(lambda: len(titles(heading(screen.lines()))) == len(all_titles), lambda: "\n".join(screen.lines()))


def test_the_column_that_is_sorted_by_is_seen(busy):
    pair, _ = busy
    with Screen(pair.near, 80, 24, "top", "-d", "0.2", "--view", "socket", "--sort", "tx_bytes", "--fields",
                "state,local,remote,tx_bytes,rx_bytes,pid,comm,cookie") as screen:
        screen.wait("^STATE .* TX ")
        screen.keys(">", ">", ">", ">")
        screen.wait("^STATE .*COOKIE$")
        screen.keys("<", "<", "<", "<")
        screen.wait("^STATE .* TX ")


@pytest.mark.parametrize("size", [(80, 24), (61, 12), (35, 10), (12, 5), (1, 1)])
def test_sideways_at_any_size(busy, size):
    pair, _ = busy
    with Screen(pair.near, *size, "top", "-d", "0.2") as screen:
        wait_for(lambda: pids_in(pair.near), "tcpwatch to run")
        for _ in range(12):
            screen.keys("Right")
            assert all(len(line) <= size[0] for line in screen.lines())
        screen.keys("q")
        screen.resize(80, 24)
        screen.wait("ended: 0")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
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


def test_what_went_leaves_room_for_the_sessions(busy):
    pair, _ = busy
    names = [f"away{n}" for n in range(14)]
    for name in names:
        pair.near.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"x{name}")
    with Screen(pair.near, 80, 24, "top", "-d", "0.2", "-i", "near0", "-i", "away*") as screen:
        screen.wait("and 3 more")
        for name in names:
            pair.near.link_delete(name)
        head = [line for line in screen.wait("14 gone so far") if "gone:" in line]
        assert len(head) <= 3, head
        wait_for(lambda: not any("gone:" in line for line in screen.lines()), screen.lines, 15)
        assert any(re.search("near0 tcx?/tcx?  14 gone so far", line) for line in screen.lines())


def test_a_key_takes_the_message_off(pair):
    with Screen(pair.near, 80, 24, "top", "-d", "0.2", "-i", "near*", "--hook", "xdp") as screen:
        screen.wait("near0 xdp/tcx")
        screen.wait("q quit")
        pair.near.run("ip", "link", "add", "near9", "type", "veth", "peer", "name", "nine9")
        wait_for(lambda: screen.lines()[-1].startswith("near9: native XDP"), lambda: screen.lines())
        screen.keys("k")
        screen.wait("q quit")


def set_name(name):
    Path("/proc/self/comm").write_text(name, encoding="utf-8")


def columns(text):
    wide = sum(unicodedata.east_asian_width(char) == "W" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) != 0 for char in text)


@pytest.mark.parametrize("name", ["plain", "\u65e5\u672c\u8a9e", "e\u0301clair", "\U0001f600"])
def test_wide_names_do_not_shift_columns(busy, name):
    pair, conn = busy
    before = Path("/proc/self/comm").read_text(encoding="utf-8").rstrip("\n")
    set_name(name)
    try:
        with Screen(pair.near, 80, 24, "top", "--view", "socket", "--fields", "comm,local_addr,local_port") as screen:
            lines = screen.wait(f"{conn.client_key[1]}")
    finally:
        set_name(before)
    heading = next(line for line in lines if "COMMAND" in line)
    row = next(line for line in lines if str(conn.client_key[1]) in line)
    assert row.startswith(name)
    assert columns(row[:row.index(NETS[4].near)]) == columns(heading[:heading.index("LOCAL")])


WAYS_OUT = {"q": lambda terminal: terminal.type(b"q"),
            **{signum.name: lambda terminal, signum=signum: terminal.process.send_signal(signum)
               for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)}}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_modes_of_the_terminal_come_back(pair, way):
    with Terminal(pair.near, "top", "-i", "lo") as terminal:
        terminal.wait_for(b"q quit")
        assert terminal.modes() != terminal.modes_before
        WAYS_OUT[way](terminal)
        assert terminal.wait_end() == 0
        assert terminal.modes() == terminal.modes_before
        assert b"\x1b[?1049l" in terminal.read(), "the screen was not left"


def test_ends_though_the_terminal_takes_no_more(pair):
    with Terminal(pair.near, "top", "-i", "lo", "-d", "0.1") as terminal:
        terminal.wait_for(b"q quit")
        terminal.type(Terminal.CTRL_S)
        terminal.resize(100, 30)
        terminal.process.send_signal(signal.SIGWINCH)
        wait_for(terminal.is_stuck, "tcpwatch to wait for the terminal")
        terminal.process.terminate()
        assert terminal.wait_end() == 0
        assert terminal.modes() == terminal.modes_before


def test_ends_when_the_terminal_is_gone(pair):
    with Terminal(pair.near, "top", "-i", "lo", "-d", "0.1") as terminal:
        terminal.wait_for(b"q quit")
        os.close(terminal.master)
        terminal.master = os.open("/dev/null", os.O_RDONLY)
        assert terminal.wait_end() == 0


def test_refuses_a_terminal_that_cannot_move_the_cursor(pair):
    with Terminal(pair.near, "top", "-i", "lo", term="dumb") as terminal:
        assert terminal.wait_end() == 2
        assert b"TERM is dumb" in terminal.read() and b"with -b" in terminal.read()


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


def test_header_says_why_a_tap_is_not_as_wished(pair):
    frame = tool.run(pair.near, "top", "-b", "-n", "1", "-i", "near0", "--hook", "xdp").stdout
    assert re.search(r"^near0 xdp/tcx \(!\)$", frame, re.M)
    assert re.search(r"^near0 \(!\): native XDP switches the peer's segmentation offload off", frame, re.M)


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
