# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch timewait`: counts, groups and advice, each held against ss, nstat and sockstat."""
import os
from pathlib import Path

import pytest

from lib import tool
from lib.netns import NETS
from lib.peer import RawConnection, RawPeer
from lib.timewait import Account, Watch, account, ages, close_first, counters, make_sessions, same_as_kernel
from lib.top import Screen
from lib.traffic import connect, listen
from lib.wait import wait_for

PORT = 8080
MANY = 3000


@pytest.fixture
def listener(pair):
    with listen(pair.far, NETS[4].far, PORT) as sock:
        yield sock


def test_nothing(pair):
    found = same_as_kernel(pair.near)
    assert found.rows == []
    assert (found.total["begun"], found.total["ended"], found.total["expired"]) == (0, 0, None)


@pytest.mark.parametrize("family", [4, 6])
def test_clients_that_close_first(pair, family):
    net = NETS[family]
    with listen(pair.far, net.far, PORT) as listener:
        make_sessions(listener, pair.near, MANY, by_client=True)
        near, far = same_as_kernel(pair.near), same_as_kernel(pair.far)
    assert (near.total["time_wait"], far.total["time_wait"]) == (MANY, 0)
    row = near.one("remote")
    assert (row["remote_addr"], row["remote_port"], row["time_wait"]) == (net.far, PORT, MANY)
    assert (row["role"], row["should_close_first"]) == ("client", "remote")
    ports = near.one("ports")
    assert (ports["local_addr"], ports["remote_addr"], ports["remote_port"]) == (net.near, net.far, PORT)
    assert ports["ports_used"] == MANY and ports["ports_usable"] == 60999 - 32768 + 1
    assert near.by("port") == [] and far.rows == []


def test_servers_that_close_first(pair, listener):
    make_sessions(listener, pair.near, MANY, by_client=False)
    near, far = same_as_kernel(pair.near), same_as_kernel(pair.far)
    assert (near.total["time_wait"], far.total["time_wait"]) == (0, MANY)
    row = far.one("remote")
    assert (row["remote_addr"], row["remote_port"], row["local_port"]) == (NETS[4].near, None, PORT)
    # One client that opens so many a minute would miss the ports.
    assert (row["role"], row["should_close_first"]) == ("server", "local")
    assert far.one("port")["time_wait"] == MANY
    assert far.by("ports") == []


def test_a_few_clients_should_close_first(pair, listener):
    make_sessions(listener, pair.near, 5, by_client=False)
    assert account(pair.far).one("remote")["should_close_first"] == "remote"


def test_both_sides_and_two_namespaces_at_once(pair, listener):
    make_sessions(listener, pair.near, 30, by_client=True)
    make_sessions(listener, pair.near, 20, by_client=False)
    found = account(None, "-N", pair.near.name, "-N", pair.far.name)
    assert {row["netns"]: row["time_wait"] for row in found.netns} == {pair.near.name: 30, pair.far.name: 20}
    assert found.one("remote", netns=pair.far.name)["time_wait"] == 20
    assert found.one("remote", netns=pair.near.name)["time_wait"] == 30


def test_header_leaves_out_namespaces_without(pair, listener):
    make_sessions(listener, pair.near, 3, by_client=True)
    text = tool.run(None, "timewait", "-N", pair.near.name, "-N", pair.far.name).stdout
    assert f"netns {pair.near.name}:  TIME-WAIT 3 " in text
    assert pair.far.name not in text and "1 namespaces without TIME-WAIT" in text


def test_ages(pair, listener):
    make_sessions(listener, pair.near, 10, by_client=True)
    assert ages(account(pair.near).total) == [10, 0, 0, 0, 0, 0]


def test_orphan_in_fin_wait2_is_no_time_wait(pair, listener):
    """sockstat counts it among tw, ss does not."""
    client = connect(pair.near, NETS[4].far, PORT)
    server, _ = listener.accept()
    client.close()
    assert server.recv(1) == b""
    wait_for(lambda: account(pair.near).total["kernel_count"] == 1, "a minisock")
    found = same_as_kernel(pair.near)
    assert (found.total["time_wait"], found.total["fin_wait2"], found.total["kernel_count"]) == (0, 1, 1)
    assert (found.one("remote")["time_wait"], found.one("remote")["fin_wait2"]) == (0, 1)
    server.close()
    wait_for(lambda: account(pair.near).total["time_wait"] == 1, "TIME_WAIT once the peer has closed")
    assert same_as_kernel(pair.near).total["fin_wait2"] == 0


