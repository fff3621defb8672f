"""
The kind of listener, and what a port has.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.discovery import kinds
from connectproxy.interfaces import Arrival, IDialect, IListenerKind, IReceiver
from connectproxy.leg import adopt
from connectproxy.listeners import http2
from connectproxy.sockets import answersALPN
from connectproxy.wire.http2 import PREFACE
from tests.fakes import FakeReactor, Peer, RecordingSwitchboard, addressOf, pipePair
from tests.listeners.http2.case import Raw
from tests.listeners.http2.client import Client


class KindTests(SynchronousTestCase):
    """
    How it is found, and how its connections are recognised.
    """

    def test_found(self) -> None:
        """
        Discovery finds it, as a dialect.
        """
        found = kinds("connectproxy.listeners", IListenerKind)["http2"]
        self.assertIs(found, http2.kind)
        self.assertTrue(verifyObject(IDialect, found))
        self.assertEqual((found.protocolNames, dict(found.alpn)), (("h2",), {b"h2": "h2"}))

    def test_options(self) -> None:
        """
        It has no options of its own.
        """
        self.assertEqual(http2.kind.parseOptions({}, "here"), {})
        problem = self.assertRaises(ValueError, http2.kind.parseOptions, {"b": 1, "a": 2}, "here")
        self.assertEqual(str(problem), "here: unknown keys: a, b")

    def test_recognise(self) -> None:
        """
        The whole preface is it; a part of it could be; what differs is not.
        """
        recognise = http2.kind.recognise
        for index in range(1, len(PREFACE)):
            self.assertEqual(recognise(PREFACE[:index]), "")
            self.assertIs(recognise(PREFACE[: index - 1] + b"\x00"), None)
        self.assertEqual((recognise(PREFACE), recognise(PREFACE + b"more")), ("h2", "h2"))
        self.assertIs(recognise(b"POST / HTTP/1.1\r\n"), None)

    def test_receive(self) -> None:
        """
        A connection that somebody else has accepted is greeted at once, is what it was said to
        be, and is counted when it is closed.
        """
        reactor = FakeReactor()
        board: Any = RecordingSwitchboard(reactor)
        receiver = http2.kind.buildReceiver(board)
        self.assertTrue(verifyObject(IReceiver, receiver))
        client = Raw()
        transport = pipePair(reactor, client, Peer()).second
        arrival = Arrival(addressOf("192.0.2.99", 7), "ssl:443", 3.0, "TLSv1.3")
        adopt(transport, receiver.receive(arrival, "h2"))
        client.greet()
        client.connect(1)
        reactor.flush()
        (inbound,) = board.placed
        request = inbound.request
        self.assertEqual(
            (request.client, request.listener, request.arrival), (arrival.client, "ssl:443", arrival)
        )
        self.assertEqual((board.opened, board.closed), (0, 0))
        receiver.stop()
        reactor.flush()
        self.assertEqual(client.goodbyes, [(0x7FFFFFFF, 0)])
        client.transport.abortConnection()
        reactor.flush()
        self.assertEqual((board.opened, board.closed), (0, 1))

    def test_alpn(self) -> None:
        """
        It answers to h2, where Twisted asks.
        """
        receiver = http2.kind.buildReceiver(RecordingSwitchboard(FakeReactor()))
        self.assertEqual(receiver.acceptableProtocols(), [b"h2"])
        self.assertEqual(IProtocolNegotiationFactory.providedBy(receiver), answersALPN())

    def test_noDelay(self) -> None:
        """
        Where the port can't say it for all of them, each connection is set not to wait for
        more to send.
        """
        reactor = FakeReactor()
        board: Any = RecordingSwitchboard(reactor)
        port = self.successResultOf(http2.kind.listen(reactor, "tcp:8080", {}, board))
        for noDelay, expected in ((True, 0), (False, 1)):
            port.factory.noDelay = noDelay
            before = set(port.factory.connections)
            port.connect(Client())
            (connection,) = port.factory.connections - before
            self.assertEqual(connection.transport.getTcpNoDelay(), bool(expected))
