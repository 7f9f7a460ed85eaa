# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch export` and what its text says, read by Prometheus' own client library and promtool."""
import http.client
import subprocess
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from lib import ss, tool
from lib.wait import wait_for

PORT = 9817
# How ss's filters call the states that `ss -tan` prints.
STATES = {"ESTAB": "established", "SYN-SENT": "syn-sent", "SYN-RECV": "syn-recv", "FIN-WAIT-1": "fin-wait-1",
          "FIN-WAIT-2": "fin-wait-2", "TIME-WAIT": "time-wait", "CLOSE-WAIT": "close-wait", "LAST-ACK": "last-ack",
          "LISTEN": "listening", "CLOSING": "closing"}


class Metrics:
    """One text: samples by name and labels, each once."""

    def __init__(self, text):
        self.text = text
        self.samples = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.samples, f"twice: {key}"
                self.samples[key] = sample.value

    def get(self, name, **labels):
        """The value of one sample of tcpwatch_<name>, or None."""
        return self.samples.get((f"tcpwatch_{name}", frozenset(labels.items())))

    def by(self, name, label, **labels):
        """{value of label: sum} of the samples of a name that have these labels."""
        found = Counter()
        for (sample, has), value in self.samples.items():
            has = dict(has)
            if sample == f"tcpwatch_{name}" and labels.items() <= has.items():
                found[has.get(label)] += value
        return found

    def sum(self, name, **labels):
        return sum(self.by(name, None, **labels).values())

    def states(self, **labels):
        """{state: sockets} without those of which there are none."""
        return +self.by("sessions", "state", **labels)


def promtool_check(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


def once(ns, *args):
    """What is written by --once."""
    done = tool.run(ns, "export", "--stdout", "--once", *args)
    assert done.returncode == 0, done.stderr
    return Metrics(done.stdout)


def request(ns, method="GET", path="/metrics", host="127.0.0.1"):
    """(status, headers, body) of a request from within ns."""
    with ns.entered():
        connection = http.client.HTTPConnection(host, PORT, timeout=10)
        connection.connect()
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


class Export(tool.Background):
    """`tcpwatch export --listen` in a namespace, scraped from a second one so that scrapes count as nothing there."""

    def __init__(self, ns, *args, **options):
        super().__init__(ns, "export", *args, **options)

    def wait_file(self, path, seconds=10):
        def is_there():
            self.assert_running()
            return path.exists()

        wait_for(is_there, lambda: f"{path}; {self.stderr()}", seconds)
        return self


def of_file(path):
    return Metrics(path.read_text())


def expected_states(ns):
    """What ss says, TIME_WAIT and half-open connections as the kernel's totals count them."""
    return Counter({STATES[state]: count for state, count in ss.states(ns).items()})