def test_limit_of_time_wait(pair, listener):
    pair.near.sysctl("ipv4/tcp_max_tw_buckets", 10)
    with Watch(pair.near) as watch:
        wait_for(watch.latest, "a first frame")
        make_sessions(listener, pair.near, 25, by_client=True)
        total = wait_for(lambda: (t := watch.latest().total)["never_created"] and t["time_wait"] == 10 and t,
                         lambda: f"10 and no more: {watch.latest().total}")
    assert (total["never_created"], total["watched_begun"]) == (15, 10)
    found = same_as_kernel(pair.near)
    assert (found.total["time_wait"], found.total["limit"], found.total["kernel_tw_overflow"]) == (10, 10, 15)
    text = tool.run(pair.near, "timewait").stdout
    assert "limit 10 (100.0% used)" in text and "never created 15" in text


# ---- ports -------------------------------------------------------------------------------------


def use_ports(ns, low, high, reserved=""):
    ns.sysctl("ipv4/ip_local_port_range", f"{low} {high}")
    ns.sysctl("ipv4/ip_local_reserved_ports", reserved)


def test_ports_that_connect_may_choose(pair, listener):
    use_ports(pair.near, 40000, 40009, "40001,40003-40004,50000")
    with listen(pair.near, NETS[4].near, 40005), listen(pair.near, NETS[4].near, 40001):
        total = account(pair.near).total
        assert (total["ports_reserved"], total["ports_listening"], total["ports_usable"]) == (3, 1, 6)
        clients = []
        with pytest.raises(OSError):
            while len(clients) < 10:
                clients.append(connect(pair.near, NETS[4].far, PORT))
        assert len(clients) == total["ports_usable"], "the kernel counts otherwise"
        row = account(pair.near).one("ports")
    assert (row["ports_used"], row["ports_free"], row["ports_low"]) == (6, 0, True)
    for client in clients:
        client.close()


@pytest.fixture
def exhausted(pair, listener):
    """A range of three ports, of which every one that the kernel gives is in TIME_WAIT."""
    use_ports(pair.near, 40000, 40002)
    pair.near.sysctl("ipv4/tcp_tw_reuse", 0)
    count = 0
    with pytest.raises(OSError):
        while True:
            make_sessions(listener, pair.near, 1, by_client=True)
            count += 1
    return count


def test_three_ports_exhausted(pair, listener, exhausted):
    row = account(pair.near).one("ports")
    assert (row["ports_used"], row["ports_usable"], row["ports_free"]) == (exhausted, exhausted, 0)
    assert (row["ports_left_seconds"], row["ports_low"], row["ports_reusable"]) == (0, True, 0)
    text = tool.run(pair.near, "timewait").stdout
    assert f"PORTS LOW: from {NETS[4].near} to {NETS[4].far}:{PORT} 0 of {exhausted} free" in text
    assert "tcp_tw_reuse 0" in text


def test_a_measured_interval(pair, listener):
    """What began within it, who closed and how fast: as with --watch, in one report."""
    with tool.Background(pair.near, "timewait", "--json", "--duration", "2") as report:
        made = 0
        while report.process.poll() is None:
            make_sessions(listener, pair.near, 1, by_client=True)
            made += 1
        assert report.process.returncode == 0, report.stderr()
        found = Account(tool.parse_json_lines(report.read()))
    assert 0 < found.total["time_wait"] <= made
    assert os.getpid() in [row["pid"] for row in found.by("process")]
    assert found.one("ports")["trend_inferred"] is False and found.one("ports")["ports_per_second"] > 0


def test_three_ports_are_two(pair):
    pair.near.sysctl("ipv4/ip_local_port_range", "50000 50002")
    text = tool.run(pair.near, "timewait").stdout
    assert "ports 50000-50002  usable 2 (of three connect() never tries the last)" in text


def test_reusable_ports_are_free(pair, listener, exhausted):
    pair.near.sysctl("ipv4/tcp_tw_reuse", 1)
    row = wait_for(lambda: (r := account(pair.near).one("ports"))["ports_reusable"] == exhausted and r,
                   "all old enough to be taken over")
    assert (row["ports_used"], row["ports_free"], row["ports_low"]) == (exhausted, exhausted, False)
    with connect(pair.near, NETS[4].far, PORT), listener.accept()[0]:
        assert same_as_kernel(pair.near).total["kernel_tw_recycled"] == 1


def test_reuse_on_loopback_only(pair, listener, exhausted):
    pair.near.sysctl("ipv4/tcp_tw_reuse", 2)
    assert account(pair.near).one("ports")["ports_reusable"] == 0


