# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
How to bring a connection between the near kernel and a hand-made peer into each state of RFC 9293, and what
`ss` and the wire then say of it. One table; whoever needs a state takes it from here.
"""
import socket
import struct
from dataclasses import dataclass
from typing import Callable, Optional

from lib.peer import RawConnection

LISTEN_PORT = 7000
GHOST_PORT = 7001


class Session:
    """A kernel socket at the near end (sock) and its hand-made peer (conn)."""

    def __init__(self, stage, family, opens):
        self.stage, self.family, self.opens = stage, family, opens
        self.peer = stage.peers[family]
        self.net = self.peer.net
        self.sock = None
        self.conn = None

    @property
    def key(self):
        return self.conn.key

    def close(self):
        if self.sock:
            self.sock.close()

    def connect(self):
        """SYN-SENT: the peer has the SYN and says nothing."""
        self.sock = self.stage.socket(self.family)
        self.sock.setblocking(False)
        self.conn = RawConnection(self.peer)
        self.sock.connect_ex((self.net.ghost, self.conn.port))
        self.conn.expect("S")

    def call(self):
        """SYN-RECV: the peer has the SYN-ACK and says nothing."""
        self.conn = RawConnection(self.peer, near_port=LISTEN_PORT, port=self.conn and self.conn.port)
        self.conn.send("S", options=[("MSS", 1400)])
        self.conn.expect("SA")

    def open(self):
        """ESTABLISHED, by the near end's connect() or by the peer's SYN."""
        if self.opens == "active":
            self.connect()
            self.conn.send("SA")
            self.conn.expect("A")
        else:
            self.call()
            self.conn.send("A")
            self.sock, _ = self.stage.listeners[self.family].accept()

    def shut(self):
        """The near end sends its FIN and stays open for reading."""
        self.sock.shutdown(socket.SHUT_WR)
        self.conn.expect("FA")

    def drop(self):
        """The near end closes for good: FIN, and no process holds the socket any more."""
        self.sock.close()
        self.conn.expect("FA")

    def abort(self):
        """The near end resets."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.conn.expect("R")

    def peer_acks(self):
        self.conn.send("A")

    def peer_fins(self, ack=None):
        self.conn.send("FA", ack=ack)
        self.conn.expect("A")

    def peer_resets(self):
        self.conn.send("RA")


def syn_sent(s):
    s.connect()


def syn_recv(s):
    s.call()


def syn_recv_again(s):
    """The near kernel has sent its SYN-ACK a second time."""
    s.call()
    s.conn.expect("SA")


def simultaneous_syn(s):
    """Both send a SYN: the near end answers the crossing one with a SYN-ACK."""
    s.connect()
    s.conn.send("S", ack=0)
    s.conn.expect("SA")


def simultaneous_open(s):
    simultaneous_syn(s)
    s.conn.send("SA", seq=s.conn.isn)
    s.conn.expect("A")


def established(s):
    s.open()


def fin_wait1(s):
    s.open()
    s.shut()


def fin_wait2(s):
    fin_wait1(s)
    s.peer_acks()


def half_closed_data(s):
    """The near end has closed its half; the peer goes on sending."""
    fin_wait2(s)
    s.conn.send("PA", b"still talking")
    s.conn.expect("A")


def fin_wait2_orphan(s):
    """Nobody holds the socket: the kernel keeps a minisock for it."""
    s.open()
    s.drop()
    s.peer_acks()


def close_wait(s):
    s.open()
    s.peer_fins()


def last_ack(s):
    close_wait(s)
    s.drop()


def closing(s):
    """The peer's FIN crosses ours: it acknowledges all but that."""
    s.open()
    before_fin = s.conn.ack
    s.shut()
    s.peer_fins(ack=before_fin)


def simultaneous_close(s):
    closing(s)
    s.peer_acks()


def time_wait(s):
    fin_wait2(s)
    s.peer_fins()


def time_wait_at_once(s):
    """FIN and ACK of our FIN in one segment: FIN-WAIT-1 to TIME-WAIT."""
    fin_wait1(s)
    s.peer_fins()


