"""
Python's clients at the one port: requests, httpx, aiohttp and what Python brings itself.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import urllib.request
from collections.abc import Coroutine
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from tests.integration.origins import Web, authority
from tests.integration.program import PAGE, OnePortCase
from tests.integration.running import GUARD

pytestmark = pytest.mark.integration

CONNECT = ("http/1.1", "http/1.0")
"""How C{http.client} asks for a tunnel; in some releases it is the older one."""

BODY = random.Random(1).randbytes(1000000)


def trusting() -> ssl.SSLContext:
    """
    What verifies certificates of the tests' authority, and no others.
    """
    return ssl.create_default_context(cafile=str(authority().certificate))


class PythonCase(OnePortCase):
    """
    Tests with a client in the test's own process.
    """

    def exchange(self, scheme: str, web: Web) -> None:
        """
        Get a page, then have a body of no announced length sent back, on one connection.
        """
        raise NotImplementedError

    def assertForwards(self, *schemes: str) -> None:
        """
        Plain HTTP is forwarded, request by request.
        """
        for scheme in schemes:
            self.proxy.mark()
            web = self.web(tls=False)
            self.exchange(scheme, web)
            self.assertCame(
                2,
                event="request",
                protocol="http/1.1",
                targets=[web.address],
                down=len(PAGE + BODY),
                tls=scheme == "https",
            )

    def assertTunnels(
        self, *schemes: str, protocol: str | tuple[str, ...] = "http/1.1", plain: bool = False
    ) -> None:
        """
        HTTPS goes through a tunnel, and with C{plain} HTTP does too.
        """
        for scheme in schemes:
            for tls in (True, False)[: 1 + plain]:
                self.proxy.mark()
                web = self.web(tls=tls)
                self.exchange(scheme, web)
                self.assertCame(
                    1,
                    event="tunnel",
                    protocol=protocol,
                    targets=[web.address],
                    down=len(PAGE + BODY),
                    tls=scheme == "https",
                )


class RequestsTests(PythonCase):
    """
    requests, with PySocks for SOCKS.
    """

    def exchange(self, scheme: str, web: Web) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = dict.fromkeys(("http", "https"), self.by(scheme))
            session.verify = str(authority().certificate)
            self.assertEqual(session.get(f"{web.url}/", timeout=GUARD).content, PAGE)
            pieces = iter([BODY[:1], BODY[1:]])
            self.assertEqual(session.post(f"{web.url}/", data=pieces, timeout=GUARD).content, BODY[::-1])

    def test_http(self) -> None:
        """
        Plain HTTP by C{http://}, and HTTPS by that and by C{https://}; for plain HTTP requests
        would not verify the certificate of a proxy.
        """
        self.assertForwards("http")
        self.assertTunnels("http", "https", protocol=CONNECT)

    def test_socks(self) -> None:
        """
        By C{socks5h://}.
        """
        self.assertTunnels("socks5h", protocol="socks5", plain=True)

    def test_refused(self) -> None:
        """
        A destination that isn't allowed, by SOCKS: the reason shows as far as SOCKS can tell it.
        """
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"http": self.by("socks5h")}
            with self.assertRaises(requests.exceptions.ConnectionError) as caught:
                session.get("http://10.0.0.1:8080/", timeout=GUARD)
        self.assertIn("not allowed by ruleset", str(caught.exception))


class RequestsAskedTests(RequestsTests):
    """
    The same, with a name and a password.
    """

    asks = True


class HTTPXTests(PythonCase):
    """
    httpx, with socksio for SOCKS.
    """

    def exchange(self, scheme: str, web: Web) -> None:
        proxy = httpx.Proxy(self.by(scheme), ssl_context=trusting() if scheme == "https" else None)
        with httpx.Client(proxy=proxy, verify=trusting(), trust_env=False, timeout=GUARD) as client:
            self.assertEqual(client.get(f"{web.url}/").content, PAGE)
            pieces = iter([BODY[:1], BODY[1:]])
            self.assertEqual(client.post(f"{web.url}/", content=pieces).content, BODY[::-1])

    def test_http(self) -> None:
        """
        Plain HTTP and HTTPS, by C{http://} and C{https://}.
        """
        self.assertForwards("http", "https")
        self.assertTunnels("http", "https")

    def test_socks(self) -> None:
        """
        By C{socks5h://}.
        """
        self.assertTunnels("socks5h", protocol="socks5", plain=True)


class HTTPXAskedTests(HTTPXTests):
    """
    The same, with a name and a password.
    """

    asks = True


def finish(work: Coroutine[Any, Any, None]) -> None:
    """
    Run something in an asyncio loop of its own.
    """
    asyncio.run(asyncio.wait_for(work, GUARD))


class AIOHTTPTests(PythonCase):
    """
    aiohttp, which speaks HTTP with proxies only.
    """

    def exchange(self, scheme: str, web: Web) -> None:
        finish(self._exchange(scheme, web))

    async def _exchange(self, scheme: str, web: Web) -> None:
        proxy = self.by(scheme)

        async def pieces() -> Any:
            yield BODY[:1]
            yield BODY[1:]

        connector = aiohttp.TCPConnector(ssl=trusting())
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(f"{web.url}/", proxy=proxy) as answer:
                self.assertEqual(await answer.read(), PAGE)
            async with session.post(f"{web.url}/", data=pieces(), proxy=proxy) as answer:
                self.assertEqual(await answer.read(), BODY[::-1])

    def test_http(self) -> None:
        """
        Plain HTTP and HTTPS, by C{http://} and C{https://}.
        """
        self.assertForwards("http", "https")
        self.assertTunnels("http", "https")


class AIOHTTPAskedTests(AIOHTTPTests):
    """
    The same, with a name and a password.
    """

    asks = True


class UrllibTests(PythonCase):
    """
    C{urllib.request}, which makes a connection for each request.
    """

    def test_http(self) -> None:
        """
        Plain HTTP is forwarded, HTTPS tunnelled; a proxy by C{https://} is none that it knows.
        """
        proxies = urllib.request.ProxyHandler(dict.fromkeys(("http", "https"), self.by("http")))
        opener = urllib.request.build_opener(proxies, urllib.request.HTTPSHandler(context=trusting()))
        for event, tls in (("request", False), ("tunnel", True)):
            self.proxy.mark()
            web = self.web(tls=tls)
            for body, expected in ((None, PAGE), (BODY, BODY[::-1])):
                with opener.open(f"{web.url}/", body, timeout=GUARD) as response:
                    self.assertEqual(response.read(), expected)
            protocol = CONNECT if tls else "http/1.1"
            self.assertCame(2, event=event, protocol=protocol, targets=[web.address], down=len(PAGE + BODY))


class UrllibAskedTests(UrllibTests):
    """
    The same, with a name and a password.
    """

    asks = True
