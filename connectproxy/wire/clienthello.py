"""
The server name that a client of TLS asks for: what its first flight says to everybody
who can read along.

Owns the records (RFC 8446 section 5.1, without protection), the ClientHello (section
4.1.2, and RFC 5246 section 7.4.1.2, which is the same) as far as its extensions, and of
these the server_name (RFC 6066 section 3).  It knows no transport and keeps no octets
for anybody else.

With Encrypted ClientHello (RFC 9849) the name is the outer one, of whoever the client
hides behind: the inner name is not to be had.  Left out: the ClientHello that a client
sends again after a HelloRetryRequest, which must name the same (RFC 8446 section 4.1.2);
and that of SSL 2, which has no name.
"""

from __future__ import annotations

from enum import Enum

from connectproxy.address import parseHost
from connectproxy.errors import Refusal

__all__ = ["DENIED", "MOST", "Found", "HelloReader"]

DENIED = bytes((21, 3, 3, 0, 2, 2, 49))
"""
A fatal alert, access_denied (RFC 8446 section 6.2), in a record of its own: what a client
that has sent a ClientHello can be told in clear.
"""

MOST = 17 * 1024
"""
Octets of a first flight that are looked at, with the headers of its records.  Nobody's
ClientHello is longer than one record of 16 KiB; those of browsers have 2 KiB.
"""

_HANDSHAKE = 0x16
_RECORDS = range(0x14, 0x19)
_VERSIONS = 0x10
"""
The types of records there are, and below which all versions begin.  There are servers that
pass over alerts in front of a ClientHello, and over its record's version: Go's do with all
that are below this.
"""
_RECORD = 1 << 14
_HEADER = 5

_CLIENT_HELLO = 1
_SERVER_NAME = 0
_HOST_NAME = 0

_LONGEST = MOST - _HEADER
"""Octets of a ClientHello that fits in."""


class Found(Enum):
    """
    What a connection begins with.
    """

    NAME = "a ClientHello with a name"
    NO_NAME = "a ClientHello without a name"
    WRONG_NAME = "a ClientHello with what is not the name of a host"
    BROKEN = "something like TLS that does not begin with a ClientHello, or with one longer than it may be"
    OTHER = "something else than TLS"


class HelloReader:
    """
    Reads a client's first flight, in whatever pieces it comes.

    The verdict depends on the octets alone, not on how they were cut: what is wrong
    first decides.  What comes behind the ClientHello is not looked at.

    @ivar name: the name, as L{connectproxy.address.Destination.host} has it; empty
        unless L{Found.NAME} has been found.
    """

    __slots__ = ("_header", "_left", "_message", "_room", "name")

    def __init__(self) -> None:
        self.name = ""
        self._room = MOST
        self._header = b""
        self._left = 0
        self._message = bytearray()

    def receive(self, octets: bytes) -> Found | None:
        """
        Take what has come.

        @return: what it is, as soon as that is clear; L{None} while more is needed.
            After a verdict this is not to be called again.
        """
        octets = octets[: self._room]
        self._room -= len(octets)
        at = 0
        while at < len(octets):
            if self._left:
                piece = octets[at : at + self._left]
                self._left -= len(piece)
                self._message += piece
                found = self._judge()
            else:
                piece = octets[at : at + _HEADER - len(self._header)]
                self._header += piece
                found = self._open()
            at += len(piece)
            if found is not None:
                return found
        return None if self._room else Found.BROKEN

    def _open(self) -> Found | None:
        """
        Look at the header of a record, as far as it has come:

         - the type, 1 octet: 22 for a handshake;
         - the version, 2 octets: 3, and one that means nothing;
         - the length, 2 octets: 1 to 16384.

        What another reader could take for a record is one that is broken.
        """
        header = self._header
        if self._message:
            if header[0] != _HANDSHAKE or header[1:2] not in (b"", b"\x03"):
                return Found.BROKEN
        elif header[0] not in _RECORDS:
            return Found.OTHER
        elif len(header) > 1 and (header[0] != _HANDSHAKE or header[1] != 3):
            return Found.BROKEN if header[1] < _VERSIONS else Found.OTHER
        if len(header) == _HEADER:
            self._left = int.from_bytes(header[3:])
            self._header = b""
            if not 1 <= self._left <= _RECORD:
                return Found.BROKEN
        return None

    def _judge(self) -> Found | None:
        """
        Look at the handshake message, as far as it has come:

         - the type, 1 octet: 1 for a ClientHello;
         - the length, 3 octets;
         - the ClientHello.
        """
        message = self._message
        if message[0] != _CLIENT_HELLO:
            return Found.BROKEN
        if len(message) < 4:
            return None
        end = 4 + int.from_bytes(message[1:4])
        if end > _LONGEST:
            return Found.BROKEN
        if len(message) < end:
            return None
        found = _read(bytes(message[4:end]))
        if isinstance(found, Found):
            return found
        destination = parseHost(found.decode("latin-1"), 443)
        if isinstance(destination, Refusal):
            return Found.WRONG_NAME
        if destination.ip is not None:  # which RFC 6066 section 3 forbids, and some send
            return Found.NO_NAME
        self.name = destination.host
        return Found.NAME


