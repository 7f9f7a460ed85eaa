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


def compare(kind, tools, rounds, seconds, pairs):
    """Rates unattached and with each of the @tools in turn, in an order that alternates: a list of each."""
    watches = [None, *tools]
    rates = [[] for _ in watches]
    with veth_pair(SOURCES) as (server, client):
        for ns in (server, client):
            # Few TIME_WAIT sockets, lest later rounds search longer for a free port.
            ns.sysctl(ip_local_port_range="1024 65000", tcp_max_tw_buckets=8192)
        rate(kind, server, client, seconds, pairs)
        for i in range(rounds):
            for at in list(range(len(watches)))[::-1 if i % 2 else 1]:
                with running(watches[at], server) if watches[at] else contextlib.nullcontext():
                    rates[at].append(rate(kind, server, client, seconds, pairs))
    return rates


def row(name, unit, scale, beside, watched, budget):
    """@watched beside each of @beside, a list of names and rates; the budget is for the first of them."""
    ratios = [[w / b for w, b in zip(watched, rates)] for _, rates in beside]
    comparators = [f"{statistics.median(ratio):.3f} of {what} ({statistics.median(rates) / scale:.2f})"
                   for (what, rates), ratio in zip(beside, ratios)]
    return Row(name=name,
               measured=f"{statistics.median(watched) / scale:.2f} {unit}",
               comparator=", ".join(comparators), value=statistics.median(ratios[0]), budget=budget,
               at_least=True, spread=spread(ratios[0]), samples={**dict(beside), "attached": watched})


def bulk(quick):
    rounds, seconds = (4, 0.4) if quick else (12, 1.0)
    plain, watched = compare("bulk", [[str(TCPWATCH), "top", "-b", "-i", "veth0"]], rounds, seconds, 1)
    return [row("bulk TCP over veth", "Gbit/s", 1e9 / 8, [("unattached", plain)], watched, 0.97)]


def connections(quick):
    """A client and a server thread for each core, which tcpwatch has to share. Telling of each event
    costs what it costs: each is held against a tool on the same hooks that tells of the same, but nothing
    of what it is, to a reader that throws it away."""
    rounds, seconds = (4, 0.4) if quick else (12, 1.0)
    tool, cores, at = str(TCPWATCH), os.cpu_count(), ["-i", "veth0"]
    plain, bare_tap, tap, bare, both, events = compare(
        "rate", [[helper("bare"), "veth0", "tap"], [tool, "top", "-b", "--view", "wire", *at],
                 [helper("bare"), "veth0"], [tool, "top", "-b", *at], [tool, "events", "--json", *at]],
        rounds, seconds, cores)
    rows = []
    for name, beside, watched, budget in (("the tap alone", bare_tap, tap, 0.95),
                                          ("both views", bare, both, 0.95),
                                          ("events of both as JSON", bare, events, 0.8)):
        beside = [("bare records", beside), ("unattached", plain)]
        rows.append(row(f"connections over veth, {name}", "k/s", 1e3, beside, watched, budget))
    return rows
