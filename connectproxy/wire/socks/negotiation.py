"""
How a tunnel is asked of a next hop that speaks SOCKS: the messages of
L{connectproxy.wire.socks.client} in their order, as a
L{connectproxy.wire.negotiation.Negotiation}.

Implements the client's side of RFC 1928 sections 3, 4 and 6, RFC 1929, and SOCKS 4 and 4A,
for the command CONNECT.  A message is sent when the one before it has been answered, and a
next hop that says more than it was asked for is refused: what is the destination's can
come behind the last reply only.

Left out, besides what L{connectproxy.wire.socks} leaves out: sending the request before the
greeting is answered, which RFC 1928 does not foresee and some servers lose.
"""

from __future__ import annotations

from ipaddress import ip_address

from connectproxy.errors import Refusal
from connectproxy.wire.negotiation import Passage
from connectproxy.wire.socks.client import (
    MethodReader,
    ReplyReader,
    ReplyReader4,
    ReplyReader5,
    StatusReader,
    formatCredentials,
    formatGreeting,
    formatRequest4,
    formatRequest5,
)
from connectproxy.wire.socks.message import NEXT_HOP, Address, Method, Reader

__all__ = ["SOCKS4Negotiation", "SOCKS5Negotiation"]

_ANONYMOUS = "the next hop"
"""What the readers call it, who know no names."""


class _Negotiation:
    """
    What both versions have in common.

    @ivar reply: the number by which the next hop has answered the request: 0 is SOCKS 5's
        success, and 90 is SOCKS 4's; L{None} as long as it has not.
    """

    __slots__ = ("_reader", "_who", "reply")

    def __init__(self, name: str, reader: Reader[int] | ReplyReader) -> None:
        self._who = f"{_ANONYMOUS} {name}" if name else _ANONYMOUS
        self._reader: Reader[int] | Reader[bool] | ReplyReader = reader
        self.reply: int | None = None

    def _named(self, refusal: Refusal) -> Refusal:
        """
        A reader's refusal, with the name of the next hop.
        """
        return refusal._replace(detail=refusal.detail.replace(_ANONYMOUS, self._who, 1))

    def receive(self, octets: bytes) -> bytes | Passage | Refusal:
        """
        See L{connectproxy.wire.negotiation.Negotiation.receive}.
        """
        reader = self._reader
        said = reader.receive(octets)
        if isinstance(reader, ReplyReader):
            self.reply = reader.reply
        if said is None:
            return b""
        if isinstance(said, Refusal):
            return self._named(said)
        if isinstance(said, Address):
            return Passage(reader.leftover, bound=_bound(said))
        if reader.leftover:
            return Refusal(NEXT_HOP, f"{self._who} says more than it has been asked yet")
        return self._next(said)

    def _next(self, said: int) -> bytes:
        """
        Go on.

        @param said: what has been said to the last message.
        """
        raise NotImplementedError


class SOCKS5Negotiation(_Negotiation):
    """
    Asks a next hop for a tunnel by SOCKS 5.
    """

    __slots__ = ("_credentials", "_offered", "_request")

    def __init__(
        self, host: str, port: int, *, name: str = "", credentials: tuple[str, str] | None = None
    ) -> None:
        """
        @param host: where to, as in L{connectproxy.address.Destination}: a name is for the
            next hop to look up.
        @param port: 1 to 65535.
        @param name: what the next hop is called in refusals; it may have none.
        @param credentials: a user and a password for it, which it need not ask for.
        @raise ValueError: one of these has no form in SOCKS; neither of the credentials is
            shown.
        """
        self._offered = (Method.NOTHING,) if credentials is None else (Method.PASSWORD, Method.NOTHING)
        self._credentials = b"" if credentials is None else formatCredentials(*credentials)
        self._request = formatRequest5(host, port)
        _Negotiation.__init__(self, name, MethodReader(self._offered))

    def begin(self) -> bytes:
        """
        See L{connectproxy.wire.negotiation.Negotiation.begin}.
        """
        return formatGreeting(self._offered)

    def _next(self, said: int) -> bytes:
        """
        Say who is there if that is asked, and then where to.
        """
        if isinstance(self._reader, MethodReader) and said == Method.PASSWORD:
            self._reader = StatusReader()
            return self._credentials
        self._reader = ReplyReader5()
        return self._request


class SOCKS4Negotiation(_Negotiation):
    """
    Asks a next hop for a tunnel by SOCKS 4, or by 4A if the destination is a name.

    @ivar refusal: why it can't be asked, for what SOCKS 4 has no way to say: an IPv6 address,
        and 0.0.0.1 to 0.0.0.255.  Whoever connects to next hops has to look before.
    """

    __slots__ = ("_request", "refusal")

    def __init__(self, host: str, port: int, *, name: str = "", user: str = "") -> None:
        """
        @param host: as in L{SOCKS5Negotiation}, and the others likewise.
        @param user: the user id; it proves nothing.
        @raise ValueError: one of these has no form in SOCKS 4.
        """
        _Negotiation.__init__(self, name, ReplyReader4())
        request = formatRequest4(host, port, user.encode())
        self.refusal: Refusal | None = None
        self._request = b""
        if isinstance(request, Refusal):
            self.refusal = self._named(request)
        else:
            self._request = request

    def begin(self) -> bytes:
        """
        See L{connectproxy.wire.negotiation.Negotiation.begin}.

        @raise ValueError: there is a L{refusal}.
        """
        if self.refusal is not None:
            raise ValueError(self.refusal.detail)
        return self._request


def _bound(address: Address) -> str:
    """
    An address as a L{Passage} has it.  A next hop that does not want to say sends zeros.
    """
    host, port = address
    try:
        ip = ip_address(host)
    except ValueError:  # a name, or none
        return f"{host}:{port}" if host else ""
    if ip.is_unspecified and not port:
        return ""
    return f"[{host}]:{port}" if ip.version == 6 else f"{host}:{port}"
