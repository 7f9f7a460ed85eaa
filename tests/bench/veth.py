# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What tcpwatch costs the traffic it watches: bulk TCP and short connections over a veth pair, with
it attached and without, in turn."""

import contextlib
import os
import statistics
import subprocess

from machine import TCPWATCH, BenchError, helper, running, spread, veth_pair
from report import Row

SOURCES = 16  # as in traffic.c


def rate(kind, server, client, seconds, pairs):
    words = [helper("traffic"), kind, server.path, client.path, "10.99.0.1", "10.99.0.2",
             str(seconds), str(pairs)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(done.stderr.strip() or f"traffic: exit {done.returncode}")
    return float(done.stdout)


def compare(kind, watch, rounds, seconds, pairs):
    """Rates unattached and attached, in pairs whose order alternates."""
    plain, watched = [], []
    with veth_pair(SOURCES) as (server, client):
        for ns in (server, client):
            # Few TIME_WAIT sockets, lest later rounds search longer for a free port.
            ns.sysctl(ip_local_port_range="1024 65000", tcp_max_tw_buckets=8192)
        rate(kind, server, client, seconds, pairs)
        for i in range(rounds):
            for attached in ((False, True), (True, False))[i % 2]:
                with running(watch, server) if attached else contextlib.nullcontext():
                    figures = watched if attached else plain
                    figures.append(rate(kind, server, client, seconds, pairs))
    return plain, watched


def row(name, unit, scale, plain, watched, budget):
    ratios = [w / p for w, p in zip(watched, plain)]
    return Row(name=name,
               measured=f"{statistics.median(watched) / scale:.2f} {unit}",
               comparator=f"unattached {statistics.median(plain) / scale:.2f} {unit}",
               value=statistics.median(ratios), budget=budget, at_least=True,
               spread=spread(ratios), samples={"unattached": plain, "attached": watched})


def bulk(quick):
    rounds, seconds = (4, 0.4) if quick else (12, 1.0)
    watch = [str(TCPWATCH), "top", "-b", "-i", "veth0"]
    plain, watched = compare("bulk", watch, rounds, seconds, 1)
    return [row("bulk TCP over veth", "Gbit/s", 1e9 / 8, plain, watched, 0.97)]


def connections(quick):
    """A client and a server thread for each core, which tcpwatch has to share: what the tap alone
    costs them, and what all events of both views do, each read and written."""
    rounds, seconds = (4, 0.4) if quick else (10, 1.0)
    tool, cores = str(TCPWATCH), os.cpu_count()
    rows = []
    for name, words in (("the tap alone", ["top", "-b", "--view", "wire"]),
                        ("events of both views", ["events", "--json"])):
        plain, watched = compare("rate", [tool, *words, "-i", "veth0"], rounds, seconds, cores)
        rows.append(row(f"connections over veth, {name}", "k/s", 1e3, plain, watched, 0.95))
    return rows
