"""
The client's side of SOCKS: writes what a next hop is asked, and reads what it says.

For each message there is a builder, and for each answer a reader.  A next hop may
send what comes from the destination right behind its reply: that is the reader's
C{leftover}, and belongs to the tunnel.

Here a refusal is about the next hop, or the next hop's own.  What a destination can cause,
by being closed or of the wrong family, is none of the hop's own failures.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, ip_address

from connectproxy.address import canonical
from connectproxy.errors import Refusal
from connectproxy.wire.socks.message import (
    NEXT_HOP,
    Address,
    Command,
    Method,
    Reader,
    fieldEnd,
    formatField,
    told,
)

__all__ = [
    "MethodReader",
    "ReplyReader",
    "ReplyReader4",
    "ReplyReader5",
    "StatusReader",
    "formatCredentials",
    "formatGreeting",
    "formatRequest4",
    "formatRequest5",
]

_FAILED = "next_hop_failed"
_STRANGER = "next_hop_authentication_failed"

_REPLIES5 = {
    1: (_FAILED, "general failure"),
    2: ("next_hop_denied", "not allowed by its rules"),
    3: ("destination_ip_unroutable", "network unreachable"),
    4: ("destination_unavailable", "host unreachable"),
    5: ("connection_refused", "connection refused"),
    6: ("next_hop_timeout", "TTL expired"),
    7: (NEXT_HOP, "command not supported"),
    8: (_FAILED, "address type not supported"),
}
"""RFC 1928 section 6: what a next hop's REP means, and what it is for our client."""

_REPLIES4 = {
    91: (_FAILED, "request rejected or failed"),
    92: (_STRANGER, "no identd to be reached on our side"),
    93: (_STRANGER, "identd has another user id"),
}
"""The same of SOCKS 4, where 91 has to do for nearly everything."""

_UNKNOWN = (_FAILED, "which nobody knows")

_MARKS = IPv4Network("0.0.0.0/24")
"""Addresses that SOCKS 4a takes for the sign of a name; the first one it does not."""


def formatGreeting(methods: Iterable[int]) -> bytes:
    """
    Write a greeting; the layout is that of L{connectproxy.wire.socks.server.GreetingReader}.

    @param methods: what to offer, 1 to 255 of them.
    @raise ValueError: there are none or too many; that is our own bug.
    """
    octets = bytes(methods)
    if not 1 <= len(octets) <= 255:
        raise ValueError(f"a greeting offers 1 to 255 methods, not {len(octets)}")
    return b"\x05%c%b" % (len(octets), octets)


def formatCredentials(username: str, password: str) -> bytes:
    """
    Write credentials; the layout is that of
    L{connectproxy.wire.socks.server.CredentialsReader}.

    @raise ValueError: one of them does not have 1 to 255 octets in UTF-8, which
        whoever read the configuration should have found.  Neither is shown.
    """
    message = b"\x01"
    for name, text in (("username", username), ("password", password)):
        try:
            octets = text.encode("utf-8")
        except UnicodeEncodeError:  # which holds the text
            raise ValueError(f"the {name} has no form in UTF-8") from None
        if not 1 <= len(octets) <= 255:
            raise ValueError(f"the {name} has {len(octets)} octets; SOCKS 5 wants 1 to 255")
        message += b"%c%b" % (len(octets), octets)
    return message


def formatRequest5(host: str, port: int, command: Command = Command.CONNECT) -> bytes:
    """
    Write a request of SOCKS 5; the layout is that of
    L{connectproxy.wire.socks.server.RequestReader5}.

    @param host: as in L{connectproxy.address.Destination}: a name is sent as one,
        for the next hop to look up.
    @param port: 0 to 65535.
    @raise ValueError: as L{formatField}.
    """
    return b"\x05%c\x00%b" % (command, formatField(host, port))


def formatRequest4(
    host: str, port: int, user: bytes = b"", command: Command = Command.CONNECT
) -> bytes | Refusal:
    """
    Write a request of SOCKS 4, or of 4a if the host is a name; the layout is that
    of L{connectproxy.wire.socks.server.RequestReader4}.

    @param host: as in L{connectproxy.address.Destination}.
    @param port: 0 to 65535.
    @param user: the user id, at most 255 octets without a NUL.
    @return: the request; or a refusal for what SOCKS 4 has no way to say: an IPv6
        address, and 0.0.0.1 to 0.0.0.255.
    @raise ValueError: as L{formatField}, or the user id or the command is none;
        that is our own bug.
    """
    if b"\0" in user or len(user) > 255:
        raise ValueError("the user id has a NUL in it or more than 255 octets; SOCKS 4 has no way to send it")
    if command not in (Command.CONNECT, Command.BIND):
        raise ValueError(f"SOCKS 4 has no {command.words}")
    portOctets = formatField(host, port)[-2:]
    name = b""
    try:
        ip = canonical(ip_address(host))
    except ValueError:
        ip, name = _MARKS[1], host.encode("ascii") + b"\0"
        if b"\0" in name[:-1]:
            raise ValueError(f"the name {host!a} has a NUL in it") from None
    else:
        if not isinstance(ip, IPv4Address):
            return Refusal("destination_ip_unroutable", "the next hop speaks SOCKS 4, which has no IPv6")
        if ip in _MARKS and ip != _MARKS[0]:
            return Refusal(
                "destination_ip_unroutable",
                "the next hop speaks SOCKS 4, which takes 0.0.0.1 to 0.0.0.255 for the sign of a name",
            )
    return b"\x04%c%b%b%b\x00%b" % (command, portOctets, ip.packed, user, name)


