# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the commands that draw a table again and again have in common, whichever it is."""
import re
import time

import pytest

from lib import tool
from lib.top import Terminal

BOARDS = [["top"], ["backlog", "--watch"], ["timewait", "--watch"], ["handshakes", "--watch"]]
TIMED = [board for board in BOARDS if "--duration" in tool.run(None, board[0], "--help").stdout]


def frames(done):
    """The frames of text in what a board printed: an empty line ends each."""
    assert (done.returncode, done.stderr) == (0, "")
    return [text for text in done.stdout.split("\n\n") if text]


@pytest.mark.parametrize("board", TIMED, ids=" ".join)
def test_duration_ends_it_with_a_last_frame(pair, board):
    started = time.monotonic()
    view = [] if "timewait" in board else ["--view", "socket"]  # it has no other
    done = tool.run(pair.near, *board, *view, "-b", "-d", "100", "--duration", "1", timeout=20)
    assert len(frames(done)) == 2  # now, and when the time is over
    assert 1 <= time.monotonic() - started < 20


def test_count_ends_it_before_the_duration(pair):
    done = tool.run(pair.near, "backlog", "-b", "-d", "0.1", "-n", "3", "--view", "socket", "--duration", "50", timeout=20)
    assert len(frames(done)) == 3


@pytest.mark.parametrize("board", BOARDS, ids=" ".join)
def test_a_pipe_gets_frames_unasked(pair, board):
    assert len(frames(tool.run(pair.near, *board, "-d", "0.1", "-n", "2"))) == 2


@pytest.mark.parametrize("board", BOARDS, ids=" ".join)
def test_json_is_no_screen_on_a_terminal_either(pair, board):
    with Terminal(pair.near, *board, "--json", "-d", "0.1", "-n", "1") as terminal:
        assert terminal.wait_end() == 0
        written = terminal.read().decode()
    assert "\x1b" not in written
    assert all(row["schema"] for row in tool.parse_json_lines(written))


IGNORED = [["events", "--sort", "time"], ["backlog", "--rows", "3"], ["doctor", "--container", "x"],
           ["timewait", "--view", "socket"], ["sessions", "-b"], ["top", "--watch"], ["export", "--json"]]


@pytest.mark.parametrize("words", IGNORED, ids=" ".join)
def test_no_option_is_taken_and_ignored(words):
    done = tool.run(None, *words)
    assert done.returncode == 2 and f"unknown option {words[1]}" in done.stderr
    assert words[1] not in re.findall(r"(?<![\w-])--?[a-z]+", tool.run(None, words[0], "--help").stdout)
