"""
What client and proxy say to each other before a tunnel, without a transport: octets
in, octets out, and at the end a request or a refusal.

Who may use the proxy is known before the request: by user and password (RFC 1929),
where they are demanded.  The user id of SOCKS 4 is a claim and proves nothing, so
that there nobody gets in.  Where nobody is asked, a client that offers nothing but a
password may tell it; it is not looked at.

Left out: BIND, which makes the proxy listen for strangers and which hardly anything
but FTP in its active mode has asked for; GSSAPI (RFC 1961).
"""

from __future__ import annotations

from typing import Any

from connectproxy.errors import Refusal
from connectproxy.interfaces import IAuthenticator
from connectproxy.wire.socks import (
    Bind,
    Connect,
    Credentials,
    CredentialsReader,
    GreetingReader,
    Method,
    Request,
    RequestReader4,
    RequestReader5,
    chooseMethod,
    formatMethod,
    formatReply4,
    formatReply5,
    formatStatus,
)

__all__ = ["Negotiation"]

# Plain numbers: a look into an enumeration for every connection is a part of what it costs.
_PASSWORD, _UNACCEPTABLE = int(Method.PASSWORD), int(Method.UNACCEPTABLE)
_ASKED, _UNASKED = (_PASSWORD,), (int(Method.NOTHING), _PASSWORD)
_METHODS = {method: formatMethod(method) for method in (*_UNASKED, _UNACCEPTABLE)}
_WELCOME = formatStatus(True)
_CONNECTED5, _CONNECTED4 = formatReply5(), formatReply4()


class Negotiation:
    """
    One client's way to its request.

    @ivar protocol: what the client speaks: C{"socks5"}, C{"socks4"}, C{"socks4a"}
        where it is SOCKS 4 with a name, or C{"unknown"}.
    @ivar user: who asks, if that has been proved.
    @ivar said: what the client is to be told now; whoever tells it empties it.
    @ivar leftover: what came behind the request.
    """

    __slots__ = ("_authenticator", "_reader", "_udp", "leftover", "protocol", "said", "user")

    def __init__(self, authenticator: IAuthenticator | None, *, udp: bool) -> None:
        """
        @param authenticator: knows who may use the proxy; L{None} if nobody is asked.
        @param udp: UDP ASSOCIATE is served.
        """
        self._authenticator: Any = authenticator
        self._reader: Any = None
        self._udp = udp
        self.protocol = "socks5"
        self.user: str | None = None
        self.said = self.leftover = b""

    @property
    def started(self) -> bool:
        """Whether any octet has come."""
        return self._reader is not None

    @property
    def soFar(self) -> tuple[str, str]:
        """
        The command and the target as far as they have come whole, for an event.
        """
        reader = self._reader
        return reader.soFar if isinstance(reader, RequestReader5 | RequestReader4) else ("", "")

    def receive(self, octets: bytes) -> Request | Refusal | None:
        """
        Take what has come.

        @param octets: at least one.
        @return: what the client asks for, a C{Connect} or an C{Associate}; or why it
            is refused, which L{denial} tells the client; L{None} while more is
            needed.  After a verdict this is not to be called again.
        """
        if self._reader is None:
            version = octets[0]
            self._reader = RequestReader4() if version == 4 else GreetingReader()
            if version != 5:
                self.protocol = "socks4" if version == 4 else "unknown"
        while octets:
            reader = self._reader
            message = reader.receive(octets)
            octets = reader.leftover
            if message is None or isinstance(message, Refusal):
                return message
            if isinstance(message, bytes):
                refusal = self._greeted(message)
            elif isinstance(message, Credentials):
                refusal = self._introduced(message)
            else:
                self.leftover = octets
                return self._requested(message)
            if refusal is not None:
                return refusal
        return None

    def _greeted(self, offered: bytes) -> Refusal | None:
        """
        The client has said how it can prove who it is.
        """
        method = chooseMethod(offered, _UNASKED if self._authenticator is None else _ASKED)
        if isinstance(method, Refusal):
            return method
        self.said += _METHODS[method]
        self._reader = CredentialsReader() if method == _PASSWORD else RequestReader5()
        return None

    def _introduced(self, credentials: Credentials) -> Refusal | None:
        """
        The client has said who it is.
        """
        if self._authenticator is not None:
            user, password = credentials.username.encode("utf-8"), credentials.password.encode("utf-8")
            known = self._authenticator.check(user, password)
            if isinstance(known, Refusal):
                return known
            self.user = known
        self.said += _WELCOME
        self._reader = RequestReader5()
        return None

    def _requested(self, message: Request) -> Request | Refusal:
        """
        The request is whole: see whether it is one that is served.
        """
        if self.protocol == "socks4":
            if isinstance(message, Connect) and message.destination.ip is None:
                self.protocol = "socks4a"
            if self._authenticator is not None:
                return Refusal(
                    "proxy_authentication_required",
                    "SOCKS 4 has no password, and one is demanded; let the client use SOCKS 5",
                )
        if isinstance(message, Bind):
            return Refusal(
                "socks_command_not_supported", "BIND is not served: nobody can connect back this way"
            )
        if not isinstance(message, Connect) and not self._udp:
            return Refusal("socks_command_not_supported", "UDP ASSOCIATE is switched off here (socks.udp)")
        return message

    def success(self) -> bytes:
        """
        What tells the client that there is a tunnel.
        """
        return _CONNECTED5 if self.protocol == "socks5" else _CONNECTED4

    def denial(self, refusal: Refusal) -> bytes:
        """
        What tells the client of a refusal, in whatever it expects at this point;
        nothing where it does not speak SOCKS.
        """
        reader = self._reader
        if isinstance(reader, RequestReader5):
            return formatReply5(refusal)
        if isinstance(reader, RequestReader4):
            return formatReply4(refusal)
        if isinstance(reader, CredentialsReader):
            return formatStatus(False)
        return _METHODS[_UNACCEPTABLE] if self.protocol == "socks5" else b""
