# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the benches need of the machine: namespaces with veth pairs, and processes whose wall and CPU
time are known. Everything made here is gone afterwards."""

import contextlib
import ctypes
import os
import threading
import termios
import struct
import fcntl
import platform
import select
import signal
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
TCPWATCH = BUILD / "tcpwatch"
SETTLE = 0.3  # seconds, from the first link to the last, and the first screen
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """The machine cannot run a bench: no figure, hence no verdict in its favour."""


def helper(name):
    return str(BUILD / "tests" / "bench" / name)


def describe():
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    return {"kernel": platform.release(), "cpu": cpu, "cores": os.cpu_count(),
            "load": os.getloadavg()[0]}


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Netns:
    """A network namespace with a name of this process."""

    def __init__(self, suffix):
        self.name = f"twbench-{os.getpid()}-{suffix}"
        self.path = f"/run/netns/{self.name}"

    def enter(self):
        """To be called in a child before exec."""
        fd = os.open(self.path, os.O_RDONLY)
        if LIBC.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)

    def sysctl(self, **values):
        for key, value in values.items():
            words = ["sysctl", "-qw", f"net.ipv4.{key}={value}"]
            subprocess.run(words, preexec_fn=self.enter, check=True)


@contextlib.contextmanager
def veth_pair(addresses=1):
    """Namespaces `server` (10.99.0.1, default route through the pair) and `client` (10.99.0.2 and on),
    each with an interface veth0."""
    server, client = Netns("server"), Netns("client")
    try:
        for ns in (server, client):
            ip("netns", "add", ns.name)
            ip("-n", ns.name, "link", "set", "lo", "up")
        ip("link", "add", "veth0", "netns", server.name, "type", "veth",
           "peer", "name", "veth0", "netns", client.name)
        ip("-n", server.name, "address", "add", "10.99.0.1/24", "dev", "veth0")
        for i in range(addresses):
            ip("-n", client.name, "address", "add", f"10.99.0.{2 + i}/24", "dev", "veth0")
        for ns in (server, client):
            ip("-n", ns.name, "link", "set", "veth0", "up")
        ip("-n", server.name, "route", "add", "default", "via", "10.99.0.2")
        yield server, client
    finally:
        for ns in (server, client):
            subprocess.run(["ip", "netns", "delete", ns.name], stderr=subprocess.DEVNULL)


class Cost:
    """Wall and CPU seconds of one finished process."""

    def __init__(self, wall, cpu):
        self.wall, self.cpu = wall, cpu


def cost_of(words, netns=None, timeout=120):
    """Runs @words to their end with the output thrown away."""
    start = time.monotonic()
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, preexec_fn=netns and netns.enter)
    alarm = select.poll()
    alarm.register(os.pidfd_open(child.pid), select.POLLIN)
    if not alarm.poll(timeout * 1000):
        child.kill()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    if child.returncode:
        said = child.stderr.read().decode(errors="replace").strip().splitlines()
        raise BenchError(f"{' '.join(words)}: exit {child.returncode}: {said[-1:] or ''}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def cpu_seconds(pid):
    """CPU time of a running process so far, to the nanosecond, ended threads apart."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def links_of(pid):
    """The bpf_links that a process holds on interfaces: (type, program id) of each."""
    links = []
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            keys = dict(line.split(":\t", 1) for line in info.read_text().splitlines() if ":\t" in line)
            if keys.get("link_type") in ("xdp", "tcx"):
                links.append((keys["link_type"], int(keys["prog_id"])))
    return links


@contextlib.contextmanager
def terminal(columns=160, lines=50):
    """A terminal that nobody looks at: whatever is written to it is read and thrown away."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read():
        with contextlib.suppress(OSError):
            while os.read(master, 65536):
                pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield slave
    finally:
        os.close(slave)
        reader.join(5)
        os.close(master)


@contextlib.contextmanager
def on_screen(words, netns=None):
    """Likewise running(), on a terminal."""
    with terminal() as tty:
        os.environ.setdefault("TERM", "xterm")
        with running(words, netns, stdin=tty, stdout=tty) as child:
            yield child


@contextlib.contextmanager
def running(words, netns=None, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
    """tcpwatch in the background, its output thrown away, from when it is attached."""
    child = subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                             preexec_fn=netns and netns.enter)
    try:
        wait_until(lambda: child.poll() is not None or links_of(child.pid), " ".join(words))
        if child.poll() is not None:
            said = child.stderr.read().decode(errors="replace").strip()
            raise BenchError(f"{' '.join(words)}: ended at once: {said}")
        time.sleep(SETTLE)
        yield child
        if child.poll() is not None:
            raise BenchError(f"{' '.join(words)}: ended meanwhile with {child.returncode}")
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_until(condition, what, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not after {timeout} s")
        time.sleep(0.01)


def spread(values):
    """Half the range from the first to the third quartile, as a share of the median."""
    if len(values) < 4 or not statistics.median(values):
        return None
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / 2 / statistics.median(values)
