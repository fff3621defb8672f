"""
What frames do on either side; what they do on one side only is tested with that side, and so
is all that a mistake ends.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.http2.connection import Connection
from connectproxy.http2.incoming import REMEMBERED, Incoming
from connectproxy.http2.sending import FRAME, Sender
from connectproxy.wheel import Wheel
from connectproxy.wire.http2 import (
    ErrorCode,
    Fault,
    FrameReader,
    FrameType,
    formatData,
    formatFrame,
    formatGoAway,
    formatHeaders,
    formatReset,
    formatSettings,
)
from tests.fakes import FakeReactor

__all__ = ["Bare", "BareCase"]


class Bare(Connection):
    """
    A connection with no more than it has to have.

    @ivar faults: what it has failed with.
    @ivar heard: what it was told.
    """

    resetCode = ErrorCode.CANCEL

    def __init__(self, reactor: FakeReactor) -> None:
        Connection.__init__(self, reactor, Wheel(reactor))
        self.faults: list[Fault] = []
        self.heard: list[Any] = []
        self.due: list[float] = []

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 1)

    def times(self) -> list[float]:
        return self.due

    def emptied(self) -> None:
        self.heard.append("emptied")

    def fail(self, fault: Fault) -> None:
        self.faults.append(fault)
        self.closing = True

    def dismissed(self, last: int, code: int) -> None:
        self.heard.append((last, code))

    def ponged(self, payload: bytes) -> None:
        Connection.ponged(self, payload)
        self.heard.append(payload)

    def expired(self, now: float) -> None:
        self.heard.append(now)


class BareCase(SynchronousTestCase):
    """
    Such a connection on a transport that only remembers.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.connection = Bare(self.reactor)
        self.transport: Any = StringTransport()
        self.connection.transport = self.transport
        self.incoming = self.connection.incoming = Incoming(self.connection, 0.0, FrameReader(b""))
        self.connection.sender = Sender(self.connection, self.transport)

    def receive(self, octets: bytes) -> bytes:
        """
        Let frames come.

        @return: what is sent because of them.
        """
        self.transport.clear()
        self.incoming.receive(octets)
        sent: bytes = self.transport.value()
        return sent


class IncomingTests(BareCase):
    """
    L{Incoming}.
    """

    def test_settings(self) -> None:
        """
        SETTINGS are acknowledged and kept, and frames are no larger than is good for the others;
        nothing may come before them.
        """
        sent = self.receive(formatSettings({3: 7, 4: 70000, 5: 1 << 20}))
        self.assertEqual(sent, formatFrame(FrameType.SETTINGS, 1, 0))
        self.assertEqual(self.incoming.peer, (70000, 1 << 20, 7))
        self.assertEqual((self.incoming.greeted, self.connection.sender.frameSize), (True, FRAME))
        self.receive(formatFrame(FrameType.SETTINGS, 1, 0))
        self.assertEqual(self.connection.faults, [])
        self.setUp()
        self.receive(formatData(1, b"x", 9))
        (fault,) = self.connection.faults
        self.assertEqual(fault.code, ErrorCode.PROTOCOL_ERROR)

    def test_ping(self) -> None:
        """
        A PING is answered with what it has; an answer is told.
        """
        self.receive(formatSettings({}))
        sent = self.receive(formatFrame(FrameType.PING, 0, 0, b"12345678"))
        self.assertEqual(sent, formatFrame(FrameType.PING, 1, 0, b"12345678"))
        self.assertEqual(self.receive(formatFrame(FrameType.PING, 1, 0, b"87654321")), b"")
        self.assertEqual(self.connection.heard, [b"87654321"])

    def test_goAway(self) -> None:
        """
        A GOAWAY tells the last stream, without the bit that is reserved, and why.
        """
        self.receive(formatSettings({}) + formatGoAway(0x80000005, 11))
        self.assertEqual(self.connection.heard, [(5, 11)])

    def test_remembers(self) -> None:
        """
        Of streams that are over it is known for a while how they ended.
        """
        self.receive(formatSettings({}))
        for number in range(1, 2 * REMEMBERED + 3, 2):
            self.incoming.highest = number
            self.incoming.remember(number, reset=True)
        self.assertEqual(self.receive(formatData(3, b"x", 9)), b"")
        self.assertEqual(self.receive(formatData(1, b"x", 9)), formatReset(1, ErrorCode.STREAM_CLOSED))

    def test_side(self) -> None:
        """
        A field section is for those who have a side; of the rest nothing depends on it.
        """
        self.receive(formatSettings({}))
        self.incoming.highest = 1
        self.assertRaises(NotImplementedError, self.receive, formatHeaders(1, b"\x88", 9))
        self.receive(formatReset(1, 8))
        self.incoming.wasted()
        self.assertEqual(self.connection.faults, [])
