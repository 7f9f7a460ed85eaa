# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Each command as the address and undefined behaviour sanitizers watch it, with traffic of every kind going on."""
import os
import re

import pytest

from lib import tool
from lib.netns import NETS
from lib.traffic import Connection, connect, listen, refused, reset_on_close
from lib.wait import wait_for

BINARY = tool.BINARY.parent / "asan" / tool.BINARY.name
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
PORT, FULL_PORT, REFUSING_PORT = 8080, 8081, 8082
TEXTFILE, HTTP_PORT = "metrics.prom", 9955
FRAMES = ["-b", "-d", "0.2", "-n", "8"]

RUNS = {
    "top": FRAMES,
    "top --json": FRAMES,
    "sessions": ["--duration", "1", "--fields", "+container,pid"],
    "sessions --json": ["--duration", "1"],
    "events": ["--duration", "2"],
    "events --json": ["--duration", "2"],
    "handshakes": ["--duration", "2"],
    "handshakes --watch": FRAMES,
    "handshakes --json": ["--duration", "2"],
    "backlog": ["--duration", "2"],
    "backlog --watch": FRAMES,
    "backlog --json": ["--duration", "2"],
    "timewait": [],
    "timewait --watch": FRAMES,
    "timewait --json": [],
    "export --stdout": ["--once"],
    "export --textfile": [TEXTFILE, "--interval", "0.2"],
    "export --listen": [str(HTTP_PORT)],
    "doctor": [],
}
VIEWS = ["socket", "wire"]  # without --view it is both
REFUSED = {"backlog --view wire"}  # test_usage.py
OF_VIEWS = ["top", "sessions", "events", "handshakes", "handshakes --watch", "backlog", "backlog --watch",
            "export --textfile", "doctor"]
for words in map(str.split, OF_VIEWS):
    RUNS |= {" ".join([words[0], "--view", view, *words[1:]]): RUNS[" ".join(words)]
             for view in VIEWS if f"{words[0]} --view {view}" not in REFUSED}


def test_every_command_is_here():
    listed = re.search(r"^Commands:\n((?:  .*\n)+)", tool.run(None, "help").stdout, re.M)[1]
    commands = {line.split()[0] for line in listed.splitlines()}
    assert commands == {run.split()[0] for run in RUNS}
    assert {command for command in commands if "--view" in tool.run(None, command, "--help").stdout} \
        == {run.split()[0] for run in OF_VIEWS}


def make_traffic(pair):
    """A round of it: connections that end in each way, over both families."""
    for net in NETS.values():
        with Connection(pair.near, pair.far, net.far, PORT) as connection:
            connection.send(b"x" * 3000)
            connection.finish()
        with Connection(pair.far, pair.near, net.near, PORT) as connection:
            connection.send(b"x")
            reset_on_close(connection.client)
        refused(pair.near, net.far, REFUSING_PORT)
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as connection:
        connection.client.close()  # and the server stays in CLOSE_WAIT for a while
        assert connection.server.recv(1) == b""


def has_answered(ns):
    try:
        with connect(ns, "127.0.0.1", HTTP_PORT) as sock:
            sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            return b" 200 OK" in sock.recv(100)
    except (ConnectionRefusedError, ConnectionResetError):  # not yet, or no more
        return False


def assert_clean(status, text):
    assert status == 0, text
    assert not re.search(r"runtime error:|Sanitizer", text), text


@pytest.mark.parametrize("run", [run for run in RUNS if " " not in run])
def test_no_report_where_nothing_is(pair, run):
    done = tool.run_argv([BINARY, *run.split(), *RUNS[run]], pair.near, env={**os.environ, **OPTIONS})
    assert_clean(done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize("run", RUNS)
def test_no_report(pair, run, tmp_path):
    assert BINARY.exists(), f"make {BINARY.relative_to(BINARY.parents[2])} builds it"
    argv = [BINARY, *run.split(), *RUNS[run], "-N", pair.near.name, "-N", pair.far.name]
    if not run.startswith("timewait") and "--once" not in argv:  # which have no use for interfaces
        argv += ["-i", pair.near_if, "-i", pair.far_if]
    said = tmp_path / "said"
    with said.open("wb") as file, listen(pair.near, NETS[4].near, FULL_PORT, backlog=0), \
            connect(pair.far, NETS[4].near, FULL_PORT), pair.near.popen(
                argv, stdout=file, stderr=file, cwd=tmp_path, env={**os.environ, **OPTIONS}) as process:
        def has_ended():
            make_traffic(pair)
            if (tmp_path / TEXTFILE).exists() or str(HTTP_PORT) in argv and has_answered(pair.near):
                process.terminate()
            return process.poll() is not None

        try:
            wait_for(has_ended, f"the end of {run}", 30)
        finally:
            process.kill()
    text = said.read_text(encoding="utf-8", errors="replace")
    assert_clean(process.returncode, text)
