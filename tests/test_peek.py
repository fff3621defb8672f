"""
Tests for L{connectproxy.peek}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.interfaces import Established
from connectproxy.leg import Leg
from connectproxy.peek import Peek
from connectproxy.relay import Timeouts, WiredRelay
from connectproxy.wheel import GRAIN, Wheel
from connectproxy.wire.clienthello import MOST, Found
from tests.fakes import FakeReactor, Peer, RecordingSwitchboard, pipePair
from tests.listeners.http2.case import HTTP2Case
from tests.loopback import REACTOR
from tests.splicecase import Spliced
from tests.tls.case import TLSCase, Within
from tests.wire.hellos import byOpenSSL, extension, hello, records, serverName

HELLO = records(hello(serverName(b"Host.Example")))
SECONDS = 2.0


class PeekCase(SynchronousTestCase):
    """
    A client, the leg that it has been accepted as, and who wants to know its name.
    """

    def setUp(self) -> None:
        """
        Connect one.
        """
        self.reactor = FakeReactor()
        self.wheel = Wheel(self.reactor)
        self.names: list[str] = []
        self.client = Peer()
        self.near: Any = pipePair(self.reactor, self.client, Protocol()).second

    def look(self, held: bytes = b"", *, ended: bool = False) -> Any:
        """
        Look at a leg as a listener makes it.
        """
        self.leg = Leg.of(self.near, held, ended=ended)
        self.peek = Peek(self.wheel, self.leg, self.names.append, SECONDS)
        self.peek.begin()
        self.reactor.flush()
        return self.peek

    def send(self, *pieces: bytes) -> None:
        """
        Have the client send.
        """
        for piece in pieces:
            self.client.transport.write(piece)
            self.reactor.flush()

    def assertSeen(self, name: str, found: Found | None, held: bytes) -> None:
        """
        It is over: the name has been told once, everything is in the leg, which has the
        transport, paused, and no deadline is left.
        """
        self.assertEqual((self.names, self.peek.found, self.leg.held), ([name], found, held))
        self.assertEqual(len(self.wheel), 0)
        if not self.leg.lost:
            self.assertIs(self.near.protocol, self.leg)
            self.assertNotIn(self.near, self.reactor.getReaders())


class PeekTests(PeekCase):
    """
    What a client sends first.
    """

    def test_interfaces(self) -> None:
        """
        It is a protocol that knows half-close.
        """
        self.assertTrue(verifyObject(IHalfCloseableProtocol, self.look()))

    def test_held(self) -> None:
        """
        What came before the answer is looked at at once.
        """
        self.look(HELLO + b"more")
        self.assertSeen("host.example", Found.NAME, HELLO + b"more")

    def test_arrives(self) -> None:
        """
        What comes behind it is waited for, whole or in pieces, cut anywhere.
        """
        for held in range(0, len(HELLO), 7):
            for step in (1, 50, len(HELLO)):
                self.setUp()
                self.look(HELLO[:held])
                self.assertEqual(self.names, [])
                self.send(*[HELLO[at : min(at + step, len(HELLO))] for at in range(held, len(HELLO), step)])
                self.assertSeen("host.example", Found.NAME, HELLO)

    def test_otherVerdicts(self) -> None:
        """
        Nothing else has a name; what it is can be asked.
        """
        for octets, found in (
            (b"SSH-2.0-x\r\n", Found.OTHER),
            (byOpenSSL(None), Found.NO_NAME),
            (records(hello(serverName(b"a..example"))), Found.WRONG_NAME),
            (b"\x16\x03\x01\0\0", Found.BROKEN),
        ):
            for first in (octets, b""):
                self.setUp()
                self.look(first)
                self.send(*([] if first else [octets]))
                self.assertSeen("", found, octets)

    def test_silent(self) -> None:
        """
        Who waits for the server to speak is waited for as long as that, and no longer.
        """
        self.look()
        self.reactor.advance(SECONDS - GRAIN)
        self.assertEqual(self.names, [])
        self.reactor.advance(2 * GRAIN)
        self.assertSeen("", None, b"")

    def test_drips(self) -> None:
        """
        Octets that drip do not move the deadline; those that came are not lost, and those
        that come then are the leg's.
        """
        self.look()
        for at in range(5):
            self.send(HELLO[at : at + 1])
            self.reactor.advance(SECONDS / 4)
        self.assertSeen("", None, HELLO[:5])
        self.leg.transport.resumeProducing()  # type: ignore[union-attr]
        self.send(HELLO[5:])
        self.assertEqual((self.leg.held, len(self.names)), (HELLO, 1))

    def test_bounded(self) -> None:
        """
        However much a client sends, and whatever it pretends, little is held: what is looked
        at, and one read.
        """
        self.look()
        self.send(records(hello(extension(21, bytes(16000)))[:-1] + b"", 10) + bytes(1 << 20))
        self.assertEqual((self.names, self.peek.found), ([""], Found.BROKEN))
        self.assertLess(len(self.leg.held), MOST + 65536)
        self.assertNotIn(self.near, self.reactor.getReaders())

    def test_ended(self) -> None:
        """
        A client that ends its stream has no name, and the leg knows.
        """
        for octets in (b"", HELLO[:-1]):
            self.setUp()
            self.look()
            self.send(octets)
            self.client.transport.loseWriteConnection()
            self.reactor.flush()
            self.assertSeen("", None, octets)
            self.assertTrue(self.leg.ended)

    def test_endedBefore(self) -> None:
        """
        So is one that had ended before; what it has said is looked at all the same.
        """
        for octets, name, found in ((b"", "", None), (HELLO, "host.example", Found.NAME)):
            self.setUp()
            self.look(octets, ended=True)
            self.assertSeen(name, found, octets)

    def test_lost(self) -> None:
        """
        A client that is gone has no name, and the leg knows, and whoever has asked it to tell.
        """
        self.look(HELLO[:-1])
        told: list[str] = []
        self.leg.whenLost = lambda: told.append("lost")
        self.client.transport.abortConnection()
        self.reactor.flush()
        self.assertSeen("", None, HELLO[:-1])
        self.assertTrue(self.leg.lost)
        self.assertEqual(told, ["lost"])

    def test_lostBefore(self) -> None:
        """
        So has one that was gone before.
        """
        leg = Leg.of(self.near, b"", ended=False)
        leg.lost = True
        self.leg, self.peek = leg, Peek(self.wheel, leg, self.names.append, SECONDS)
        self.peek.begin()
        self.assertSeen("", None, b"")

    def test_stopped(self) -> None:
        """
        Stopped, it calls nobody, leaves nothing behind, and the leg has the transport; stopped
        again, or afterwards, nothing happens.
        """
        self.look(HELLO[:9])
        self.peek.stop()
        self.peek.stop()
        self.reactor.advance(2 * SECONDS)
        self.send(HELLO[9:])
        self.assertEqual((self.names, self.leg.held, len(self.wheel)), ([], HELLO[:9], 0))
        self.assertIs(self.near.protocol, self.leg)
        self.leg.transport.resumeProducing()  # type: ignore[union-attr]
        self.reactor.flush()
        self.assertEqual(self.leg.held, HELLO)
        self.look(HELLO)
        self.near.protocol = None
        self.peek.stop()
        self.assertIs(self.near.protocol, None)

    def test_relayed(self) -> None:
        """
        A relay that takes the legs when the name is told passes everything on, in order.
        """
        origin, dialled = Peer(), Leg()
        pipePair(self.reactor, dialled, origin)
        relay = WiredRelay(self.reactor, self.wheel, Timeouts(60.0, 20.0, 0.0))
        leg = Leg.of(self.near, HELLO[:3], ended=False)
        Peek(self.wheel, leg, lambda name: relay.join(leg, dialled) and None, SECONDS).begin()
        self.send(HELLO[3:20], HELLO[20:] + b"more", b" and more")
        self.assertEqual(bytes(origin.received), HELLO + b"more and more")
        origin.transport.write(b"answer")
        self.client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual((bytes(self.client.received), origin.ended), (b"answer", True))


class LayerTests(TLSCase):
    """
    Transports that are no sockets.
    """

    def test_tls(self) -> None:
        """
        What a client sends through TLS to the proxy is what is looked at.
        """
        within, names = Within(), list[str]()
        reactor, _, speaker = self.connected(within)
        near: Any = within.transport
        near.pauseProducing()
        leg, wheel = Leg.of(near, b"", ended=False), Wheel(reactor)
        peek = Peek(wheel, leg, names.append, SECONDS)
        peek.begin()
        speaker.say(HELLO[:40])
        reactor.flush()
        self.assertEqual(names, [])
        speaker.say(HELLO[40:])
        speaker.say(b"more")
        reactor.flush()
        self.assertEqual((names, peek.found), (["host.example"], Found.NAME))
        self.assertEqual(leg.held, (HELLO + b"more")[: len(leg.held)])
        self.assertEqual((near.wrappedProtocol, len(wheel)), (leg, 0))
        near.resumeProducing()
        reactor.flush()
        self.assertEqual(leg.held, HELLO + b"more")
        speaker.transport.abortConnection()
        near.resumeProducing()
        reactor.flush()
        self.assertTrue(leg.lost)


class StreamTests(HTTP2Case):
    """
    Streams of HTTP/2.
    """

    def accept(self) -> tuple[Any, int, Leg]:
        """
        A client, and its stream as a leg.
        """
        self.board = self.port.factory.switchboard = RecordingSwitchboard(self.reactor)
        client = self.client()
        number = client.connect("example.com:443")
        client.put(number, HELLO[:10])
        self.flush()
        return client, number, self.board.placed[0].accept(Established(Leg(), "198.51.100.1:443"))

    def test_stream(self) -> None:
        """
        A stream is looked at like any transport, and what it held stays in order.
        """
        client, number, leg = self.accept()
        names: list[str] = []
        Peek(self.board.wheel, leg, names.append, SECONDS).begin()
        self.flush()
        self.assertEqual(names, [])
        for at in range(10, len(HELLO), 20):
            client.put(number, HELLO[at : at + 20])
            self.flush()
        self.assertEqual((names, leg.held), (["host.example"], HELLO))
        client.put(number, b"more")
        self.flush()
        self.assertEqual(leg.held, HELLO)

    def test_ends(self) -> None:
        """
        Its end and its reset are those of any transport.
        """
        for reset in (False, True):
            client, number, leg = self.accept()
            names: list[str] = []
            Peek(self.board.wheel, leg, names.append, SECONDS).begin()
            if reset:
                client.cancel(number)
            else:
                client.put(number, b"", end=True)
            self.flush()
            self.assertEqual((names, leg.ended, leg.lost), ([""], not reset, reset))


class SplicedTests(Spliced):
    """
    Before a relay that takes the sockets away from the reactor.
    """

    async def test_spliced(self) -> None:
        """
        A tunnel that is joined in the middle of the client's read loses nothing, in either
        direction.
        """
        client, origin = Peer(), Peer()
        listening, dialled = Protocol(), Leg()
        self.connect(client, listening, False)
        self.connect(dialled, origin, False)
        leg = Leg.of(listening.transport, b"", ended=False)
        tunnels: list[Any] = []
        Peek(self.wheel, leg, lambda name: tunnels.append(self.relay.join(leg, dialled)), SECONDS).begin()
        client.transport.write(HELLO[:50])
        await self.turns()
        self.assertEqual(tunnels, [])
        client.transport.write(HELLO[50:] + bytes(1 << 20))
        await self.until(lambda: len(origin.received) == len(HELLO) + (1 << 20))
        self.assertEqual(bytes(origin.received[: len(HELLO)]), HELLO)
        origin.transport.write(b"answer")
        await self.until(lambda: client.received == b"answer")
        client.transport.loseWriteConnection()
        origin.transport.loseWriteConnection()
        await self.until(lambda: client.ended and origin.ended)
        self.assertNotIn(listening.transport, REACTOR.getReaders())
        client.transport.loseConnection()
        origin.transport.loseConnection()
