# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hundreds of namespaces with a veth each, as on a container host: start, idling, and memory for each tap."""

import contextlib
import re
import statistics
import subprocess
import time
from pathlib import Path

from machine import TCPWATCH, BenchError, Netns, cpu_seconds, ip, links_of, spread, wait_until
from report import Row

NAMESPACES = 500
DELAY = 2  # seconds between frames
IDLE_FRAMES = 5
ATTACH_SECONDS = 120  # the kernel waits for a grace period with each link


@contextlib.contextmanager
def container_host(count):
    """@count namespaces whose eth0 leads to a veth of one more, which is yielded: nothing is sent."""
    host = Netns("host")
    spaces = [Netns(f"c{i}") for i in range(count)]
    try:
        for ns in [host, *spaces]:
            ip("netns", "add", ns.name)
        links = "".join(f"link add vethc{i} up type veth peer name eth0 netns {ns.name}\n"
                        for i, ns in enumerate(spaces))
        subprocess.run(["ip", "-n", host.name, "-batch", "-"], input=links, text=True, check=True)
        yield host
    finally:
        for ns in [host, *spaces]:
            subprocess.run(["ip", "netns", "delete", ns.name], stderr=subprocess.DEVNULL)


class Top:
    """top on all namespaces, its frames in a file; when the first was there, when all was tapped."""

    def __init__(self, host, taps):
        self.path = Path(f"/tmp/tcpwatch-bench-{time.monotonic_ns()}.top")
        words = [str(TCPWATCH), "top", "-b", "-d", str(DELAY), "-N", "all", "-i", "vethc*"]
        began = time.monotonic()
        with open(self.path, "wb") as out:
            self.child = subprocess.Popen(words, preexec_fn=host.enter, stdout=out, stderr=subprocess.DEVNULL)
        self.pid = self.child.pid
        wait_until(lambda: self.path.stat().st_size, "the first frame")
        self.first_screen = time.monotonic() - began
        wait_until(lambda: len(links_of(self.pid)) >= 2 * taps, f"{taps} taps", ATTACH_SECONDS)
        self.all_tapped = time.monotonic() - began

    def close(self):
        """Seconds until it has ended."""
        began = time.monotonic()
        self.child.terminate()
        self.child.wait(ATTACH_SECONDS)
        self.path.unlink()
        return time.monotonic() - began

    def private_bytes(self):
        found = re.search(r"^Private_Dirty:\s+(\d+) kB", Path(f"/proc/{self.pid}/smaps_rollup").read_text(), re.M)
        return int(found[1]) * 1024

    def idle_shares(self):
        """Of a core, for each frame, once namespaces and interfaces have settled."""
        shares = []
        time.sleep(2 * DELAY)
        for _ in range(IDLE_FRAMES):
            before, start = cpu_seconds(self.pid), time.monotonic()
            time.sleep(DELAY)
            shares.append((cpu_seconds(self.pid) - before) / (time.monotonic() - start))
        return shares


def measure(count):
    with container_host(count) as host:
        top = Top(host, count)
        shares, memory = top.idle_shares(), top.private_bytes()
        return top, shares, memory, top.close()


def namespaces(quick):
    count = NAMESPACES // 10 if quick else NAMESPACES
    _, few_shares, few_memory, _ = measure(1)
    top, shares, memory, end = measure(count)
    if count < 2:
        raise BenchError("too few to compare")
    each = (memory - few_memory) / (count - 1)
    idle, few_idle = statistics.median(shares), statistics.median(few_shares)
    return [
        Row(name=f"{count} namespaces, first screen", measured=f"{top.first_screen:.2f} s",
            comparator=f"all tapped after {top.all_tapped:.1f} s", value=top.first_screen, unit="s", budget=3),
        Row(name=f"{count} namespaces, idle, share of a core beyond one", measured=f"{idle:.2%}",
            comparator=f"one namespace {few_idle:.2%}", value=(idle - few_idle) * 100, unit="%", budget=0.5,
            spread=spread(shares), samples={"share": shares, "one": few_shares}),
        Row(name=f"{count} namespaces, memory for each", measured=f"{each / 1024:.1f} KiB",
            comparator=f"{memory >> 20} MiB in all", value=each / 1000, unit="kB", budget=100),
        Row(name=f"{count} namespaces, all tapped", measured=f"{top.all_tapped:.1f} s",
            comparator=f"ended within {end:.1f} s", value=top.all_tapped, unit="s"),
    ]
