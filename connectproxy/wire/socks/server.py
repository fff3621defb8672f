"""
The server's side of SOCKS: reads what clients send, and writes what they are told.

A client of SOCKS 5 sends a greeting, perhaps credentials, and a request; one of
SOCKS 4 sends a request only.  Each has a reader, whose C{leftover} goes to the
next one: clients may send everything at once, with what is meant for the
destination behind it.

After a refusal the client is told, where it is at a point to be told anything,
and the connection closed: within ten seconds (RFC 1928 section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import NamedTuple

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.wire.socks.message import (
    BAD_COMMAND,
    NO_METHOD,
    Address,
    Command,
    Reader,
    addressOf,
    destinationOf,
    fieldEnd,
    formatField,
    ipv4Field,
    nameField,
    shown,
)

__all__ = [
    "Associate",
    "Bind",
    "Connect",
    "Credentials",
    "CredentialsReader",
    "GreetingReader",
    "Request",
    "RequestReader4",
    "RequestReader5",
    "chooseMethod",
    "formatMethod",
    "formatReply4",
    "formatReply5",
    "formatStatus",
]

_COMMANDS5 = {int(command): command.words for command in Command}
_COMMANDS4 = {number: words for number, words in _COMMANDS5.items() if number != Command.ASSOCIATE}
"""What the requests of each version may ask for."""

_LONGEST_STRING = 255
"""Octets of a SOCKS 4 user id or name, without the NUL: SOCKS 5 has no longer ones either."""


class GreetingReader(Reader[bytes]):
    """
    Reads how a client of SOCKS 5 can prove who it is (RFC 1928 section 3):

     - VER, 1 octet: 5;
     - NMETHODS, 1 octet: 1 to 255;
     - METHODS, as many octets, one for each method.

    The message is METHODS, in the client's order; repetitions and unknown ones stay.
    """

    __slots__ = ()
    longest = 2 + 255
    what = "the SOCKS 5 greeting"

    def _parse(self, octets: bytes) -> tuple[bytes, int] | Refusal | None:
        if octets[0] != 5:
            return self._wrongStart(octets[0], 5)
        if len(octets) < 2:
            return None
        end = 2 + octets[1]
        if end == 2:
            return self._refuse("the SOCKS 5 greeting offers no method; there have to be 1 to 255")
        return (octets[2:end], end) if len(octets) >= end else None


def chooseMethod(offered: bytes, accepted: Iterable[int]) -> int | Refusal:
    """
    Choose one of the methods that a client offers.

    @param offered: what L{GreetingReader} read.
    @param accepted: what the server takes, the best first: its order decides.
    @return: a method; or a refusal, which the client is told as
        L{connectproxy.wire.socks.message.Method.UNACCEPTABLE}.
    """
    accepted = tuple(accepted)
    for method in accepted:
        if method in offered:
            return method
    few = ", ".join(f"{method:#04x}" for method in offered[:8]) + (", ..." if len(offered) > 8 else "")
    wanted = " or ".join(f"{method:#04x}" for method in accepted) or "nothing"
    return Refusal(NO_METHOD, f"the client offers the SOCKS 5 methods {few}; {wanted} is accepted")


def formatMethod(method: int) -> bytes:
    """
    Write the answer to a greeting (RFC 1928 section 3):

     - VER, 1 octet: 5;
     - METHOD, 1 octet.

    @param method: one that was offered; or
        L{connectproxy.wire.socks.message.Method.UNACCEPTABLE}, and the connection is
        to be closed.
    """
    return b"\x05%c" % method


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    A username and a password, which does not show in a traceback or a log.

    @ivar username: 1 to 255 octets of UTF-8, not escaped.
    @ivar password: likewise.
    """

    username: str
    password: str = field(repr=False)


