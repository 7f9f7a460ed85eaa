# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch handshakes` against the counters of the kernel and of nftables."""
import contextlib
import errno
import socket
import time

import pytest

from lib import scenes, tool
from lib.bpf import wait_attached
from lib.handshakes import Handshakes
from lib.netns import NETS, removing
from lib.stage import Stage
from lib.top import Screen
from lib.traffic import Connection, connect, listen, refused
from lib.wait import wait_for
from test_paths import Router

pytestmark = pytest.mark.patient

PORT = 8080
COUNT = 50
NETWORKS = {4: "10.9.0.0/24", 6: "fd09::/64"}


@pytest.fixture(name="both_sides")
def fixture_both_sides(pair):
    """The tool at the near end, where clients are, and at the far end, where servers are."""
    with Handshakes(pair.near, "-i", pair.near_if) as near, Handshakes(pair.far, "-i", pair.far_if) as far:
        yield near, far


def nft(ns, *lines):
    """A table of rules, each with a counter."""
    for line in ("add table inet hand", *lines):
        ns.run("nft", line)


def nft_packets(ns):
    """Packets that the rules of nft() matched, in order."""
    words = ns.run("nft", "list", "table", "inet", "hand").split()
    return [int(words[i + 1]) for i, word in enumerate(words) if word == "packets"]


@pytest.mark.parametrize("family", [4, 6])
def test_completed_are_the_kernels_opens(pair, both_sides, family):
    near, far = both_sides
    for _ in range(COUNT):
        with Connection(pair.near, pair.far, NETS[family].far, PORT) as conn:
            conn.finish()
    client = near.wait("client", completed=COUNT, failed=0)
    server = far.wait("server", completed=COUNT, failed=0)
    assert near.counted()["active_opens"] == near.kernel["active_opens"] == COUNT
    assert far.counted()["passive_opens"] == far.kernel["passive_opens"] == COUNT
    for row in client, server:
        assert (row["server_addr"], row["server_port"]) == (NETS[family].far, PORT)
        assert row["client_network"] == NETWORKS[family]
        assert row["total_histogram"] and sum(b["count"] for b in row["total_histogram"]) == COUNT
        assert row["network_p50_seconds"] <= row["total_p50_seconds"] <= row["total_max_seconds"] < 1


def drop(pair, side, *match):
    """Drop what matches on its way into ("far in") or out of ("near out") a namespace's TCP."""
    name, way = side.split()
    ns = getattr(pair, name)
    nft(ns, f"add chain inet hand c {{ type filter hook {way}put priority 0; }}",
        f"add rule inet hand c {' '.join(match)} counter drop")
    return ns


def reject(pair, kind):
    nft(pair.far, "add chain inet hand c { type filter hook input priority 0; }",
        f"add rule inet hand c tcp dport {PORT} counter reject with icmpx type {kind}")


def few_retries(ns):
    ns.sysctl("ipv4/tcp_syn_retries", 1)
    ns.no_linear_timeouts()
    ns.sysctl("ipv4/tcp_synack_retries", 1)


@contextlib.contextmanager
def connecting(ns, host, port=PORT):
    """A client that does not wait for its connection."""
    with ns.entered():
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setblocking(False)
    sock.connect_ex((host, port))
    with sock:
        yield sock


THIRD_ACK = ("tcp", "dport", str(PORT), "tcp", "flags", "&", "(fin|syn|rst|ack)", "==", "ack")


def test_syn_unanswered(pair, both_sides):
    near, _ = both_sides
    few_retries(pair.near)
    drop(pair, "far in", "tcp", "dport", str(PORT))
    refused(pair.near, NETS[4].far, PORT)
    near.wait("client", completed=0, failed=1, syn_unanswered=1, syn_retransmits=1)
    counted = near.counted()
    assert nft_packets(pair.far) == [1 + counted["syn_retransmits"]] == [2]
    assert (counted["active_opens"], counted["attempt_fails"]) == (1, 1)
    assert counted["timeouts"] == near.kernel["timeouts"] == 2  # sent again, given up


@pytest.mark.parametrize("family", [4, 6])
def test_refused(pair, both_sides, family):
    near, far = both_sides
    for _ in range(COUNT):
        refused(pair.near, NETS[family].far, PORT)
    near.wait("client", failed=COUNT, refused=COUNT)
    server = far.wait("server", failed=COUNT, refused=COUNT)
    assert server["client_network"] == NETWORKS[family]
    assert near.counted()["attempt_fails"] == near.kernel["attempt_fails"] == COUNT


