"""
What every listener does, as tests.  Import it from L{tests.conformance}.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any, ClassVar, NamedTuple

from zope.interface.verify import verifyObject

from connectproxy.errors import KINDS, Refusal
from connectproxy.interfaces import Established, IInboundTunnel, IListenerKind
from connectproxy.leg import Leg, adopt
from tests.fakes import SETTINGS, FakeReactor, Peer, RecordingSwitchboard, addressOf, makeSwitchboard

__all__ = ["Answer", "ListenerContract"]

TARGET = "example.com:443"

ESTABLISHED = Established(Leg(), "198.51.100.1:443")


class Answer(NamedTuple):
    """
    What a client of some dialect understands of what it has received.

    @ivar code: the dialect's code for success or failure.
    @ivar rest: what came behind the answer.
    """

    code: Any
    rest: bytes


class ListenerContract:
    """
    What every listener does, whatever it speaks.

    @cvar kind: the listener's L{IListenerKind}.
    @cvar success: the code of an answer that tells of a tunnel.
    @cvar garbage: what is not the dialect at all.
    @cvar greeting: what a client has been told by the time that its request is placed.
    """

    kind: ClassVar[Any]
    success: ClassVar[Any]
    garbage: ClassVar[bytes] = b"\x00\xff\x00\xff not anything at all\r\n\r\n" * 8
    greeting: ClassVar[bytes] = b""

    def ask(self, target: str) -> bytes:
        """
        What a client sends to ask for a tunnel.

        @param target: host and port.
        """
        raise NotImplementedError

    def read(self, received: bytes) -> Answer | None:
        """
        What a client has been answered.

        @return: L{None} while the answer is not whole.
        """
        raise NotImplementedError

    def codeOf(self, kind: str) -> Any:
        """
        The code by which the dialect tells of a kind of refusal: a column of
        L{connectproxy.errors.KINDS}.
        """
        raise NotImplementedError

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.board: Any = RecordingSwitchboard(self.reactor)
        self.port = self.listen(self.board)

    def listen(self: Any, board: Any) -> Any:
        """
        Listen with a switchboard.

        @return: the fake port.
        """
        self.assertTrue(verifyObject(IListenerKind, self.kind))
        options = self.kind.parseOptions({}, "here")
        return self.successResultOf(self.kind.listen(self.reactor, "tcp:8080", options, board))

    def connect(self, octets: bytes = b"") -> Any:
        """
        Have a client that has sent something.
        """
        client = self.port.connect()
        client.transport.write(octets)
        self.reactor.flush()
        return client

    def send(self, client: Any, octets: bytes) -> None:
        """
        Have a client send more.
        """
        client.transport.write(octets)
        self.reactor.flush()

    def placed(self: Any) -> Any:
        """
        @return: the one request that the switchboard has got.
        """
        (inbound,) = self.board.placed
        return inbound

    def answer(self: Any, client: Any) -> Answer:
        """
        @return: what a client has been answered.
        """
        self.reactor.flush()
        answer = self.read(bytes(client.received))
        self.assertIsNot(answer, None, client.received)
        return answer  # type: ignore[no-any-return]

    def heard(self, leg: Leg) -> bytes:
        """
        @return: what a relay gets to hear from a leg: what it holds, and what is to be read.
        """
        relay = Peer()
        adopt(leg.transport, relay)
        relay.transport.resumeProducing()
        self.reactor.flush()
        return leg.held + bytes(relay.received)

    def assertNothingLeft(self: Any) -> None:
        """
        The reactor has nothing to watch, and there is no deadline.
        """
        self.reactor.flush()
        self.assertEqual((self.reactor.getReaders(), self.reactor.getWriters()), ([], []))
        self.assertEqual(len(self.board.wheel), 0)
        self.assertEqual(self.board.opened, self.board.closed)

    def test_request(self: Any) -> None:
        """
        A request in one piece is placed, once, with where it wants to go and who asks.
        """
        self.reactor.advance(5)
        for target in (TARGET, "192.0.2.5:80", "[2001:db8::5]:8443"):
            self.board.placed.clear()
            client = self.connect(self.ask(target))
            inbound = self.placed()
            self.assertTrue(verifyObject(IInboundTunnel, inbound))
            request = inbound.request
            self.assertEqual(str(request.destination), target)
            self.assertEqual(request.client, addressOf("192.0.2.7", 51000))
            self.assertEqual((request.listener, request.arrived), ("tcp:8080", 5.0))
            self.assertTrue(request.protocol and request.method)
            self.assertEqual(self.board.rejections, [])
            self.assertEqual(client.received, self.greeting)

    def test_byteByByte(self: Any) -> None:
        """
        A request that comes octet by octet is the same request, and is not placed before
        its last one.
        """
        client = self.connect()
        octets = self.ask(TARGET)
        for index in range(len(octets)):
            self.assertEqual(self.board.placed, [], octets[:index])
            self.send(client, octets[index : index + 1])
        self.assertEqual(str(self.placed().request.destination), TARGET)

    def test_everySplit(self: Any) -> None:
        """
        A request in two pieces is the same request, wherever it is cut, and so is what
        comes behind it; conformance 11.
        """
        octets = self.ask(TARGET) + b"early"
        for index in range(1, len(octets)):
            self.board.placed.clear()
            client = self.connect(octets[:index])
            self.send(client, octets[index:])
            leg = self.placed().accept(ESTABLISHED)
            self.assertEqual(self.heard(leg), b"early", octets[:index])
            leg.transport.abortConnection()

    def test_sentBeforeAccepted(self: Any) -> None:
        """
        What a client had sent before its connection was accepted counts as well; and one
        that has gone by then is no trouble.
        """
        self.port.pauseProducing()
        client = self.connect(self.ask(TARGET) + b"early")
        self.connect(self.ask(TARGET)[:-1]).transport.abortConnection()
        self.connect().transport.abortConnection()
        self.connect(self.garbage).transport.abortConnection()
        self.reactor.flush()
        self.port.resumeProducing()
        self.reactor.flush()
        self.assertEqual(self.heard(self.placed().accept(ESTABLISHED)), b"early")
        self.assertEqual(self.answer(client).code, self.success)
        self.assertEqual(self.board.closed, 3)

    def test_accept(self: Any) -> None:
        """
        Success is answered once, with nothing behind it; what the origin sends follows.
        The transport is left as it is.  Conformance 8.
        """
        client = self.connect(self.ask(TARGET))
        self.assertIs(self.read(bytes(client.received)), None)
        leg = self.placed().accept(ESTABLISHED)
        self.assertEqual((leg.held, leg.ended, leg.lost), (b"", False, False))
        self.assertEqual(self.answer(client), Answer(self.success, b""))
        leg.transport.write(b"from the origin")
        self.assertEqual(self.answer(client), Answer(self.success, b"from the origin"))
        self.assertEqual(self.board.closed, 0)
        self.assertEqual(len(self.board.wheel), 0)

    def test_earlyBytes(self: Any) -> None:
        """
        What a client sends before it has its answer is kept in order, bounded by one read,
        and belongs to the tunnel; conformance 11.
        """
        client = self.connect(self.ask(TARGET) + b"first ")
        self.send(client, b"second")
        self.assertEqual(self.heard(self.placed().accept(ESTABLISHED)), b"first second")
        self.board.placed.clear()
        client = self.connect(self.ask(TARGET))
        self.send(client, bytes(1 << 20))
        leg = self.placed().accept(ESTABLISHED)
        self.assertLessEqual(len(leg.held), 65536)

    def test_refusals(self: Any) -> None:
        """
        Every kind of refusal is answered once with the dialect's code for it, and then the
        connection is closed; conformance 10.
        """
        for kind in KINDS:
            self.board.placed.clear()
            client = self.connect(self.ask(TARGET))
            self.placed().refuse(Refusal(kind, "the detail", "the-rule"))
            answer = self.answer(client)
            self.assertEqual((answer.code, answer.rest), (self.codeOf(kind), b""), kind)
            self.assertTrue(client.ended or client.lost, kind)
            client.transport.loseConnection()
            self.assertNothingLeft()

    def test_nothingBehindRefusal(self: Any) -> None:
        """
        After a refusal nothing is read as a request, be it early or late; and the answer
        survives.  Conformance 10.
        """
        client = self.connect(self.ask(TARGET) + self.ask("other.example:443"))
        self.placed().refuse(Refusal("http_request_denied"))
        self.send(client, self.ask("third.example:443"))
        self.assertEqual(self.answer(client), Answer(self.codeOf("http_request_denied"), b""))
        self.placed()
        client.transport.loseConnection()
        self.assertNothingLeft()

    def test_refusedAndStays(self: Any) -> None:
        """
        A client that does not close after its refusal is closed.
        """
        client = self.connect(self.ask(TARGET))
        self.placed().refuse(Refusal("dns_error"))
        self.reactor.flush()
        self.reactor.advance(SETTINGS["timeouts.linger"] + 0.5)
        self.reactor.flush()
        self.assertTrue(client.ended or client.lost)
        self.assertEqual(self.board.closed, 1)
        client.transport.loseConnection()
        self.assertNothingLeft()

    def test_vanishes(self: Any) -> None:
        """
        A client that resets before it has its answer is told of, once, and nothing is left
        of it.
        """
        client = self.connect(self.ask(TARGET))
        calls: list[str] = []
        self.placed().whenLost(lambda: calls.append("lost"))
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(calls, ["lost"])
        gone = weakref.ref(self.board.placed.pop())
        self.assertNothingLeft()
        gc.collect()
        self.assertIs(gone(), None)

    def test_vanishesAfterAnswer(self: Any) -> None:
        """
        Once there is an answer, a client's going is no longer the switchboard's.
        """
        calls: list[str] = []
        client = self.connect(self.ask(TARGET))
        inbound = self.placed()
        inbound.whenLost(lambda: calls.append("lost"))
        inbound.refuse(Refusal("dns_error"))
        client.transport.abortConnection()
        self.reactor.flush()
        self.board.placed.clear()
        client = self.connect(self.ask(TARGET))
        inbound = self.placed()
        inbound.whenLost(lambda: calls.append("lost"))
        leg = inbound.accept(ESTABLISHED)
        leg.transport.protocol = leg
        closed = self.board.closed
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual((calls, self.board.closed), ([], closed))

    def test_vanishesInRequest(self: Any) -> None:
        """
        A client that goes in the middle of its request, in whatever way, has placed none.
        """
        for leave in ("abortConnection", "loseConnection"):
            octets = self.ask(TARGET)
            client = self.connect(octets[: len(octets) // 2])
            getattr(client.transport, leave)()
            self.assertNothingLeft()
        self.assertEqual(self.board.placed, [])

    def test_tooSlow(self: Any) -> None:
        """
        A client that does not finish its request is closed when the time is up, however
        little it has sent.
        """
        for octets in (b"", self.ask(TARGET)[:-1]):
            client = self.connect(octets)
            self.reactor.advance(SETTINGS["timeouts.head"] + 0.5)
            self.reactor.flush()
            self.assertTrue(client.ended or client.lost)
            client.transport.loseConnection()
            self.reactor.flush()
            self.assertNothingLeft()
        self.assertEqual(self.board.placed, [])

    def test_garbage(self: Any) -> None:
        """
        What is not the dialect at all is no request, and the connection is closed.
        """
        client = self.connect(self.garbage)
        self.assertEqual(self.board.placed, [])
        self.assertTrue(client.ended or client.lost)
        client.transport.loseConnection()
        self.assertNothingLeft()

    def test_tunnel(self: Any) -> None:
        """
        With the real switchboard and the real relay: what was early comes first, octets go
        both ways, each end of stream is passed on, and there is one event.  Conformance 11
        and 14.
        """
        board = makeSwitchboard(self.reactor)
        self.port = self.listen(board)
        client = self.connect(self.ask(TARGET) + b"early, ")
        origin = board.upstreams["direct"].dials[0].succeed(early=b"banner, ")
        self.send(client, b"late")
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual((bytes(origin.received), origin.ended), (b"early, late", True))
        origin.transport.write(b"answer")
        origin.transport.loseConnection()
        self.assertEqual(self.answer(client), Answer(self.success, b"banner, answer"))
        self.assertTrue(client.ended or client.lost)
        (event,) = board.ledger.events
        counts = event["bytes_up"], event["bytes_down"]
        self.assertEqual((event["event"], event["end"], counts), ("tunnel", "eof", (11, 14)))
        self.assertEqual((board.admission.tunnels, board.admission.connections), (0, 0))
