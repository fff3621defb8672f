"""
Producers that write to L{connectproxy.tls.transport}, over the fake pipe: the client is the
standard library's.
"""

from __future__ import annotations

from unittest import mock

from connectproxy.sockets import unsent
from connectproxy.tls import TLSTransport
from tests.fakes import FakeReactor, pipePair
from tests.tls.case import Producer, Speaker, TLSCase, Within


class ProducerTests(TLSCase):
    """
    Flow control.
    """

    def test_streaming(self) -> None:
        """
        A producer is paused when the transport below has enough, and resumed when that is
        written.
        """
        within, producer = Within(), Producer()
        reactor, pipe, speaker = self.connected(within)
        within.transport.registerProducer(producer, True)
        pipe.first.pauseProducing()
        within.transport.write(bytes(300_000))
        reactor.flush()
        self.assertEqual(set(producer.told), {"pause"})
        self.assertGreater(unsent(pipe.second), 65536)
        pipe.first.resumeProducing()
        reactor.flush()
        self.assertEqual(producer.told[-2:], ["pause", "resume"])
        self.assertEqual(len(speaker.received), 300_000)

    def test_pull(self) -> None:
        """
        One that is asked each time is asked as often as there is room.
        """
        within = Within()
        left = [b"a", b"b", b"c"]

        class Pull(Producer):
            def resumeProducing(self) -> None:
                if left:
                    within.transport.write(left.pop(0))
                else:
                    within.transport.unregisterProducer()

        reactor, _, speaker = self.connected(within)
        within.transport.registerProducer(Pull(), False)
        reactor.flush()
        self.assertEqual(speaker.received, b"abc")

    def test_oneAtATime(self) -> None:
        """
        There is one; the next one comes when it has gone.
        """
        within = Within()
        self.connected(within)
        within.transport.registerProducer(Producer(), True)
        self.assertRaises(RuntimeError, within.transport.registerProducer, Producer(), True)
        within.transport.unregisterProducer()
        within.transport.unregisterProducer()
        within.transport.registerProducer(Producer(), True)

    def test_beforeTheHandshake(self) -> None:
        """
        One that is there before the handshake is complete is paused at its first words,
        and resumed after it.
        """

        class Early(Within):
            def connectionMade(self) -> None:
                self.producer = Producer()
                self.transport.registerProducer(self.producer, True)
                self.transport.write(b"words")
                self.before = list(self.producer.told)

        within = Early()
        speaker = self.connected(within)[2]
        self.assertEqual(within.before, ["pause"])
        self.assertEqual(within.producer.told, ["pause", "resume"])
        self.assertEqual(speaker.received, b"words")

    def test_silentBeforeTheHandshake(self) -> None:
        """
        One that has written nothing has not been paused, and is not resumed.
        """

        class Early(Within):
            def connectionMade(self) -> None:
                self.producer = Producer()
                self.transport.registerProducer(self.producer, True)

        within = Early()
        self.connected(within)
        self.assertEqual(within.producer.told, [])

    def test_withinTheHandshake(self) -> None:
        """
        One that comes when the protocol within is told that the handshake is complete is
        registered below once, whether or not another has been there before; and the flow of
        octets is its.
        """

        class Late(Within):
            before: Producer | None = None

            def connectionMade(self) -> None:
                if self.before is not None:
                    self.transport.registerProducer(self.before, True)

            def handshakeCompleted(self) -> None:
                Within.handshakeCompleted(self)
                if self.before is not None:
                    self.transport.unregisterProducer()
                self.producer = Producer()
                self.transport.registerProducer(self.producer, True)

        for before in (None, Producer()):
            within = Late()
            within.before = before
            reactor, speaker = FakeReactor(), Speaker()
            pipe = pipePair(reactor, speaker, TLSTransport(self.server(), within))
            with mock.patch.object(
                pipe.second, "registerProducer", wraps=pipe.second.registerProducer
            ) as registered:
                reactor.flush()
            self.assertEqual(registered.mock_calls, [mock.call(within.producer, True)])
            pipe.first.pauseProducing()
            within.transport.write(bytes(300_000))
            reactor.flush()
            pipe.first.resumeProducing()
            reactor.flush()
            self.assertEqual(within.producer.told[-2:], ["pause", "resume"])
            self.assertEqual(len(speaker.received), 300_000)
            self.assertFalse(before is not None and before.told)

    def test_goneBeforeTheHandshake(self) -> None:
        """
        One that has gone by then is none; a connection that was to close then, closes.
        """

        class Early(Within):
            def connectionMade(self) -> None:
                self.transport.registerProducer(Producer(), False)
                self.transport.write(b"words")
                self.transport.loseConnection()
                self.transport.unregisterProducer()

        within = Early()
        speaker = self.connected(within)[2]
        self.assertEqual(speaker.received, b"words")
        self.assertTrue(speaker.notified)

    def test_closeWaits(self) -> None:
        """
        After a close a producer may finish; when it is unregistered the connection closes.
        """
        within = Within()
        reactor, _, speaker = self.connected(within)
        within.transport.registerProducer(Producer(), True)
        within.transport.loseConnection()
        within.transport.write(b"the rest")
        reactor.flush()
        self.assertFalse(speaker.notified)
        within.transport.unregisterProducer()
        reactor.flush()
        self.assertEqual(speaker.received, b"the rest")
        self.assertTrue(speaker.notified)

    def test_tooLate(self) -> None:
        """
        One that comes when nothing can be written any more is stopped.
        """
        within, producer = Within(), Producer()
        self.connected(within)
        within.transport.abortConnection()
        within.transport.registerProducer(producer, True)
        self.assertEqual(producer.told, ["stop"])
