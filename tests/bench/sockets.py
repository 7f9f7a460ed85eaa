# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The socket view beside ss on 200,000 sockets: listing, listing with processes, the first screen, the
refresh of top."""

import contextlib
import statistics
import subprocess
import time

from machine import TCPWATCH, BenchError, cost_of, cpu_seconds, helper, on_screen, spread, veth_pair
from report import Row

CONNECTIONS = 100_000  # over loopback: two sockets each
REFRESHES = 3  # between two looks at the clock


@contextlib.contextmanager
def held_sockets(netns, connections, *how):
    holder = subprocess.Popen([helper("hold_sockets"), str(connections), *how],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              preexec_fn=netns.enter)
    try:
        if holder.stdout.readline() != b"ready\n":
            raise BenchError(f"cannot hold {connections} connections")
        yield
    finally:
        holder.stdin.close()
        holder.wait()


def compare_listing(netns, name, ours, theirs, budget, rounds):
    """@theirs and @ours in turn; the budget is for the ratio of their wall times."""
    ss, tcpwatch = [], []
    for _ in range(rounds):
        ss.append(cost_of(theirs, netns))
        tcpwatch.append(cost_of(ours, netns))
    ratios = [s.wall / t.wall for s, t in zip(ss, tcpwatch)]
    wall, cpu = (statistics.median(getattr(c, what) for c in tcpwatch) for what in ("wall", "cpu"))
    their_wall = statistics.median(c.wall for c in ss)
    their_cpu = statistics.median(c.cpu for c in ss)
    return Row(name=name, measured=f"{wall:.2f} s, CPU {cpu:.2f} s",
               comparator=f"{' '.join(theirs)} {their_wall:.2f} s, CPU {their_cpu:.2f} s",
               value=statistics.median(ratios), budget=budget, at_least=True,
               spread=spread(ratios),
               samples={"ss": [vars(c) for c in ss], "tcpwatch": [vars(c) for c in tcpwatch]})


def top(netns, refreshes):
    return cost_of([str(TCPWATCH), "top", "-b", "-d", "1", "-n", str(refreshes)], netns)


def refresh_row(netns, name, rounds):
    """On a terminal, as people see it: CPU time between two moments, by the refreshes in between."""
    with on_screen([str(TCPWATCH), "top", "-d", "1"], netns) as tool:
        time.sleep(3)  # the first screens, which find the processes
        each = []
        for _ in range(rounds):
            before = cpu_seconds(tool.pid)
            time.sleep(REFRESHES)
            each.append((cpu_seconds(tool.pid) - before) / REFRESHES)
    return Row(name=name, measured=f"CPU {statistics.median(each):.3f} s",
               comparator=f"worst {max(each):.3f} s", value=statistics.median(each), unit="s",
               budget=0.25, spread=spread(each), samples={"each": each})


def first_screen_row(netns, name, rounds, budget):
    costs = [top(netns, 1) for _ in range(rounds)]
    wall = statistics.median(c.wall for c in costs)
    return Row(name=name, measured=f"{wall:.3f} s",
               comparator=f"CPU {statistics.median(c.cpu for c in costs):.2f} s", value=wall,
               unit="s", budget=budget, spread=spread([c.wall for c in costs]),
               samples={"wall": [c.wall for c in costs]})


def sockets(quick):
    connections = CONNECTIONS // 10 if quick else CONNECTIONS
    rounds = 2 if quick else 4
    count = f"{2 * connections:,} sockets"
    rows = []
    tool = [str(TCPWATCH), "sessions"]
    with veth_pair() as (netns, _):
        rows.append(first_screen_row(netns, "start to first screen", rounds + 3, 0.3))
        with held_sockets(netns, connections):
            rows.append(compare_listing(netns, f"sessions, {count}", tool, ["ss", "-tani"], 8,
                                        rounds))
            rows.append(compare_listing(netns, f"with processes, {count}",
                                        tool + ["--fields", "+pid,comm"], ["ss", "-tanp"], 8,
                                        rounds))
            rows.append(first_screen_row(netns, f"first screen, {count}", rounds, None))
            rows.append(refresh_row(netns, f"top refresh, {count}", rounds))
    return rows
