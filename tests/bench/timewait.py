# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch timewait` on 130,000 sockets in TIME_WAIT beside the count that ss can give."""

import json
import statistics
import subprocess

from machine import TCPWATCH, BenchError, cost_of, spread, veth_pair
from report import Row
from sockets import held_sockets

SOCKETS = 130_000
LIMIT = 200_000  # tcp_max_tw_buckets; the default follows from memory


def counted(netns):
    """How many tcpwatch counts, for a figure of fewer is none of so many."""
    done = subprocess.run([str(TCPWATCH), "timewait", "--json"], preexec_fn=netns.enter,
                          capture_output=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return next(row["time_wait"] for row in rows if row["schema"] == "tcpwatch.timewait_netns.v1")


def cpu_of(netns, words, rounds):
    return [cost_of(words, netns).cpu for _ in range(rounds)]


def cpu_of_a_frame(netns, frames):
    """Of `--watch`, which remembers each socket: what another frame costs."""
    def cpu(count):
        return cost_of([str(TCPWATCH), "timewait", "--watch", "-d", "0.5", "-n", str(count)],
                       netns).cpu

    return (cpu(frames + 1) - cpu(1)) / frames


def timewait(quick):
    sockets = SOCKETS // 10 if quick else SOCKETS
    rounds = 3 if quick else 7
    with veth_pair() as (netns, _):
        netns.sysctl(tcp_max_tw_buckets=LIMIT, tcp_tw_reuse=0)
        with held_sockets(netns, sockets, "time-wait"):
            ours = cpu_of(netns, [str(TCPWATCH), "timewait"], rounds)
            count = counted(netns)
            if count < sockets:
                raise BenchError(f"{count} in TIME_WAIT instead of {sockets}")
            frame = cpu_of_a_frame(netns, 3 if quick else 10)
            theirs = cpu_of(netns, ["ss", "-tanH", "state", "time-wait"], 1)
    return [Row(name=f"timewait, {count:,} sockets", measured=f"CPU {statistics.median(ours):.3f} s",
                comparator=f"ss -tan state time-wait CPU {theirs[0]:.2f} s",
                value=statistics.median(ours), unit="s", budget=0.2, spread=spread(ours),
                samples={"tcpwatch": ours, "ss": theirs}),
            Row(name=f"timewait --watch, {count:,} sockets", measured=f"CPU {frame:.3f} s a frame",
                comparator="-", value=frame, unit="s", budget=0.2, samples={"frame": frame})]