class CredentialsReader(Reader[Credentials]):
    """
    Reads a username and a password (RFC 1929 section 2):

     - VER, 1 octet: 1, the version of this negotiation;
     - ULEN, 1 octet: 1 to 255;
     - UNAME, as many octets;
     - PLEN, 1 octet: 1 to 255;
     - PASSWD, as many octets.

    The RFC names no encoding; here it is UTF-8, as in RFC 7617 section 2.1, and
    what is not is refused: nobody has such a password.
    """

    __slots__ = ()
    longest = 1 + 2 * (1 + 255)
    what = "the username and password request"

    def _parse(self, octets: bytes) -> tuple[Credentials, int] | Refusal | None:
        if octets[0] != 1:
            return self._wrongStart(octets[0], 1)
        strings = []
        end = 1
        for name in ("username", "password"):
            if len(octets) <= end:
                return None
            start, end = end + 1, end + 1 + octets[end]
            if start == end:
                return self._refuse(f"the {name} is empty; it has to have 1 to 255 octets")
            if len(octets) < end:
                return None
            try:
                strings.append(octets[start:end].decode("utf-8"))
            except UnicodeDecodeError:
                return self._refuse(f"the {name} is not in UTF-8")
        return Credentials(*strings), end


def formatStatus(accepted: bool) -> bytes:
    """
    Write the answer to credentials (RFC 1929 section 2):

     - VER, 1 octet: 1;
     - STATUS, 1 octet: 0 for success; then anything else, and the connection is
       to be closed.
    """
    return b"\x01\x00" if accepted else b"\x01\x01"


class Connect(NamedTuple):
    """
    A request for a tunnel.

    @ivar destination: where to.
    @ivar user: the user id of SOCKS 4, which is a claim and proves nothing, not
        escaped; empty in SOCKS 5.
    """

    destination: Destination
    user: bytes = b""


class Bind(NamedTuple):
    """
    A request for one connection the other way.

    @ivar address: who is expected to connect.
    @ivar user: as in L{Connect}.
    """

    address: Address
    user: bytes = b""


class Associate(NamedTuple):
    """
    A request for datagrams to be relayed.

    @ivar address: from where the client says that it will send; the host may be
        0.0.0.0 or ::, and the port 0, for what it does not know.  It is a claim.
    """

    address: Address


Request = Connect | Bind | Associate


class _RequestReader(Reader[Request]):
    """
    What the two request readers share.
    """

    __slots__ = ("_command", "_field")

    def __init__(self) -> None:
        Reader.__init__(self)
        self._command = ""
        self._field = b""

    @property
    def soFar(self) -> tuple[str, str]:
        """
        The command and the target as far as they have come whole, for an event:
        fit for a log, and without what looks like a password.
        """
        return self._command, shown(self._field) if self._field else ""

    def _begin(self, octet: int, known: Mapping[int, str]) -> Refusal | None:
        """Take the octet with the command."""
        command = known.get(octet)
        if command is not None:
            self._command = command
            return None
        self._command = f"{octet:#04x}"
        names = ", ".join(f"{number:#04x} ({words})" for number, words in known.items())
        return Refusal(BAD_COMMAND, f"the command is {octet:#04x}; there are {names}")

    def _finish(self, command: int, field: bytes, user: bytes = b"") -> Request | Refusal:
        """Take the whole address field, and the user id."""
        self._field = field
        if command == Command.CONNECT:
            destination = destinationOf(field)
            return destination if isinstance(destination, Refusal) else Connect(destination, user)
        address = addressOf(field)
        if command == Command.ASSOCIATE and isinstance(address, Refusal):
            # The host is a claim that nobody believes, and PySocks writes the name "0".
            return Associate(Address("0.0.0.0", int.from_bytes(field[-2:], "big")))
        if isinstance(address, Refusal):
            return address
        return Bind(address, user) if command == Command.BIND else Associate(address)


class RequestReader5(_RequestReader):
    """
    Reads a request of SOCKS 5 (RFC 1928 section 4):

     - VER, 1 octet: 5;
     - CMD, 1 octet: 1 CONNECT, 2 BIND, 3 UDP ASSOCIATE;
     - RSV, 1 octet, not looked at;
     - the address field: see L{fieldEnd}.

    A name is read as L{destinationOf} says.  Port 0 is refused for a CONNECT.
    """

    __slots__ = ()
    longest = 3 + 1 + 1 + 255 + 2
    what = "the SOCKS 5 request"

    def _parse(self, octets: bytes) -> tuple[Request, int] | Refusal | None:
        if octets[0] != 5:
            return self._wrongStart(octets[0], 5)
        if len(octets) < 2:
            return None
        refusal = self._begin(octets[1], _COMMANDS5)
        if refusal is not None:
            return refusal
        end = fieldEnd(octets, 3)
        if end is None or isinstance(end, Refusal):
            return end
        if len(octets) < end:
            return None
        request = self._finish(octets[1], octets[3:end])
        return request if isinstance(request, Refusal) else (request, end)


