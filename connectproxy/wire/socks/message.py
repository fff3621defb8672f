"""
What the messages of SOCKS have in common.

Owns the way to read one in pieces, the numbers of methods and commands, and the
address field (RFC 1928 sections 4 and 5), which requests, replies and datagrams
share.  It knows no message.  What a name may look like is
L{connectproxy.address}'s to say.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import ClassVar, Generic, NamedTuple, TypeVar

from connectproxy.address import Destination, canonical, parseHost
from connectproxy.errors import Refusal
from connectproxy.wire.http1 import escape

__all__ = [
    "BAD_ADDRESS_TYPE",
    "BAD_COMMAND",
    "BAD_MESSAGE",
    "NEXT_HOP",
    "NO_METHOD",
    "Address",
    "Command",
    "Method",
    "Reader",
    "addressOf",
    "destinationOf",
    "fieldEnd",
    "formatField",
    "ipv4Field",
    "nameField",
    "shown",
    "told",
]

# The row of connectproxy.errors.KINDS for each fault that only SOCKS has.
BAD_MESSAGE = "socks_request_error"  # what is no message, or lies about its lengths
BAD_COMMAND = "socks_command_not_supported"
BAD_ADDRESS_TYPE = "socks_address_type_not_supported"
NO_METHOD = "proxy_authentication_required"  # none of the methods offered is enough
NEXT_HOP = "next_hop_protocol_error"  # the next hop speaks nonsense

_STRANGERS = {0x04: "SOCKS 4", 0x05: "SOCKS 5", 0x16: "a TLS handshake"}
"""What else may begin a connection to a SOCKS port; a letter is HTTP's."""

_CACHED = 1024
"""How many destinations to remember, and how many fields: with the longest names 2 MiB in all."""

_IPV4, _NAME, _IPV6 = 1, 3, 4
"""RFC 1928 section 4: the values of ATYP."""

_FIXED = {_IPV4: 4, _IPV6: 16}


class Method(IntEnum):
    """
    How a client of SOCKS 5 may prove who it is, as RFC 1928 section 3 numbers it.
    """

    NOTHING = 0x00
    GSSAPI = 0x01
    PASSWORD = 0x02
    UNACCEPTABLE = 0xFF


class Command(IntEnum):
    """
    What a client may ask for, as RFC 1928 section 4 numbers it; SOCKS 4 has the
    first two.
    """

    CONNECT = 1
    BIND = 2
    ASSOCIATE = 3

    @property
    def words(self) -> str:
        """The RFC's name of it, for events."""
        return "UDP ASSOCIATE" if self is Command.ASSOCIATE else self.name


class Address(NamedTuple):
    """
    An address that is told and nowhere to go to: that of a client's end, or of a
    server's.

    @ivar host: as in L{Destination}.  What a next hop told may be a name that is
        none: escaped, it is fit for a log and for nothing else.
    @ivar port: 0 to 65535; 0 says that it is not known or not told.
    """

    host: str
    port: int


T = TypeVar("T")


class Reader(Generic[T]):
    """
    Reads one message, in whatever pieces it comes.

    The verdict depends on the octets alone, not on how they were cut: what is
    wrong first is refused first, and as soon as it has come.  No more is held
    than the longest message has.

    @cvar longest: octets of the longest message; with these there is a verdict.
    @cvar what: the message's name.
    @cvar kind: the kind of refusal for what is none.
    @ivar leftover: what came behind the message; empty until there is one, and
        after a refusal.
    """

    __slots__ = ("_held", "_over", "leftover")

    longest: ClassVar[int]
    what: ClassVar[str]
    kind: ClassVar[str] = BAD_MESSAGE

    def __init__(self) -> None:
        self._held = self.leftover = b""
        self._over = False

    @property
    def started(self) -> bool:
        """Whether any octet has come."""
        return self._over or bool(self._held)

    def receive(self, octets: bytes) -> T | Refusal | None:
        """
        Take what has come.

        @return: the message, once it is complete; a refusal, as soon as it can't
            be one; L{None} while more is needed.
        @raise RuntimeError: there has been a message or a refusal before.
        """
        if self._over:
            raise RuntimeError("this reader has given its verdict; make another for the next message")
        held = self._held
        if not held and not octets:
            return None
        room = self.longest - len(held)
        taken = held + octets[:room] if held else octets
        found = self._parse(taken)
        if found is None:
            self._held = taken
            return None
        self._held, self._over = b"", True
        if isinstance(found, Refusal):
            return found
        message, end = found
        self.leftover = taken[end:] + octets[room:] if held else taken[end:]
        return message

    def ended(self) -> Refusal:
        """
        What to say when the connection has ended, and the message has not.
        """
        count = len(self._held)
        return self._refuse(f"the connection ended after {count} octet{'s'[count == 1 :]} of {self.what}")

    def _parse(self, octets: bytes) -> tuple[T, int] | Refusal | None:
        """
        Find the message at the beginning of some octets, at least one.

        More octets must not change what is found: neither the message nor the
        refusal.

        @return: the message and its length; what is wrong; L{None} if there is
            too little yet.
        """
        raise NotImplementedError

    def _refuse(self, detail: str) -> Refusal:
        return Refusal(self.kind, detail)

    def _wrongStart(self, octet: int, right: int) -> Refusal:
        """Say that the first octet is not the one that it has to be."""
        other = "HTTP" if chr(octet).isascii() and chr(octet).isalpha() else _STRANGERS.get(octet)
        like = f", which looks like {other}" if other else ""
        return self._refuse(f"{self.what} begins with {octet:#04x}{like}; it has to begin with {right:#04x}")