@pytest.mark.parametrize("side, broke", [("near out", "syn_ack_unanswered"), ("far in", "lost_in_host")])
def test_third_ack_dropped(pair, both_sides, side, broke):
    """The server sends its SYN-ACK again, then gives up; the client believes that it is connected."""
    near, far = both_sides
    few_retries(pair.far)
    ns = drop(pair, side, *THIRD_ACK)
    with listen(pair.far, NETS[4].far, PORT), connect(pair.near, NETS[4].far, PORT):
        near.wait("client", completed=1, failed=0)
        far.wait("server", completed=0, failed=0, pending=1)
        wait_for(lambda: far.frame() and [row["held_up"] for row in far.rows] == [f"{broke} 1"], lambda: far.rows)
        far.wait("server", completed=0, failed=1, pending=0, syn_ack_retransmits=1, seconds=8, **{broke: 1})
    counted = far.counted()
    assert (counted["passive_opens"], counted["syn_retransmits"], counted["timeouts"]) == (0, 1, 2)
    assert nft_packets(ns) == [1 + counted["syn_retransmits"]]


def states(ns, host):
    """States of the connections with that host, as ss sees them."""
    return sorted(line.split()[0] for line in ns.run("ss", "-Htan").splitlines()
                  if host in line.split()[4])


@pytest.mark.parametrize("abort", [0, 1])
def test_accept_queue_full(pair, both_sides, abort):
    """
    The acknowledgements of the first client are held up until two others wait for accept(). The next one, for the
    SYN-ACK that is sent again, finds no room.
    """
    near, far = both_sides
    pair.far.sysctl("ipv4/tcp_abort_on_overflow", abort)
    pair.far.sysctl("ipv4/tcp_synack_retries", 2)
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(pair.far, NETS[4].far, PORT, backlog=1))
        with pair.near.entered():
            first = stack.enter_context(socket.socket())
        first.bind((NETS[4].near, 0))
        drop(pair, "far in", "tcp", "sport", str(first.getsockname()[1]), *THIRD_ACK)
        first.connect((NETS[4].far, PORT))
        for _ in range(2):
            stack.enter_context(connect(pair.near, NETS[4].far, PORT))
        held_up = nft_packets(pair.far)[0]
        pair.far.run("nft", "delete table inet hand")
        near.wait("client", completed=3, failed=0)
        far.wait("server", completed=2, failed=abort, syn_ack_retransmits=held_up)
        if not abort:
            assert states(pair.far, NETS[4].near) == ["ESTAB", "ESTAB", "SYN-RECV"]
            assert states(pair.near, NETS[4].far) == ["ESTAB"] * 3
            wait_for(lambda: far.frame() and [row["held_up"] for row in far.rows] == ["ack_dropped 1"], lambda: far.rows)
        far.wait("server", completed=2, failed=1, ack_dropped=1, seconds=12, server_resets=abort,
                 syn_ack_retransmits=held_up if abort else 2)
    counted = far.counted()
    assert counted["passive_opens"] == 2
    assert counted["syn_retransmits"] == far.sum("server", "syn_ack_retransmits")
    # One acknowledgement for each SYN-ACK, of which there are three.
    assert counted["listen_overflows"] == far.kernel["listen_overflows"] == (1 if abort else 3 - held_up)


def wait_connected(ns, host):
    """connect() without a time-out of its own: what ends it is the kernel's word."""
    with ns.entered(), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        return sock.connect_ex((host, PORT))


REJECTIONS = ["admin-prohibited", "host-unreachable", "port-unreachable"]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("kind", REJECTIONS)
def test_rejected_by_icmp(pair, both_sides, kind, family):
    """Of the first SYN the socket takes no notice, as connect() has it locked; the second one's answer ends it."""
    near, _ = both_sides
    few_retries(pair.near)
    reject(pair, kind)
    assert wait_connected(pair.near, NETS[family].far) in (errno.EHOSTUNREACH, errno.EACCES, errno.ECONNREFUSED)
    near.wait("client", completed=0, failed=1, filtered=1, syn_retransmits=1)
    assert near.counted()["attempt_fails"] == 1
    assert nft_packets(pair.far) == [2]


@pytest.mark.parametrize("kind", REJECTIONS)
def test_client_gives_up_on_an_icmp_error(pair, both_sides, kind):
    """It asked for the error and closed: to the kernel no attempt failed."""
    near, _ = both_sides
    reject(pair, kind)
    refused(pair.near, NETS[4].far, PORT)
    near.wait("client", completed=0, failed=1, filtered=1, syn_retransmits=0)
    assert near.counted()["attempt_fails"] == 0


def test_held_up_in_the_server_is_its_host_part(pair, both_sides):
    """The acknowledgement is there at once and a packet filter keeps it from TCP until the second one."""
    _, far = both_sides
    drop(pair, "far in", *THIRD_ACK)
    with listen(pair.far, NETS[4].far, PORT), connect(pair.near, NETS[4].far, PORT):
        wait_for(lambda: nft_packets(pair.far) == [1], "an acknowledgement to be dropped")
        pair.far.run("nft", "delete table inet hand")
        row = far.wait("server", completed=1)
    assert row["syn_ack_retransmits"]
    assert row["network_max_seconds"] < 0.2
    assert 0.9 < row["host_max_seconds"] <= row["total_max_seconds"] < 5


