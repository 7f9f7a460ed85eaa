# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
tcpwatch, its file, node_exporter, Prometheus: while nginx and wrk run each expression of the dashboard and of the rules
has an answer, and the answers are what ss, nstat and wrk say.
"""
import os
import sys
import time
from pathlib import Path

import pytest

from lib import metrics, ss, tool, traffic, web
from lib.netns import NETS, Pair, removing
from lib.prometheus import Prometheus
from lib.wait import wait_for

sys.path.append(str(Path(__file__).resolve().parents[1] / "dashboards"))
import sources  # noqa: E402

NEAR, FAR = NETS[4].near, NETS[4].far
CONNECTIONS = 2000
REFUSED = 7
BACKLOG = 4
BACK_PORT, FULL_PORT, CLOSED_PORT = 7100, 7200, 7300


class Scene:
    """The far end is watched: nginx serves wrk there, it is the client of the near end too, and refuses others."""

    def __init__(self, pair, prometheus, tcpwatch):
        self.pair, self.prometheus, self.tcpwatch = pair, prometheus, tcpwatch
        self.said = None

    def traffic(self):
        with web.Nginx(self.pair.far) as nginx:
            self.said = web.load(self.pair.near, nginx, FAR, CONNECTIONS)
        for _ in range(REFUSED):
            traffic.refused(self.pair.near, FAR, CLOSED_PORT)
        with traffic.Connection(self.pair.far, self.pair.near, NEAR, BACK_PORT) as back:
            back.send(b"x" * 10_000)
            back.finish()

    def nstat(self, name):
        return int(self.pair.far.run("nstat", "-asz", name).split()[-2])

    def settled(self):
        """Until a file is scraped that was written after now."""
        self.tcpwatch.assert_running()
        self.prometheus.wait_scraped(time.time())
        return self.prometheus


@pytest.fixture(scope="module")
def scene():
    with removing(Pair()) as pair, Prometheus(sources.RULES) as prometheus:
        path = prometheus.textfiles / "tcpwatch.prom"
        args = ["export", "--textfile", path, "--interval", "1s", "-i", pair.far_if]
        with tool.Background(pair.far, *args) as tcpwatch:
            wait_for(path.exists, lambda: f"the first file: {tcpwatch.stderr()}", 10)
            the_scene = Scene(pair, prometheus, tcpwatch)
            the_scene.settled()
            full = traffic.listen(pair.far, FAR, FULL_PORT, backlog=BACKLOG)
            waiting = [traffic.connect(pair.near, FAR, FULL_PORT) for _ in range(BACKLOG + 1)]
            back = traffic.listen(pair.near, NEAR, BACK_PORT + 1)
            held = [traffic.connect(pair.far, NEAR, BACK_PORT + 1) for _ in range(2)]
            the_scene.traffic()
            the_scene.settled()
            yield the_scene
            for sock in (full, *waiting, back, *held):
                sock.close()


MISSING = "TcpwatchMetricsMissing"  # has an answer only when there are no metrics: its own test below
EXPRESSIONS = sources.panel_expressions() + [
    sources.Expression(name, sources.without_threshold(expr)) for name, expr in sources.rule_expressions()
    if name != MISSING]


@pytest.mark.parametrize("where, expr", EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_expression_has_an_answer(scene, where, expr):
    wait_for(lambda: scene.prometheus.values(expr), f"{where}: {expr}", 10)


def test_variables_have_values(scene):
    for expr in ("tcpwatch_build_info", "tcpwatch_sessions"):
        labels, _ = scene.prometheus.values(expr)[0]
        assert labels["job"] == "node" and labels["instance"] == "127.0.0.1:9100"
    namespaces = {labels["netns"] for labels, _ in scene.prometheus.values("tcpwatch_sessions")}
    assert len(namespaces) == 1
    chosen = sources.concrete('sum(tcpwatch_sessions{job=~"$job",instance=~"$instance",netns=~"$namespace"})',
                              job="node", instance="127.0.0.1:9100", namespace=namespaces.pop())
    assert scene.prometheus.value(chosen) > 0


def test_sessions_by_state_are_those_of_ss(scene):
    def same():
        prometheus = scene.settled()
        told = {labels["state"]: value for labels, value in prometheus.values("sum by (state) (tcpwatch_sessions)")}
        expected = dict(metrics.expected_states(scene.pair.far))
        return {state: n for state, n in told.items() if n} == expected and told

    told = wait_for(same, lambda: f"the states of ss: {ss.states(scene.pair.far)}, "
                    f"not {scene.prometheus.values('tcpwatch_sessions')}", 15)
    assert told.keys() == set(metrics.STATES.values())


COUNTS = {
    'sum(tcpwatch_sessions_opened_total{side="server"})': lambda s: s.nstat("TcpPassiveOpens"),
    'sum(tcpwatch_handshakes_total{side="server",outcome="completed"})': lambda s: s.nstat("TcpPassiveOpens"),
    'sum(tcpwatch_handshake_seconds_count{side="server",part="network"})': lambda s: s.nstat("TcpPassiveOpens"),
    'sum(tcpwatch_sessions_opened_total{side="client"})': lambda s: s.nstat("TcpActiveOpens"),
    'sum(tcpwatch_handshakes_total{side="client"})': lambda s: s.nstat("TcpActiveOpens"),
    'sum(tcpwatch_resets_total{direction="sent"})': lambda s: s.nstat("TcpOutRsts"),
    "sum(tcpwatch_retransmits_total)": lambda s: s.nstat("TcpRetransSegs"),
    "tcpwatch_syns_received_total": lambda s: s.said.connections + BACKLOG + 1 + REFUSED,
    'tcpwatch_syn_fate_total{fate="no_listener"}': lambda s: REFUSED,
    'sum(tcpwatch_syn_fate_total{fate=~"dropped_.*"})': lambda s: s.nstat("TcpExtListenDrops"),
    "sum(tcpwatch_sessions_closed_total)": lambda s: s.said.connections + 1,
    "sum(tcpwatch_session_duration_seconds_count)": lambda s: s.said.connections + 1,
    "sum(tcpwatch_srtt_seconds_count)": lambda s: s.said.connections + 1,
    "sum(tcpwatch_records_lost_total)": lambda s: 0,
    f'tcpwatch_listener_accept_queue{{port="{FULL_PORT}"}}': lambda s: BACKLOG + 1,
    f'tcpwatch_listener_accept_queue_limit{{port="{FULL_PORT}"}}': lambda s: BACKLOG,
    "tcpwatch_time_wait": lambda s: ss.states(s.pair.far)["TIME-WAIT"],
}


@pytest.mark.parametrize("expr", COUNTS)
def test_counts_are_those_of_the_kernel_and_wrk(scene, expr):
    def same():
        return scene.settled().value(expr) == COUNTS[expr](scene)

    wait_for(same, lambda: f"{COUNTS[expr](scene)}, not {scene.prometheus.value(expr)}", 10)


def test_wrk_and_nginx_agree_with_the_rest(scene):
    """What the counts above are held against is right itself."""
    assert (scene.said.connections, scene.said.errors) == (CONNECTIONS, 0)
    assert scene.nstat("TcpPassiveOpens") == CONNECTIONS + BACKLOG + 1


def test_full_accept_queue_alerts(scene):
    found = wait_for(lambda: scene.prometheus.alerts("TcpwatchAcceptQueueFull"), "the alert", 10)
    assert [(alert["address"], alert["port"]) for alert in found] == [(FAR, str(FULL_PORT))]


def test_what_is_well_does_not_alert(scene):
    for alert in ("TcpwatchEventsLost", "TcpwatchFileStale", "TcpwatchTimeWaitNearLimit", "TcpwatchCloseWaitLeak"):
        assert scene.prometheus.alerts(alert) == []


# The last ones: tcpwatch is stopped.

def test_a_file_that_is_no_longer_written_alerts(scene):
    assert scene.tcpwatch.stop() == 0
    path = scene.prometheus.textfiles / "tcpwatch.prom"
    old = time.time() - 121
    os.utime(path, (old, old))
    wait_for(lambda: scene.prometheus.alerts("TcpwatchFileStale"), "the alert", 10)


def test_metrics_that_vanish_alert(scene):
    rule = next(rule for rule in sources.rules("alert") if rule["alert"] == MISSING)
    expr = rule["expr"].replace("offset 1h", "offset 5s")
    assert expr != rule["expr"] and scene.prometheus.values(expr) == []
    (scene.prometheus.textfiles / "tcpwatch.prom").unlink()
    wait_for(lambda: scene.prometheus.values(expr), "the metrics to be missed", 10)
