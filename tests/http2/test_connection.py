"""
What a connection has on either side; the sides have tests of their own.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport

from connectproxy.http2.connection import Connection
from connectproxy.http2.credit import FIRST
from connectproxy.http2.incoming import Incoming
from connectproxy.http2.stream import Stream
from connectproxy.wheel import GRAIN, Wheel
from connectproxy.wire.http2 import ErrorCode, Fault, formatGoAway, formatReset
from tests.fakes import FakeReactor, Peer
from tests.http2.test_incoming import BareCase


class Ending(StringTransport):
    """
    A transport that does half-close, as far as it says so.
    """

    ended = False

    def loseWriteConnection(self) -> None:
        self.ended = True


class ConnectionTests(BareCase):
    """
    L{Connection}.
    """

    def stream(self, number: int = 1) -> Any:
        """
        A stream with a protocol.
        """
        stream = Stream(self.connection, number, FIRST)
        self.connection.streams[number] = stream
        stream.protocol = Peer()
        return stream

    def test_streamOver(self) -> None:
        """
        A stream that is over is forgotten, its window given back, and the last one told.
        """
        one, two = self.stream(1), self.stream(3)
        one.abortConnection()
        self.assertEqual((list(self.connection.streams), self.connection.heard), ([3], []))
        two.wasReset(ErrorCode.CANCEL)
        self.assertEqual((self.connection.streams, self.connection.heard), ({}, ["emptied"]))
        self.assertEqual(self.transport.value(), formatReset(1, ErrorCode.CANCEL))

    def test_sendHeaders(self) -> None:
        """
        Fields are written without a table, so that no stream learns of another's.
        """
        stream = self.stream()
        for _ in range(2):
            self.transport.clear()
            self.connection.sendHeaders(stream, [(b"x", b"secret")], end=True)
            self.assertIn(b"secret", self.transport.value())

    def test_deadline(self) -> None:
        """
        The earliest deadline is kept, one that is past at once, and none if there is none.
        """
        connection = self.connection
        connection.watch()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        connection.due = [9.0, 5.0]
        connection.watch()
        self.reactor.advance(5.0 - GRAIN)
        self.assertEqual(connection.heard, [])
        self.reactor.advance(2 * GRAIN)
        self.assertEqual(len(connection.heard), 1)
        connection.due = [1.0]
        connection.watch()
        self.reactor.advance(GRAIN)
        self.assertEqual(len(connection.heard), 2)

    def test_deaf(self) -> None:
        """
        It can stop to read, and begin again.
        """
        self.connection.deafen()
        self.assertEqual((self.transport.producerState, self.connection.deafSince), ("paused", 0.0))
        self.connection.listen()
        self.assertEqual((self.transport.producerState, self.connection.deafSince), ("producing", None))

    def test_goodbye(self) -> None:
        """
        The goodbye of a server names the latest stream that the client has begun; that of a client
        names none, since no server begins any.  Streams are lost, and the peer has its time to
        close.
        """
        for fromServer, last in ((False, 7), (True, 0)):
            self.setUp()
            self.connection.transport = transport = Ending()
            self.incoming.highest = 7
            transport.registerProducer(self.connection.sender, True)
            self.patch(Incoming, "fromServer", fromServer)
            stream = self.stream()
            protocol = stream.protocol
            self.connection.goodbye(ErrorCode.CANCEL, "so long", 3.0)
            self.assertEqual(transport.value(), formatGoAway(last, ErrorCode.CANCEL, "so long"))
            self.assertTrue(transport.ended and protocol.lost)
            self.assertEqual(self.connection.heard, [])
            self.reactor.advance(3.0 + GRAIN)
            self.assertEqual(len(self.connection.heard), 1)

    def test_side(self) -> None:
        """
        What depends on the side is for the side to say.
        """
        bare = Connection(FakeReactor(), Wheel(self.reactor))
        for call in (
            lambda: bare.resetCode,
            bare.getPeer,
            bare.times,
            bare.emptied,
            lambda: bare.fail(Fault(ErrorCode.CANCEL, "")),
            lambda: bare.dismissed(0, 0),
            lambda: bare.expired(0.0),
        ):
            self.assertRaises(NotImplementedError, call)
        bare.acknowledged()
        bare.ponged(bytes(8))
        bare.lost()
