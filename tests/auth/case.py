"""
What tests of identity have in common: threads that wait for the test, quick hashes, and
requests with credentials.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from connectproxy.interfaces import Arrival, TunnelRequest
from tests.fakes import addressOf, makeRequest

__all__ = ["BCRYPT", "SCRYPT", "SECRET", "Checker", "Threads", "arrivalOf", "asking", "basic"]

SECRET = "open sesame"

SCRYPT = "$scrypt$ln=1,r=1,p=1$c2FsdHNhbHQ$UdPW7un8f3IZU3FICKSmJ9HDB+PJnn4jDXGYXSHnFss"
"""Of L{SECRET}, at next to no cost."""

BCRYPT = "$2b$04$.......................BMhsRARtGXF6.aJgWNH1bXcBccYAfm"
"""Likewise."""


class Threads:
    """
    An executor whose calls wait for the test.

    @ivar calls: what has been submitted and not run.
    @ivar closed: it has been shut down.
    """

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.closed = False

    def submit(self, function: Callable[..., None], *arguments: Any) -> None:
        self.calls.append(lambda: function(*arguments))

    def shutdown(self, wait: bool = True) -> None:
        assert not wait, "that would hold up the reactor"
        self.closed = True

    def run(self, most: int = 1000) -> int:
        """
        Make calls, those too that come of them.

        @return: how many there were.
        """
        made = 0
        while self.calls and made < most:
            self.calls.pop(0)()
            made += 1
        return made


@implementer(ICredentialsChecker)
class Checker:
    """
    Somebody's checker, which answers as the test says.

    @ivar asked: how often it was.
    @ivar answer: what it gives; called with the credentials if it can be.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked = 0

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer is None:
            raise UnauthorizedLogin
        return self.answer(credentials) if callable(self.answer) else self.answer


def arrivalOf(host: str = "192.0.2.7", **fields: Any) -> Arrival:
    """
    A connection from an address.
    """
    return Arrival(addressOf(host, 51000), "tcp:8080", 0.0, **fields)


def basic(pair: str | bytes) -> bytes:
    """
    The credentials of Basic.
    """
    return b"Basic " + b64encode(pair.encode() if isinstance(pair, str) else pair)


def asking(*values: bytes, arrival: Arrival | None = None, target: bytes | None = None) -> TunnelRequest:
    """
    A request with credentials.
    """
    said = ((b"host", b"example.com:443"), (b"authorization", basic("another:one")))
    request = makeRequest(
        fields=said + tuple((b"proxy-authorization", value) for value in values),
        arrival=arrivalOf() if arrival is None else arrival,
    )
    return request._replace(target=b"example.com:443" if target is None else target)
