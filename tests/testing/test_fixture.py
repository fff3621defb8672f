"""
Tests for L{connectproxy.testing.fixture}: a proxy in the reactor of a test.  Integration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from connectproxy import ConfigurationError
from connectproxy.ledger import FIELDS
from connectproxy.service import ListenFailed
from connectproxy.testing import FakeReactor, Peer, ProxyFixture, ProxyMixin, Read, Say
from connectproxy.testing.fixture import DEFAULTS
from tests.loopback import REACTOR, LoopbackTestCase
from tests.tls.case import issued


class FixtureTests(ProxyMixin, LoopbackTestCase):
    """
    A proxy, a server that goes wrong, and a client.
    """

    async def connect(self, proxy: ProxyFixture, octets: bytes = b"") -> Any:
        """
        Connect to a proxy.

        @return: the client's protocol.
        """
        client: Any = Peer()
        await connectProtocol(TCP4ClientEndpoint(REACTOR, proxy.host, proxy.port), client)
        self.adopted.append(client.transport)
        client.transport.write(octets)
        return client

    async def test_tunnel(self) -> None:
        """
        It leads to this machine, tells what clients have to be told, and its events are those
        of an access log.
        """
        proxy = await self.startProxy(REACTOR)
        server = self.startFaults(REACTOR, [Read(4), Say(b"pong")])
        self.assertEqual(proxy.url, f"http://127.0.0.1:{proxy.port}")
        target = f"{server.host}:{server.port}"
        client = await self.connect(
            proxy, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\nping".encode()
        )
        await self.until(lambda: client.received.endswith(b"pong"))
        self.assertEqual((bytes(server.connections[0].received), proxy.events), (b"ping", []))
        client.transport.abortConnection()
        (event,) = await proxy.whenEvents(1)
        self.assertEqual(list(event), list(FIELDS))
        self.assertEqual(
            (event["target"], event["bytes_up"], event["bytes_down"], event["groups"]), (target, 4, 4, [])
        )
        self.assertIs(await proxy.whenEvents(1), proxy.events)

    async def test_options(self) -> None:
        """
        Options are a configuration's tables; what they don't say is as usual in tests.
        """
        proxy = await self.startProxy(REACTOR, allow={"ports": [443]}, listen=[{"endpoint": "[::1]:0"}])
        self.assertEqual(proxy.service.config["allow.ports"], ((443, 443),))
        self.assertIn("127.0.0.0/8", str(proxy.service.config["allow.networks"]))
        self.assertEqual(proxy.service.config["timeouts.drain"], DEFAULTS["timeouts"]["drain"])
        self.assertEqual(proxy.url, f"http://[::1]:{proxy.port}")

    async def test_two(self) -> None:
        """
        Each has its own events.
        """
        one, two = await self.startProxy(REACTOR), await self.startProxy(REACTOR)
        client = await self.connect(two, b"nonsense\r\n\r\n")
        (event,) = await two.whenEvents(1)
        self.assertEqual((event["event"], one.events), ("refusal", []))
        await self.until(lambda: client.received)

    async def test_waiting(self) -> None:
        """
        Who waits for events can stop waiting.
        """
        proxy = await self.startProxy(REACTOR)
        waiting, other = proxy.whenEvents(1), proxy.whenEvents(2)
        waiting.cancel()
        self.failureResultOf(waiting)
        await self.connect(proxy, b"nonsense\r\n\r\n")
        await proxy.whenEvents(1)
        self.assertNoResult(other)
        other.cancel()
        self.failureResultOf(other)

    async def test_stop(self) -> None:
        """
        What is up is cut off when it is stopped, events are complete, and it can be stopped
        twice.
        """
        proxy = await self.startProxy(REACTOR)
        server = self.startFaults(REACTOR)
        target = f"{server.host}:{server.port}"
        client = await self.connect(proxy, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        await self.until(lambda: client.received)
        stopping = proxy.stop()
        await stopping
        self.assertEqual([each["end"] for each in proxy.events], ["drain_timeout"])
        await proxy.stop()
        await self.until(lambda: client.lost)

    async def test_unix(self) -> None:
        """
        A proxy at a UNIX socket has no URL.
        """
        proxy = await self.startProxy(REACTOR, listen=[{"endpoint": f"unix:{self.mktemp()}"}])
        self.assertEqual((proxy.url, proxy.host, proxy.port), ("", "", 0))

    async def test_unusable(self) -> None:
        """
        What can't start fails, and leaves nothing to be stopped.
        """
        self.failureResultOf(self.startProxy(REACTOR, audit={"file": "/nowhere/audit"}), ListenFailed)


class SecureTests(ProxyMixin, TestCase):
    """
    A proxy that speaks TLS.
    """

    async def test_url(self) -> None:
        """
        Clients are told so.
        """
        pem = Path(self.mktemp())
        pem.write_bytes(issued("localhost").certificatePEM + issued("localhost").keyPEM)
        proxy = await self.startProxy(
            REACTOR, listen=[{"endpoint": "127.0.0.1:0", "tls_certificate": str(pem)}]
        )
        self.assertEqual(proxy.url, f"https://127.0.0.1:{proxy.port}")


class WrongTests(SynchronousTestCase):
    """
    Without a proxy.
    """

    def test_wrongOptions(self) -> None:
        """
        Wrong options are told as those of any configuration, before anything starts.
        """
        for options in ({"allow": {"port": 1}}, {"allow": 5}, {"nothing": {}}):
            self.assertRaises(ConfigurationError, ProxyFixture, FakeReactor(), **options)

    def test_neverStarted(self) -> None:
        """
        What was not started need not be stopped.
        """
        self.successResultOf(ProxyFixture(FakeReactor()).stop())

    def test_protocol(self) -> None:
        """
        It is started in whatever reactor it is given, also in one in memory.
        """
        reactor = FakeReactor()
        proxy = ProxyFixture(reactor, relay={"splice": False})
        self.assertIs(self.successResultOf(proxy.start()), proxy)
        client = reactor.ports[0].connect()
        client.transport.write(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n")
        reactor.flush()
        origin = reactor.attempts[0].succeed()
        reactor.flush()
        origin.transport.write(b"hello")
        reactor.flush()
        self.assertTrue(client.received.endswith(b"\r\n\r\nhello"), client.received)
        stopped = proxy.stop()
        reactor.flush()
        self.successResultOf(stopped)
        self.assertEqual(len(proxy.events), 1)
