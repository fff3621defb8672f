"""
The header in front of each datagram that a SOCKS 5 server relays, either way (RFC
1928 section 7).

One datagram in, one value out: whether the sender may send is somebody else's
question, and so is whether the destination is allowed, which has to be asked anew
for every datagram.  Left out: fragments, which a server need not know.
"""

from __future__ import annotations

from typing import NamedTuple

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.wire.socks.message import BAD_MESSAGE, destinationOf, fieldEnd, formatField

__all__ = ["Datagram", "formatDatagram", "parseDatagram"]


class Datagram(NamedTuple):
    """
    What a datagram says behind its header, and whereto.

    @ivar destination: where it is to go; in one that comes from a server, where
        it came from.
    @ivar payload: what is to be sent, perhaps nothing.
    """

    destination: Destination
    payload: bytes


def parseDatagram(octets: bytes) -> Datagram | Refusal:
    """
    Read a datagram:

     - RSV, 2 octets, not looked at;
     - FRAG, 1 octet: 0, for a datagram that stands alone;
     - the address field: see L{fieldEnd};
     - DATA, the rest.

    @return: the datagram; or why it is to be dropped.  No answer is due for it.
    """
    if len(octets) > 2 and octets[2]:
        return Refusal(BAD_MESSAGE, f"the datagram is a fragment, {octets[2]:#04x}; send it in one piece")
    end = fieldEnd(octets, 3)
    if isinstance(end, Refusal):
        return end
    if end is None or len(octets) < end:
        return Refusal(BAD_MESSAGE, f"the datagram has {len(octets)} octets, and its header more")
    destination = destinationOf(octets[3:end])
    return destination if isinstance(destination, Refusal) else Datagram(destination, octets[end:])


def formatDatagram(host: str, port: int, payload: bytes) -> bytes:
    """
    Write a datagram; L{parseDatagram} reads it back.

    @param host: from where it came, an address; or where it is to go.
    @param port: 0 to 65535.
    @raise ValueError: as L{formatField}.
    """
    return b"\x00\x00\x00%b%b" % (formatField(host, port), payload)
