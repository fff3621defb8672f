"""
Tests for L{connectproxy.endpoints} and L{connectproxy.web} with real sockets and real proxies,
within the reactor of the test.  Integration.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import ProcessEndpoint, TCP4ClientEndpoint, clientFromString, connectProtocol
from twisted.internet.error import ConnectingCancelledError
from twisted.web.client import HTTPConnectionPool

from connectproxy.endpoints import (
    CONNECTClientEndpoint,
    ProxyAuthenticationError,
    ProxyConnectError,
    ProxyTimeoutError,
    SOCKS4ClientEndpoint,
    SOCKS5ClientEndpoint,
    endpointThrough,
)
from connectproxy.testing import HalfClose, Peer, ProxyMixin, Read, Reset, Say, Stall
from connectproxy.web import ProxyingAgent
from tests.endpoints.securedcase import Trusting
from tests.loopback import REACTOR, LoopbackTestCase
from tests.tls.case import issued

pytestmark = pytest.mark.integration

PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class LoopbackCase(ProxyMixin, LoopbackTestCase):
    """
    Proxies, origins, and clients.
    """

    async def connect(self, endpoint: Any) -> Peer:
        """
        @return: a protocol that is connected.
        """
        peer = Peer()
        await connectProtocol(endpoint, peer)
        self.adopted.append(peer.transport)
        return peer

    async def failure(self, connecting: Any, kind: type[BaseException]) -> Any:
        """
        @return: the exception that comes in place of what was asked for.
        """
        try:
            found = await connecting
        except kind as error:
            return error
        self.fail(f"it did not fail: {found}")


class EndpointTests(LoopbackCase):
    """
    The endpoints.
    """

    async def test_halfClose(self) -> None:
        """
        By each protocol: the origin speaks first, hears the end of our stream, and still
        answers.
        """
        proxy = await self.startProxy(REACTOR)
        origin = self.startFaults(REACTOR, [Say(b"welcome "), Read(5), Say(b"bye"), HalfClose()])
        to = TCP4ClientEndpoint(REACTOR, proxy.host, proxy.port)
        for kind in (CONNECTClientEndpoint, SOCKS5ClientEndpoint, SOCKS4ClientEndpoint):
            peer = await self.connect(kind(to, origin.host, origin.port))
            await self.until(lambda peer=peer: peer.received == b"welcome ")  # type: ignore[misc]
            peer.transport.write(b"hello")
            peer.transport.loseWriteConnection()
            await self.until(lambda peer=peer: peer.ended)  # type: ignore[misc]
            self.assertEqual((peer.received, peer.halfClosed), (b"welcome bye", True))
            self.assertEqual(origin.connections[-1].received, b"hello")
            peer.transport.abortConnection()

    async def test_early(self) -> None:
        """
        What a server has glued to its answer arrives, whatever else comes with it.
        """
        answer = b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nearly"
        server = self.startFaults(REACTOR, [Read(1), Say(answer)])
        to = TCP4ClientEndpoint(REACTOR, server.host, server.port)
        peer = await self.connect(CONNECTClientEndpoint(to, "origin.example", 443))
        await self.until(lambda: peer.received == b"early")

    async def test_chain(self) -> None:
        """
        Through two proxies, the second of them within TLS, and by a string as well.
        """
        certificate = Path(self.mktemp())
        certificate.write_bytes(issued("localhost").certificatePEM + issued("localhost").keyPEM)
        listen = {"endpoint": "127.0.0.1:0", "tls_certificate": [str(certificate)]}
        one, two = await self.startProxy(REACTOR), await self.startProxy(REACTOR, listen=[listen])
        origin = self.startFaults(REACTOR, [Say(b"hi")])
        urls = one.url, f"https://localhost:{two.port}"
        endpoint = endpointThrough(REACTOR, urls, origin.host, origin.port, contextFactory=Trusting())
        peer = await self.connect(endpoint)
        await self.until(lambda: peer.received == b"hi")
        peer.transport.abortConnection()
        (event,) = await two.whenEvents(1)
        self.assertEqual(event["target"], f"{origin.host}:{origin.port}")
        three = await self.startProxy(REACTOR)  # no proxy leads to itself
        text = (
            rf"socks5:proxy=connect\:proxy=tcp\\\:{one.host}\\\:{one.port}\:host={three.host}\:port={three.port}"
            f":host={origin.host}:port={origin.port}"
        )
        peer = await self.connect(clientFromString(REACTOR, text))
        await self.until(lambda: peer.received == b"hi")

    async def test_refused(self) -> None:
        """
        A proxy's refusal says what the proxy says, by HTTP and by SOCKS.
        """
        proxy = await self.startProxy(REACTOR, allow={"ports": [443]}, proxy={"name": "strict"})
        to = TCP4ClientEndpoint(REACTOR, proxy.host, proxy.port)
        error = await self.failure(
            self.connect(CONNECTClientEndpoint(to, "127.0.0.1", 80)), ProxyConnectError
        )
        self.assertEqual((error.kind, error.status), ("next_hop_denied", 403))
        self.assertTrue(error.proxyStatus.startswith("strict; error=http_request_denied"), error.proxyStatus)
        self.assertTrue(error.headers.hasHeader("Content-Type"))
        error = await self.failure(self.connect(SOCKS5ClientEndpoint(to, "127.0.0.1", 80)), ProxyConnectError)
        self.assertEqual((error.kind, error.reply), ("next_hop_denied", 2))

    async def test_authentication(self) -> None:
        """
        Basic, Digest and SOCKS' own, right and wrong.
        """
        users = Path(self.mktemp())
        proof = hashlib.sha256(b"ann:connectproxy:secret").hexdigest()
        users.write_text(f"ann:connectproxy:{proof}\n")
        basic = await self.startProxy(REACTOR, auth={"basic": "ann:secret"})
        digest = await self.startProxy(REACTOR, auth={"digest_users": str(users)})
        origin = self.startFaults(REACTOR, [Say(b"hi")])
        for proxy, kind, more in (
            (basic, CONNECTClientEndpoint, {}),
            (basic, SOCKS5ClientEndpoint, {}),
            (digest, CONNECTClientEndpoint, {"authentication": "digest"}),
        ):
            to = TCP4ClientEndpoint(REACTOR, proxy.host, proxy.port)
            for password in ("secret", "wrong"):
                endpoint = kind(to, origin.host, origin.port, credentials=("ann", password), **more)
                if password == "wrong":
                    await self.failure(self.connect(endpoint), ProxyAuthenticationError)
                    continue
                for _ in range(2):
                    peer = await self.connect(endpoint)
                    await self.until(lambda peer=peer: peer.received == b"hi")  # type: ignore[misc]

    async def test_faults(self) -> None:
        """
        A server that resets, or says nothing, in each phase.
        """
        for script, kind in (
            ([Reset()], ProxyConnectError),
            ([Read(1), Reset()], ProxyConnectError),
            ([Read(1), Say(b"HTTP/1.1 200 O"), Reset()], ProxyConnectError),
            ([Stall()], ProxyTimeoutError),
            ([Read(1), Say(b"HTTP/1.1 200 O"), Stall()], ProxyTimeoutError),
        ):
            server = self.startFaults(REACTOR, script)
            to = TCP4ClientEndpoint(REACTOR, server.host, server.port)
            endpoint = CONNECTClientEndpoint(to, "origin.example", 443, timeout=0.2)
            await self.failure(self.connect(endpoint), kind)

    async def test_cancelled(self) -> None:
        """
        Cancelled, the connection is closed, and the server hears of it.
        """
        server = self.startFaults(REACTOR, [Read(1)])
        to = TCP4ClientEndpoint(REACTOR, server.host, server.port)
        connecting = connectProtocol(CONNECTClientEndpoint(to, "origin.example", 443), Peer())
        connection = await server.whenAccepted()
        await self.until(lambda: connection.received)
        connecting.cancel()
        await self.failure(connecting, ConnectingCancelledError)
        await self.until(lambda: connection.lost)

    async def test_process(self) -> None:
        """
        A program that joins its standard streams to the proxy leads to it as well.
        """
        proxy = await self.startProxy(REACTOR)
        origin = self.startFaults(REACTOR, [Say(b"hi"), HalfClose()])
        script = (
            "import socket, sys, threading, os\n"
            f"s = socket.create_connection(('{proxy.host}', {proxy.port}))\n"
            "def up():\n"
            "    while octets := os.read(0, 4096): s.sendall(octets)\n"
            "    s.shutdown(socket.SHUT_WR)\n"
            "threading.Thread(target=up, daemon=True).start()\n"
            "while octets := s.recv(4096): os.write(1, octets)\n"
        )
        to = ProcessEndpoint(REACTOR, sys.executable, [sys.executable, "-c", script])
        peer = Peer()
        await connectProtocol(CONNECTClientEndpoint(to, origin.host, origin.port, clock=REACTOR), peer)
        await self.until(lambda: peer.received == b"hi")
        await self.until(lambda: peer.lost)


class AgentTests(LoopbackCase):
    """
    The agent.
    """

    async def test_treq(self) -> None:
        """
        treq's client takes it, for origins with TLS and without; connections are kept.
        """
        proxy = await self.startProxy(REACTOR)
        origin = self.startFaults(REACTOR, [Read(b"\r\n\r\n"), Say(PAGE)] * 4)
        pool = HTTPConnectionPool(REACTOR)
        self.addCleanup(pool.closeCachedConnections)
        url = f"http://{origin.host}:{origin.port}/"
        for proxies in (proxy.url, f"socks5h://{proxy.host}:{proxy.port}"):
            client = HTTPClient(ProxyingAgent(REACTOR, proxies, pool=pool))
            for _ in range(2):
                response = await client.get(url)
                self.assertEqual((response.code, await response.content()), (200, b"hi"))

    async def test_refused(self) -> None:
        """
        What goes wrong is the endpoints' to say.
        """
        proxy = await self.startProxy(REACTOR, allow={"ports": [443]})
        agent = ProxyingAgent(REACTOR, proxy.url)
        error = await self.failure(agent.request(b"GET", b"https://127.0.0.1:80/"), ProxyConnectError)
        self.assertEqual(error.status, 403)

    async def test_cancelled(self) -> None:
        """
        A request that is cancelled leaves no connection.
        """
        server = self.startFaults(REACTOR, [Read(1)])
        agent = ProxyingAgent(REACTOR, f"http://{server.host}:{server.port}")
        asking = agent.request(b"GET", b"https://origin.example/")
        connection = await server.whenAccepted()
        await self.until(lambda: connection.received)
        asking.cancel()
        with self.assertRaises((CancelledError, ConnectingCancelledError)):
            await asking
        await self.until(lambda: connection.lost)
