"""
The PROXY protocol: the header in which a load balancer names its client.

  - L{connectproxy.wire.proxyheader.header} is what a header says;
  - L{connectproxy.wire.proxyheader.tlv} is what may stand behind its addresses;
  - L{connectproxy.wire.proxyheader.reader} reads it, in whatever pieces it comes;
  - L{connectproxy.wire.proxyheader.writer} writes it.

Implements both formats of HAProxy's C{proxy-protocol.txt} (edition of 2020/03/05),
the line of version 1 (section 2.1) and the block of version 2 (section 2.2).  It
knows octets only: whether a sender may say such things, and how long that may take,
is the listener's to know.  Nothing here finds out by itself whether a header has been
sent, for then anybody could send one (section 5).

Left out: the paths of Unix sockets, and what most TLVs mean.
"""

from __future__ import annotations

from connectproxy.wire.proxyheader.header import (
    MOST_BEHIND,
    MOST_LINE,
    SIGNATURE,
    ProxyHeader,
    SocketAddress,
    Transport,
)
from connectproxy.wire.proxyheader.reader import HeaderReader
from connectproxy.wire.proxyheader.tlv import MOST_UNIQUE_ID, ClientTLS, TLVs, TLVType, crc32c
from connectproxy.wire.proxyheader.writer import formatBlock, formatLine

__all__ = [
    "MOST_BEHIND",
    "MOST_LINE",
    "MOST_UNIQUE_ID",
    "SIGNATURE",
    "ClientTLS",
    "HeaderReader",
    "ProxyHeader",
    "SocketAddress",
    "TLVType",
    "TLVs",
    "Transport",
    "crc32c",
    "formatBlock",
    "formatLine",
]