HELD_UP = 0.05


@pytest.fixture(name="stage")
def fixture_stage():
    """A hand-made peer of its own for each test."""
    with removing(Stage()) as stage:
        yield stage


def hold_up():
    """Let HELD_UP pass; when it began."""
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > HELD_UP, "the time to pass")
    return began


@pytest.mark.parametrize("view", ["both", "wire"])
@pytest.mark.parametrize("side, scene, answer", [("server", scenes.syn_recv, "A"), ("client", scenes.syn_sent, "SA")])
def test_network_part_is_the_peers(stage, side, scene, answer, view):
    """A peer that takes its time to answer: that is in the network part, and not in the host part."""
    with Handshakes(stage.near, "-i", stage.near_if, "--view", view) as near:
        session = stage.play(scene)
        began = hold_up()
        session.conn.send(answer)
        row = near.wait(side, completed=1)
        most = time.monotonic() - began
    assert HELD_UP <= row["network_max_seconds"] <= most + 0.01
    assert row["host_max_seconds"] < HELD_UP
    assert row["total_max_seconds"] == pytest.approx(row["network_max_seconds"] + row["host_max_seconds"])


@pytest.mark.parametrize("side, scene, answer", [("server", scenes.syn_recv, "A"), ("client", scenes.syn_sent, "SA")])
def test_without_the_wire_the_parts_are_unknown(stage, side, scene, answer):
    with Handshakes(stage.near, "--view", "socket") as near:
        session = stage.play(scene)
        hold_up()
        session.conn.send(answer)
        row = near.wait(side, completed=1)
    assert HELD_UP <= row["total_max_seconds"] < 1
    assert row["network_max_seconds"] is None and row["host_max_seconds"] is None
    assert row["network_histogram"] == []


def test_syn_ack_answered_by_a_reset(stage):
    with Handshakes(stage.near, "-i", stage.near_if) as near:
        stage.play(scenes.syn_recv).conn.send("R")
        near.wait("server", completed=0, failed=1, syn_ack_reset=1)
    assert near.counted()["attempt_fails"] == 1


def test_cookie_rejected(stage):
    stage.near.sysctl("ipv4/tcp_syncookies", 2)
    with Handshakes(stage.near, "-i", stage.near_if) as near:
        good, bad = stage.play(scenes.syn_recv), stage.play(scenes.syn_recv)
        bad.conn.send("A", ack=(bad.conn.ack + 12345) & 0xFFFFFFFF)
        bad.conn.expect("R")
        good.conn.send("A")
        row = near.wait("server", completed=1, failed=1, cookie_rejected=1, server_resets=1)
    counted = near.counted()
    assert (counted["cookies_sent"], counted["cookies_received"], counted["cookies_failed"]) == (2, 1, 1)
    assert row["client_network"] == "10.9.0.0/24"


def test_answer_lost_in_this_host(pair, both_sides):
    """The server's SYN-ACK comes in and a packet filter of the client's drops it."""
    near, _ = both_sides
    few_retries(pair.near)
    few_retries(pair.far)
    drop(pair, "near in", "tcp", "sport", str(PORT))
    with listen(pair.far, NETS[4].far, PORT):
        refused(pair.near, NETS[4].far, PORT)
        near.wait("client", completed=0, failed=1, lost_in_host=1)


@pytest.mark.parametrize("syns, broke", [(1, "abandoned"), (2, "syn_unanswered")])
def test_client_gives_up(pair, both_sides, syns, broke):
    """A time-out of its own, before or after the SYN is sent again. The server's side takes a little longer to know."""
    near, far = both_sides
    drop(pair, "far in", "tcp", "dport", str(PORT))
    with connecting(pair.near, NETS[4].far):
        wait_for(lambda: nft_packets(pair.far) == [syns], "SYNs")
        far.wait("server", completed=0, failed=0, pending=1)
    near.wait("client", completed=0, failed=1, **{broke: 1})
    far.wait("server", completed=0, failed=1, syn_unanswered=1, pending=0, seconds=10)


def test_no_port_is_free(pair, both_sides):
    near, _ = both_sides
    pair.near.sysctl("ipv4/ip_local_port_range", "40000 40000")
    with Connection(pair.near, pair.far, NETS[4].far, PORT), pair.near.entered(), socket.socket() as sock:
        assert sock.connect_ex((NETS[4].far, PORT)) == errno.EADDRNOTAVAIL
        near.wait("client", completed=1, failed=1, not_sent=1)
    assert near.counted()["active_opens"] == 1