def close_from_established(s):
    s.peer_fins()
    s.drop()
    s.peer_acks()


def closed(s):
    s.open()
    close_from_established(s)


def reset_by_peer(s):
    s.open()
    s.peer_resets()


def reset_by_near(s):
    s.open()
    s.abort()


@dataclass(frozen=True)
class Scene:
    """play() brings a session there. ss: its state in `ss`, None: no such row. The rest is the wire's view."""
    play: Callable
    ss: Optional[str]
    state: str
    peer_state: Optional[str]
    conn_state: str
    history: str
    opens: str = "either"

    @property
    def name(self):
        return self.play.__name__


# On the wire a peer that has sent its FIN is in FIN-WAIT-2 until it has acknowledged ours.
# conn_state and the start of history depend on who opened: after a | as they are for the passive open.
SCENES = [
    Scene(syn_sent, "SYN-SENT", "SYN-SENT", None, "S0", "S", "active"),
    Scene(syn_recv, "SYN-RECV", "SYN-RECV", "SYN-SENT", "S1", "Sh", "passive"),
    Scene(syn_recv_again, "SYN-RECV", "SYN-RECV", "SYN-SENT", "S1", "Sh", "passive"),
    Scene(simultaneous_syn, "SYN-RECV", "SYN-RECV", "SYN-SENT", "S1", "Ss", "active"),
    Scene(simultaneous_open, "ESTAB", "ESTAB", "ESTAB", "S1", "Ss", "active"),
    Scene(established, "ESTAB", "ESTAB", "ESTAB", "S1", "ShA"),
    Scene(fin_wait1, "FIN-WAIT-1", "FIN-WAIT-1", "ESTAB", "S2|S3", "ShAF|ShAf"),
    Scene(fin_wait2, "FIN-WAIT-2", "FIN-WAIT-2", "CLOSE-WAIT", "S2|S3", "ShAFa|ShAf"),
    Scene(half_closed_data, "FIN-WAIT-2", "FIN-WAIT-2", "CLOSE-WAIT", "S2|S3", "ShAFad|ShAfD"),
    Scene(fin_wait2_orphan, "FIN-WAIT-2", "FIN-WAIT-2", "CLOSE-WAIT", "S2|S3", "ShAFa|ShAf"),
    Scene(close_wait, "CLOSE-WAIT", "CLOSE-WAIT", "FIN-WAIT-2", "S3|S2", "ShAf|ShAFa"),
    Scene(last_ack, "LAST-ACK", "LAST-ACK", "FIN-WAIT-2", "SF", "ShAfF|ShAFaf"),
    Scene(closing, "CLOSING", "CLOSING", "FIN-WAIT-2", "SF", "ShAFf|ShAfFa"),
    Scene(simultaneous_close, "TIME-WAIT", "TIME-WAIT", "TIME-WAIT", "SF", "ShAFfa|ShAfFa"),
    Scene(time_wait, "TIME-WAIT", "TIME-WAIT", "UNCONN", "SF", "ShAFaf|ShAfFa"),
    Scene(time_wait_at_once, "TIME-WAIT", "TIME-WAIT", "UNCONN", "SF", "ShAFf|ShAfFa"),
    Scene(closed, None, "UNCONN", "TIME-WAIT", "SF", "ShAfFa|ShAFaf"),
    Scene(reset_by_peer, None, "UNCONN", "UNCONN", "RSTR|RSTO", "ShAr|ShAR"),
    Scene(reset_by_near, None, "UNCONN", "UNCONN", "RSTO|RSTR", "ShAR|ShAr"),
]


def cases():
    """(scene, who opens) for each way a scene can come about."""
    for scene in SCENES:
        for opens in ("active", "passive"):
            if scene.opens in (opens, "either"):
                yield scene, opens


def of_opener(choices, opens):
    """The half of "active|passive" that applies."""
    first, _, second = choices.partition("|")
    return first if opens == "active" or not second else second
