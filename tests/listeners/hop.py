"""
A next hop that takes whole messages, for the tests of whoever forwards them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from connectproxy.interfaces import Established, IForwardingUpstream, TunnelRequest
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.hopform import HopForm
from tests.fakes import Dial, FakeReactor, FakeUpstream

__all__ = ["CHALLENGE", "FakeHop", "challenge"]


def challenge(nonce: bytes = b"n1", *more: bytes, length: int = 0) -> bytes:
    """
    What a next hop says that wants Digest.

    @param length: of its body, which is not there.
    """
    lines = b"".join(field + b"\r\n" for field in more)
    return (
        b"HTTP/1.1 407 Who are you\r\n"
        b'Proxy-Authenticate: Digest realm="hop", nonce="%b", algorithm=SHA-256, qop="auth"\r\n'
        b"%bContent-Length: %d\r\n\r\n" % (nonce, lines, length)
    )


CHALLENGE = challenge()


@implementer(IForwardingUpstream)
class FakeHop(FakeUpstream):
    """
    A next hop that is connected to when the test says so.

    @ivar form: of its connections for messages.
    @ivar seen: the destination's address, where that is known.
    @ivar member: the member of a group that it is.
    @ivar forwarded: the calls of L{forward} among C{dials}.
    """

    def __init__(self, reactor: FakeReactor, authorizer: Authorizer | None = None) -> None:
        FakeUpstream.__init__(self, reactor)
        self.form = HopForm(authorizer, "corp")
        self.seen = self.member = ""
        self.forwarded: list[Dial] = []

    def connect(self, request: TunnelRequest, factory: Any) -> Deferred[Established]:
        tunnel = FakeUpstream.connect(self, request, factory)
        return tunnel.addCallback(lambda established: established._replace(seen=self.seen))

    def forward(self, request: TunnelRequest, factory: Any) -> Deferred[Established]:
        message = FakeUpstream.connect(self, request, factory)
        self.forwarded.append(self.dials[-1])
        more = {"form": self.form, "seen": self.seen, "member": self.member}
        return message.addCallback(lambda established: established._replace(**more))
