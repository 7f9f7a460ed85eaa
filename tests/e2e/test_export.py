# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch export`: what it writes is what ss, nstat, nginx and wrk say."""
import contextlib
import json
import re
import shutil
import socket
import subprocess

import pytest

from lib import bpf, metrics, ss, tool, web
from lib.metrics import Export, Metrics, of_file
from lib.netns import NETS
from lib.scenes import cases
from lib.traffic import Connection, connect, listen, refused, reset_on_close
from lib.wait import wait_for

INTERVAL = ("--interval", "0.1")
PORT = 8080


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tcpwatch.prom"


@pytest.fixture
def export(path):
    """export(ns, …): `tcpwatch export` to path, which is written; ends with the test."""
    running = []

    def start(ns, *args):
        running.append(Export(ns, "--textfile", str(path), *INTERVAL, *args).wait_file(path))
        return running[-1]

    yield start
    for exporter in running:
        exporter.__exit__()


def nstat(ns, name):
    return int(ns.run("nstat", "-asz", name).split()[-2])


def wait_metrics(exporter, path, check, what):
    """The first file that check is true of."""
    def look():
        exporter.assert_running()
        found = of_file(path)
        return check(found) and found

    return wait_for(look, lambda: f"{what}; the file has\n{path.read_text()}\n{exporter.stderr()}", 10)


def minisocks(ns):
    return int(re.search(r"TCP:.* tw (\d+)", ns.run("cat", "/proc/net/sockstat"))[1])


def expected(ns):
    """What ss and the kernel say: minisocks are TIME_WAIT, and half-open requests are what listeners hold."""
    states = metrics.expected_states(ns)
    states["fin-wait-2"] -= minisocks(ns) - states["time-wait"]
    states["time-wait"] = minisocks(ns)
    return +states


def agrees(ns):
    before = expected(ns)
    return lambda found: found.states() == before and expected(ns) == before


def test_states_older_than_the_tool(stage):
    """A session in each state, and what is written at once."""
    for scene, opens in cases():
        session = stage.play(scene.play, 4, opens)
        wait_for(lambda: ss.state_of(stage.near, session.key) == scene.ss, f"{scene.ss} in ss")

    def same():
        before = expected(stage.near)
        found = metrics.once(stage.near)
        return expected(stage.near) == before and (found.states(), before)

    found, before = wait_for(same, "a moment in which ss does not change", 20)
    assert found == before


def test_states_followed(stage, export, path):
    """The tool is there first; each session's states, and then their ends."""
    exporter = export(stage.near, "--view", "socket")
    for scene, opens in cases():
        for family in (4, 6):
            stage.play(scene.play, family, opens)
    wait_metrics(exporter, path, lambda found: agrees(stage.near)(found), "what ss says")
    for session in stage.sessions:
        session.close()
    found = wait_metrics(exporter, path, lambda found: agrees(stage.near)(found), "what ss says after the close")
    assert found.get("recounts_total") == 0



def held_map(pid, name):
    """The id of a BPF map that a process has open."""
    ids = [number for kind, number in bpf.held_by(pid) if kind == "map"]
    return next(number for number in ids if bpftool("map", "show", "id", number)["name"] == name)


