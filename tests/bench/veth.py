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
    """@watched beside the first of @beside, a list of names and rates."""
    ratios = [w / b for w, b in zip(watched, beside[0][1])]
    return Row(name=name,
               measured=f"{statistics.median(watched) / scale:.2f} {unit}",
               comparator=", ".join(f"{what} {statistics.median(rates) / scale:.2f}"
                                    for what, rates in beside) + f" {unit}",
               value=statistics.median(ratios), budget=budget, at_least=True,
               spread=spread(ratios), samples={**dict(beside), "attached": watched})


def bulk(quick):
    rounds, seconds = (4, 0.4) if quick else (12, 1.0)
    plain, watched = compare("bulk", [[str(TCPWATCH), "top", "-b", "-i", "veth0"]], rounds, seconds, 1)
    return [row("bulk TCP over veth", "Gbit/s", 1e9 / 8, [("unattached", plain)], watched, 0.97)]


def connections(quick):
    """A client and a server thread for each core, which tcpwatch has to share. Telling of each event
    costs what it costs: each is held against a tool that tells of the same events, but nothing of what
    they are, to a reader that throws them away."""
    rounds, seconds = (4, 0.4) if quick else (12, 1.0)
    tool, cores = str(TCPWATCH), os.cpu_count()
    plain, tap, bare, both, events = compare(
        "rate", [[tool, "top", "-b", "--view", "wire", "-i", "veth0"], [helper("bare"), "veth0"],
                 [tool, "top", "-b", "-i", "veth0"], [tool, "events", "--json", "-i", "veth0"]],
        rounds, seconds, cores)
    unattached, beside = ("unattached", plain), [("bare records", bare), ("unattached", plain)]
    return [row(f"connections over veth, {name}", "k/s", 1e3, *rest)
            for name, *rest in (("bare records", [unattached], bare, None),
                                ("the tap alone", beside, tap, 0.95),
                                ("both views", beside, both, 0.95),
                                ("events of both as JSON", beside, events, 0.8))]