class MethodReader(Reader[int]):
    """
    Reads which method the next hop chooses: VER, 1 octet, 5; METHOD, 1 octet
    (RFC 1928 section 3).

    It is made with what was offered, as L{formatGreeting} was.
    """

    __slots__ = ("_offered",)
    longest = 2
    what = "the next hop's choice of a method"
    kind = NEXT_HOP

    def __init__(self, offered: Iterable[int]) -> None:
        Reader.__init__(self)
        self._offered = bytes(offered)

    def _parse(self, octets: bytes) -> tuple[int, int] | Refusal | None:
        if octets[0] != 5:
            return self._wrongStart(octets[0], 5)
        if len(octets) < 2:
            return None
        if octets[1] == Method.UNACCEPTABLE:
            few = ", ".join(f"{method:#04x}" for method in self._offered[:8])
            return Refusal(_STRANGER, f"the next hop accepts none of the methods that it was offered: {few}")
        if octets[1] not in self._offered:
            return self._refuse(f"the next hop chooses the method {octets[1]:#04x}, which it was not offered")
        return octets[1], 2


class StatusReader(Reader[bool]):
    """
    Reads what the next hop thinks of the credentials: VER, 1 octet, 1; STATUS, 1
    octet, 0 for success (RFC 1929 section 2).  The message is C{True}.
    """

    __slots__ = ()
    longest = 2
    what = "the next hop's answer to the credentials"
    kind = NEXT_HOP

    def _parse(self, octets: bytes) -> tuple[bool, int] | Refusal | None:
        if octets[0] != 1:
            return self._wrongStart(octets[0], 1)
        if len(octets) < 2:
            return None
        if octets[1]:
            return Refusal(_STRANGER, f"the next hop rejects the credentials, with status {octets[1]}")
        return True, 2


class ReplyReader(Reader[Address]):
    """
    What the readers of both replies have in common.

    @ivar reply: the number that says how it went, as soon as it has come.
    """

    __slots__ = ("reply",)

    def __init__(self) -> None:
        Reader.__init__(self)
        self.reply: int | None = None


class ReplyReader5(ReplyReader):
    """
    Reads the reply to a request of SOCKS 5; the layout is that of
    L{connectproxy.wire.socks.server.formatReply5}.

    The message is BND.ADDR and BND.PORT, which may be anything: next hops send
    zeros, names, or an address of the other family.  With a failure it is not
    waited for, since some send none.
    """

    __slots__ = ()
    longest = 3 + 1 + 1 + 255 + 2
    what = "the next hop's SOCKS 5 reply"
    kind = NEXT_HOP

    def _parse(self, octets: bytes) -> tuple[Address, int] | Refusal | None:
        if octets[0] != 5:
            return self._wrongStart(octets[0], 5)
        if len(octets) < 2:
            return None
        self.reply = octets[1]
        if octets[1]:
            kind, words = _REPLIES5.get(octets[1], _UNKNOWN)
            return Refusal(kind, f"the next hop answers {octets[1]}, {words}")
        end = fieldEnd(octets, 3)
        if isinstance(end, Refusal):
            return self._refuse(f"{self.what}: {end.detail}")
        if end is None or len(octets) < end:
            return None
        return told(octets[3:end]), end


class ReplyReader4(ReplyReader):
    """
    Reads the reply to a request of SOCKS 4; the layout is that of
    L{connectproxy.wire.socks.server.formatReply4}.

    The message is DSTIP and DSTPORT.  With a failure they are not waited for.
    """

    __slots__ = ()
    longest = 8
    what = "the next hop's SOCKS 4 reply"
    kind = NEXT_HOP

    def _parse(self, octets: bytes) -> tuple[Address, int] | Refusal | None:
        if octets[0]:
            return self._wrongStart(octets[0], 0)
        if len(octets) < 2:
            return None
        self.reply = octets[1]
        if octets[1] != 90:
            kind, words = _REPLIES4.get(octets[1], _UNKNOWN)
            return Refusal(kind, f"the next hop answers {octets[1]}, {words}")
        if len(octets) < 8:
            return None
        return Address(str(IPv4Address(octets[4:8])), int.from_bytes(octets[2:4], "big")), 8
