# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What becomes of output that nobody can take: one message and exit status 1, whoever writes it."""
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
