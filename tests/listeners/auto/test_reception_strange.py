"""
Tests for L{connectproxy.listeners.auto.reception}: what is nobody's, and clients that take
their time or go away.
"""

from __future__ import annotations

from connectproxy.listeners.auto.port import HEADERS, AutoFactory
from connectproxy.listeners.auto.reception import MOST_OCTETS
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS
from tests.listeners.auto.autocase import GREETING, HEAD, PREFACE, AutoCase, Dialect

HEAD_TIMEOUT = SETTINGS["timeouts.head"]
LINGER = SETTINGS["timeouts.linger"]


class StrangeTests(AutoCase):
    """
    What is nobody's.
    """

    def test_strange(self) -> None:
        """
        Octets that nothing begins with are closed without an answer, and the event shows
        them, escaped.
        """
        for octets in (
            b"\0",
            b"\xff\xfe",
            b" GET / HTTP/1.1\r\n",
            b"\x03\x00\x00\x13\x0e",
            b"\x80\x2e\x01\x00\x02",
        ):
            self.make()
            client = self.connect(first=octets)
            refusal = self.assertRejected(
                "protocol_not_served", "nothing begins with", "the port speaks http/1.1, h2"
            )
            self.assertTrue(refusal.detail.isascii() and refusal.detail.isprintable())
            self.assertEqual(bytes(client.received), b"")
            self.assertClosed(client)

    def test_everyOctet(self) -> None:
        """
        Each of the 256 first octets is somebody's, or nobody's; none makes it fail.
        """
        for first in range(256):
            self.make()
            client = self.connect(first=bytes([first]) * 100)
            self.assertEqual(len(self.taken()) + len(self.board.rejections), 1, first)
            client.transport.abortConnection()
            self.reactor.flush()
            self.assertBalanced()

    def test_noTLS(self) -> None:
        """
        TLS to a port without a certificate says so.
        """
        client = self.connect(first=b"\x16\x03\x01\x02\x00\x01")
        self.assertRejected("protocol_not_served", "the client began TLS, for which there is no certificate")
        self.assertClosed(client)

    def test_switchedOff(self) -> None:
        """
        What is switched off is not served, and the event names it.
        """
        for protocols, octets, words in (
            (("http/1.1",), GREETING, "began SOCKS 5, which is switched off; the port speaks http/1.1"),
            (("socks5",), b"\x04\x01", "began SOCKS 4, which is switched off; the port speaks socks5"),
            (("socks5", "socks4"), HEAD, "began HTTP, which is switched off"),
            (("h2",), HEAD, "began HTTP, which is switched off"),
            (("socks5",), PREFACE, "began HTTP, which is switched off"),
        ):
            self.make(protocols=protocols)
            client = self.connect(first=octets)
            self.assertRejected("protocol_not_served", words)
            self.assertClosed(client)

    def test_prefaceWithoutHTTP2(self) -> None:
        """
        Where HTTP/2 is switched off its preface is a request of HTTP/1's, who says what it
        thinks of it.
        """
        self.make(protocols=("http/1.1",))
        self.connect(first=PREFACE)
        self.assertTaken("http/1.1", PREFACE)

    def test_onlyWhatIsServed(self) -> None:
        """
        A dialect of which nothing is served is not even asked to build a receiver.
        """
        self.make(protocols=("socks5",))
        self.assertEqual(set(self.factory.receivers), {"socks5"})
        self.assertEqual(self.dialects["http"].receivers, [])

    def test_stranger(self) -> None:
        """
        A PROXY header from somebody who is not listed is not believed, and not taken for a
        request: event and answer say what to do, in whatever pieces it comes (conformance 78).
        """
        for header in (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", HEADERS[1] + b"\x21\x11\0\x0c" + bytes(12)):
            for senders in ("", "10.0.0.0/8"):
                for pieces in ([header + HEAD], [bytes([octet]) for octet in header + HEAD]):
                    self.make(senders=senders)
                    client = self.connect()
                    self.send(client, *pieces)
                    refusal = self.assertRejected(
                        "proxy_header_error", "proxy_protocol_from", protocol="proxy"
                    )
                    self.assertTrue(bytes(client.received).startswith(b"HTTP/1.1 400 "))
                    self.assertIn(refusal.detail.encode(), client.received)
                    client.transport.abortConnection()
                    self.reactor.flush()
                    self.assertBalanced()

    def test_strangerWithoutHTTP(self) -> None:
        """
        Where HTTP is switched off there is no answer in HTTP.
        """
        self.make(protocols=("socks5",))
        client = self.connect(first=HEADERS[0])
        self.assertRejected("proxy_header_error", protocol="proxy")
        self.assertEqual(bytes(client.received), b"")
        self.assertClosed(client)

    def test_undecidedForLong(self) -> None:
        """
        A dialect that can't make up its mind does not get octets without end.
        """
        slow = Dialect("slow", {b"x" * 1000: "http/1.1"})
        options = self.factory.options._replace(protocols=("http/1.1",))
        self.factory = AutoFactory(self.board, self.description, options, {"slow": slow})
        self.port = self.reactor.listenTCP(8080, self.factory)
        client = self.connect(first=b"x" * MOST_OCTETS)
        self.assertEqual(self.board.rejections, [])
        self.send(client, b"x")
        self.assertRejected("protocol_not_served")
        self.assertClosed(client)

    def test_behind(self) -> None:
        """
        What comes behind a rejection is nobody's, and changes nothing.
        """
        client = self.connect(first=b"\xff")
        client.transport.write(HEAD)
        self.reactor.flush()
        self.assertRejected("protocol_not_served")


class DeadlineTests(AutoCase):
    """
    A client that takes its time.
    """

    def test_silent(self) -> None:
        """
        One that says nothing is closed when the time for a head is over, without an event:
        nothing was asked.
        """
        client = self.connect()
        self.reactor.advance(HEAD_TIMEOUT - 0.01)
        self.reactor.flush()
        self.assertFalse(client.ended)
        self.reactor.advance(2 * GRAIN)
        self.assertClosed(client)
        self.assertEqual(self.board.rejections, [])

    def test_undecided(self) -> None:
        """
        One that stops in the midst of what could be several things is told of.
        """
        client = self.connect(first=b"P")
        self.reactor.advance(HEAD_TIMEOUT + 2 * GRAIN)
        self.assertRejected("http_request_timeout", f"after {HEAD_TIMEOUT:g} s")
        self.assertClosed(client)

    def test_dripping(self) -> None:
        """
        Octets that drip don't move the deadline.
        """
        client = self.connect()
        for octet in PREFACE[:6]:
            self.reactor.advance(HEAD_TIMEOUT / 8)
            self.send(client, bytes([octet]))
        self.assertEqual(self.board.rejections, [])
        self.reactor.advance(HEAD_TIMEOUT / 4 + 2 * GRAIN)
        self.assertRejected("http_request_timeout")
        self.assertClosed(client)

    def test_placed(self) -> None:
        """
        A connection that was handed over has no deadline of the port's any more.
        """
        client = self.connect(first=b"P")
        self.send(client, b"UT")
        self.reactor.advance(100 * HEAD_TIMEOUT)
        self.reactor.flush()
        self.assertIsNone(client.lost)
        self.assertTaken("http/1.1", b"PUT")

    def test_neverCloses(self) -> None:
        """
        One that neither reads nor closes after it was told to is reset soon; nothing of it
        stays, in the wheel nor among those that the port would stop.
        """
        for octets in (b"", b"P"):
            self.make()
            client = self.connect(first=octets)
            client.transport.pauseProducing()
            self.reactor.advance(HEAD_TIMEOUT + 2 * GRAIN)
            self.reactor.advance(LINGER + 2 * GRAIN)
            self.reactor.flush()
            self.assertEqual((self.board.opened, self.board.closed), (1, 1))
            self.assertNothingWaits()


class GoneTests(AutoCase):
    """
    A client that goes away.
    """

    def test_silent(self) -> None:
        """
        One that has said nothing leaves no event, however it goes: that is how a port is
        looked at.
        """
        for abort in (True, False):
            self.make()
            client = self.connect()
            (client.transport.abortConnection if abort else client.transport.loseConnection)()
            self.reactor.flush()
            self.assertEqual(self.board.rejections, [])
            self.assertBalanced()

    def test_undecided(self) -> None:
        """
        One that goes in the midst of what it had to say has left before it asked.
        """
        client = self.connect(first=b"PRI")
        client.transport.loseConnection()
        self.reactor.flush()
        ((refusal, *_),) = self.board.rejections
        self.assertIsNone(refusal)
        self.assertBalanced()

    def test_rejected(self) -> None:
        """
        One that was rejected makes no second event.
        """
        client = self.connect(first=b"\xff")
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertRejected("protocol_not_served")
        self.assertBalanced()


class StopTests(AutoCase):
    """
    The port is closed.
    """

    def stop(self) -> None:
        """
        Close it.
        """
        self.port.stopListening()
        self.reactor.flush()

    def test_undecided(self) -> None:
        """
        Those of which nothing is known yet are closed, without an event; those that were
        handed over are their receivers' to stop.
        """
        silent, begun, placed = self.connect(), self.connect(first=b"P"), self.connect(first=HEAD)
        self.stop()
        for client in (silent, begun):
            self.assertTrue(client.ended)
            client.transport.loseConnection()
        self.reactor.flush()
        self.assertFalse(placed.ended)
        self.assertEqual(self.board.rejections, [])
        self.assertEqual((self.board.opened, self.board.closed), (3, 2))
        self.assertNothingWaits()

    def test_receivers(self) -> None:
        """
        Each receiver is told once, also where it has several protocols.
        """
        self.stop()
        for dialect in self.dialects.values():
            self.assertEqual([each.stopped for each in dialect.receivers], [1])

    def test_stuck(self) -> None:
        """
        A client that does not close is reset when lingering is over.
        """
        client = self.connect()
        client.transport.pauseProducing()
        self.stop()
        self.reactor.advance(LINGER + 2 * GRAIN)
        self.reactor.flush()
        self.assertBalanced()

    def test_rejected(self) -> None:
        """
        One that is being closed already is left alone.
        """
        client = self.connect(first=b"P")
        client.transport.pauseProducing()
        self.reactor.advance(HEAD_TIMEOUT + 2 * GRAIN)
        self.assertEqual(self.factory.undecided, set())
        self.stop()
        self.reactor.advance(LINGER + 2 * GRAIN)
        self.reactor.flush()
        self.assertBalanced()
        self.assertEqual(len(self.board.rejections), 1)
