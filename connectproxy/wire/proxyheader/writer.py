"""
Writes headers: for an origin or a next hop that wants to know the client.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from connectproxy.address import canonical
from connectproxy.wire.proxyheader.header import (
    BLOCKS,
    FIXED,
    MOST_BEHIND,
    SIGNATURE,
    TRANSPORTS,
    SocketAddress,
    Transport,
)
from connectproxy.wire.proxyheader.tlv import TLVs, TLVType, crc32c, formatTLVs, understood

__all__ = ["formatBlock", "formatLine"]

_MAPPED = bytes(10) + b"\xff\xff"
"""::ffff:0:0/96, for an IPv4 address beside one of IPv6 (RFC 4291 section 2.5.5.2)."""


def formatLine(source: SocketAddress | None = None, destination: SocketAddress | None = None) -> bytes:
    """
    Write a header of version 1, for TCP.

    An IPv4 address beside one of IPv6 is written as an IPv4-mapped one, and no
    address with its zone, of which nobody else knows.

    @param source: the client, or L{None}; without both ends the line is C{UNKNOWN}.
        Some receivers refuse that: where the sender speaks for itself, section 2.1
        advises to give it the addresses of its own connection.
    @param destination: what the client has connected to, or L{None}.
    @raise ValueError: a port is out of range, which is our own bug.
    """
    if source is None or destination is None:
        return b"PROXY UNKNOWN\r\n"
    family, ips = _packed(source, destination)
    texts = [str(IPv4Address(ip)) if family == 1 else _text(ip) for ip in ips]
    return (
        f"PROXY TCP{4 if family == 1 else 6} {' '.join(texts)} {source.port} {destination.port}\r\n".encode()
    )


def formatBlock(
    source: SocketAddress | None = None,
    destination: SocketAddress | None = None,
    transport: Transport = Transport.TCP,
    tlvs: TLVs = (),
    checksum: bool = False,
) -> bytes:
    """
    Write a header of version 2, with the addresses as L{formatLine} has them.

    @param source: the client, or L{None}; without both ends the command is C{LOCAL},
        which every receiver has to accept.
    @param destination: what the client has connected to, or L{None}.
    @param transport: C{TCP} or C{UDP}; of no account for C{LOCAL}.
    @param tlvs: what else to say.  Nothing with C{LOCAL}, and no checksum.
    @param checksum: whether to add one.
    @raise ValueError: our reader would not read it so, which is our own bug.
    """
    if source is None or destination is None:
        if tlvs or checksum:
            raise ValueError("a LOCAL header has no TLVs and no checksum: receivers discard them")
        return SIGNATURE + b"\x20\0\0\0"
    if transport not in (Transport.TCP, Transport.UDP):
        raise ValueError(f"the transport is {transport}; give TCP or UDP")
    if any(kind == TLVType.CRC32C for kind, _ in tlvs):
        raise ValueError("the checksum is among the TLVs; ask for one by the parameter of its own")
    if isinstance(wrong := understood(tlvs), str):
        raise ValueError(wrong)
    family, ips = _packed(source, destination)
    behind = BLOCKS[family].pack(*ips, source.port, destination.port)
    at = FIXED + len(behind) + 3
    behind += formatTLVs(((TLVType.CRC32C, bytes(4)), *tlvs) if checksum else tlvs)
    if len(behind) > MOST_BEHIND:
        raise ValueError(f"the TLVs are too many: {len(behind)} octets where {MOST_BEHIND} are the limit")
    octets = (
        SIGNATURE
        + struct.pack("!BBH", 0x21, family << 4 | TRANSPORTS[family].index(transport), len(behind))
        + behind
    )
    return octets[:at] + crc32c(octets).to_bytes(4) + octets[at + 4 :] if checksum else octets


def _packed(source: SocketAddress, destination: SocketAddress) -> tuple[int, list[bytes]]:
    """The address family that has room for both ends, and their addresses in it."""
    for port in (source.port, destination.port):
        if not 0 <= port <= 65535:
            raise ValueError(f"the port {port} is out of range; give 0 to 65535")
    ips = [canonical(source.ip), canonical(destination.ip)]
    if all(ip.version == 4 for ip in ips):
        return 1, [ip.packed for ip in ips]
    return 2, [ip.packed if ip.version == 6 else _MAPPED + ip.packed for ip in ips]


def _text(packed: bytes) -> str:
    """An IPv6 address with hexadecimal groups only, which C{str} gives or not, by the version of Python."""
    if packed.startswith(_MAPPED):
        return f"::ffff:{int.from_bytes(packed[12:14]):x}:{int.from_bytes(packed[14:]):x}"
    return str(IPv6Address(packed))
