"""
What a header says, as a value, and the layouts that both ways share.
"""

from __future__ import annotations

import struct
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from connectproxy.wire.proxyheader.tlv import ClientTLS, TLVs, valueOf

__all__ = [
    "BLOCKS",
    "FIXED",
    "MOST_BEHIND",
    "MOST_LINE",
    "SIGNATURE",
    "TRANSPORTS",
    "ProxyHeader",
    "SocketAddress",
    "Transport",
]

MOST_LINE = 107
"""How many octets a line of version 1 has at most, its CRLF included (section 2.1)."""

MOST_BEHIND = 4096
"""
How many octets may follow the first sixteen of version 2.  The length field goes to
65535; section 2 wants 536 for the whole, which TLVs about certificates can exceed.
"""

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""How version 2 begins (section 2.2)."""

FIXED = len(SIGNATURE) + 4
"""The octets of version 2 up to the length, which counts those that follow."""

BLOCKS = {1: struct.Struct("!4s4sHH"), 2: struct.Struct("!16s16sHH"), 3: struct.Struct("!108s108s")}
"""The source's and the destination's address and, with IP, their ports, by the address family."""


class Transport(Enum):
    """
    What the client speaks to the sender.  The values are words for a log.
    """

    UNSPECIFIED = "unspecified"
    TCP = "tcp"
    UDP = "udp"
    UNIX_STREAM = "unix_stream"
    UNIX_DATAGRAM = "unix_datagram"


_IP = (Transport.UNSPECIFIED, Transport.TCP, Transport.UDP)
_UNIX = (Transport.UNSPECIFIED, Transport.UNIX_STREAM, Transport.UNIX_DATAGRAM)
TRANSPORTS = {1: _IP, 2: _IP, 3: _UNIX}
"""By the address family and the protocol."""


class SocketAddress(NamedTuple):
    """
    One end of the client's connection.

    @ivar ip: the address; from a reader never an IPv4-mapped one, but the IPv4 address.
    @ivar port: 0 to 65535.
    """

    ip: IPv4Address | IPv6Address
    port: int


class ProxyHeader(NamedTuple):
    """
    What a header says.

    @ivar version: 1 or 2.
    @ivar source: the client.  L{None} where the addresses of the socket hold: for
        C{LOCAL}, C{UNKNOWN}, an unspecified family or protocol, and Unix sockets.
    @ivar destination: what the client has connected to; L{None} together with C{source}.
    @ivar transport: what the client speaks.
    @ivar local: whether the sender speaks for itself, say to see whether we are
        alive (C{LOCAL}); version 1 can't say that.
    @ivar tlvs: all of them, those of unknown types included, but not C{NOOP} and the
        checksum, which are nobody's but the reader's.
    @ivar tls: what the TLV among them tells of the client's TLS; L{None} without one.
    """

    version: int
    source: SocketAddress | None = None
    destination: SocketAddress | None = None
    transport: Transport = Transport.UNSPECIFIED
    local: bool = False
    tlvs: TLVs = ()
    tls: ClientTLS | None = None

    def value(self, kind: int) -> bytes:
        """The value of the first TLV of a type; empty if there is none."""
        return valueOf(self.tlvs, kind)
