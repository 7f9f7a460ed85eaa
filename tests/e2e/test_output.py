# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What becomes of output that nobody can take: one message and exit status 1, whoever writes it."""
import os
import subprocess

import pytest

from lib import tool

WITHOUT_PRIVILEGE = [["--help"], ["help", "top"], ["--version"], ["sessions", "--help"], ["sessions", "--fields", "help"],
                     ["export", "--describe"]]
BOARDS = [["top", "-b", "-n", "1"], ["backlog"], ["timewait"], ["handshakes", "--duration", "0.1"]]
SPEAKING = [*WITHOUT_PRIVILEGE, *BOARDS, ["sessions"], ["doctor"], ["export", "--stdout"]]
SILENT = [["sessions", "--json"], ["events", "--duration", "0.1"]]  # where nothing is


def run_to(ns, path, args):
    with open(path, "w", encoding="ascii") as out, ns.entered():
        return subprocess.run([tool.BINARY, *args], stdout=out, stderr=subprocess.PIPE, text=True, timeout=60,
                              check=False)


@pytest.mark.parametrize("args", SPEAKING, ids=" ".join)
def test_full_device(pair, args):
    done = run_to(pair.near, "/dev/full", args)
    assert done.returncode == 1, done.stderr
    assert done.stderr == "tcpwatch: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("args", SPEAKING + SILENT, ids=" ".join)
def test_nothing_to_complain_of(pair, args):
    done = run_to(pair.near, "/dev/null", args)
    assert (done.returncode, done.stderr) == (0, "")


def run_without(ns, fds, *args):
    """tcpwatch with these descriptors closed; the others of 0 to 2 go to a pipe."""
    def close():
        for fd in fds:
            os.close(fd)

    with ns.entered():
        return subprocess.run([tool.BINARY, *args], capture_output=True, text=True, timeout=60, check=False,
                              preexec_fn=close)


@pytest.mark.parametrize("args", SPEAKING, ids=" ".join)
def test_no_standard_output(pair, args):
    done = run_without(pair.near, [1], *args)
    assert done.returncode == 1, done.stderr
    assert done.stderr == "tcpwatch: cannot write to standard output: Bad file descriptor\n"


def test_no_standard_error(pair):
    done = run_without(pair.near, [2], "sessions", "-N", "nosuch")
    assert (done.returncode, done.stdout) == (2, "")
    done = run_without(pair.near, [0, 2], "sessions")
    assert done.returncode == 0 and "STATE" in done.stdout


def test_no_standard_descriptor_is_needed_for_a_file(pair, tmp_path):
    file = tmp_path / "metrics.prom"
    assert run_without(pair.near, [0, 1, 2], "export", "--textfile", file, "--once").returncode == 0
    assert file.read_text(encoding="utf-8").startswith("# HELP")
