# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ordinary sockets in namespaces: listeners, connections, many of them, and a probe that shows a watcher is on."""
import contextlib
import socket
import struct

from lib.netns import NETS

PROBE_PORT = 9  # discard: nobody listens there
CONNECT_SECONDS = 10


def _family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listen(ns, host, port, backlog=128, dual_stack=False):
    with ns.entered():
        sock = socket.socket(_family(host), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not dual_stack))
    sock.bind((host, port))
    sock.listen(backlog)
    sock.settimeout(CONNECT_SECONDS)
    return sock


def connect(ns, host, port, local=None):
    """local: the address and port to connect from."""
    with ns.entered():
        sock = socket.socket(_family(host), socket.SOCK_STREAM)
    sock.settimeout(CONNECT_SECONDS)
    if local:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(local)
    sock.connect((host, port))
    return sock


class Connection:
    """A connection between two namespaces: client and server are its two sockets."""

    def __init__(self, client_ns, server_ns, host, port, **listen_options):
        listener = listen(server_ns, host, port, **listen_options)
        self.client = connect(client_ns, host, port)
        self.server, _ = listener.accept()
        listener.close()
        self.client_key = key_of(self.client)
        self.server_key = (*self.client_key[2:], *self.client_key[:2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.server.close()

    def send(self, data, to_server=True):
        """Until the other end has read it all."""
        source, sink = (self.client, self.server) if to_server else (self.server, self.client)
        source.sendall(data)
        left = len(data)
        while left:
            left -= len(sink.recv(left))

    def finish(self):
        """The client closes first, then the server."""
        self.client.shutdown(socket.SHUT_WR)
        assert self.server.recv(1) == b""
        self.server.close()
        assert self.client.recv(1) == b""
        self.client.close()


def key_of(sock):
    return (*sock.getsockname()[:2], *sock.getpeername()[:2])


def reset_on_close(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def refused(ns, host, port):
    """Connect where nobody listens; the key of the attempt."""
    with ns.entered():
        sock = socket.socket(_family(host), socket.SOCK_STREAM)
    with sock:
        sock.settimeout(CONNECT_SECONDS)
        sock.bind(("::" if sock.family == socket.AF_INET6 else "0.0.0.0", 0))
        local_port = sock.getsockname()[1]
        error = sock.connect_ex((host, port))
        assert error, "someone listens there"
    return local_port


def probe(pair, views):
    """
    What to give to Events.wait_ready(): each end connects to a closed port of the other's, which each of the views
    must tell of. Before 6.10 the kernel's tracepoint is silent of the RST that refuses: only who connects can tell.
    """
    def seen_by(view):
        return lambda e: PROBE_PORT in (e["local_port"], e["remote_port"]) and e["view"] in (view, "both")

    def poke():
        refused(pair.near, NETS[4].far, PROBE_PORT)
        refused(pair.far, NETS[4].near, PROBE_PORT)
        return [seen_by(view) for view in views]

    return poke


@contextlib.contextmanager
def many_connections(ns, count, host="127.0.0.1", port=8000):
    """
    count connections within ns over its loopback, 2 * count + 1 sockets. They wait in the accept queue for ever,
    where they need no descriptor.
    """
    ns.sysctl("core/somaxconn", count)
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen(ns, host, port, backlog=count))
        with ns.entered():
            for _ in range(count):
                stack.enter_context(socket.create_connection((host, port)))
        yield
