"""
A stream as a transport: what is held, what is credited, and how it ends.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer, IPushProducer, ISSLTransport, ITransport
from zope.interface.verify import verifyObject

from connectproxy.http2.stream import CHUNKS
from connectproxy.wire.http2 import ErrorCode
from tests.fakes import Peer, addressOf
from tests.listenercontract import ESTABLISHED
from tests.listeners.http2.case import HTTP2Case


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

    def test_producerThatAnswersAtOnce(self) -> None:
        """
        A producer may write when it is resumed, within the same call.
        """
        stream = self.stream

        class Producer:
            def pauseProducing(self) -> None:
                """It is about to be resumed."""

            def resumeProducing(self) -> None:
                stream.write(b"at once")

        self.connection.sender.blocked = True
        stream.registerProducer(Producer(), True)
        stream.write(bytes(70000))
        self.connection.sender.resumeProducing()
        self.flush()
        self.assertTrue(bytes(self.peer.heard(self.number).octets).endswith(b"at once"))

    def test_bothEnded(self) -> None:
        """
        A stream of which both directions have ended is not reset any more, though what came may
        still be held.
        """
        self.stream.pauseProducing()
        self.peer.put(self.number, b"held", end=True)
        self.stream.loseWriteConnection()
        self.flush()
        self.stream.abortConnection()
        self.flush()
        heard = self.peer.heard(self.number)
        self.assertEqual((heard.ended, heard.reset), (True, None))
        self.assertTrue(self.protocol.lost)
        self.stream.wasReset()

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
