"""
Tests for L{connectproxy.commands.joining}.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, implementer

from connectproxy.address import parseAuthority
from connectproxy.commands.joining import LINGER, REFUSED, RESET, UNWRITTEN, Joining
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, IStandingUpstream
from connectproxy.leg import Leg
from connectproxy.routes import Routes
from connectproxy.ways import Ways
from tests.fakes import FakeReactor, FakeTransport, FakeUpstream, Peer, pipePair

TARGET: Any = parseAuthority(b"db.example:5432")


class FakeStreams(FakeTransport):
    """
    What stands for standard input and output: a fake connection, and what
    L{connectproxy.commands.streams} adds to one.
    """

    tellsEnd = True
    trouble: OSError | None = None
    whenLost: Callable[[], None] | None = None

    def connectionLost(self, reason: Failure) -> None:
        FakeTransport.connectionLost(self, reason)
        assert self.whenLost is not None
        self.whenLost()


@implementer(IStandingUpstream)
class Standing(FakeUpstream):
    """
    An upstream that notes whether it is to be up.
    """

    up = ""

    def start(self) -> None:
        self.up += "up "

    def stop(self) -> None:
        self.up += "down "

    def state(self) -> dict[str, Any]:
        return {}


class JoiningCase(SynchronousTestCase):
    """
    Joins fake standard streams to a fake upstream.
    """

    def setUp(self) -> None:
        """
        Begin to connect.
        """
        self.reactor = FakeReactor()
        self.upstream = Standing(self.reactor)
        self.user = Peer()
        self.over = 0
        self.made: list[FakeStreams] = []
        self.joining = self.begin(self.upstream)

    def begin(self, upstream: Any) -> Joining:
        """
        Begin to connect through an upstream.
        """
        routes = Routes({"direct": upstream})
        joining = Joining(
            self.reactor, Ways(routes, {"direct": (upstream, None)}, ()), self.streams, self.hearOver
        )
        joining.begin(TARGET, 30)
        return joining

    def streams(self) -> Any:
        """
        Standard streams, with L{user} at their other end.
        """
        pipe = pipePair(self.reactor, self.user, Protocol())
        pipe.second.__class__ = FakeStreams
        self.made.append(pipe.second)  # type: ignore[arg-type]
        return pipe.second

    def hearOver(self) -> None:
        """
        It says that it is over.
        """
        self.over += 1

    def join(self, **more: Any) -> Any:
        """
        Be connected.

        @return: the far side.
        """
        (dial,) = self.upstream.dials
        peer = dial.succeed(**more)
        self.reactor.flush()
        return peer

    def assertOver(self, status: int, words: str = "") -> None:
        """
        It has ended, once, with a status; nothing is left.
        """
        self.reactor.flush()
        self.assertEqual((self.joining.status, self.joining.words, self.over), (status, words, 1))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        if isinstance(self.upstream, Standing):
            self.assertEqual(self.upstream.up, "up down ")


class JoiningTests(JoiningCase):
    """
    The one connection.
    """

    def test_asked(self) -> None:
        """
        The upstream is asked for the destination, as it was named, and started before.
        """
        (dial,) = self.upstream.dials
        self.assertEqual((dial.request.destination, dial.request.method), (TARGET, "CONNECT"))
        self.assertEqual((self.upstream.up, self.made, self.over), ("up ", [], 0))

    def test_bothWays(self) -> None:
        """
        Octets go both ways, what the far side says at once as well; the end of each
        direction is passed on, and the second is the end of all.
        """
        far = self.join(early=b"banner ")
        self.user.transport.write(b"question")
        self.user.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual((bytes(far.received), far.ended, self.over), (b"question", True, 0))
        far.transport.write(b"answer")
        far.transport.loseConnection()
        self.assertOver(0)
        self.assertEqual((bytes(self.user.received), self.user.ended), (b"banner answer", True))

    def test_farSideEndsFirst(self) -> None:
        """
        When the far side has said all, what goes to it still goes.
        """
        far = self.join()
        far.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(self.user.ended)
        self.user.transport.write(b"more")
        self.reactor.flush()
        self.assertEqual((bytes(far.received), self.over), (b"more", 0))
        self.user.transport.loseConnection()
        self.assertOver(0)

    def test_noDeadline(self) -> None:
        """
        Once it is there a connection may be idle, or half open, for as long as it wants.
        """
        far = self.join()
        self.reactor.advance(1e6)
        far.transport.loseWriteConnection()
        self.reactor.flush()
        self.reactor.advance(1e6)
        self.assertEqual((self.over, self.reactor.getDelayedCalls()), (0, []))

    def test_refused(self) -> None:
        """
        No connection: where to, why, and what to do about it.
        """
        self.upstream.dials[0].fail("connection_refused", "the next hop corp refused the connection")
        self.assertOver(
            REFUSED,
            "cannot connect to db.example:5432: the next hop corp refused the connection (connection_refused)\n"
            "Check that something listens on that port.",
        )
        self.assertEqual(self.made, [])

    def test_refusedInOtherWords(self) -> None:
        """
        Without a detail the cause is told, and the words of an operator go before our own.
        """
        refusal = Refusal("next_hop_denied", message="Ask net@corp.example")
        self.upstream.dials[0].result.errback(Refused(refusal))
        self.assertOver(
            REFUSED,
            "cannot connect to db.example:5432: The next hop, another proxy, denies the request by a rule of its own"
            " (next_hop_denied)\nAsk net@corp.example",
        )

    def test_deadline(self) -> None:
        """
        It is given up after its time.
        """
        self.reactor.advance(29)
        self.assertFalse(self.upstream.dials[0].cancelled)
        self.reactor.advance(1)
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertOver(
            REFUSED,
            "cannot connect to db.example:5432: it was cancelled (connection_timeout)\n"
            "Check that it is up and not behind a firewall; the operator can raise timeouts.connect.",
        )

    def test_noTime(self) -> None:
        """
        Or never.
        """
        self.upstream.dials[0].fail()
        self.joining.begin(TARGET, 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_bug(self) -> None:
        """
        What is no refusal is a failure of our own.
        """
        self.upstream.dials[0].result.errback(ZeroDivisionError())
        self.assertOver(REFUSED)
        assert self.joining.failure is not None
        self.assertTrue(self.joining.failure.check(ZeroDivisionError))

    def test_reset(self) -> None:
        """
        The far side breaks the connection: what has come before is written all the same.
        """
        far = self.join()
        far.transport.abortConnection()
        self.assertOver(RESET, "the connection was reset by the far side")

    def test_lostAtOnce(self) -> None:
        """
        The far side says something and breaks the connection before there was anything to
        write to.
        """
        leg = Leg()
        leg.lost, leg.held = True, b"go away"
        self.upstream.dials[0].result.callback(Established(leg, "198.51.100.1:443"))
        self.assertOver(RESET, "the connection was lost at once")
        self.assertEqual(self.user.received, b"go away")

    def test_notWanted(self) -> None:
        """
        Who stops reading need not be told of it.
        """
        for trouble in (None, BrokenPipeError(errno.EPIPE, "Broken pipe")):
            self.setUp()
            far = self.join()
            self.made[0].trouble = trouble
            self.user.transport.abortConnection()
            self.assertOver(UNWRITTEN)
            self.assertIsNotNone(far.lost)

    def test_unwritten(self) -> None:
        """
        Who has no room has to be.
        """
        self.join()
        self.made[0].trouble = OSError(errno.ENOSPC, "No space left on device")
        self.user.transport.abortConnection()
        self.assertOver(UNWRITTEN, "cannot write to standard output: [Errno 28] No space left on device")

    def test_tellsEnd(self) -> None:
        """
        The end of the input is kept back from a far side that would end all at it, which is
        what TLS of Twisted's does.
        """
        for secure in (False, True):
            self.setUp()
            (dial,) = self.upstream.dials
            build = dial.factory.buildProtocol

            def buildProtocol(addr: Any, build: Any = build, secure: bool = secure) -> Any:
                leg = build(addr)
                made = leg.makeConnection

                def makeConnection(transport: Any) -> None:
                    if secure:
                        directlyProvides(transport, ISSLTransport)
                    made(transport)

                leg.makeConnection = makeConnection
                return leg

            dial.factory.buildProtocol = buildProtocol
            self.join()
            self.assertEqual(self.made[0].tellsEnd, not secure)

    def test_linger(self) -> None:
        """
        When there is nobody here any more the far side is given its octets however long it
        takes, and after that some time to close.
        """
        far = self.join(capacity=10)
        transport = far.transport
        transport.stopReading()
        self.user.transport.write(b"x" * 1000)
        self.user.transport.loseWriteConnection()
        self.reactor.flush()
        transport.loseWriteConnection()
        self.reactor.flush()
        self.reactor.advance(10 * LINGER)
        self.assertEqual(self.over, 0)
        transport.startReading()
        self.reactor.flush()
        self.assertEqual(len(far.received), 1000)
        self.assertOver(0)

    def test_lingerNoMore(self) -> None:
        """
        Not for ever, though.
        """
        self.join()
        side = self.made[0].protocol.peer
        self.patch(side.transport, "loseConnection", lambda: None)
        self.user.transport.loseConnection()
        self.reactor.flush()
        side.readConnectionLost()
        self.reactor.flush()
        self.reactor.advance(LINGER - 1)
        self.assertEqual(self.over, 0)
        self.reactor.advance(1)
        self.assertOver(0)
        side.transport.abortConnection()
        self.assertOver(0)
