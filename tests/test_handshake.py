"""
Tests for L{connectproxy.handshake}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, ITransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.errors import Refusal
from connectproxy.handshake import Handshake, Landing, Opening
from connectproxy.leg import adopt
from connectproxy.wire.negotiation import Again, Passage
from tests.fakes import FakeReactor, Peer, pipePair


class Echo:
    """
    A negotiation: says C{hello}, wants C{ok}, and says C{go on} to anything else.
    """

    def __init__(self, ended: Any = None) -> None:
        self.heard = b""
        self.ended = ended

    def begin(self) -> bytes:
        return b"hello"

    def receive(self, octets: bytes) -> Any:
        self.heard += octets
        if self.ended is not None:
            return self.ended
        if self.heard.startswith(b"ok"):
            return Passage(self.heard[2:])
        return b"go on" if len(self.heard) > 1 else b""


class HandshakeCase(SynchronousTestCase):
    """
    A handshake with a peer.
    """

    def setUp(self) -> None:
        """
        One that passes on to a L{Peer}, or keeps how it ended.
        """
        self.reactor = FakeReactor()
        self.hop = Peer()
        self.above = Peer()
        self.ends: list[Any] = []

    def begin(self, negotiation: Any) -> Handshake:
        handshake = Handshake(negotiation, self.done)
        self.pipe = pipePair(self.reactor, handshake, self.hop)
        self.reactor.flush()
        return handshake

    def done(self, handshake: Handshake, ended: Any) -> None:
        self.ends.append(ended)
        if isinstance(ended, Passage):
            handshake.handOn(self.above, ended.leftover)

    def say(self, octets: bytes) -> None:
        self.hop.transport.write(octets)
        self.reactor.flush()


class HandshakeTests(HandshakeCase):
    """
    L{Handshake}.
    """

    def test_interface(self) -> None:
        """
        It hears of half-closes.
        """
        verifyObject(IHalfCloseableProtocol, Handshake(Echo(), self.done))

    def test_passes(self) -> None:
        """
        What is to be said is said; then the transport is the other protocol's, which gets what
        is left over first, and everything else at first hand.
        """
        handshake = self.begin(Echo())
        self.say(b"o")
        self.assertEqual(self.hop.received, b"hello")
        self.say(b"kleft")
        self.assertEqual(self.above.received, b"left")
        self.assertIs(handshake.transport.protocol, self.above)
        self.say(b" and more")
        self.assertEqual(self.above.received, b"left and more")
        self.assertEqual([type(each) for each in self.ends], [Passage])

    def test_goesOn(self) -> None:
        """
        A negotiation may have more to say.
        """
        self.begin(Echo())
        self.say(b"what?")
        self.assertEqual(self.hop.received, b"hellogo on")

    def test_refused(self) -> None:
        """
        What ends otherwise closes the connection, and is told once.
        """
        for ended in (Refusal("next_hop_denied"), Again(Refusal("next_hop_denied"))):
            self.setUp()
            self.begin(Echo(ended))
            self.say(b"no")
            self.say(b"no")
            self.assertEqual(self.ends, [ended])
            self.assertTrue(self.hop.lost)

    def test_lost(self) -> None:
        """
        A connection that goes before that is told with its reason.
        """
        handshake = self.begin(Echo())
        handshake.connectionLost(Failure(ConnectionLost()))
        handshake.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.ends), 1)
        self.assertTrue(self.ends[0].check(ConnectionLost))

    def test_ended(self) -> None:
        """
        So is a hop that ends its stream.
        """
        self.begin(Echo())
        self.hop.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(self.ends[0].check(ConnectionDone))
        self.assertTrue(self.hop.lost)

    def test_abandoned(self) -> None:
        """
        Who gives up is told nothing; what comes afterwards is dropped.
        """
        handshake = self.begin(Echo())
        handshake.abandon()
        handshake.dataReceived(b"ok")
        handshake.readConnectionLost()
        handshake.writeConnectionLost()
        self.reactor.flush()
        self.assertEqual(self.ends, [])
        self.assertTrue(self.hop.lost)

    def test_abandonedBefore(self) -> None:
        """
        Also before there is a connection.
        """
        handshake = Handshake(Echo(), self.done)
        handshake.abandon()
        self.assertEqual(self.ends, [])


class OpeningTests(HandshakeCase):
    """
    L{Opening}.
    """

    def open(self, *, secured: bool) -> Opening:
        opening = Opening(self.done, secured=secured)
        pipePair(self.reactor, opening, self.hop)
        self.reactor.flush()
        return opening

    def test_atOnce(self) -> None:
        """
        The connection is handed on as soon as it is there, and nothing has been said.
        """
        self.open(secured=False)
        self.assertEqual(self.ends, [Passage()])
        self.say(b"hello")
        self.assertEqual((bytes(self.above.received), bytes(self.hop.received)), (b"hello", b""))

    def test_secured(self) -> None:
        """
        Where there is TLS, not before it is.
        """
        opening = self.open(secured=True)
        self.assertTrue(IHandshakeListener.providedBy(opening))
        self.assertEqual(self.ends, [])
        opening.handshakeCompleted()
        self.assertEqual(self.ends, [Passage()])

    def test_lost(self) -> None:
        """
        Why there is none is told.
        """
        self.open(secured=True)
        self.hop.transport.abortConnection()
        self.reactor.flush()
        self.assertIsInstance(self.ends[0].value, ConnectionLost)


@implementer(ITransport)
class Channel:
    """
    A transport that delivers to whom it was made with, whatever is said.
    """

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, octets: bytes) -> None:
        self.written.append(octets)

    def loseConnection(self) -> None:
        self.closed = True


@implementer(IHalfCloseableProtocol)
class Half(Protocol):
    """
    A protocol that half-closes.
    """

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def readConnectionLost(self) -> None:
        self.heard.append("read")

    def writeConnectionLost(self) -> None:
        self.heard.append("write")

    def connectionLost(self, reason: Any = None) -> None:
        self.heard.append(reason.type)


class PlainTests(SynchronousTestCase):
    """
    L{Handshake} on a transport that only knows how to close in order.
    """

    def test_closed(self) -> None:
        """
        Then that has to do.
        """
        for how in ("refuse", "abandon"):
            channel = Channel()
            ends: list[Any] = []
            handshake = Handshake(
                Echo(Refusal("next_hop_denied")), lambda handshake, ended, ends=ends: ends.append(ended)
            )
            handshake.makeConnection(channel)  # type: ignore[arg-type]
            if how == "refuse":
                handshake.dataReceived(b"no")
            else:
                handshake.abandon()
            self.assertTrue(channel.closed, how)


class ForeignTests(SynchronousTestCase):
    """
    L{Landing} on a transport that can't be told to deliver elsewhere.
    """

    def setUp(self) -> None:
        """
        One that has been handed on.
        """
        self.channel = Channel()
        self.landing = Landing()
        self.landing.makeConnection(self.channel)  # type: ignore[arg-type]
        self.above = Half()
        self.landing.handOn(self.above, b"left")

    def test_goesThrough(self) -> None:
        """
        Everything reaches the protocol, and its transport is what the other one is.
        """
        self.landing.dataReceived(b"more")
        self.landing.readConnectionLost()
        self.landing.writeConnectionLost()
        transport: Any = self.above.transport
        transport.write(b"back")
        self.assertTrue(ITransport.providedBy(transport))
        self.assertEqual(self.channel.written, [b"back"])
        self.landing.connectionLost(Failure(ConnectionDone()))
        self.landing.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.above.heard, [b"left", b"more", "read", "write", ConnectionDone])

    def test_adopted(self) -> None:
        """
        Whoever gets the transport from there can have another protocol on it: a relay does.
        """
        other = Half()
        adopt(self.above.transport, other)
        self.landing.dataReceived(b"more")
        self.assertEqual((self.above.heard, other.heard), ([b"left"], [b"more"]))

    def test_withoutHalfClose(self) -> None:
        """
        For a protocol that knows nothing of it the end of the stream is the end.
        """
        adopt(self.above.transport, Protocol())
        self.landing.writeConnectionLost()
        self.landing.readConnectionLost()
        self.assertTrue(self.channel.closed)
