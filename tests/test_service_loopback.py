"""
Tests for L{connectproxy.service} with real sockets: what the fakes can't show.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import inlineCallbacks
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.logger import capturedLogs, formatEvent

from connectproxy.config import configure
from connectproxy.service import ListenFailed, ProxyService
from connectproxy.splice import SpliceRelay
from connectproxy.wire.http1 import CONNECTED
from tests.fakes import Peer
from tests.loopback import REACTOR, LoopbackTestCase, descriptors

pytestmark = pytest.mark.integration


class ServiceTests(LoopbackTestCase):
    """
    A proxy in trial's reactor, with an origin beside it.
    """

    def setUp(self) -> None:
        """
        Have an origin.
        """
        super().setUp()
        self.origins: list[Peer] = []
        factory = Factory.forProtocol(Peer)
        factory.noisy = False
        build = factory.buildProtocol

        def buildProtocol(addr: Any) -> Any:
            self.origins.append(build(addr))
            return self.origins[-1]

        factory.buildProtocol = buildProtocol  # type: ignore[method-assign]
        self.origin = REACTOR.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(self.origin.stopListening)

    def make(self, *endpoints: str, **tables: Any) -> ProxyService:
        """
        A service that is stopped with the test.
        """
        listen = [{"endpoint": endpoint} for endpoint in endpoints or ("127.0.0.1:0",)]
        allow = {"ports": "any", "networks": ["127.0.0.0/8"]}
        timeouts = {"drain": 0}
        defaults = {"allow": allow, "timeouts": timeouts, "access_log": {"file": "none"}}
        service = ProxyService(REACTOR, configure(listen=listen, **{**defaults, **tables}))
        self.addCleanup(service.stopService)
        return service

    def open(self, service: ProxyService) -> Any:
        """
        Ask for a tunnel to the origin.

        @return: a Deferred of the client.
        """
        (address,) = service.addresses
        target = f"127.0.0.1:{self.origin.getHost().port}"
        client = Peer()
        endpoint = TCP4ClientEndpoint(REACTOR, "127.0.0.1", address.port)  # type: ignore[attr-defined]
        connecting = connectProtocol(endpoint, client)

        def connected(client: Peer) -> Any:
            self.adopted.append(client.transport)
            client.transport.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
            return self.until(lambda: len(client.received) >= len(CONNECTED))

        connecting.addCallback(connected)
        return connecting.addCallback(lambda ignored: client)

    @inlineCallbacks
    def test_portZero(self) -> Any:
        """
        With port 0 the system chooses; the address is known and shown, and it serves.
        """
        service = self.make()
        with capturedLogs() as events:
            service.startService()
        (address,) = service.addresses
        port = address.port  # type: ignore[attr-defined]
        said = [formatEvent(event) for event in events]
        self.assertTrue(any(f"curl -x http://127.0.0.1:{port} https://" in line for line in said), said)
        client = yield self.open(service)
        client.transport.write(b"hello")
        yield self.until(lambda: self.origins[0].received == b"hello")
        self.origins[0].transport.write(b"good day")
        yield self.until(lambda: client.received == CONNECTED + b"good day")
        yield service.stopService()

    @inlineCallbacks
    def test_nothingLeaks(self) -> Any:
        """
        Started and stopped, with tunnels of which some are still up: no descriptor is left,
        neither a socket nor a pipe nor a file, and nothing on the reactor.
        """
        path = str(Path(self.mktemp()).absolute())
        service = self.make(access_log={"file": path})
        yield self.turns()  # in the first one the reactor opens some of its own
        before, calls = descriptors(), set(REACTOR.getDelayedCalls())
        for _ in range(2):
            service.startService()
            clients = []
            for _ in range(3):
                clients.append((yield self.open(service)))
            clients[0].transport.write(b"hello")
            clients[0].transport.loseConnection()
            yield service.stopService()
            ends = [*clients, *self.origins]
            yield self.until(lambda ends=ends: all(each.lost for each in ends))
            yield self.turns()
            self.assertEqual(descriptors(), before)
        self.assertEqual(set(REACTOR.getDelayedCalls()) - calls, set())
        self.assertEqual(len(Path(path).read_text().splitlines()), 6)

    @inlineCallbacks
    def test_relay(self) -> Any:
        """
        The relay that serves is the one that the configuration and the system have.
        """
        for splice in (True, False):
            service = self.make(relay={"splice": splice})
            service.startService()
            yield self.open(service)
            with capturedLogs() as events:
                yield service.stopService()
            (event,) = [each["event"] for each in events if "event" in each]
            expected = "splice" if splice and SpliceRelay.isSupported() else "wired"
            self.assertEqual((event["relay"], event["end"]), (expected, "drain_timeout"))

    @inlineCallbacks
    def test_occupied(self) -> Any:
        """
        A port that somebody else has: the message says so, the others are closed again, and
        no descriptor is left.
        """
        yield self.turns()  # in the first one the reactor opens some of its own
        before = descriptors()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            service = self.make("127.0.0.1:0", f"127.0.0.1:{port}")
            with self.assertRaises(ListenFailed) as caught:
                service.startService()
        self.assertIn(f"can't listen at tcp:{port}:interface=127.0.0.1", str(caught.exception))
        self.assertIn("Address already in use", str(caught.exception))
        yield self.until(lambda: descriptors() == before)

    @inlineCallbacks
    def test_several(self) -> Any:
        """
        Several in one process, in one reactor.
        """
        services = [self.make(), self.make()]
        clients = []
        for service in services:
            service.startService()
            clients.append((yield self.open(service)))
        yield services[0].stopService()
        yield self.until(lambda: clients[0].lost)
        clients[1].transport.write(b"hello")
        yield self.until(lambda: self.origins[1].received == b"hello")
        self.assertIsNone(clients[1].lost)
        yield services[1].stopService()
