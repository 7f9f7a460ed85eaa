# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A pair with a listener at the near end and a hand-made peer at the far end, for each family."""
import socket

from lib.netns import NETS, Pair
from lib.peer import RawPeer
from lib.scenes import LISTEN_PORT, Session

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
BACKLOG = 128


class Stage(Pair):
    """Where scenes are played. Sessions stay as they were left until the stage is removed."""

    def __init__(self):
        super().__init__()
        self.sessions = []
        self.peers = {family: RawPeer(self, family) for family in NETS}
        self.listeners = {family: self._listen(family) for family in NETS}

    def socket(self, family):
        with self.near.entered():
            return socket.socket(FAMILIES[family], socket.SOCK_STREAM)

    def _listen(self, family):
        sock = self.socket(family)
        if family == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((NETS[family].near, LISTEN_PORT))
        sock.listen(BACKLOG)
        sock.settimeout(5)
        return sock

    def play(self, scene, family=4, opens="active"):
        """The session that scene leads to."""
        session = Session(self, family, opens)
        self.sessions.append(session)
        scene(session)
        return session

    def remove(self):
        for thing in (*self.sessions, *self.listeners.values(), *(p.sock for p in self.peers.values())):
            thing.close()
        super().remove()
