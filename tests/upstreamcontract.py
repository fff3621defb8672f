"""
What every upstream does, as tests.  Import it from L{tests.conformance}.
"""

from __future__ import annotations

import errno
import gc
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from zope.interface.verify import verifyObject

from connectproxy.errors import KINDS, Refused
from connectproxy.interfaces import Attempt, Established, IUpstream, IUpstreamKind
from connectproxy.policy import Policy
from tests.fakes import SETTINGS, FakeReactor, Peer, makeRequest, makeSurroundings

__all__ = ["UpstreamContract"]


class UpstreamContract:
    """
    What every upstream does, whatever way it goes.

    @cvar kind: the upstream's L{IUpstreamKind}.
    @cvar settings: the configuration.
    @cvar target: what is asked for.
    @cvar failures: what becomes of an attempt that fails with an errno.
    """

    kind: ClassVar[Any]
    settings: ClassVar[Mapping[str, Any]] = SETTINGS
    target: ClassVar[str] = "example.com:443"
    failures: ClassVar[Mapping[int, str]] = {
        errno.ECONNREFUSED: "connection_refused",
        errno.ECONNRESET: "connection_terminated",
        errno.ETIMEDOUT: "connection_timeout",
        errno.ENETUNREACH: "destination_ip_unroutable",
        errno.EHOSTUNREACH: "destination_ip_unroutable",
        errno.EMFILE: "proxy_exhausted",
        errno.EACCES: "destination_unavailable",
    }

    def phases(self) -> Mapping[str, tuple[Callable[[], None], str]]:
        """
        How far a call of C{connect} can have come.

        @return: for each phase, by its name: what brings the call there, and the kind of
            refusal that cancelling makes then.
        """
        raise NotImplementedError

    def dial(self) -> Any:
        """
        Bring a call so far that a connection is being made.

        @return: the L{tests.fakes.FakeAttempt}.
        """
        raise NotImplementedError

    def greet(self, peer: Any) -> None:
        """
        Do the far side's part of the handshake, if there is one.

        @param peer: the L{Peer} at the far end.
        """

    def setUp(self: Any) -> None:
        self.reactor = FakeReactor()
        self.reactor.advance(100.0)
        self.built: list[Peer] = []
        policy = Policy()
        self.assertTrue(verifyObject(IUpstreamKind, self.kind))
        self.upstream = self.kind.build(
            makeSurroundings(self.reactor, settings=self.settings, policy=policy), {}
        )

    def connect(self) -> Deferred[Any]:
        """
        Ask for a connection.
        """
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = self.build  # type: ignore[method-assign]
        return self.upstream.connect(makeRequest(self.target), factory)  # type: ignore[no-any-return]

    def build(self, addr: Any) -> Peer:
        """
        The caller's protocol, which remembers what it hears.
        """
        self.built.append(Peer())
        return self.built[-1]

    def assertNothingLeft(self: Any) -> None:
        """
        No socket, no deadline and no attempt is left.
        """
        self.reactor.flush()
        self.assertEqual((self.reactor.getReaders(), self.reactor.getWriters()), ([], []))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual([each.state for each in self.reactor.attempts if not each.stopped], [])

    def assertRefused(self: Any, connecting: Deferred[Any], kind: str) -> Refused:
        """
        The call has failed with a kind of refusal, and nothing is left of it.
        """
        refused = self.failureResultOf(connecting, Refused).value
        self.assertIn(refused.refusal.kind, KINDS)
        self.assertEqual(refused.refusal.kind, kind)
        self.assertEqual(self.built, [])
        self.assertNothingLeft()
        return refused  # type: ignore[no-any-return]

    def test_established(self: Any) -> None:
        """
        The caller's factory builds one protocol, which is connected when the caller gets
        it; it is told which address was dialled and what was tried.
        """
        self.assertTrue(verifyObject(IUpstream, self.upstream))
        connecting = self.connect()
        attempt = self.dial()
        self.assertNoResult(connecting)
        peer = attempt.succeed()
        self.greet(peer)
        self.reactor.flush()
        established = self.successResultOf(connecting)
        self.assertIsInstance(established, Established)
        self.assertEqual(self.built, [established.protocol])
        self.assertTrue(established.protocol.transport.connected)
        self.assertIn(attempt.host, established.address)
        self.assertIn(Attempt(attempt.host, "connected", 0.0), established.tried)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        established.protocol.transport.write(b"up")
        peer.transport.write(b"down")
        self.reactor.flush()
        self.assertTrue(peer.received.endswith(b"up"))
        self.assertEqual(established.protocol.received, b"down")
        self.assertTrue(established.protocol.transport.getTcpNoDelay())

    def test_leftover(self: Any) -> None:
        """
        What the origin sends at once, in one piece with the end of a handshake or behind
        it, reaches the protocol first and in order.
        """
        connecting = self.connect()
        peer = self.dial().succeed()
        self.greet(peer)
        peer.transport.write(b"banner ")
        self.reactor.flush()
        protocol = self.successResultOf(connecting).protocol
        peer.transport.write(b"and more")
        self.reactor.flush()
        self.assertEqual(protocol.received, b"banner and more")

    def test_endsAtOnce(self: Any) -> None:
        """
        An origin that sends something and closes at once has its say.
        """
        connecting = self.connect()
        peer = self.dial().succeed()
        self.greet(peer)
        peer.transport.write(b"go away")
        peer.transport.loseConnection()
        self.reactor.flush()
        protocol = self.successResultOf(connecting).protocol
        self.assertEqual((bytes(protocol.received), protocol.ended), (b"go away", True))

    def test_failures(self: Any) -> None:
        """
        Each way in which a connection is not made has its kind; the attempt is reported.
        """
        for number, kind in self.failures.items():
            self.setUp()
            connecting = self.connect()
            attempt = self.dial()
            self.reactor.advance(2.0)
            attempt.fail(number)
            refused = self.assertRefused(connecting, kind)
            self.assertEqual(refused.tried, ((attempt.host, kind, 2.0),))

    def test_cancel(self: Any) -> None:
        """
        Cancelled in any phase, it gives up everything that it has begun and says why there
        is no connection.
        """
        for reach, kind in self.phases().values():
            self.setUp()
            connecting = self.connect()
            reach()
            self.assertNoResult(connecting)
            connecting.cancel()
            self.assertRefused(connecting, kind)

    def test_tooLate(self: Any) -> None:
        """
        What comes after a cancellation has no effect.
        """
        connecting = self.connect()
        connecting.cancel()
        self.failureResultOf(connecting, Refused)
        for lookup in self.reactor.nameResolver.pending:
            lookup.answer("192.0.2.1", "2001:db8::1")
        self.assertNothingLeft()
        self.assertEqual(self.built, [])

    def test_nothingRetained(self: Any) -> None:
        """
        A call that is over is not known to anybody any more.
        """
        connecting = self.connect()
        attempt = self.dial()
        attempt.fail(errno.ECONNREFUSED)
        factory = weakref.ref(attempt.factory)
        self.failureResultOf(connecting, Refused)
        self.reactor.attempts.clear()
        del attempt
        gc.collect()
        self.assertIs(factory(), None)
