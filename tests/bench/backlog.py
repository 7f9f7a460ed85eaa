# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch backlog` with a hundred listeners among 200,000 established sockets, which it must not walk."""

import contextlib
import statistics
import subprocess
import sys
import time

from machine import TCPWATCH, BenchError, cost_of, cpu_seconds, spread, veth_pair
from report import Row
from sockets import CONNECTIONS, held_sockets

LISTENERS = 100
FIRST_PORT = 20000
BUDGET = 0.020  # seconds of processor time
FRAMES = 4  # a second

LISTEN = f"""
import socket, sys
socks = [socket.create_server(("127.0.0.1", {FIRST_PORT} + i)) for i in range({LISTENERS})]
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def listeners(netns):
    holder = subprocess.Popen([sys.executable, "-c", LISTEN], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, preexec_fn=netns.enter)
    try:
        if holder.stdout.readline() != b"ready\n":
            raise BenchError(f"cannot hold {LISTENERS} listeners")
        yield
    finally:
        holder.stdin.close()
        holder.wait()


def frame_costs(netns, rounds):
    """CPU seconds of a frame, the processes having been found in the first ones."""
    words = [str(TCPWATCH), "backlog", "--watch", "-b", "-d", str(1 / FRAMES)]
    tool = subprocess.Popen(words, stdout=subprocess.DEVNULL, preexec_fn=netns.enter)
    try:
        time.sleep(2)
        costs = []
        for _ in range(rounds):
            before = cpu_seconds(tool.pid)
            time.sleep(2)
            costs.append((cpu_seconds(tool.pid) - before) / (2 * FRAMES))
        return costs
    finally:
        tool.terminate()
        tool.wait()


def row(name, costs, comparator, budget):
    return Row(name=name, measured=f"CPU {1e3 * statistics.median(costs):.1f} ms",
               comparator=comparator, value=statistics.median(costs), unit="s", budget=budget,
               spread=spread(costs), samples={"cpu": costs})


def backlog(quick):
    connections = CONNECTIONS // 10 if quick else CONNECTIONS
    rounds = 2 if quick else 5
    name = f"{LISTENERS} listeners, {2 * connections:,} sockets"
    with veth_pair() as (netns, _), held_sockets(netns, connections), listeners(netns):
        once = [cost_of([str(TCPWATCH), "backlog"], netns).cpu for _ in range(rounds)]
        queues = [cost_of([str(TCPWATCH), "backlog", "--fields", "local,syn_queue,accept_queue"],
                          netns).cpu for _ in range(rounds)]
        ss = [cost_of(["ss", "-ltn"], netns).cpu for _ in range(rounds)]
        frames = frame_costs(netns, rounds)
    theirs = f"ss -ltn CPU {1e3 * statistics.median(ss):.1f} ms"
    return [row(f"backlog, a frame, {name}", frames, theirs, BUDGET),
            row("backlog once, programs loaded for it", queues, theirs, None),
            row("backlog once, processes found too", once, "-", None)]
