# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""nginx and wrk as real traffic: a set number of connections, one request each, and what both say of it."""
import contextlib
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lib.wait import wait_for

PORT = 8088
BODY_BYTES = 1234
ALL_WITHIN_SECONDS = 40

NGINX_CONF = """
daemon off;
master_process off;
error_log {dir}/error.log;
pid {dir}/nginx.pid;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
    log_format exact '$status $bytes_sent $request_length';
    access_log {dir}/access.log exact;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen {port} backlog=1024;
        listen [::]:{port} backlog=1024;
        root {dir}/www;
    }}
}}
"""

# wrk opens one connection at the start to see whether the server is there. With one at a time it opens the next
# as soon as it has the last response, so it ends with one that carries nothing.
IDLE_CONNECTIONS = 2
WRK_LUA = """
local left = {responses}
function response() left = left - 1; if left == 0 then wrk.thread:stop() end end
function done(summary)
    local e = summary.errors
    print("DONE", summary.requests, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout)
end
"""


class Nginx:
    """nginx in a namespace with a directory of its own, serving BODY_BYTES at /."""

    def __init__(self, ns):
        self.ns = ns
        self.dir = Path(tempfile.mkdtemp(prefix="twe2e-nginx-"))
        self.dir.chmod(0o755)
        (self.dir / "www").mkdir()
        (self.dir / "www/index.html").write_text("x" * BODY_BYTES)
        (self.dir / "nginx.conf").write_text(NGINX_CONF.format(dir=self.dir, port=PORT))
        self.process = ns.popen(["nginx", "-p", self.dir, "-c", self.dir / "nginx.conf"],
                                stderr=subprocess.DEVNULL)
        wait_for(lambda: f":{PORT}" in ns.run("ss", "-tlnH"), "nginx to listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir)

    def requests(self):
        return (self.dir / "access.log").read_bytes().count(b"\n")

    def log(self):
        """(status, bytes sent, bytes of the request) of each request."""
        return [tuple(map(int, line.split())) for line in (self.dir / "access.log").read_text().splitlines()]


@dataclass
class Load:
    """What the kernel at the server's end says, and wrk."""
    connections: int
    requests: int
    bytes: int
    errors: int


class Wrk:
    """One wrk with one connection at a time, of which script counts the number."""

    def __init__(self, ns, host, script):
        self.process = ns.popen(["wrk", "-t1", "-c1", f"-d{ALL_WITHIN_SECONDS}", "--timeout", "20",
                                 "-H", "Connection: close", "-s", script, f"http://{host}:{PORT}/"],
                                stdout=subprocess.PIPE, text=True)

    def finish(self):
        """Its last connection has been idle; it closes now."""
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=10)
        words = next(line for line in output.splitlines() if line.startswith("DONE")).split()
        return list(map(int, words[1:]))


@contextlib.contextmanager
def churn(ns, nginx, host):
    """Connections to nginx from ns, each closed, as fast as they will go."""
    script = nginx.dir / "count.lua"
    script.write_text(WRK_LUA.format(responses=1 << 30))
    before = nginx.requests()
    runner = Wrk(ns, host, script)
    wait_for(lambda: nginx.requests() > before, "a request")
    try:
        yield
    finally:
        runner.finish()


def passive_opens(ns):
    return int(ns.run("nstat", "-asz", "TcpPassiveOpens").split()[-2])


def load(ns, nginx, host, connections, at_once=4):
    """Exactly so many connections to nginx from ns, each closed; what was said of them."""
    responses = connections // at_once - IDLE_CONNECTIONS
    script = nginx.dir / "count.lua"
    script.write_text(WRK_LUA.format(responses=responses))
    before = passive_opens(nginx.ns)
    runners = [Wrk(ns, host, script) for _ in range(at_once)]
    wait_for(lambda: nginx.requests() >= responses * at_once, "all requests", ALL_WITHIN_SECONDS)
    said = [runner.finish() for runner in runners]
    return Load(passive_opens(nginx.ns) - before, *(sum(column) for column in zip(*said)))
