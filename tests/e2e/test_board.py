# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the commands that draw a table again and again have in common, whichever it is."""
import time

import pytest

from lib import tool

BOARDS = [["top"], ["backlog", "--watch"], ["timewait", "--watch"], ["handshakes", "--watch"]]
TIMED = [board for board in BOARDS if "--duration" in tool.run(None, board[0], "--help").stdout]


def frames(done):
    """The frames of text in what a board printed: an empty line ends each."""
    assert (done.returncode, done.stderr) == (0, "")
    return [text for text in done.stdout.split("\n\n") if text]


@pytest.mark.parametrize("board", TIMED, ids=" ".join)
def test_duration_ends_it_with_a_last_frame(pair, board):
    started = time.monotonic()
    done = tool.run(pair.near, *board, "--view", "socket", "-b", "-d", "100", "--duration", "1", timeout=20)
    assert len(frames(done)) == 2  # now, and when the time is over
    assert 1 <= time.monotonic() - started < 20


def test_count_ends_it_before_the_duration(pair):
    done = tool.run(pair.near, "backlog", "-b", "-d", "0.1", "-n", "3", "--view", "socket", "--duration", "50", timeout=20)
    assert len(frames(done)) == 3
