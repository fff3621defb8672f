"""
What client and proxy say to each other before a tunnel, without a transport: octets
in, octets out, and at the end a request or a refusal.

Who may use the proxy is known before the request: by user and password (RFC 1929),
where they are demanded, or where the client offers them and clients may say who they
are; else by its connection, if that tells.  The user id of SOCKS 4 is a claim and
proves nothing, so that there the connection alone counts.  Where nobody is asked, a
client that offers nothing but a password may tell it; it is not looked at.

To check a password may take a while, which nothing here waits for: what has come behind
it stays until the answer is there.

Left out: BIND, which makes the proxy listen for strangers and which hardly anything
but FTP in its active mode has asked for; GSSAPI (RFC 1961).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, IAuthenticator, Identified, ProxyUser
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

__all__ = ["Negotiation", "Result"]

Result = Request | Refusal | Deferred[Identified] | None
"""A request, or why there is none, or who asks, which will be known later; or that more is needed."""

# Plain numbers: a look into an enumeration for every connection is a part of what it costs.
_PASSWORD, _UNACCEPTABLE = int(Method.PASSWORD), int(Method.UNACCEPTABLE)
_UNASKED = (int(Method.NOTHING), _PASSWORD)
_ASKED, _INVITED, _SILENT = (_PASSWORD,), _UNASKED[::-1], _UNASKED[:1]
_METHODS = {method: formatMethod(method) for method in (*_UNASKED, _UNACCEPTABLE)}
_WELCOME = formatStatus(True)
_CONNECTED5, _CONNECTED4 = formatReply5(), formatReply4()


class Negotiation:
    """
    One client's way to its request.

    @ivar protocol: what the client speaks: C{"socks5"}, C{"socks4"}, C{"socks4a"}
        where it is SOCKS 4 with a name, or C{"unknown"}.
    @ivar identity: who asks, if that has been proved.
    @ivar said: what the client is to be told now; whoever tells it empties it.
    @ivar leftover: what came behind the request, or, while it is being found out who
        asks, behind the credentials; more may be added to it then.
    """

    __slots__ = ("_arrival", "_authenticator", "_reader", "_udp", "identity", "leftover", "protocol", "said")

    def __init__(self, authenticator: IAuthenticator | None, arrival: Arrival, *, udp: bool) -> None:
        """
        @param authenticator: knows who may use the proxy; L{None} if nobody is asked.
        @param arrival: the client's connection.
        @param udp: UDP ASSOCIATE is served.
        """
        self._authenticator: Any = authenticator
        self._arrival = arrival
        self._reader: Any = None
        self._udp = udp
        self.protocol = "socks5"
        self.identity: ProxyUser | None = None
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

    def receive(self, octets: bytes) -> Result:
        """
        Take what has come.

        @param octets: at least one.
        @return: what the client asks for, a C{Connect} or an C{Associate}; or why it
            is refused, which L{denial} tells the client; or a Deferred with whose
            result L{identified} is to be called, and nothing before it; L{None} while
            more is needed.  After a verdict this is not to be called again.
        """
        if self._reader is None:
            version = octets[0]
            self._reader = RequestReader4() if version == 4 else GreetingReader()
            if version != 5:
                self.protocol = "socks4" if version == 4 else "unknown"
        return self._read(octets)

    def identified(self, found: Identified) -> Result:
        """
        It has been found out who asks: go on with what has come meanwhile.

        @return: as L{receive}, but no Deferred.
        """
        refusal = self._welcome(found)
        octets, self.leftover = self.leftover, b""
        return self._read(octets) if refusal is None else refusal

    def _read(self, octets: bytes) -> Result:
        """
        Read one message after the other.
        """
        while octets:
            reader = self._reader
            message = reader.receive(octets)
            octets = reader.leftover
            if message is None or isinstance(message, Refusal):
                return message
            if isinstance(message, bytes):
                refusal = self._greeted(message)
            elif isinstance(message, Credentials):
                found = self._introduced(message)
                if isinstance(found, Deferred):
                    self.leftover = octets
                    return found
                refusal = self._welcome(found)
            else:
                self.leftover = octets
                return self._requested(message)
            if refusal is not None:
                return refusal
        return None

    def _asked(self) -> str:
        """
        What the client has to say of itself, as L{IAuthenticator.asks} has it.  Where that
        may be nothing, who it is by its connection alone is known from here on.
        """
        if self._authenticator is None:
            return "off"
        asks: str = self._authenticator.asks(self._arrival)
        if asks != "off":
            self.identity = self._authenticator.known(self._arrival)
        return "optional" if self.identity is not None else asks

    def _greeted(self, offered: bytes) -> Refusal | None:
        """
        The client has said how it can prove who it is.
        """
        asked = self._asked()
        if asked == "off":
            self._authenticator = None  # what the client may say is not looked at
        accepted = {"off": _UNASKED, "required": _ASKED}.get(asked, _INVITED)
        unsafe = self._authenticator.unsafe(self._arrival) if self._authenticator is not None else None
        if unsafe is not None:  # it must not even be asked for
            if asked == "required":
                return unsafe  # type: ignore[no-any-return]
            accepted = _SILENT
        method = chooseMethod(offered, accepted)
        if isinstance(method, Refusal):
            return method
        self.said += _METHODS[method]
        self._reader = CredentialsReader() if method == _PASSWORD else RequestReader5()
        return None

    def _introduced(self, credentials: Credentials) -> Identified | Deferred[Identified]:
        """
        The client has said who it is.
        """
        if self._authenticator is None:
            return None
        user, password = credentials.username.encode("utf-8"), credentials.password.encode("utf-8")
        found: Identified | Deferred[Identified] = self._authenticator.check(user, password, self._arrival)
        return found

    def _welcome(self, found: Identified) -> Refusal | None:
        """
        Let those in who have a right to.
        """
        if isinstance(found, Refusal):
            return found
        self.identity = found
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
            if self._asked() == "required":
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
