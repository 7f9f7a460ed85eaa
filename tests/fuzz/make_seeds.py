#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Make the seeds of fuzz_wire from the captures: run once, the result is committed."""
import pathlib
import struct

from scapy.all import Dot1AD, Dot1Q, Ether, IP, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, TCP, rdpcap

HERE = pathlib.Path(__file__).parent
OUT = HERE / "seeds" / "fuzz_wire"
FRAMES = 24


def pack(frames):
    return b"".join(struct.pack("<H", min(len(f), 0x3FFF)) + f[:0x3FFF] for f in frames)


def session(link):
    """A handshake, payload and close of both sides behind the headers of `link`."""
    back, forth = {"sport": 80, "dport": 5000}, {"sport": 5000, "dport": 80}
    steps = [(forth, "S", 100, 0), (back, "SA", 900, 101), (forth, "A", 101, 901), (forth, "PA", 101, 901),
             (back, "FA", 901, 105), (forth, "FA", 105, 902), (back, "A", 902, 106), (forth, "R", 106, 0)]
    return [bytes(link / TCP(**ports, flags=flags, seq=seq, ack=ack, options=[("MSS", 1460)]) /
                  (b"data" if flags == "PA" else b"")) for ports, flags, seq, ack in steps]


LINKS = {
    "vlan": Ether() / Dot1Q(vlan=5) / IP(src="10.0.0.1", dst="10.0.0.1"),
    "qinq": Ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / IP(src="10.0.0.1", dst="10.0.0.1"),
    "ipv6": Ether() / IPv6(src="fd00::1", dst="fd00::1"),
    "ipv6-ext": Ether() / IPv6(src="fd00::1", dst="fd00::1") / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(),
    "ip-options": Ether() / IP(src="10.0.0.1", dst="10.0.0.1", options=b"\x01\x01\x01\x00"),
}

if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for name, link in LINKS.items():
        (OUT / name).write_bytes(pack(session(link)))
    for pcap in sorted((HERE.parent / "captures").glob("*.pcap")):
        (OUT / pcap.stem).write_bytes(pack([bytes(p) for p in rdpcap(str(pcap), count=FRAMES)])[:16384])