def test_ports_low_in_events_and_top(pair, listener, watch):
    use_ports(pair.near, 40000, 40009)
    events = watch(pair, "socket")

    def lows():
        return [(e["reason"], e["used"], e["limit"], e["local_addr"], e["remote_addr"], e["remote_port"])
                for e in events.all() if e["event"] == "ports_low"]

    clients = [connect(pair.near, NETS[4].far, PORT) for _ in range(8)]
    raised = ("raised", 8, 10, NETS[4].near, NETS[4].far, PORT)
    wait_for(lambda: lows() == [raised], lambda: f"raised once: {lows()}")
    top = tool.run(pair.near, "top", "--view", "socket", "-b", "-n", "1").stdout
    assert f"PORTS LOW: from {NETS[4].near} to {NETS[4].far}:{PORT} 2 of 10 free" in top
    for client in clients[:2]:  # 60 %, beyond the hysteresis
        server, _ = listener.accept()
        close_first(server, client)
    wait_for(lambda: len(lows()) == 2, lambda: f"cleared: {lows()}")
    assert lows()[1][:3] == ("cleared", 6, 10)
    assert "PORTS LOW" not in tool.run(pair.near, "top", "--view", "socket", "-b", "-n", "1").stdout


# ---- how it ends -------------------------------------------------------------------------------


WAYS = ("expired", "reused_by_connect", "reused_by_syn", "killed_by_reset", "never_created", "ended_unseen")


def ways(total):
    return {way: total[way] for way in WAYS if total[way]}


def wait_for_ways(watch, **expected):
    total = wait_for(lambda: (t := watch.latest().total) and ways(t) == expected and t,
                     lambda: f"{expected}: {watch.latest().total}", 10)
    assert total["watched_ended"] == sum(v for k, v in expected.items() if k != "never_created")
    return total


def seen(watch, count):
    return wait_for(lambda: watch.latest() and watch.latest().total["time_wait"] == count,
                    lambda: f"{count} in TIME_WAIT: {watch.latest() and watch.latest().total}", 10)


def test_ended_by_connect(pair, listener, exhausted):
    pair.near.sysctl("ipv4/tcp_tw_reuse", 1)
    with Watch(pair.near) as watch:
        seen(watch, exhausted)
        wait_for(lambda: account(pair.near).one("ports")["ports_reusable"] == exhausted, "old enough")
        with connect(pair.near, NETS[4].far, PORT), listener.accept()[0]:
            total = wait_for_ways(watch, reused_by_connect=1)
    assert counters(pair.near)["TcpExtTWRecycled"] == 1 == total["kernel_tw_recycled"]


def test_ended_by_a_syn(pair, listener):
    """The server closed first; the same client port comes again while the server is in TIME_WAIT."""
    local = (NETS[4].near, 41000)
    make_sessions(listener, pair.near, 1, by_client=False, local=local)
    with Watch(pair.far) as watch:
        seen(watch, 1)
        with connect(pair.near, NETS[4].far, PORT, local) as client, listener.accept()[0] as server:
            wait_for_ways(watch, reused_by_syn=1)
            close_first(client, server)


def test_ended_by_a_syn_of_a_session_that_is_over(pair, listener):
    """Nothing is left on the tuple at the next look: its opening was seen."""
    local = (NETS[4].near, 41000)
    make_sessions(listener, pair.near, 1, by_client=False, local=local)
    with Watch(pair.far) as watch:
        seen(watch, 1)
        make_sessions(listener, pair.near, 1, by_client=True, local=local)
        wait_for_ways(watch, reused_by_syn=1)


def test_ended_by_a_reset(pair):
    """An in-sequence RST kills TIME_WAIT, as tcp_rfc1337 is 0."""
    with RawPeer(pair) as peer, Watch(pair.near) as watch, \
            listen(pair.near, NETS[4].near, PORT) as server:
        conn = RawConnection(peer, PORT)
        conn.send("S")
        conn.expect("SA")
        conn.send("A")
        accepted, _ = server.accept()
        accepted.close()
        conn.expect("FA")
        conn.send("FA")
        seen(watch, 1)
        conn.send("R")
        wait_for_ways(watch, killed_by_reset=1)
    assert same_as_kernel(pair.near).total["kernel_count"] == 0


def test_ended_by_its_timer(pair, listener):
    """An orphan in FIN_WAIT2 is given a second here; a TIME_WAIT a minute everywhere."""
    pair.near.sysctl("ipv4/tcp_fin_timeout", 1)
    with Watch(pair.near) as watch:
        wait_for(watch.latest, "a first frame")
        client = connect(pair.near, NETS[4].far, PORT)
        server, _ = listener.accept()
        client.close()
        total = wait_for_ways(watch, expired=1)
        server.close()
    assert total["kernel_tw_killed"] == 1, "meant to last 4 s at most"


def test_nothing_ends_within_a_minute(pair, listener):
    """However sessions, looks and records of them fall together."""
    with Watch(pair.near) as watch, listen(pair.near, NETS[4].near, PORT) as own:
        wait_for(watch.latest, "a first frame")
        for _ in range(20):
            make_sessions(listener, pair.near, 75, by_client=True)
            make_sessions(own, pair.far, 25, by_client=False)
        seen(watch, 2000)
        assert ways(watch.latest().total) == {}
    assert same_as_kernel(pair.near).total["ended"] == 0