def _behind(octets: bytes, at: int, width: int) -> int:
    """
    Where a vector ends: some octets with its length, and as many as that says.  Beyond
    the end of all octets, if it is cut short.
    """
    start = at + width
    return start + int.from_bytes(octets[at:start])


def _read(hello: bytes) -> bytes | Found:
    """
    Find the name in a whole ClientHello:

     - the version, 2 octets, and the random number, 32 octets;
     - the session identifier: 1 octet with its length, 0 to 32 octets;
     - the cipher suites: 2 octets with their length, and two for each, one at least;
     - the compression methods: 1 octet with their number, one at least;
     - the extensions: 2 octets with their length, and as many; or none at all.
    """
    size = len(hello)
    session = _behind(hello, 34, 1)
    ciphers = _behind(hello, session, 2)
    methods = _behind(hello, ciphers, 1)
    if methods > size or session - 35 > 32 or methods - ciphers < 2:
        return Found.BROKEN
    if ciphers - session < 4 or (ciphers - session) % 2:
        return Found.BROKEN
    if methods == size:
        return Found.NO_NAME
    if _behind(hello, methods, 2) != size:
        return Found.BROKEN
    return _readExtensions(hello[methods + 2 :])


def _readExtensions(octets: bytes) -> bytes | Found:
    """
    Find the name in the extensions: each has a type with 2 octets and a length with 2.  No
    type may come twice (RFC 8446 section 4.2): of two names another reader could see the
    other one.
    """
    size, at = len(octets), 0
    seen: set[bytes] = set()
    found: bytes | Found = Found.NO_NAME
    while at < size:
        kind, end = octets[at : at + 2], _behind(octets, at + 2, 2)
        if end > size or kind in seen:
            return Found.BROKEN
        seen.add(kind)
        if int.from_bytes(kind) == _SERVER_NAME:
            found = _readNames(octets[at + 4 : end])
            if found is Found.BROKEN:
                break
        at = end
    return found


def _readNames(octets: bytes) -> bytes | Found:
    """
    Find the name in a server_name: 2 octets with the length of a list, which is not empty, of

     - the type, 1 octet: 0 for the name of a host, which may come once;
     - the name: 2 octets with its length, one octet at least.

    Other types have never been registered; they would have a length likewise.
    """
    size, at = len(octets), 2
    found: bytes | Found = Found.NO_NAME
    if _behind(octets, 0, 2) != size or size == 2:
        return Found.BROKEN
    while at < size:
        end = _behind(octets, at + 1, 2)
        if end > size or end == at + 3:
            return Found.BROKEN
        if octets[at] == _HOST_NAME:
            if isinstance(found, bytes):
                return Found.BROKEN
            found = octets[at + 3 : end]
        at = end
    return found
