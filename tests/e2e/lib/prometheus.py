# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Debian's node_exporter and Prometheus, on the loopback of a namespace of their own, so that their sockets are not among
those that are watched. node_exporter reads a directory of text files, Prometheus reads node_exporter every second.
"""
import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from lib.netns import Namespace
from lib.wait import wait_for

EXPORTER, SERVER = "127.0.0.1:9100", "127.0.0.1:9090"
START_SECONDS = 20
NOT_READY = 503

CONFIG = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}
rule_files: [{rules}]
scrape_configs:
  - job_name: node
    static_configs: [{{ targets: ["{exporter}"] }}]
"""


class Prometheus:
    """The two of them; textfiles is the directory that a program writes its metrics to."""

    def __init__(self, rules):
        self.ns = Namespace("prom")
        self.dir = Path(tempfile.mkdtemp(prefix="twe2e-prom-"))
        self.textfiles = self.dir / "textfiles"
        self.textfiles.mkdir()
        (self.dir / "prometheus.yml").write_text(CONFIG.format(rules=rules, exporter=EXPORTER))
        self.processes = []

    def __enter__(self):
        try:
            self._start_both()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_both(self):
        self._start("prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                    f"--collector.textfile.directory={self.textfiles}", f"--web.listen-address={EXPORTER}")
        self._start("prometheus", f"--config.file={self.dir}/prometheus.yml", f"--storage.tsdb.path={self.dir}/data",
                    f"--web.listen-address={SERVER}")
        wait_for(lambda: self.get("/-/ready"), self.said, START_SECONDS)
        wait_for(lambda: self.values("up == 1"), self.said, START_SECONDS)

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.dir)
        self.ns.remove()

    def _start(self, program, *args):
        with open(self.dir / f"{program}.log", "wb") as log:
            self.processes.append(self.ns.popen([program, *args], stdout=log, stderr=subprocess.STDOUT,
                                                stdin=subprocess.DEVNULL))

    def said(self):
        return "".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in self.dir.glob("*.log"))

    def get(self, path, **query):
        """The body of an answer of Prometheus, or nothing."""
        url = f"http://{SERVER}{path}?{urllib.parse.urlencode(query)}"
        try:
            with self.ns.entered(), urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code == NOT_READY:
                return ""
            raise AssertionError(f"{query}: {error.read().decode()}") from None
        except OSError:
            return ""

    def values(self, expr):
        """What an expression gives now: [(labels, value)]."""
        data = json.loads(self.get("/api/v1/query", query=expr))["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

    def value(self, expr):
        """Of an expression that gives one value: it, or None if there is none."""
        found = self.values(expr)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def alerts(self, name):
        """The labels of an alert that fires or is about to."""
        alerts = json.loads(self.get("/api/v1/alerts"))["data"]["alerts"]
        return [alert["labels"] for alert in alerts if alert["labels"]["alertname"] == name]

    def wait_scraped(self, since):
        """Until Prometheus has figures that were written after since (a time of time.time())."""
        wait_for(lambda: (self.value('max(node_textfile_mtime_seconds{file=~".*tcpwatch.prom"})') or 0) > since,
                 lambda: f"figures newer than {since}\n{self.said()}", 15)
