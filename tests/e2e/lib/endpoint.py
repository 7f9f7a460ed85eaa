# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One way to write an address, a port and a row, so that rows of `ss` and of tcpwatch can be compared."""
import ipaddress
from typing import NamedTuple

ANY = "*"


class Row(NamedTuple):
    """A socket as `ss -tan` tells it."""
    state: str
    local_addr: str
    local_port: int
    remote_addr: str
    remote_port: int

    @property
    def key(self):
        return self[1:]


def address(text):
    """Canonical: no zone, no brackets, IPv4-mapped as IPv4, and every wildcard the same."""
    if text in (None, "", ANY):
        return ANY
    ip = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    if ip.version == 6 and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ANY if ip.is_unspecified else str(ip)


def port(value):
    return 0 if value in (None, ANY) else int(value)


def pair(text):
    """host:port as ss writes it."""
    host, _, number = text.rpartition(":")
    return address(host.partition("%")[0].strip("[]")), port(number)
