# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A TCP endpoint made by hand at the ghost address of a pair: it answers only what a test tells it to, so that
the kernel at the near end can be held in any state. Sequence numbers are kept here; rules are not.
"""
import collections
import itertools
import random
import select
import socket
import time

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from lib.netns import FAR_MAC, NEAR_MAC, NETS
from lib.wait import Timeout, deadline_in

ETHERTYPES = {4: 0x0800, 6: 0x86DD}
BACKLOG = 2000
_ports = itertools.count(20000)


class RawPeer:
    """The ghost of one family: sends frames from the far end and takes in what is sent to it."""

    def __init__(self, pair, family=4):
        self.net = NETS[family]
        with pair.far.entered():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.bind((pair.far_if, ETHERTYPES[family]))
        self.waiting = collections.deque(maxlen=BACKLOG)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, tcp):
        ip = (IP if self.net.family == 4 else IPv6)(src=self.net.ghost, dst=self.net.near)
        self.sock.send(bytes(Ether(src=FAR_MAC, dst=NEAR_MAC) / ip / tcp))

    def _read(self, deadline):
        ready, _, _ = select.select([self.sock], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        frame = Ether(self.sock.recv(65535))
        if TCP in frame:
            self.waiting.append(frame)
        return True

    def take(self, matches, what, seconds=5.0):
        """The first frame not yet taken whose TCP segment matches, as (segment, payload length)."""
        deadline = deadline_in(seconds)
        seen = 0
        while True:
            for frame in itertools.islice(self.waiting, seen, None):
                if matches(frame[TCP]):
                    self.waiting.remove(frame)
                    return frame[TCP], _payload_len(frame)
            seen = len(self.waiting)
            if not self._read(deadline):
                raise Timeout(f"the kernel did not send {what}")


def _payload_len(frame):
    """By the IP header's length: a short frame is padded."""
    header = frame[TCP].dataofs * 4
    if IP in frame:
        return frame[IP].len - frame[IP].ihl * 4 - header
    return frame[IPv6].plen - header


class RawConnection:
    """One connection of a RawPeer. seq is the next number it sends, ack the next one it expects."""

    def __init__(self, peer, near_port=None, port=None):
        self.peer = peer
        self.port = port or next(_ports)
        self.near_port = near_port
        self.isn = random.getrandbits(32)
        self.seq, self.ack = self.isn, 0

    @property
    def key(self):
        """(local, port, remote, port) as the near end's kernel sees it."""
        return (self.peer.net.near, self.near_port, self.peer.net.ghost, self.port)

    def send(self, flags, data=b"", seq=None, ack=None, options=()):
        tcp = TCP(sport=self.port, dport=self.near_port, flags=flags, window=65535,
                  seq=self.seq if seq is None else seq, options=list(options),
                  ack=(self.ack if ack is None else ack) if "A" in flags else 0)
        self.peer.send(tcp / data if data else tcp)
        if seq is None:
            self.seq = (self.seq + len(data) + ("S" in flags) + ("F" in flags)) & 0xFFFFFFFF

    def expect(self, flags, seconds=5.0):
        """Wait for the near kernel to send a segment with at least these flags; RST and SYN only if asked for."""
        def matches(tcp):
            if tcp.dport != self.port or (self.near_port and tcp.sport != self.near_port):
                return False
            sent = set(str(tcp.flags))
            return set(flags) <= sent and not sent & set("SR") - set(flags)

        tcp, length = self.peer.take(matches, f"{flags} to port {self.port}", seconds)
        self.near_port = tcp.sport
        sent = set(str(tcp.flags))
        self.ack = (tcp.seq + length + ("S" in sent) + ("F" in sent)) & 0xFFFFFFFF
        return tcp
