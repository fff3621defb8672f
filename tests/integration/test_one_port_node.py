"""
Node at the one port: undici, and its own http, https and http2.
"""

from __future__ import annotations

import json

import pytest

from tests.integration.origins import Web, authority
from tests.integration.program import CLIENTS, PAGE, PASSWORD, USER, OnePortCase

pytestmark = pytest.mark.integration

BODY = b"a body to be sent back"

STREAMS = 20
"""Requests at once of each kind."""


class NodeTests(OnePortCase):
    """
    Programs for Node, in C{tests/integration/clients}.
    """

    def node(self, program: str, scheme: str, *webs: Web) -> bytes:
        """
        Run one of them.
        """
        proxy = f"{scheme}://localhost:{self.proxy.port}"
        user = f"{USER}:{PASSWORD}" if self.asks else ""
        urls = [f"{web.url}/" for web in webs]
        return self.command(
            *("node", CLIENTS / program, proxy, authority().certificate, user, *urls),
            # Where Debian keeps undici, and which Nodes of others don't look into.
            NODE_PATH="/usr/share/nodejs",
        )

    def test_undici(self) -> None:
        """
        undici's ProxyAgent, by C{http://} and C{https://}: one tunnel or more for each origin.
        """
        for scheme in ("http", "https"):
            self.proxy.mark()
            webs = [self.web(), self.web()]
            self.assertEqual(self.node("proxyagent.js", scheme, *webs), (PAGE + BODY[::-1]) * 2)
            self.assertCame(
                2,
                event="tunnel",
                protocol="http/1.1",
                targets=[web.address for web in webs],
                tls=scheme == "https",
                more=True,
            )

    def test_forwarded(self) -> None:
        """
        Requests for C{http://}, kept alive over two origins and with bodies in chunks.
        """
        for scheme in ("http", "https"):
            self.proxy.mark()
            webs = [self.web(tls=False), self.web(tls=False)]
            self.assertEqual(self.node("forward.js", scheme, *webs), (PAGE + BODY[::-1]) * 2)
            self.assertCame(
                4,
                event="request",
                protocol="http/1.1",
                targets=[web.address for web in webs],
                tls=scheme == "https",
            )
            self.assertEqual(len({each["client"] for each in self.served()}), 1)

    def test_streams(self) -> None:
        """
        http2, in clear and within TLS: tunnels and forwarded requests side by side in one
        connection.
        """
        for scheme in ("http", "https"):
            self.proxy.mark()
            tunnelled, forwarded = self.web(), self.web(tls=False)
            webs = [tunnelled, forwarded] * STREAMS
            came = json.loads(self.node("streams.js", scheme, *webs))
            self.assertEqual(came, [PAGE.decode()] * 2 * STREAMS)
            self.proxy.waitForEvents(2 * STREAMS)
            ways = sorted(
                (each["event"], each["target"], each["protocol"], each["status"], each["user"])
                for each in self.proxy.events()
            )
            request = ("request", forwarded.address, "h2", 200, self.user)
            tunnel = ("tunnel", tunnelled.address, "h2", 200, self.user)
            self.assertEqual(ways, [request] * STREAMS + [tunnel] * STREAMS)
            self.assertEqual(len({each["client"] for each in self.proxy.events()}), 1)
            self.assertEqual({each["tls"] is not None for each in self.proxy.events()}, {scheme == "https"})


class NodeAskedTests(NodeTests):
    """
    The same, with a name and a password.
    """

    asks = True