class RequestReader4(_RequestReader):
    """
    Reads a request of SOCKS 4 or 4a:

     - VN, 1 octet: 4;
     - CD, 1 octet: 1 CONNECT, 2 BIND;
     - DSTPORT, 2 octets;
     - DSTIP, 4 octets of IPv4;
     - USERID, any octets but NUL, here at most 255, and a NUL;
     - in 4a, which is where DSTIP is 0.0.0.x and x is not 0: a name, likewise.

    A name is read as L{destinationOf} says.  Port 0 is refused for a CONNECT.
    """

    __slots__ = ()
    longest = 8 + 2 * (_LONGEST_STRING + 1)
    what = "the SOCKS 4 request"

    def _parse(self, octets: bytes) -> tuple[Request, int] | Refusal | None:
        if octets[0] != 4:
            return self._wrongStart(octets[0], 4)
        if len(octets) < 2:
            return None
        refusal = self._begin(octets[1], _COMMANDS4)
        if refusal is not None:
            return refusal
        user = self._string(octets, 8, "user id")
        if not isinstance(user, bytes):
            return user
        end = 8 + len(user) + 1
        port, ip = octets[2:4], octets[4:8]
        if ip[:3] == b"\0\0\0" and ip[3]:
            name = self._string(octets, end, "name")
            if not isinstance(name, bytes):
                return name
            end += len(name) + 1
            field = nameField(name, port)
        else:
            field = ipv4Field(ip, port)
        request = self._finish(octets[1], field, user)
        return request if isinstance(request, Refusal) else (request, end)

    def _string(self, octets: bytes, start: int, name: str) -> bytes | Refusal | None:
        """Find what ends with a NUL."""
        end = octets.find(b"\0", start, start + _LONGEST_STRING + 1)
        if end >= 0:
            return octets[start:end]
        if len(octets) <= start + _LONGEST_STRING:
            return None
        return self._refuse(f"the {name} is longer than {_LONGEST_STRING} octets")


def formatReply5(refusal: Refusal | None = None, host: str = "0.0.0.0", port: int = 0) -> bytes:
    """
    Write the answer to a request of SOCKS 5 (RFC 1928 section 6):

     - VER, 1 octet: 5;
     - REP, 1 octet: 0 for success, else the number in the refusal's row;
     - RSV, 1 octet: 0;
     - BND.ADDR and BND.PORT, an address field: see L{fieldEnd}.

    @param host: the address to send to, which a UDP ASSOCIATE needs.  For a CONNECT
        it is the proxy's end of the connection; that is nobody's business, and no
        client is known to ask, hence the default.
    @param port: the port, 0 to 65535.
    @raise ValueError: as L{formatField}.
    """
    return b"\x05%c\x00%b" % (0 if refusal is None else refusal.row.socks5, formatField(host, port))


def formatReply4(refusal: Refusal | None = None, host: str = "0.0.0.0", port: int = 0) -> bytes:
    """
    Write the answer to a request of SOCKS 4:

     - VN, 1 octet: 0;
     - CD, 1 octet: 90 for success, else the number in the refusal's row;
     - DSTPORT, 2 octets;
     - DSTIP, 4 octets of IPv4.

    @param host: an IPv4 address; see L{formatReply5}.
    @param port: the port, 0 to 65535.
    @raise ValueError: the host is no IPv4 address, or the port is out of range;
        that is our own bug.
    """
    ip = IPv4Address(host).packed
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is out of range; there are 0 to 65535")
    return b"\x00%c%b%b" % (90 if refusal is None else refusal.row.socks4, port.to_bytes(2, "big"), ip)
