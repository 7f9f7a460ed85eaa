# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Network namespaces of a test's own, and veth pairs between two of them. Everything is removed on exit."""
import contextlib
import ctypes
import itertools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

CLONE_NEWNET = 0x40000000
NUD_PERMANENT = 0x80
IFA_F_NODAD = 0x02

_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count()


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A named network namespace. Sockets and processes made within entered() are in it and stay there."""

    def __init__(self, label, name=None):
        self.name = name or f"twe2e-{os.getpid()}-{next(_serial)}-{label}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.path = Path("/run/netns") / self.name
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.inum = os.fstat(self.fd).st_ino
        # New namespaces begin with the host's setting, which container runtimes change.
        self.sysctl("ipv4/ip_forward", 0)
        # Addresses usable at once, and no chatter of the kernel's own on the wire.
        for scope in ("all", "default"):
            self.sysctl(f"ipv6/conf/{scope}/accept_dad", 0)
            self.sysctl(f"ipv6/conf/{scope}/router_solicitations", 0)
        self.link_up("lo")

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace meanwhile."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _setns(self.fd)
        try:
            yield self
        finally:
            _setns(back)
            os.close(back)

    @contextlib.contextmanager
    def ipr(self):
        with self.entered(), IPRoute() as ipr:
            yield ipr

    def sysctl(self, key, value):
        with self.entered():
            Path("/proc/sys/net", key).write_text(f"{value}\n")

    def no_linear_timeouts(self):
        """A SYN is sent again after 1, 2, 4 ... seconds, as by any kernel before 6.5."""
        with contextlib.suppress(FileNotFoundError):
            self.sysctl("ipv4/tcp_syn_linear_timeouts", 0)

    def run(self, *argv, **options):
        with self.entered():
            return subprocess.run(argv, check=True, capture_output=True, text=True, **options).stdout

    def popen(self, argv, **options):
        with self.entered():
            return subprocess.Popen(argv, **options)

    def index(self, ifname):
        with self.ipr() as ipr:
            return ipr.link_lookup(ifname=ifname)[0]

    def link_up(self, ifname):
        self.link(ifname, state="up")

    def link(self, ifname, **changes):
        with self.ipr() as ipr:
            ipr.link("set", index=ipr.link_lookup(ifname=ifname)[0], **changes)

    def link_delete(self, ifname):
        with self.ipr() as ipr:
            ipr.link("del", index=ipr.link_lookup(ifname=ifname)[0])

    def addr(self, ifname, *addresses):
        with self.ipr() as ipr:
            for address in addresses:
                host, _, length = address.partition("/")
                # Else an address is tentative until the link has a carrier, and cannot be bound to.
                flags = {"flags": IFA_F_NODAD} if ":" in host else {}
                ipr.addr("add", index=ipr.link_lookup(ifname=ifname)[0], address=host,
                         prefixlen=int(length), **flags)

    def neighbour(self, ifname, address, lladdr):
        with self.ipr() as ipr:
            ipr.neigh("replace", dst=address, lladdr=lladdr, state=NUD_PERMANENT,
                      ifindex=ipr.link_lookup(ifname=ifname)[0])

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass(frozen=True)
class Net:
    """The addresses of one family on a pair. No kernel owns the ghost's: nothing answers for it but a test."""
    family: int
    near: str
    far: str
    ghost: str


NETS = {4: Net(4, "10.9.0.1", "10.9.0.2", "10.9.0.9"), 6: Net(6, "fd09::1", "fd09::2", "fd09::9")}
NEAR_MAC, FAR_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"


class Pair:
    """Two namespaces, near and far, joined by a veth: near_if in the one, far_if in the other."""

    near_if, far_if = "near0", "far0"

    def __init__(self):
        self.near, self.far = Namespace("near"), Namespace("far")
        with self.near.ipr() as ipr:
            ipr.link("add", ifname=self.near_if, kind="veth", address=NEAR_MAC,
                     peer={"ifname": self.far_if, "address": FAR_MAC, "net_ns_fd": self.far.fd})
        for ns, ifname, side in ((self.near, self.near_if, "near"), (self.far, self.far_if, "far")):
            ns.link_up(ifname)
            ns.addr(ifname, f"{getattr(NETS[4], side)}/24", f"{getattr(NETS[6], side)}/64")
        for net in NETS.values():
            self.near.neighbour(self.near_if, net.far, FAR_MAC)
            self.near.neighbour(self.near_if, net.ghost, FAR_MAC)
            self.far.neighbour(self.far_if, net.near, NEAR_MAC)

    def remove(self):
        self.near.remove()
        self.far.remove()


@contextlib.contextmanager
def removing(thing):
    """thing, removed at the end."""
    try:
        yield thing
    finally:
        thing.remove()