def fieldEnd(octets: bytes, start: int) -> int | Refusal | None:
    """
    Find where an address field ends.  It consists of:

     - ATYP, 1 octet: 1, 3 or 4;
     - the address: 4 octets of IPv4; or 1 octet with the length of a name, 0 to
       255, and the name; or 16 octets of IPv6;
     - the port, 2 octets.

    @param start: where ATYP is.
    @return: the index behind the field, which may be beyond the octets; L{None}
        if it can't be known yet; a refusal for an ATYP that nobody knows.
    """
    size = len(octets) - start
    if size < 1:
        return None
    type_ = octets[start]
    if type_ == _NAME:
        return start + 2 + octets[start + 1] + 2 if size > 1 else None
    if type_ in _FIXED:
        return start + 1 + _FIXED[type_] + 2
    detail = f"the address type is {type_:#04x}; there are 0x01 for IPv4, 0x03 for a name and 0x04 for IPv6"
    return Refusal(BAD_ADDRESS_TYPE, detail)


def nameField(name: bytes, port: bytes) -> bytes:
    """Make an address field of a name of at most 255 octets and two octets of port."""
    return b"%c%c%b%b" % (_NAME, len(name), name, port)


def ipv4Field(ip: bytes, port: bytes) -> bytes:
    """Make an address field of four octets of IPv4 address and two octets of port."""
    return b"%c%b%b" % (_IPV4, ip, port)


def _split(field: bytes) -> tuple[str, int]:
    """The host of an address field, as it came, and the port."""
    port = int.from_bytes(field[-2:], "big")
    if field[0] == _NAME:
        return field[2:-2].decode("latin-1"), port
    return str(canonical(ip_address(field[1:-2]))), port


def _parseHost(text: str, port: int) -> Destination | Refusal:
    """
    As L{parseHost}, and IPv6 without brackets is right as well.

    Where a name has a field of its own there is no colon to confuse it with, and
    there are clients that send it so: Chromium in SOCKS 5, curl in SOCKS 4a.
    """
    if ":" in text and "[" not in text:
        found = parseHost(f"[{text}]", port)
        if isinstance(found, Destination):
            return found
    found = parseHost(text, port)
    return found._replace(kind=BAD_MESSAGE) if isinstance(found, Refusal) else found


@lru_cache(_CACHED)
def destinationOf(field: bytes) -> Destination | Refusal:
    """
    Read a whole address field that says where to go to.

    A name is held to the same rules as that of a CONNECT (L{parseHost}): no
    percent-encoding, and what looks like a number is an IPv4 address in full or
    refused.  An address in the place of a name is that address, IPv6 with or
    without brackets.
    """
    return _parseHost(*_split(field))


def addressOf(field: bytes) -> Address | Refusal:
    """
    As L{destinationOf}, of a client's own address: the port may be 0.
    """
    text, port = _split(field)
    found = _parseHost(text, port or 1)
    return Address(found.host, port) if isinstance(found, Destination) else found


def told(field: bytes) -> Address:
    """
    Read a whole address field that is only to be shown: whatever is in it will do.
    """
    text, port = _split(field)
    return Address(escape(text.encode("latin-1"), 255), port)


def shown(field: bytes) -> str:
    """
    An address field as it came, for an event: escaped, and without what looks
    like userinfo, a query or a fragment, which can be secrets.
    """
    text, port = _split(field)
    _, userinfo, rest = text.rpartition("@")
    rest, fragment, _ = rest.partition("#")
    plain, query, _ = rest.partition("?")
    host = ("...@" if userinfo else "") + escape(plain.encode("latin-1"), 255)
    host += ("?..." if query else "") + ("#..." if fragment else "")
    return f"[{host}]:{port}" if ":" in host and "[" not in host else f"{host}:{port}"


@lru_cache(_CACHED)
def formatField(host: str, port: int) -> bytes:
    """
    Make an address field.

    @param host: as in L{Destination}: an address is sent as one, IPv4-mapped IPv6
        as IPv4; anything else is sent as a name.
    @param port: 0 to 65535.
    @raise ValueError: the host is no name of 1 to 255 octets in ASCII, or the port
        is out of range; that is our own bug.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is out of range; there are 0 to 65535")
    octets = port.to_bytes(2, "big")
    try:
        ip = canonical(ip_address(host))
    except ValueError:
        if not host.isascii() or not 1 <= len(host) <= 255:
            raise ValueError(f"{host!a} is no name of 1 to 255 octets in ASCII") from None
        return nameField(host.encode("ascii"), octets)
    return ipv4Field(ip.packed, octets) if ip.version == 4 else b"%c%b%b" % (_IPV6, ip.packed, octets)