def bpftool(*words):
    done = subprocess.run(["bpftool", "-j", *map(str, words)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "null")


def test_wrong_counts_are_found_and_counted_anew(pair, export, path):
    """The programs' count is taken away behind the tool's back: the kernel's own totals tell."""
    with Connection(pair.near, pair.far, NETS[4].far, PORT):
        exporter = export(pair.near, "--view", "socket")
        right = of_file(path).states()
        assert right == {"established": 1}
        counts = held_map(exporter.pid, "netns_tallies")
        for row in bpftool("map", "dump", "id", counts):
            bpftool("map", "delete", "id", counts, "key", *row["key"])
        found = wait_metrics(exporter, path, lambda f: f.get("recounts_total"), "another count")
        assert found.get("recounts_total") == 1
        wait_metrics(exporter, path, lambda f: f.states() == right, "what was right before")


def test_promtool_finds_nothing(pair, export, path):
    exporter = export(pair.near, "-i", pair.near_if)
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        conn.finish()
    found = wait_metrics(exporter, path, lambda found: found.sum("sessions_closed_total"), "the close")
    metrics.promtool_check(found.text)
    metrics.promtool_check(metrics.once(pair.near).text)


def test_nginx_and_wrk(pair, export, path):
    count = 2000
    opens, passive = nstat(pair.far, "TcpActiveOpens"), nstat(pair.far, "TcpPassiveOpens")
    exporter = export(pair.far, "-i", pair.far_if)
    with web.Nginx(pair.far) as nginx:
        said = web.load(pair.near, nginx, NETS[4].far, count)
        found = wait_metrics(exporter, path, lambda f: f.sum("sessions_closed_total") == count, f"{count} closes")
        log = nginx.log()
    assert (said.connections, said.errors) == (count, 0)
    assert found.get("sessions_opened_total", side="server") == count == nstat(pair.far, "TcpPassiveOpens") - passive
    assert found.get("sessions_opened_total", side="client") == nstat(pair.far, "TcpActiveOpens") - opens == 0
    assert found.get("handshakes_total", side="server", outcome="completed") == count
    assert found.get("session_duration_seconds_count") == count
    assert found.get("srtt_seconds_count") == count
    assert found.get("handshake_seconds_count", side="server", part="network") == count
    assert found.get("handshake_seconds_count", side="server", part="host") == count
    assert 0 < found.get("handshake_seconds_sum", side="server", part="host") < count
    assert found.states()["time-wait"] == found.sum("time_wait") == minisocks(pair.far)
    payload = sum(sent + received for _, sent, received in log)
    assert found.get("tap_bytes_total", netns=pair.far.name, tap=pair.far_if) == payload
    assert found.get("cache_entries") > 0 and found.sum("records_lost_total") == 0
    assert found.get("recounts_total") == 0


def closing(pair, close):
    conn = Connection(pair.near, pair.far, NETS[4].far, PORT)
    with conn:
        close(conn)


def fin_by_client(conn):
    conn.finish()


def fin_by_server(conn):
    conn.server.close()
    assert conn.client.recv(1) == b""
    conn.client.close()


def reset_by_client(conn):
    reset_on_close(conn.client)
    conn.client.close()
    with pytest.raises(ConnectionResetError):
        conn.server.recv(1)


def reset_by_server(conn):
    reset_on_close(conn.server)
    conn.server.close()
    with pytest.raises(ConnectionResetError):
        conn.client.recv(1)


def reset_after_fin(conn):
    """The client closes with unread data after the server's FIN."""
    conn.server.sendall(b"unread")
    conn.server.shutdown(socket.SHUT_WR)
    wait_for(lambda: conn.client.recv(100, socket.MSG_PEEK) == b"unread", "the data")
    reset_on_close(conn.client)
    conn.client.close()
    with pytest.raises(ConnectionResetError):
        conn.server.recv(1)


@pytest.mark.parametrize("close, reason, by", [
    (fin_by_client, "fin", "local"), (fin_by_server, "fin", "remote"), (reset_by_client, "reset", "local"),
    (reset_by_server, "reset", "remote"), (reset_after_fin, "reset", "remote")])
def test_ends(pair, export, path, close, reason, by):
    """As the near end has it, where the client is; each end once and nothing else."""
    exporter = export(pair.near, "--view", "socket")
    closing(pair, close)
    found = wait_metrics(exporter, path, lambda f: f.sum("sessions_closed_total"), "the end")
    assert +found.by("sessions_closed_total", "by", reason=reason) == {by: 1}
    assert found.sum("sessions_closed_total") == 1
    assert found.get("session_duration_seconds_count") == 1


def test_resets_by_direction_and_reason(pair, export, path):
    sent, exporter = nstat(pair.near, "TcpOutRsts"), export(pair.near, "--view", "socket")
    closing(pair, reset_by_client)
    closing(pair, reset_by_server)
    refused(pair.near, NETS[4].far, 9)
    refused(pair.far, NETS[4].near, 9)
    found = wait_metrics(exporter, path, lambda f: f.sum("resets_total") == 4, "four resets")
    assert found.sum("resets_total", direction="sent") == nstat(pair.near, "TcpOutRsts") - sent == 2
    assert +found.by("resets_total", "reason", direction="received") == {"open": 1, "refused": 1}
    # Linux 6.10 and later tell why.
    if found.get("resets_total", direction="sent", reason="no_socket") is not None:
        assert found.get("resets_total", direction="sent", reason="no_socket") == 1


def test_handshakes_by_outcome(stage, export, path):
    exporter = export(stage.near, "--view", "socket")
    refused(stage.near, NETS[4].far, 9)
    with connecting(stage) as aborted:
        aborted.close()
    with listen(stage.far, NETS[4].far, PORT), connect(stage.near, NETS[4].far, PORT):
        found = wait_metrics(exporter, path, lambda f: f.get("handshakes_total", side="client", outcome="completed"),
                             "the handshake")
    assert +found.by("handshakes_total", "outcome", side="client") == {"completed": 1, "refused": 1, "aborted": 1}
    assert found.get("handshake_seconds_count", side="client", part="total") == 1
    whole, network, host = (found.get("handshake_seconds_sum", side="client", part=part)
                            for part in ("total", "network", "host"))
    assert 0 < network < whole and abs(whole - network - host) < 1e-9


def connecting(stage):
    """A socket in SYN_SENT: nobody answers for the ghost."""
    sock = stage.socket(4)
    sock.setblocking(False)
    sock.connect_ex((NETS[4].ghost, 7777))
    return sock


def test_retransmits_are_those_of_nstat(pair, export, path):
    before, exporter = nstat(pair.near, "TcpRetransSegs"), export(pair.near, "--view", "socket")
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        pair.far.link(pair.far_if, state="down")
        conn.client.sendall(b"x" * 5000)

        def same(found):
            segments = nstat(pair.near, "TcpRetransSegs") - before
            return segments > 1 and found.sum("retransmits_total") == segments

        wait_metrics(exporter, path, same, "the retransmissions of nstat")


def test_syns_sent_again_are_no_data(pair, export, path):
    before, exporter = nstat(pair.near, "TcpExtTCPSynRetrans"), export(pair.near, "--view", "socket")
    with unanswered(pair.near, NETS[4].ghost):
        def same(found):
            again = nstat(pair.near, "TcpExtTCPSynRetrans") - before
            return again and found.get("retransmits_total", kind="syn") == again

        found = wait_metrics(exporter, path, same, "the SYNs of nstat")
    assert found.get("retransmits_total", kind="data") == 0


def test_close_wait_is_old_after_a_minute_only(pair, path):
    """What closed long ago is old at once; what closes now is not. The kernel's own time of the last segment counts."""
    with Connection(pair.near, pair.far, NETS[4].far, PORT) as conn:
        conn.server.close()
        wait_for(lambda: metrics.once(pair.near).states().get("close-wait") == 1, "CLOSE_WAIT")
        assert metrics.once(pair.near).sum("close_wait_old") == 0


def test_namespaces_come_and_go(pair, export, path):
    exporter = export(None, "--view", "socket", "-N", pair.near.name, "-N", pair.far.name)
    with Connection(pair.near, pair.far, NETS[4].far, PORT):
        found = wait_metrics(exporter, path, lambda f: f.states(netns=pair.near.name).get("established"), "the session")
        assert found.states(netns=pair.near.name) == {"established": 1}
        assert found.states(netns=pair.far.name) == {"established": 1}
    name = pair.far.name
    pair.far.remove()
    found = wait_metrics(exporter, path, lambda f: not f.by("sessions", "state", netns=name), "the namespace to go")
    assert found.by("sessions", "state", netns=pair.near.name)
    assert found.get("sessions_opened_total", side="server") == 1  # what happened there stays


def test_two_namespaces_never_share_a_series(pair):
    """The tool's own is called self; so may another be."""
    found = metrics.once(pair.near, "-N", "self", "-N", str(pair.far.path))
    assert len({labels for name, labels in found.samples if name == "tcpwatch_time_wait"}) == 2


def test_hostile_interface_name(pair, export, path):
    name = 'a"\\\x01\xff'
    pair.near.link(pair.near_if, state="down")
    pair.near.run("ip", "link", "set", pair.near_if, "name", name)
    pair.near.link_up(name)
    exporter = export(pair.near, "-i", "a*")
    found = wait_metrics(exporter, path, lambda f: f.by("tap_info", "tap"), "the tap")
    metrics.promtool_check(found.text)
    tap, = found.by("tap_info", "tap")
    assert tap.startswith('a"\\\\x01')


def test_metrics_page_is_of_this_program():
    """Each family that is written is described, and with what a metric says of itself."""
    page = tool.run(None, "export", "--describe").stdout
    text = tool.run(None, "export", "--stdout").stdout
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        assert re.search(rf"^\| `{name}` \| {kind} \|", page, re.M), name
    assert isinstance(Metrics(text), Metrics)


@pytest.mark.skipif(not shutil.which("prometheus-node-exporter"), reason="prometheus-node-exporter is not installed")
def test_node_exporter_reads_it(pair, export, path):
    """The textfile collector serves each sample as it was written, and has no complaint."""
    export(pair.near, "--view", "socket", "--interval", "3600")
    server = pair.near.popen(["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                              f"--collector.textfile.directory={path.parent}", "--web.disable-exporter-metrics",
                              f"--web.listen-address=127.0.0.1:{metrics.PORT}"], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: f":{metrics.PORT}" in pair.near.run("ss", "-tlnH"), "node_exporter to listen")
        _, _, text = metrics.request(pair.near)
    finally:
        server.terminate()
        server.wait()
    served, written = Metrics(text), of_file(path)
    assert served.samples[("node_textfile_scrape_error", frozenset())] == 0
    lost = dict(written.samples.items() - served.samples.items())
    assert not lost, lost


# ---- listeners ---------------------------------------------------------------------------------


def ss_listener(ns, port):
    """(accept queue, its limit) as ss has it."""
    line, = [line for line in ns.run("ss", "-tlnH").splitlines() if f":{port} " in line]
    return tuple(map(int, line.split()[1:3]))


def test_accept_queue_that_fills(pair, export, path):
    """A server that never accepts: the queue is what ss says, and the drops are those of nstat."""
    host, overflows = NETS[4].far, nstat(pair.far, "TcpExtListenOverflows")
    exporter = export(pair.far, "-i", pair.far_if)
    labels = {"netns": pair.far.name, "address": host, "port": str(PORT)}
    with listen(pair.far, host, PORT, backlog=1), contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connect(pair.near, host, PORT))
        for _ in range(3):
            stack.enter_context(unanswered(pair.near, host))

        def same(found):
            dropped = nstat(pair.far, "TcpExtListenOverflows") - overflows
            return dropped >= 3 and found.get("listener_drops_total", **labels) == dropped and \
                found.get("syn_fate_total", fate="dropped_accept_queue") == dropped

        found = wait_metrics(exporter, path, same, "the drops of nstat")
        assert ss_listener(pair.far, PORT) == (found.get("listener_accept_queue", **labels),
                                               found.get("listener_accept_queue_limit", **labels)) == (2, 1)
        assert found.sum("syns_received_total") == found.sum("syn_fate_total")
        assert found.get("syn_fate_total", fate="queued") == 2
        assert found.get("handshakes_total", side="server", outcome="overflow") == 0  # no handshake has begun
    wait_metrics(exporter, path, lambda f: f.get("listener_accept_queue", **labels) is None, "the listener to go")


