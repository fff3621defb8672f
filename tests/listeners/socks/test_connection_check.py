"""
Tests for L{connectproxy.listeners.socks.connection}: what happens while it is being found
out who the client is.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from connectproxy.errors import Refusal
from connectproxy.interfaces import Established
from connectproxy.leg import Leg
from connectproxy.wheel import GRAIN
from connectproxy.wire.socks import Command, formatCredentials, formatRequest5
from tests.fakes import SETTINGS, FakeAuthenticator, Peer
from tests.listeners.socks.test_port import ASKED, ListenerCase

HELLO = b"\x05\x01\x02"
ANN = formatCredentials("ann", "secret")
ASSOCIATE = formatRequest5("0.0.0.0", 0, Command.ASSOCIATE)
HEAD_TIMEOUT, LINGER_TIMEOUT = SETTINGS["timeouts.head"], SETTINGS["timeouts.linger"]
ESTABLISHED = Established(Leg(), "198.51.100.1:443")


class CheckCase(ListenerCase):
    """
    A port that takes its time to know somebody.
    """

    def setUp(self) -> None:
        """
        Know ann.
        """
        ListenerCase.setUp(self)
        self.known = self.board.authenticator = FakeAuthenticator(later=True)

    def server(self, client: Peer) -> Any:
        """
        The proxy's transport of the only client.
        """
        (near,) = self.port.factory.reading
        return near.transport

    def answer(self) -> None:
        """
        Say who it is.
        """
        self.known.answer()
        self.reactor.flush()


class CheckTests(CheckCase):
    """
    Somebody is known later.
    """

    def test_everySplit(self) -> None:
        """
        Whatever comes while it is found out who asks, the request and what is behind it is
        read afterwards, in order and once.
        """
        octets = ASKED + b"early"
        for cut in range(len(octets) + 1):
            client = self.ask(HELLO + ANN + octets[:cut])
            self.send(client, octets[cut:])
            self.assertEqual((bytes(client.received), len(self.board.placed)), (b"\x05\x02", 0))
            self.answer()
            (inbound,) = self.board.placed
            self.board.placed.clear()
            self.assertEqual(bytes(client.received), b"\x05\x02\x01\x00")
            self.assertEqual(
                (str(inbound.request.destination), inbound.request.identity),
                ("host.example:443", self.known.user),
            )
            self.reactor.flush()
            leg = inbound.accept(ESTABLISHED)
            self.assertEqual(leg.held, b"early"[: len(leg.held)])
            inbound.transport.abortConnection()
            self.reactor.flush()
        self.assertEqual((len(self.board.wheel), self.port.factory.reading), (0, set()))

    def test_pieces(self) -> None:
        """
        A client that waits for the answer before it asks goes on.
        """
        client = self.ask(HELLO + ANN)
        self.assertIn(self.server(client), self.reactor.getReaders())
        self.answer()
        self.send(client, ASKED)
        self.assertEqual(len(self.board.placed), 1)

    def test_half(self) -> None:
        """
        So does one of whose request a part had come.
        """
        client = self.ask(HELLO + ANN + ASKED[:7])
        self.answer()
        self.send(client, ASKED[7:])
        self.assertEqual(len(self.board.placed), 1)

    def test_bounded(self) -> None:
        """
        Of what comes meanwhile one read is held, and no more is read.
        """
        for first in (HELLO + ANN, HELLO + ANN + ASKED):
            client = self.ask(first)
            near = self.server(client)
            self.send(client, bytes(1 << 20))
            self.assertLess(len(near.protocol._negotiation.leftover), 70000)
            self.assertNotIn(near, self.reactor.getReaders())
            client.transport.abortConnection()
            self.reactor.advance(HEAD_TIMEOUT + LINGER_TIMEOUT + 2 * GRAIN)
            self.reactor.flush()
            self.assertEqual(self.port.factory.reading, set())

    def test_read(self) -> None:
        """
        A client whose whole request had come is read again, so that its going away is known.
        """
        client = self.ask(HELLO + ANN + ASKED)
        self.answer()
        lost: list[str] = []
        self.board.placed[0].whenLost(lambda: lost.append("lost"))
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(lost, ["lost"])

    def test_wrong(self) -> None:
        """
        A refusal that comes later is told, recorded, and the connection closed.
        """
        client = self.ask(HELLO + formatCredentials("ann", "wrong") + ASKED)
        self.answer()
        self.assertEqual((bytes(client.received), client.ended), (b"\x05\x02\x01\x01", True))
        self.assertEqual(self.board.rejections[0][0], self.known.refusal)
        self.assertEqual(self.board.placed, [])

    def test_associate(self) -> None:
        """
        With datagrams it is the same.
        """
        client = self.ask(HELLO + ANN + ASSOCIATE)
        self.assertEqual(self.board.associated, [])
        self.answer()
        self.assertEqual(self.board.associated[0].request.identity, self.known.user)
        self.assertFalse(client.ended)

    def test_known(self) -> None:
        """
        A Deferred that has fired already is no wait.
        """
        self.known._answer = lambda found: succeed(found)  # type: ignore[method-assign]
        client = self.ask(HELLO + ANN + ASKED + b"early")
        self.assertEqual(bytes(client.received), b"\x05\x02\x01\x00")
        self.assertEqual(self.board.placed[0].accept(ESTABLISHED).held, b"early")

    def test_halfClosed(self) -> None:
        """
        A client that has ended its stream behind a whole request is served; one that has not
        said all of it is closed.
        """
        for octets, placed in ((ASKED, 1), (ASKED[:-1], 0), (b"", 0)):
            client = self.ask(HELLO + ANN + octets)
            client.transport.loseWriteConnection()
            self.reactor.flush()
            self.answer()
            self.assertEqual(len(self.board.placed), placed, octets)
            if placed:
                self.assertTrue(self.board.placed.pop().accept(ESTABLISHED).ended)
            else:
                self.assertTrue(client.ended)
                self.assertIs(self.board.rejections.pop()[0], None)

    def test_endedMeanwhile(self) -> None:
        """
        So is one whose end came while nothing was held.
        """
        client = self.ask(HELLO + ANN)
        near = self.server(client)
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(near.protocol._ended)
        self.assertFalse(client.ended)
        self.answer()
        self.assertTrue(client.ended)


class GivenUpTests(CheckCase):
    """
    Nobody wants to know any more.
    """

    def test_gone(self) -> None:
        """
        A client that goes away cancels the question, and leaves nothing behind.
        """
        client = self.ask(HELLO + ANN)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(self.known.cancelled, 1)
        self.assertEqual([each[0] for each in self.board.rejections], [None])
        self.assertEqual((len(self.board.wheel), self.port.factory.reading), (0, set()))
        self.assertEqual((self.board.opened, self.board.closed), (1, 1))

    def test_deadline(self) -> None:
        """
        The deadline of the request holds, from when the connection was accepted.
        """
        client = self.connect()
        self.reactor.advance(HEAD_TIMEOUT - 1.0)
        self.send(client, HELLO + ANN + ASKED)
        self.reactor.advance(1.0 + GRAIN)
        self.reactor.flush()
        self.assertEqual((bytes(client.received), client.ended), (b"\x05\x02\x01\x01", True))
        self.assertEqual(self.known.cancelled, 1)
        refusal = self.board.rejections[0][0]
        self.assertEqual(refusal.kind, "http_request_timeout")
        self.assertIn("it was not known who the client is after 30 s", refusal.detail)
        self.assertEqual((self.board.placed, len(self.board.rejections)), ([], 1))

    def test_stopped(self) -> None:
        """
        The proxy stops.
        """
        client = self.ask(HELLO + ANN + ASKED)
        self.port.factory.stop()
        self.reactor.flush()
        self.assertEqual((bytes(client.received), client.ended), (b"\x05\x02\x01\x01", True))
        self.assertEqual((self.known.cancelled, self.board.rejections[0][0].kind), (1, "proxy_draining"))

    def test_cancelledWithoutWords(self) -> None:
        """
        A Deferred that fails when it is cancelled is no bug.
        """
        self.known._answer = lambda found: Deferred()  # type: ignore[method-assign]
        self.ask(HELLO + ANN).transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_broken(self) -> None:
        """
        An authenticator that fails lets nobody in, and the log has it.
        """
        self.known._answer = lambda found: fail(RuntimeError("broken"))  # type: ignore[method-assign]
        client = self.ask(HELLO + ANN + ASKED)
        self.assertIsNotNone(client.lost)
        self.assertEqual(self.board.placed, [])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class SwitchboardTests(CheckCase):
    """
    The answer comes when the switchboard has had to find out something itself.
    """

    def test_held(self) -> None:
        """
        An inbound tunnel that has no answer yet holds one read of what comes.
        """
        self.board.authenticator = None
        client = self.ask(b"\x05\x01\x00" + ASKED)
        self.send(client, b"early")
        self.send(client, bytes(1 << 20))
        (inbound,) = self.board.placed
        self.assertEqual(inbound._early, b"early")
        self.assertNotIn(inbound.transport, self.reactor.getReaders())
        inbound.refuse(Refusal("login_limit_reached"))
        self.reactor.flush()
        self.assertEqual(bytes(client.received)[:4], b"\x05\x00\x05\x02")