def test_process_that_closed(pair, listener):
    with Watch(pair.near) as watch:
        wait_for(watch.latest, "a first frame")
        make_sessions(listener, pair.near, 7, by_client=True)
        seen(watch, 7)
        row = watch.latest().one("process")
    assert (row["pid"], row["comm"]) == (os.getpid(), Path("/proc/self/comm").read_text().strip())
    assert (row["time_wait"], row["role"]) == (7, "client")


def test_rates_of_what_was_watched(pair, listener):
    with Watch(pair.near, "-n", "40") as watch:
        wait_for(watch.latest, "a first frame")
        assert watch.latest().total["rates_inferred"]
        make_sessions(listener, pair.near, 200, by_client=True)
        rates = set()

        def is_over():
            total = watch.latest().total
            rates.add(total["begun_per_second"])
            return total["watched_begun"] == 200 and total["begun_per_second"] == 0

        wait_for(is_over, lambda: watch.latest().total)
        assert max(rates) > 0 and watch.latest().total["ended_per_second"] == 0


def test_trend_and_time_left(pair, listener):
    use_ports(pair.near, 40000, 40999)
    clients = []
    with Watch(pair.near) as watch:
        wait_for(watch.latest, "a first frame")

        def rising():
            clients.append(connect(pair.near, NETS[4].far, PORT))
            clients.append(listener.accept()[0])
            rows = watch.latest().by("ports")
            return rows and not rows[0]["trend_inferred"] and rows[0]["ports_used"] > 20 and rows[0]

        row = wait_for(rising, "ports that become fewer")
    assert row["ports_per_second"] > 0 and row["ports_free"] == 1000 - row["ports_used"]
    assert row["ports_left_seconds"] == pytest.approx(row["ports_free"] / row["ports_per_second"], rel=0.01)
    for sock in clients:
        sock.close()


def test_hostile_name_of_the_process_that_closed(pair, listener):
    hostile = b'\xff\xc3"\\\n\x1b[2Jx'
    script = ("import socket, sys; open('/proc/self/comm', 'wb', buffering=0).write(bytes.fromhex(sys.argv[1])); "
              "s = socket.create_connection(sys.argv[2:]); s.close(); input()")
    with Watch(pair.near) as watch:
        wait_for(watch.latest, "a first frame")
        with pair.near.popen(["/usr/bin/python3", "-c", script, hostile.hex(), NETS[4].far, str(PORT)],
                             stdin=-1) as closer:
            server, _ = listener.accept()
            assert server.recv(1) == b""
            server.close()
            seen(watch, 1)
            row = watch.latest().one("process")
            closer.communicate(b"\n")
    assert (row["pid"], row["comm"]) == (closer.pid, hostile.decode(errors="replace"))


# ---- the command line --------------------------------------------------------------------------


def test_full_screen(pair, listener):
    make_sessions(listener, pair.near, 3, by_client=True)
    with Screen(pair.near, 180, 40, "timewait", "--watch", "-d", "0.2") as screen:
        screen.wait("TIME-WAIT 3 ")
        make_sessions(listener, pair.near, 4, by_client=True)
        lines = screen.wait("TIME-WAIT 7 ")
        assert any(line.split()[:4] == ["process", "4", "-", "-"] for line in lines)


def test_rows_of_each_group(pair, listener):
    with listen(pair.far, NETS[4].far, PORT + 1) as other, listen(pair.far, NETS[4].far, PORT + 2) as third:
        for count, sock in ((3, listener), (2, other), (1, third)):
            make_sessions(sock, pair.near, count, by_client=True)
    found = account(pair.near, "--rows", "2")
    assert [row["remote_port"] for row in found.by("remote")] == [PORT, PORT + 1]
    text = tool.run(pair.near, "timewait", "--rows", "1", "--fields", "by,remote,time_wait").stdout
    table = [line.split() for line in text.partition("BY ")[2].splitlines()[1:] if line]
    assert table == [[kind, f"{NETS[4].far}:{PORT}", "3"] for kind in ("ports", "remote")]


def test_takes_no_filter(pair):
    done = tool.run(pair.near, "timewait", "state", "time-wait")
    assert done.returncode == 2 and "takes no argument" in done.stderr


def test_namespace_that_vanishes(pair, listener):
    with Watch(None, "-N", "all") as watch:
        def has(ns):
            return watch.latest() and ns.name in {row["netns"] for row in watch.latest().netns}

        make_sessions(listener, pair.near, 3, by_client=False)
        wait_for(lambda: has(pair.near) and has(pair.far), "both")
        listener.close()
        pair.far.remove()
        wait_for(lambda: not has(pair.far), "one less")
        assert has(pair.near)
        watch.assert_running()
