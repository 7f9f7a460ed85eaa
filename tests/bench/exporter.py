# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tcpwatch export with few sockets and with 200,000, beside node_exporter's tcpstat collector, which lists
every socket at each scrape."""

import contextlib
import re
import statistics
import subprocess
import time
from pathlib import Path

from machine import TCPWATCH, BenchError, cpu_seconds, spread, veth_pair, wait_until
from report import Row
from sockets import CONNECTIONS, held_sockets

FEW = 50  # connections
PORTS = {"tcpwatch": 9817, "node_exporter": 9818}
STEADY_SECONDS = 30  # two writes at the usual interval


def scrape(netns, port):
    """The metrics, asked for from within the namespace; None while nobody answers."""
    words = ["nsenter", f"--net={netns.path}", "curl", "-sf", f"http://127.0.0.1:{port}/metrics"]
    done = subprocess.run(words, capture_output=True, text=True)
    return None if done.returncode else done.stdout


@contextlib.contextmanager
def serving(netns, name, words):
    """A server in the background, once it answers."""
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, preexec_fn=netns.enter)
    try:
        wait_until(lambda: child.poll() is not None or scrape(netns, PORTS[name]), name)
        if child.poll() is not None:
            raise BenchError(f"{' '.join(words)}: ended at once")
        yield child
    finally:
        child.terminate()
        child.wait(10)


def tcpwatch(netns, *more):
    return serving(netns, "tcpwatch", [str(TCPWATCH), "export", "--listen", str(PORTS["tcpwatch"]), *more])


def node_exporter(netns):
    return serving(netns, "node_exporter", [
        "prometheus-node-exporter", "--collector.disable-defaults", "--collector.tcpstat",
        f"--web.listen-address=127.0.0.1:{PORTS['node_exporter']}"])


def each_scrape(netns, name, child, rounds):
    """CPU seconds of each of some scrapes."""
    costs = []
    for _ in range(rounds):
        before = cpu_seconds(child.pid)
        scrape(netns, PORTS[name])
        costs.append(cpu_seconds(child.pid) - before)
    return costs


def rss_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def write_row(netns, count, rounds, prom):
    """A write is read, rendered, synced and renamed."""
    with tcpwatch(netns, "--textfile", prom, "--interval", "0.1") as ours:
        before, start = cpu_seconds(ours.pid), time.monotonic()
        time.sleep(rounds / 10)
        wrote = (time.monotonic() - start) / 0.1
        write = (cpu_seconds(ours.pid) - before) / wrote
    with tcpwatch(netns) as ours:
        our = each_scrape(netns, "tcpwatch", ours, rounds)
        rss = rss_mib(ours.pid)
    with node_exporter(netns) as theirs:
        their = each_scrape(netns, "node_exporter", theirs, max(3, rounds // 5))
    return write, rss, Row(
        name=f"export write, {count}", measured=f"CPU {write * 1e3:.2f} ms; a scrape "
        f"{statistics.median(our) * 1e3:.2f} ms", comparator=f"node_exporter tcpstat, a scrape "
        f"{statistics.median(their) * 1e3:.1f} ms", value=write * 1e3, unit="ms", budget=10,
        spread=spread(our), samples={"tcpwatch": our, "node_exporter": their})


def steady_row(netns, count, prom):
    with tcpwatch(netns, "--textfile", prom) as ours:
        before = cpu_seconds(ours.pid)
        time.sleep(STEADY_SECONDS)
        share = (cpu_seconds(ours.pid) - before) / STEADY_SECONDS
    return Row(name=f"export, {count}, share of a core", measured=f"{share:.3%} at 15 s",
               comparator="-", value=share * 100, unit="%", budget=0.2)


def exporter(quick):
    rounds = 10 if quick else 30
    connections = CONNECTIONS // 10 if quick else CONNECTIONS
    rows, writes, sizes = [], [], []
    prom = f"/tmp/tcpwatch-bench-{time.monotonic_ns()}.prom"
    try:
        for held in (FEW, connections):
            count = f"{2 * held:,} sockets"
            with veth_pair() as (netns, _), held_sockets(netns, held):
                write, rss, row = write_row(netns, count, rounds, prom)
                rows.append(row)
                writes.append(write)
                sizes.append(rss)
                if held == connections:
                    rows.append(steady_row(netns, count, prom))
    finally:
        Path(prom).unlink(missing_ok=True)
    rows.append(Row(name="export write, many sockets / few", measured=f"{writes[1] * 1e3:.2f} ms",
                    comparator=f"{writes[0] * 1e3:.2f} ms", value=writes[1] / writes[0], budget=1.5))
    rows.append(Row(name="export, resident", measured=f"{sizes[1]:.1f} MiB",
                    comparator=f"{sizes[0]:.1f} MiB with few", value=sizes[1], unit="MiB", budget=40))
    return rows
