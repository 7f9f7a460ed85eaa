# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a refresh of top costs with a million sessions in the wire view's cache: all of them idle, a
tenth of them active since the last refresh, and all of them active."""

import contextlib
import os
import signal
import statistics
import subprocess
import time
from pathlib import Path

from machine import (TCPWATCH, BenchError, cpu_seconds, helper, links_of, on_screen, spread, veth_pair,
                     wait_until)
from report import Row

LOG2_SESSIONS = 20
DELAY = 2  # seconds between refreshes


@contextlib.contextmanager
def filled(pid, log2_sessions):
    """The running tcpwatch @pid has its cache filled; yields what makes sessions active."""
    programs = [prog for kind, prog in links_of(pid) if kind == "xdp"]
    if not programs:
        raise BenchError("tcpwatch holds no XDP link")
    filler = subprocess.Popen([helper("wire_fill"), str(programs[0]), str(log2_sessions)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def wait():
        if filler.stdout.readline() != "done\n":
            raise BenchError("wire_fill failed")

    def touch(sessions):
        filler.stdin.write(f"{sessions}\n")
        wait()

    try:
        wait()
        yield touch
    finally:
        filler.stdin.close()
        filler.wait()


def resident_bytes(pid):
    """Without the cache itself, which is mapped and counted as shared."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def state(pid):
    """As ps shows it: "S" for one that sleeps, "T" for one that is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def refresh(pid, touch, active):
    """CPU seconds of one refresh, @active sessions having been active before it. Held up meanwhile, top
    neither has some of them before anybody counts, nor sleeps until it has caught up."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: state(pid) == "T", "top to stop")
        before = last = cpu_seconds(pid)
        if active:
            touch(active)
        time.sleep(DELAY)  # so that one is due
    finally:
        os.kill(pid, signal.SIGCONT)

    def is_over():
        nonlocal last
        previous, last = last, cpu_seconds(pid)
        return last == previous and last > before and state(pid) == "S"

    wait_until(is_over, "a refresh of top")
    return last - before


def row(name, costs, budget):
    return Row(name=name, measured=f"CPU {statistics.median(costs):.3f} s",
               comparator=f"worst {max(costs):.3f} s", value=statistics.median(costs), unit="s",
               budget=budget, spread=spread(costs), samples={"cpu": costs})


def wire_sessions(quick):
    log2 = LOG2_SESSIONS - 4 if quick else LOG2_SESSIONS
    rounds = 3 if quick else 5
    count = 1 << log2
    rows = []
    # As many slots for each CPU as sessions in all: sets are half full, but one session in seven is of
    # a set that is too small for all that are of it, and is evicted for another when that is active.
    words = [str(TCPWATCH), "top", "-d", str(DELAY), "-i", "veth0", "--hook", "xdp",
             "--cache", str(count)]
    with veth_pair() as (server, _), on_screen(words, server) as tool:
        with filled(tool.pid, log2) as touch:
            time.sleep(2 * DELAY)
            for share, title in ((0, "idle"), (0.1, "10% active"), (1, "all active")):
                costs = [refresh(tool.pid, touch, int(share * count)) for _ in range(rounds)]
                rows.append(row(f"top refresh, {count:,} wire sessions {title}", costs, 0.25))
        held = resident_bytes(tool.pid)
        rows.append(Row(name="userspace's table", measured=f"{held >> 20} MiB",
                        comparator=f"{count:,} wire sessions", value=held / count, unit="bytes"))
    return rows