def test_groups_beyond_the_limit_are_summed_up(pair):
    with Handshakes(pair.near, "-i", pair.near_if, "--groups", "2") as near:
        for port in range(PORT + 1, PORT + 6):
            refused(pair.near, NETS[4].far, port)
        near.wait("client", failed=5, refused=5)
        with Connection(pair.near, pair.far, NETS[4].far, PORT):
            near.wait("client", completed=1, failed=5, refused=5)
    assert [(row["server_port"], row["failed"], row["completed"]) for row in near.rows if row["other"]] == [(None, 4, 0)]
    assert sorted(row["server_port"] for row in near.rows if not row["other"]) == [PORT, PORT + 2]


@pytest.mark.parametrize("args, keys", [
    (["--by", "server"], {(NETS[4].far, PORT, None), (NETS[4].far, PORT + 1, None)}),
    (["--by", "network"], {(None, None, "10.9.0.0/24")}),
    (["--prefix", "16"], {(NETS[4].far, PORT, "10.9.0.0/16"), (NETS[4].far, PORT + 1, "10.9.0.0/16")}),
    (["--prefix", "32,128", f"dport = :{PORT}"], {(NETS[4].far, PORT, "10.9.0.1/32")}),
    (["--prefix", "0"], {(NETS[4].far, PORT, "0.0.0.0/0"), (NETS[4].far, PORT + 1, "0.0.0.0/0")}),
])
def test_grouping_and_filter(pair, args, keys):
    with Handshakes(pair.near, "-i", pair.near_if, *args) as near:
        for port in PORT, PORT + 1:
            refused(pair.near, NETS[4].far, port)

        def has_keys():
            near.frame()
            return {(row["server_addr"], row["server_port"], row["client_network"]) for row in near.rows} == keys

        wait_for(has_keys, lambda: near.rows)


@pytest.mark.parametrize("args", [["--by", "host"], ["--prefix", "33"], ["--prefix", "24,129"], ["--prefix", "x"],
                                  ["--prefix", "24;64"], ["--groups", "0"]])
def test_bad_grouping_is_a_usage_error(args):
    done = tool.run(None, "handshakes", *args)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and args[0] in done.stderr


def test_report_at_the_end(pair):
    with tool.Background(pair.near, "handshakes", "-i", pair.near_if, "--color", "never") as report:
        wait_attached(report.pid)
        refused(pair.near, NETS[4].far, PORT)
        with Connection(pair.near, pair.far, NETS[4].far, PORT):
            pass
        assert report.stop() == 0
        text = report.read()
    head, histogram, table = text.split("\n\n")[:3]
    assert "client: completed 1" in head and "failed 1" in head and "refused 1" in head
    assert histogram.split()[:5] == ["latency", "client", "client", "network", "client"]
    assert f"{NETS[4].far}:{PORT}" in table and "10.9.0.0/24" in table


@pytest.mark.parametrize("taps", [["to-left"], ["to-left", "to-right"]])
def test_forwarded(taps):
    """What passes through is told once, however many interfaces see it, and has no part in this host."""
    with removing(Router()) as router, \
            Handshakes(router.router, *(arg for tap in taps for arg in ("-i", tap))) as there:
        for _ in range(COUNT):
            refused(router.left, "10.2.0.2", PORT)
            with Connection(router.left, router.right, "10.2.0.2", PORT):
                pass
        row = there.wait("forward", completed=COUNT, failed=COUNT, refused=COUNT)
        assert there.sum("client", "completed") == there.sum("server", "completed") == 0
    assert (row["server_addr"], row["server_port"], row["client_network"]) == ("10.2.0.2", PORT, "10.1.0.0/24")
    assert row["network_max_seconds"] == row["total_max_seconds"] and row["host_max_seconds"] is None


def test_both_ends_by_namespace(pair):
    with Handshakes(pair.near, "-N", pair.near.name, "-N", pair.far.name, "-i", pair.near_if, "-i", pair.far_if) as all_:
        for _ in range(COUNT):
            with Connection(pair.near, pair.far, NETS[4].far, PORT):
                pass
        rows = [all_.wait(side, completed=COUNT) for side in ("client", "server")]
    assert [row["netns"] for row in rows] == [pair.near.name, pair.far.name]
    assert all_.kernel["active_opens"] == all_.kernel["passive_opens"] == COUNT


def test_on_the_screen(pair):
    with Screen(pair.near, 170, 30, "handshakes", "-i", pair.near_if, "--watch", "-d", "0.2") as screen:
        screen.wait("client: completed 0")
        with Connection(pair.near, pair.far, NETS[4].far, PORT):
            pass
        refused(pair.near, NETS[4].far, PORT)
        screen.wait(rf"^client +{NETS[4].far}:{PORT} +10\.9\.0\.0/24 +1 +1 .* refused 1")
        screen.keys("q")
        screen.wait("ended: 0")
