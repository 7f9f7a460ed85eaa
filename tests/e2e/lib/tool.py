# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Running tcpwatch: once, or in the background with its output read as it comes."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from lib.endpoint import Row, address, port
from lib.wait import Timeout, wait_for

BINARY = Path(os.environ.get("TCPWATCH", Path(__file__).parents[3] / "build/tcpwatch")).resolve()
SESSION_KEYS = set("""local_addr local_port remote_addr remote_port direction state peer_state view netns
    ifname pid comm age_seconds handshake_seconds rtt_seconds tx_bytes rx_bytes tx_segments rx_segments
    retransmits conn_state history schema""".split())
EVENT_KEYS = set("""time event local_addr local_port remote_addr remote_port old_state new_state reason
    schema""".split())


def run_argv(argv, ns=None, timeout=60, **options):
    """A command in ns (None: the host's), to its end, whatever its exit status."""
    inside = ns.entered() if ns else contextlib.nullcontext()
    with inside:
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, **options)


def run(ns, *args, **options):
    """tcpwatch with args in ns."""
    return run_argv([BINARY, *args], ns, **options)


def parse_json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def sessions(ns, *args, **options):
    """The rows of `tcpwatch sessions --json`, each with all the keys that the contract names."""
    done = run(ns, "sessions", "--json", *args, **options)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
    rows = parse_json_lines(done.stdout)
    for row in rows:
        assert SESSION_KEYS <= row.keys(), f"keys missing: {SESSION_KEYS - row.keys()}"
    return rows


def sessions_one_by_one(ns, *args):
    """Rows that need nothing but the socket, printed as they are found: their keys and states."""
    done = run(ns, "sessions", "--json", "--fields", "state,local_addr,local_port,remote_addr,remote_port", *args)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
    return parse_json_lines(done.stdout)


def key_of(row):
    """(local, port, remote, port) of a session or an event."""
    return (address(row["local_addr"]), port(row["local_port"]),
            address(row["remote_addr"]), port(row["remote_port"]))


def ss_row(row):
    """A session as `ss` would list it."""
    return Row(row["state"], *key_of(row))


class Background:
    """tcpwatch running in a namespace (None: the host's). Output goes to files, so a slow reader cannot stall it."""

    def __init__(self, ns, *args, **options):
        self.dir = Path(tempfile.mkdtemp(prefix="twe2e-"))
        self.args = args
        self.text, self.offset = "", 0
        inside = ns.entered() if ns else contextlib.nullcontext()
        with open(self.dir / "out", "wb") as out, open(self.dir / "err", "wb") as err, inside:
            self.process = subprocess.Popen([BINARY, *args], stdout=out, stderr=err,
                                            stdin=subprocess.DEVNULL, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)

    @property
    def pid(self):
        return self.process.pid

    def stderr(self):
        return (self.dir / "err").read_text(errors="replace")

    def assert_running(self):
        assert self.process.poll() is None, f"tcpwatch ended with {self.process.returncode}: {self.stderr()}"

    def read(self):
        """What came since the last read(), in whole lines."""
        with open(self.dir / "out", "rb") as out:
            out.seek(self.offset)
            data = out.read()
        whole = data[:data.rfind(b"\n") + 1]
        self.offset += len(whole)
        return whole.decode()  # strict: the output is UTF-8 or the test fails

    def stop(self, signum=signal.SIGINT, seconds=20):
        """Send signum and wait for the end; the exit status."""
        self.process.send_signal(signum)
        return self.process.wait(seconds)

    def rss_kib(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+)", status, re.M)[1])


class Events(Background):
    """`tcpwatch events --json` in the background, with all the events so far."""

    def __init__(self, ns, *args, **options):
        super().__init__(ns, "events", "--json", *args, **options)
        self.seen = []

    def all(self):
        for event in parse_json_lines(self.read()):
            assert EVENT_KEYS <= event.keys(), f"keys missing: {EVENT_KEYS - event.keys()}"
            self.seen.append(event)
        return self.seen

    def of(self, key):
        """The events of one session, in order."""
        return [event for event in self.all() if key_of(event) == key]

    def kinds(self, key):
        return [event["event"] for event in self.of(key)]

    def wait(self, key, kind, seconds=5.0, **fields):
        """The first event of this kind of this session whose fields are as given."""
        def find():
            self.assert_running()
            return next((e for e in self.of(key) if e["event"] == kind
                         and all(e.get(name) == value for name, value in fields.items())), None)

        return wait_for(find, lambda: f"{kind} {fields} of {key}; it said {self.of(key)}; {self.stderr()}",
                        seconds)

    def wait_ready(self, poke, seconds=10.0):
        """Until an event tells of what poke() does, for each view that is on: poke() returns predicates."""
        def is_ready():
            self.assert_running()
            return all(any(map(seen, self.all())) for seen in poke())

        try:
            wait_for(is_ready, "any event of the test's own probe", seconds)
        except Timeout as late:
            raise Timeout(f"{late}; stderr: {self.stderr()}; events: {self.seen[-5:]}") from None
        return self
