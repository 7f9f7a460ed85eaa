# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch export` where the file cannot be written, where it is killed, and asked by HTTP in the wrong way."""
import contextlib
import os
import random
import signal
import socket
import stat
import subprocess

import pytest

from lib import metrics, tool
from lib.metrics import PORT, Export, of_file, promtool_check, request
from lib.netns import NETS, Namespace, removing
from lib.wait import wait_for

INTERVAL = "0.1"
KILLS = 100
OLD = "tcpwatch_old 1\n"


@pytest.fixture(scope="module")
def ns():
    with removing(Namespace("export")) as the_ns:
        yield the_ns


def export(ns, path, *args):
    return Export(ns, "--view", "socket", "--textfile", str(path), "--interval", INTERVAL, *args)


def once(ns, path):
    return tool.run(ns, "export", "--view", "socket", "--textfile", str(path), "--once")


@contextlib.contextmanager
def mounted(path, options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@contextlib.contextmanager
def read_only(path):
    with mounted(path, "mode=755"):
        (path / "tcpwatch.prom").write_text(OLD)
        subprocess.run(["mount", "-o", "remount,ro", path], check=True)
        yield path / "tcpwatch.prom"


def fill(directory):
    """Not one byte more fits."""
    with open(directory / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)


@contextlib.contextmanager
def full(path):
    with mounted(path, "mode=755,size=64k"):
        (path / "tcpwatch.prom").write_text(OLD)
        fill(path)
        yield path / "tcpwatch.prom"


@contextlib.contextmanager
def symlink(path):
    (path / "real").write_text(OLD)
    (path / "tcpwatch.prom").symlink_to(path / "real")
    yield path / "tcpwatch.prom"


FAULTS = {"read-only": (read_only, "Read-only"), "full": (full, "No space"), "symlink": (symlink, "symbolic link")}


@pytest.mark.parametrize("fault", FAULTS)
def test_old_file_stays(ns, tmp_path, fault):
    make, says = FAULTS[fault]
    with make(tmp_path) as path:
        done = once(ns, path)
        assert done.returncode == 1 and path.read_text() == OLD
        assert str(path) in done.stderr and says in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("path, says", [("none/tcpwatch.prom", "No such file"), (".", "directory"),
                                        ("file/tcpwatch.prom", "Not a directory")])
def test_nowhere_to_write(ns, tmp_path, path, says):
    (tmp_path / "file").write_text(OLD)
    done = once(ns, tmp_path / path)
    assert done.returncode == 1 and path in done.stderr and says in done.stderr


def test_device_is_not_replaced(ns):
    assert once(ns, "/dev/null").returncode == 1
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_next_interval_tries_again_and_counts(ns, tmp_path):
    directory = tmp_path / "later"
    path = directory / "tcpwatch.prom"
    with export(ns, path) as exporter:
        wait_for(lambda: str(path) in exporter.stderr(), "the error")
        directory.mkdir()
        exporter.wait_file(path)
        first = of_file(path).get("write_errors_total")
        assert first >= 1
        wait_for(lambda: "written again" in exporter.stderr(), "it to say so")
        said = [line for line in exporter.stderr().splitlines() if str(path) in line]
        assert len(said) == 2 and "written again" in said[1], said  # not a line for each interval
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert exporter.stop(signal.SIGTERM) == 0
    assert of_file(path).get("write_errors_total") == first


def test_disk_that_is_full_for_a_while(ns, tmp_path):
    with mounted(tmp_path, "mode=755,size=128k"):
        path = tmp_path / "tcpwatch.prom"
        with export(ns, path) as exporter:
            exporter.wait_file(path)
            fill(tmp_path)
            wait_for(lambda: "No space" in exporter.stderr(), "the error")
            promtool_check(path.read_text())
            (tmp_path / "ballast").unlink()
            wait_for(lambda: of_file(path).get("write_errors_total"), "the next file")
        assert not [name for name in os.listdir(tmp_path) if name != "tcpwatch.prom"]


def test_killed_a_hundred_times(ns, tmp_path):
    """Whenever it is killed, there is a whole file, and at most one other."""
    path = tmp_path / "tcpwatch.prom"
    dice = random.Random(1)
    once(ns, path)
    for _ in range(KILLS // 20):
        with contextlib.ExitStack() as stack:
            running = [stack.enter_context(Export(ns, "--view", "socket", "--textfile", str(path), "--interval",
                                                  "0.01")) for _ in range(20)]
            before = path.stat().st_mtime_ns
            wait_for(lambda: path.stat().st_mtime_ns != before, "someone to write", 20)
            for exporter in dice.sample(running, len(running)):
                os.kill(exporter.pid, signal.SIGKILL)
                assert of_file(path).get("build_info", version=tool.run(None, "--version").stdout.split()[1]) == 1
    assert set(os.listdir(tmp_path)) <= {"tcpwatch.prom", ".tcpwatch.prom.tmp"}
    assert once(ns, path).returncode == 0
    assert os.listdir(tmp_path) == ["tcpwatch.prom"]


def test_reader_never_sees_a_part(ns, tmp_path):
    """Two write as fast as they may while it is read."""
    path = tmp_path / "tcpwatch.prom"
    with export(ns, path) as one, export(ns, path) as other:
        one.wait_file(path)
        seen = set()

        def read():
            text = path.read_text()
            assert text.startswith("# HELP") and text.endswith("\n") and "tcpwatch_write_errors_total" in text
            seen.add(path.stat().st_mtime_ns)
            return len(seen) > 20

        wait_for(read, "twenty files", 20)
        one.assert_running()
        other.assert_running()


def test_no_sample_has_a_time(ns, tmp_path):
    """Prometheus refuses those of the past, which a clock that was set back would make."""
    path = tmp_path / "tcpwatch.prom"
    assert once(ns, path).returncode == 0
    samples = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert samples and not [line for line in samples if len(line.split(" ")) != 2]


def test_stdout_to_a_reader_that_goes_away(ns):
    done = tool.run_argv(["sh", "-c", f"{tool.BINARY} export --view socket --stdout --interval 0.1 | head -1"], ns)
    assert done.stdout.startswith("# HELP") and not done.stderr


@pytest.mark.parametrize("args, says", [
    ([], "nowhere to write"), (["--once", "--listen", "9817"], "--listen"), (["--once", "--stdout", "--interval", "1"], "--interval"),
    (["--once", "--stdout", "-i", "lo"], "-i"), (["--listen", "0"], "--listen"), (["--listen", "host:80"], "--listen"),
    (["--listen", "127.0.0.1:70000"], "--listen"), (["--listen", "[::1:80"], "--listen"),
    (["--stdout", "--interval", "soon"], "--interval")])
def test_usage(ns, args, says):
    done = tool.run(ns, "export", *args)
    assert done.returncode == 2 and says in done.stderr, done.stderr


# ---- HTTP --------------------------------------------------------------------------------------


@pytest.fixture
def served(ns):
    with Export(ns, "--view", "socket", "--listen", str(PORT)) as exporter:
        def is_up():
            exporter.assert_running()
            return f":{PORT}" in ns.run("ss", "-tlnH") and request(ns)[0] == 200

        wait_for(is_up, lambda: exporter.stderr(), 10)
        yield exporter


def test_scrape(ns, served):
    status, headers, text = request(ns)
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    promtool_check(text)
    assert metrics.Metrics(text).sum("sessions", state="listening") == 1
    assert metrics.Metrics(text).sum("handshakes_total", side="server") >= 1


@pytest.mark.parametrize("method, path, status", [
    ("HEAD", "/metrics", 200), ("GET", "/", 404), ("GET", "/metrics/..", 404), ("GET", "/metrics?a=b", 200),
    ("POST", "/metrics", 405), ("DELETE", "/metrics", 405), ("GET", "/" + "x" * 20000, 200)])
def test_requests(ns, served, method, path, status):
    found, _, body = request(ns, method, path)
    assert found == status or (len(path) > 1000 and found in (404, 414))
    assert not (method == "HEAD" and body)
    served.assert_running()


def test_listens_on_loopback_alone(ns, served):
    line, = [line for line in ns.run("ss", "-tlnH").splitlines() if f":{PORT}" in line]
    assert f"127.0.0.1:{PORT}" in line


def test_who_says_nothing_does_not_stop_others(ns, served):
    """More than there may be: they are cut off before a scrape is given up."""
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            with ns.entered():
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", PORT)))
            sock.sendall(b"GET /metr")
        assert request(ns)[0] == 200


def test_garbage(ns, served):
    for data in (b"\0" * 100, b"GET\r\n\r\n", b"\x16\x03\x01" + bytes(200), b"A" * 100000):
        with ns.entered():
            sock = socket.create_connection(("127.0.0.1", PORT))
        with sock, contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
    assert request(ns)[0] == 200


def test_taken_port_is_named(ns, served):
    done = tool.run(ns, "export", "--view", "socket", "--listen", str(PORT))
    assert done.returncode == 1 and str(PORT) in done.stderr and "in use" in done.stderr


def test_other_addresses_are_warned_of(pair):
    with Export(pair.near, "--view", "socket", "--listen", f"[{NETS[6].near}]:{PORT}") as exporter:
        wait_for(lambda: f":{PORT}" in pair.near.run("ss", "-tlnH"), lambda: exporter.stderr(), 10)
        assert wait_for(lambda: request(pair.far, host=NETS[6].near)[0] == 200, "an answer")
        assert "can read" in exporter.stderr()