def unanswered(ns, host):
    with ns.entered():
        sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex((host, PORT))
    return sock


def test_listeners_are_bounded(pair):
    """Those beyond the most that are wanted are one row; a group on one port is one anyway."""
    with contextlib.ExitStack() as stack:
        for port in range(PORT, PORT + 5):
            stack.enter_context(listen(pair.near, NETS[4].near, port, backlog=port - PORT + 1))
        found = metrics.once(pair.near, "--max-listeners", "3")
        by_port = found.by("listener_accept_queue_limit", "port", netns=pair.near.name)
        assert by_port == {str(PORT): 1, str(PORT + 1): 2, str(PORT + 2): 3}
        assert found.get("listener_accept_queue_limit", netns="", address="other", port="") == 4 + 5
        assert found.sum("sessions", state="listening") == 5


def test_group_on_one_port_is_one_listener(pair):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            with pair.near.entered():
                sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((NETS[4].near, PORT))
            sock.listen(7)
        found = metrics.once(pair.near)
    assert found.get("listener_accept_queue_limit", netns=pair.near.name, address=NETS[4].near, port=str(PORT)) == 21


def test_group_that_shrinks_keeps_its_drops(pair, export, path):
    """A counter that fell would be taken for one that began anew: what is left of it for as many more."""
    labels = {"netns": pair.near.name, "address": NETS[4].near, "port": str(PORT)}
    exporter = export(pair.near, "--view", "socket")
    with contextlib.ExitStack() as stack:
        group = []
        for _ in range(2):
            with pair.near.entered():
                group.append(stack.enter_context(socket.socket()))
            group[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            group[-1].bind((NETS[4].near, PORT))
            group[-1].listen(0)
        overflows = nstat(pair.near, "TcpExtListenOverflows")
        for _ in range(24):
            stack.enter_context(unanswered(pair.far, NETS[4].near))

        def dropped():
            return nstat(pair.near, "TcpExtListenOverflows") - overflows

        wait_metrics(exporter, path, lambda f: f.get("listener_drops_total", **labels) == dropped() >= 12, "drops")
        before = dropped()
        group.pop().close()
        found = wait_metrics(exporter, path, lambda f: f.get("listener_accept_queue_limit", **labels) == 0 and
                             f.get("sessions", netns=pair.near.name, state="listening") == 1, "one listener less")
        assert found.get("listener_drops_total", **labels) >= before


# ---- ports -------------------------------------------------------------------------------------


def test_ports_of_the_most_used_endpoint(pair, export, path):
    """A range of ten ports, of which one is reserved; TIME_WAIT holds its port too."""
    pair.near.sysctl("ipv4/ip_local_port_range", "40000 40009")
    pair.near.sysctl("ipv4/ip_local_reserved_ports", "40003")
    remote = {"netns": pair.near.name, "remote": f"{NETS[4].far}:{PORT}"}
    exporter = export(pair.near, "--view", "socket")
    with listen(pair.far, NETS[4].far, PORT) as listener, contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(connect(pair.near, NETS[4].far, PORT))
        client, (server, _) = connect(pair.near, NETS[4].far, PORT), listener.accept()
        client.close()
        server.close()
        found = wait_metrics(exporter, path, lambda f: f.get("ports_used", **remote) == 5, "five ports")
        assert found.get("ports_available", **remote) == 9
        assert metrics.once(pair.near).get("ports_used", **remote) == 5


def test_ports_are_bounded(pair):
    with contextlib.ExitStack() as stack:
        for port in range(PORT, PORT + 12):
            stack.enter_context(listen(pair.far, NETS[4].far, port))
            for _ in range(port - PORT + 1):
                stack.enter_context(connect(pair.near, NETS[4].far, port))
        used = metrics.once(pair.near).by("ports_used", "remote")
    assert used == {f"{NETS[4].far}:{PORT + i}": i + 1 for i in range(2, 12)}


def test_clients_are_not_named(pair):
    """Of a server on a port that connect() might have chosen; also when it listens no more."""
    pair.near.sysctl("ipv4/ip_local_port_range", "40000 40009")
    pair.near.sysctl("ipv4/ip_local_reserved_ports", "")
    server, remote = 40005, {"netns": pair.near.name, "remote": f"{NETS[4].far}:{PORT}"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.far, NETS[4].far, PORT))
        for _ in range(2):
            stack.enter_context(connect(pair.near, NETS[4].far, PORT))
        with listen(pair.near, NETS[4].near, server) as listener:
            for _ in range(3):
                stack.enter_context(connect(pair.far, NETS[4].near, server))
                stack.enter_context(listener.accept()[0])
            found = metrics.once(pair.near)
            assert found.by("ports_used", "remote") == {remote["remote"]: 2}
            assert found.get("ports_available", **remote) == 9
        assert metrics.once(pair.near).by("ports_used", "remote") == {remote["remote"]: 2}
