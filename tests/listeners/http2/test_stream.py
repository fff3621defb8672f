"""
A stream as a transport: what is held, what is credited, and how it ends.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer, IPushProducer, ISSLTransport, ITransport
from zope.interface.verify import verifyObject

from connectproxy.listeners.http2.credit import FIRST, LARGEST_STREAM
from connectproxy.listeners.http2.stream import CHUNKS
from connectproxy.wire.http2 import ErrorCode, FrameType, formatData, formatFrame
from tests.fakes import Peer, addressOf
from tests.listenercontract import ESTABLISHED
from tests.listeners.http2.case import HTTP2Case


class CreditTests(HTTP2Case):
    """
    Credit is given back for what the origin has taken; conformance 42.
    """

    def stall(self, client: Any) -> tuple[int, Any]:
        """
        A tunnel whose origin does not read, with as much sent as the client may.
        """
        number, origin = self.tunnel(client, capacity=4096)
        origin.transport.pauseProducing()
        sent = 0
        for _ in range(100):
            window = client.h2.local_flow_control_window(number)
            if not window:
                break
            client.put(number, bytes(window))
            sent += window
            self.flush()
        self.assertEqual(client.h2.local_flow_control_window(number), 0)
        self.sent = sent
        return number, origin

    def test_stalled(self) -> None:
        """
        An origin that does not read stops its stream: what the proxy has taken of it is no
        more than two windows and what its transport holds.  The siblings do not notice, and
        what was held comes in order when the origin reads on.
        """
        client = self.client()
        number, origin = self.stall(client)
        self.assertLess(self.sent, 4 * FIRST + 4096)
        other, sibling = self.tunnel(client)
        for _ in range(30):
            client.put(other, bytes(30000))
            self.flush()
        self.assertEqual(len(sibling.received), 900000)
        origin.transport.resumeProducing()
        self.flush()
        self.assertEqual(len(origin.received), self.sent)
        self.assertGreater(client.h2.local_flow_control_window(number), FIRST // 2)

    def test_manyStalled(self) -> None:
        """
        As many stalled streams as there may be, each with all it may send, hold a bounded lot,
        and one that is not stalled has its way.
        """
        client = self.client()
        held = 0
        for _ in range(60):
            self.stall(client)
            held += self.sent
        other, sibling = self.tunnel(client)
        client.put(other, b"through")
        self.flush()
        self.assertEqual(bytes(sibling.received), b"through")
        self.assertLess(held, 60 * (4 * FIRST + 4096))

    def test_grows(self) -> None:
        """
        The window of a stream that is taken from grows up to its limit, no further.
        """
        client = self.client()
        number, origin = self.tunnel(client)
        largest = 0
        for _ in range(400):
            largest = max(largest, client.h2.local_flow_control_window(number))
            client.put(number, bytes(min(60000, client.h2.local_flow_control_window(number))))
            self.flush()
        self.assertGreater(largest, LARGEST_STREAM // 2)
        self.assertLessEqual(largest, LARGEST_STREAM)
        self.assertTrue(origin.received)

    def test_smallFramesAreSmall(self) -> None:
        """
        What is held of a thousand small frames is their octets.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        client.transport.write(formatData(1, bytes(5000), 1))
        self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        (stream,) = connection.streams.values()
        self.assertEqual((len(stream._held), type(stream._held)), (5000, bytearray))

    def test_padding(self) -> None:
        """
        Padding counts, and is credited with the octets, also if it was held.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        padded = formatFrame(FrameType.DATA, 8, 1, b"\xff" + b"x" + bytes(255))
        client.transport.write(padded * 100)
        self.flush()
        origin = self.dials[0].succeed()
        self.flush()
        client.transport.write(padded * 100)
        self.flush()
        self.assertEqual(bytes(origin.received), b"x" * 200)
        (increment,) = [
            int.from_bytes(payload) for _, number, payload in client.frames(FrameType.WINDOW_UPDATE) if number
        ]
        self.assertGreater(increment, FIRST // 2 + FIRST)

    def test_tooMuch(self) -> None:
        """
        A client that sends more than its window has is reset, and what it did to others
        not.
        """
        client = self.raw()
        client.connect(1)
        client.connect(3)
        self.flush()
        client.transport.write(formatData(1, bytes(FIRST + 1), 16384))
        self.flush()
        self.assertEqual(client.resets, [(1, ErrorCode.FLOW_CONTROL_ERROR)])
        self.assertEqual(client.goodbyes, [])


class TransportTests(HTTP2Case):
    """
    The transport that a relay sees.
    """

    def setUp(self) -> None:
        HTTP2Case.setUp(self)
        self.peer = self.client()
        self.number = self.peer.connect("example.com:443")
        self.flush()
        self.connection: Any = next(iter(self.port.factory.connections))
        (self.stream,) = self.connection.streams.values()
        self.protocol = Peer()
        self.stream.protocol.accept(ESTABLISHED)
        self.stream.protocol = self.protocol
        self.protocol.makeConnection(self.stream)

    def test_interfaces(self) -> None:
        """
        It is a transport, a consumer and a producer, and none with TLS: it does half-close.
        """
        for interface in (ITransport, IConsumer, IPushProducer):
            self.assertTrue(verifyObject(interface, self.stream))
        self.assertFalse(ISSLTransport.providedBy(self.stream))
        self.assertEqual(self.stream.getPeer(), addressOf("192.0.2.7", 51000))
        self.assertEqual(self.stream.getHost(), self.connection.transport.getHost())

    def test_writeSequence(self) -> None:
        """
        Pieces are written as one; nothing is nothing.
        """
        self.stream.writeSequence([b"a", b"b"])
        self.stream.write(b"")
        self.flush()
        self.assertEqual(bytes(self.peer.heard(self.number).octets), b"ab")

    def test_endTwice(self) -> None:
        """
        What has been ended is ended, and takes nothing more.
        """
        self.stream.loseWriteConnection()
        self.stream.write(b"too late")
        self.stream.loseWriteConnection()
        self.flush()
        heard = self.peer.heard(self.number)
        self.assertEqual((bytes(heard.octets), heard.ended), (b"", True))
        self.stream.loseConnection()
        self.stream.loseConnection()
        self.stream.abortConnection()
        self.flush()
        self.assertEqual(heard.reset, ErrorCode.NO_ERROR)
        self.assertEqual(self.protocol.lost.getErrorMessage(), "Connection was closed cleanly.")

    def test_producerOfWhatIsOver(self) -> None:
        """
        A producer that comes too late is told to stop.
        """
        told: list[str] = []

        class Producer:
            def stopProducing(self) -> None:
                told.append("stop")

            def pauseProducing(self) -> None:
                told.append("pause")

        self.stream.abortConnection()
        self.stream.registerProducer(Producer(), True)
        self.assertEqual(told, ["stop"])
        self.stream.resumeProducing()
        self.stream.write(b"nothing")
        self.assertEqual(self.stream.queued, 0)

    def test_producerOfWhatIsFull(self) -> None:
        """
        A producer that is registered while there is enough is paused at once.
        """
        told: list[str] = []

        class Producer:
            def pauseProducing(self) -> None:
                told.append("pause")

            def resumeProducing(self) -> None:
                told.append("resume")

        self.connection.sender.blocked = True
        self.stream.write(bytes(100000))
        self.stream.registerProducer(Producer(), True)
        self.stream.write(b"more")
        self.assertEqual(told, ["pause"])
        self.connection.sender.resumeProducing()
        self.flush()
        self.assertEqual(told, ["pause", "resume"])
        self.assertEqual(len(self.peer.heard(self.number).octets), 100004)

    def test_manyPieces(self) -> None:
        """
        A queue of many pieces becomes one of few, and keeps its octets.
        """
        self.connection.sender.blocked = True
        expected = b""
        for index in range(1000):
            self.stream.write(b"%d," % index)
            expected += b"%d," % index
        self.assertLessEqual(len(self.stream.queue), CHUNKS)
        self.connection.sender.resumeProducing()
        self.flush()
        self.assertEqual(bytes(self.peer.heard(self.number).octets), expected)

    def test_stopProducing(self) -> None:
        """
        When nobody takes what comes from it any more, it closes.
        """
        self.stream.stopProducing()
        self.flush()
        self.assertEqual(self.peer.heard(self.number).reset, ErrorCode.NO_ERROR)

    def test_closesBehindItsQueue(self) -> None:
        """
        C{loseConnection} flushes first, and throws away what comes meanwhile.
        """
        self.stream.resumeProducing()
        self.connection.sender.blocked = True
        self.stream.write(b"last words")
        self.stream.loseConnection()
        self.peer.put(self.number, b"nobody listens", end=True)
        self.flush()
        self.assertEqual((bytes(self.protocol.received), self.protocol.lost), (b"", None))
        self.connection.sender.resumeProducing()
        self.flush()
        heard = self.peer.heard(self.number)
        self.assertEqual((bytes(heard.octets), heard.ended, heard.reset), (b"last words", True, None))
        self.assertTrue(self.protocol.lost)

    def test_resumedTwice(self) -> None:
        """
        To resume what is not paused, or what pauses again with the first octets, is fine.
        """
        self.stream.pauseProducing()
        self.peer.put(self.number, bytes(60000) + b"x" * 5000)
        self.peer.put(self.number, b"", end=True)
        self.flush()
        took = self.protocol.dataReceived

        def pausing(octets: bytes) -> None:
            took(octets)
            self.stream.pauseProducing()

        self.protocol.dataReceived = pausing  # type: ignore[method-assign]
        self.stream.resumeProducing()
        self.assertEqual((len(self.protocol.received), self.protocol.ended), (65000, False))
        self.protocol.dataReceived = took  # type: ignore[method-assign]
        self.stream.resumeProducing()
        self.stream.resumeProducing()
        self.assertTrue(self.protocol.ended)

    def test_draining(self) -> None:
        """
        A stream that is reset because the proxy stops has not broken.
        """
        self.board.draining = True
        self.stream.abortConnection()
        self.flush()
        self.assertEqual(self.peer.heard(self.number).reset, ErrorCode.CANCEL)
