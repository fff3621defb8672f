"""
WebSockets (RFC 6455) at the one port: in tunnels, and by an upgrade of a forwarded request.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import threading

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.integration.origins import authority
from tests.integration.program import CLIENTS, PASSWORD, USER, OnePortCase
from tests.integration.running import GUARD

pytestmark = pytest.mark.integration

MESSAGES = [random.Random(size).randbytes(size) for size in (1, 125, 70000, 900000)]


def trusting() -> ssl.SSLContext:
    """
    What verifies certificates of the tests' authority, and no others.
    """
    return ssl.create_default_context(cafile=str(authority().certificate))


class Echo:
    """
    A server that sends every message back, in threads of its own.

    @ivar address: its host, by name, and port.
    @ivar url: how clients name it.
    """

    def __init__(self, *, tls: bool) -> None:
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority().chain, authority().key)
        self._server = serve(self._echo, "127.0.0.1", 0, ssl=context)
        self.address = f"localhost:{self._server.socket.getsockname()[1]}"
        self.url = f"{'wss' if tls else 'ws'}://{self.address}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _echo(self, connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    def close(self) -> None:
        """
        Serve no more.
        """
        self._server.shutdown()
        self._thread.join()


class WebSocketTests(OnePortCase):
    """
    The clients of websockets and aiohttp.
    """

    def echo(self, **more: bool) -> Echo:
        """
        A server.
        """
        return self.closing(Echo(**more))

    async def exchange(self, scheme: str, server: Echo) -> None:
        """
        Send messages and get them back, by websockets, which always makes a tunnel.
        """
        trust = trusting()
        secure = {"proxy_ssl": trust} if scheme == "https" else {}
        async with connect(
            server.url,
            ssl=trust if server.url.startswith("wss") else None,
            proxy=self.by(scheme),
            **secure,
        ) as client:
            for message in MESSAGES:
                await client.send(message)
                self.assertEqual(await client.recv(), message)

    async def upgrade(self, scheme: str, server: Echo) -> None:
        """
        The same by aiohttp, which wants its request for C{http://} forwarded.
        """
        url = server.url.replace("ws", "http", 1)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting())) as session,
            session.ws_connect(url, proxy=self.by(scheme), max_msg_size=0) as client,
        ):
            for message in MESSAGES:
                await client.send_bytes(message)
                self.assertEqual(await client.receive_bytes(), message)

    def test_tunnels(self) -> None:
        """
        C{ws://} and C{wss://} by C{http://}, C{https://} and C{socks5h://}.
        """
        for scheme in ("http", "https", "socks5h"):
            for tls in (False, True):
                self.proxy.mark()
                server = self.echo(tls=tls)
                asyncio.run(asyncio.wait_for(self.exchange(scheme, server), GUARD))
                self.assertCame(
                    1,
                    event="tunnel",
                    protocol="socks5" if scheme == "socks5h" else "http/1.1",
                    targets=[server.address],
                    down=sum(map(len, MESSAGES)),
                    tls=scheme == "https",
                )

    def test_upgrade(self) -> None:
        """
        The upgrade of a request that is forwarded (RFC 9110 section 7.8): it becomes a tunnel
        with the origin's 101.
        """
        for scheme in ("http", "https"):
            self.proxy.mark()
            server = self.echo(tls=False)
            asyncio.run(asyncio.wait_for(self.upgrade(scheme, server), GUARD))
            self.proxy.waitForEvents(1)
            (event,) = self.proxy.events()
            found = tuple(event[name] for name in ("method", "protocol", "status", "user", "target"))
            self.assertEqual(found, ("GET", "http/1.1", 101, self.user, server.address))
            self.assertGreater(event["bytes_down"], sum(map(len, MESSAGES)))
            self.assertEqual(event["tls"] is not None, scheme == "https")

    def test_streams(self) -> None:
        """
        Node's http2 with WebSockets in streams of one connection (RFC 8441).
        """
        for scheme in ("http", "https"):
            self.proxy.mark()
            servers = [self.echo(tls=False), self.echo(tls=False)]
            targets = [server.address for server in servers]
            proxy = f"{scheme}://localhost:{self.proxy.port}"
            user = f"{USER}:{PASSWORD}" if self.asks else ""
            said = self.command(
                "node", CLIENTS / "extended.js", proxy, authority().certificate, user, *targets
            )
            self.assertEqual(said, b"a message\n" * 2)
            self.proxy.waitForEvents(2)
            events = self.proxy.events()
            self.assertEqual({each["target"] for each in events}, set(targets))
            names = ("protocol", "status", "user")
            found = {(*(each[name] for name in names), each["tls"] is not None) for each in events}
            self.assertEqual(found, {("h2", 200, self.user, scheme == "https")})
            self.assertEqual(len({each["client"] for each in events}), 1)


class WebSocketAskedTests(WebSocketTests):
    """
    The same, with a name and a password.
    """

    asks = True
