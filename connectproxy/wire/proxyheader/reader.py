"""
Reads the header at the beginning of a connection.

Headers in pieces are tolerated, as section 2 recommends.  For the rest this reader
is strict, since what it reads decides who a client is.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from connectproxy.address import canonical
from connectproxy.errors import Refusal
from connectproxy.wire.proxyheader.header import (
    BLOCKS,
    FIXED,
    MOST_BEHIND,
    MOST_LINE,
    SIGNATURE,
    TRANSPORTS,
    ProxyHeader,
    SocketAddress,
    Transport,
)
from connectproxy.wire.proxyheader.tlv import TLVType, parseTLVs, understood, wrongSum

__all__ = ["HeaderReader"]

_OPENINGS = {1: (b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN ", b"PROXY UNKNOWN\r\n"), 2: (SIGNATURE,)}
"""How the versions begin.  None of these begins another."""

# Of what may stand behind UNKNOWN, section 2.1 says: "the receiver must ignore anything presented
# before the CRLF is found".
_ENDS = {
    b"4 ": re.compile(rb"[^0-9. ]"),
    b"6 ": re.compile(rb"[^0-9A-Fa-f:. ]"),
    b"N ": re.compile(rb"[\r\n]"),
}
"""What ends the rest of a line, or has no place in it, by the end of its opening."""

_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")

_STRANGERS = {0x16: ", like a TLS handshake", 0x05: ", like SOCKS 5", 0x04: ", like SOCKS 4"}
_STRANGERS |= dict.fromkeys(range(ord("A"), ord("Z") + 1), ", like an HTTP request")
"""Who else begins with an octet."""

_Judged = tuple[ProxyHeader, int] | str | None
"""A header and where it ends, why there is none, or that it is too early to say."""


class HeaderReader:
    """
    Reads the header at the beginning of a connection, in whatever pieces it comes.

    The verdict depends on the octets alone, not on how they were cut, and comes
    with the first octet that settles it; but addresses and TLVs are not looked into
    before they are there whole, as section 2 demands.  No more is held than a header
    has at most.

    @ivar started: whether any octet has come.
    @ivar leftover: what came behind the header; empty until there is one, and
        after a refusal.
    """

    __slots__ = ("_done", "_held", "_versions", "leftover", "started")

    def __init__(self, versions: Collection[int]) -> None:
        """
        @param versions: those that are taken: 1, 2 or both.
        @raise ValueError: it is none or another.
        """
        if not versions or not set(versions) <= set(_OPENINGS):
            raise ValueError(f"{versions!r} are no versions of the PROXY protocol; give 1, 2 or both")
        self._versions = tuple(sorted(set(versions)))
        self._held = self.leftover = b""
        self._done = self.started = False

    def receive(self, octets: bytes) -> ProxyHeader | Refusal | None:
        """
        Take what has come.

        @return: the header, once it is complete; a refusal of kind
            C{proxy_header_error}, as soon as it can't be one; L{None} while more
            is needed.
        @raise RuntimeError: there has been a header or a refusal before.
        """
        if self._done:
            raise RuntimeError("this HeaderReader has given its verdict; a connection has one header")
        self.started = self.started or bool(octets)
        # So many octets bring a verdict whatever they are; hence none is lost by taking no more.
        room = FIXED + MOST_BEHIND - len(self._held)
        held = self._held + octets[:room]
        judged = _judge(held, self._versions)
        if judged is None:
            self._held = held
            return None
        self._done, self._held = True, b""
        if isinstance(judged, str):
            return Refusal("proxy_header_error", judged)
        header, end = judged
        self.leftover = held[end:] + octets[room:]
        return header


def _judge(held: bytes, versions: tuple[int, ...]) -> _Judged:
    """
    Read what is there.  Here and below, what is wrong first is refused first: the
    verdict must not depend on how much has come behind.
    """
    openings = [opening for version in versions for opening in _OPENINGS[version]]
    for opening in openings:
        if held.startswith(opening):
            return _judgeBlock(held) if opening is SIGNATURE else _judgeLine(held, opening)
    agreed = max(_agreed(held, opening) for opening in openings)
    if agreed == len(held):
        return None
    octet = f"octet {agreed + 1} is {held[agreed]:#04x}"
    if agreed >= len(b"PROXY ") and held[0] != SIGNATURE[0]:
        return f"{octet}; behind PROXY stands TCP4, TCP6 or UNKNOWN, with one space on either side"
    if agreed:
        return f"{octet}; this port expects a PROXY protocol header first, and none goes on so"
    other = 3 - versions[0]
    if len(versions) == 1 and held[0] == _OPENINGS[other][0][0]:
        return f"{octet}, as in version {other} of the PROXY protocol; this port takes version {versions[0]}"
    return f"{octet}{_STRANGERS.get(held[0], '')}; this port expects a PROXY protocol header first"


def _agreed(held: bytes, opening: bytes) -> int:
    """How many octets are the same, from the first on."""
    pairs = enumerate(zip(held, opening, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(held), len(opening)))


def _judgeLine(held: bytes, opening: bytes) -> _Judged:
    """
    Read a line of version 1.
    """
    start = len(opening)
    if opening.endswith(b"\n"):
        return ProxyHeader(1), start
    found = _ENDS[opening[-2:]].search(held, start, MOST_LINE - 1)
    if found is None:
        return None if len(held) < MOST_LINE - 1 else f"the line is longer than {MOST_LINE} octets"
    end = found.start()
    if held[end] != 0x0D:
        what = "a bare LF; the line ends with CRLF" if held[end] == 0x0A else f"{held[end]:#04x}"
        return f"octet {end + 1}, behind {opening[6:-1].decode()}, is {what}"
    if len(held) == end + 1:
        return None
    if held[end + 1] != 0x0A:
        return f"octet {end + 1} is a bare CR; the line ends with CRLF"
    if opening.endswith(b"N "):
        return ProxyHeader(1), end + 2
    family: type[IPv4Address | IPv6Address] = IPv4Address if opening.endswith(b"4 ") else IPv6Address
    pair = _parsePair(held[start:end].split(b" "), family)
    return pair if isinstance(pair, str) else (ProxyHeader(1, *pair, Transport.TCP), end + 2)


def _parsePair(
    parts: list[bytes], family: type[IPv4Address | IPv6Address]
) -> tuple[SocketAddress, SocketAddress] | str:
    """
    Read what a line has behind its opening, or say what is wrong with it.
    """
    if len(parts) != 4:
        return "there must be two addresses and two ports, with one space before each"
    ips: list[IPv4Address | IPv6Address] = []
    for name, part in zip(("source", "destination"), parts[:2], strict=True):
        try:
            # IPv6 that ends as IPv4 (RFC 4291 section 2.2) is more than section 2.1 has, and what
            # HAProxy writes for an IPv4 address beside one of IPv6.
            ips.append(canonical(family(part.decode())))
        except ValueError:
            form = "IPv4 without leading zeros" if family is IPv4Address else "IPv6"
            return f"the {name} address '{part.decode()}' is not {form}"
    for name, part in zip(("source", "destination"), parts[2:], strict=True):
        if _PORT.fullmatch(part) is None or int(part) > 65535:
            return f"the {name} port '{part.decode()}' is not 0 to 65535 without leading zeros"
    return SocketAddress(ips[0], int(parts[2])), SocketAddress(ips[1], int(parts[3]))


def _judgeBlock(held: bytes) -> _Judged:
    """
    Read a block of version 2.

     - the signature: 12 octets
     - the version, 2, and the command, 0 for LOCAL or 1 for PROXY: 4 bits each
     - the address family, 0 to 3, and the protocol, 0 to 2: 4 bits each
     - the length of what follows: 16 bits
     - addresses, as in L{BLOCKS}, and TLVs
    """
    size = len(held)
    if size < 13:
        return None
    local = held[12] == 0x20
    if not local and held[12] != 0x21:
        return f"octet 13 is {held[12]:#04x}; it must be 0x20 for LOCAL or 0x21 for PROXY"
    if size < 14:
        return None
    family, protocol = divmod(held[13], 16)
    if not local and (family > 3 or protocol > 2):
        return f"octet 14 is {held[13]:#04x}, which stands for no address family and protocol"
    if size < FIXED:
        return None
    length = int.from_bytes(held[14:FIXED])
    if length > MOST_BEHIND:
        return f"the header has {length} octets behind its length; {MOST_BEHIND} are the limit"
    # Without addresses nothing is read.  LOCAL's octets are to be discarded; and where an
    # unspecified address ends, so that TLVs could begin, can't be known.
    block = None if local or not (family and protocol) else BLOCKS[family]
    if block is not None and length < block.size:
        return f"the header has {length} octets behind its length; its addresses alone take {block.size}"
    end = FIXED + length
    if size < end:
        return None
    if block is None:
        return ProxyHeader(2, local=local), end
    tlvs = parseTLVs(held[:end], FIXED + block.size, "")
    if isinstance(tlvs, str):
        return tlvs
    tls = understood(tlvs)
    if isinstance(tls, str):
        return tls
    if wrong := wrongSum(held[:end], tlvs):
        return wrong
    kept = tuple(each for each in tlvs if each[0] not in (TLVType.CRC32C, TLVType.NOOP))
    header = ProxyHeader(2, transport=TRANSPORTS[family][protocol], tlvs=kept, tls=tls)
    if family == 3:
        return header, end
    source, destination, *ports = block.unpack_from(held, FIXED)
    ips = [canonical(IPv4Address(ip) if family == 1 else IPv6Address(ip)) for ip in (source, destination)]
    ends = [SocketAddress(ip, port) for ip, port in zip(ips, ports, strict=True)]
    return header._replace(source=ends[0], destination=ends[1]), end
