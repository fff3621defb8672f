"""
Who asks, as programs say it: Python's clients, Node, Java and Chromium.
"""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3

from tests.integration.browser import BrowserCase
from tests.integration.identified import KnownCase, basic
from tests.integration.origins import Web, authority
from tests.integration.program import CLIENTS, NEAR, PAGE, PASSWORD, USER
from tests.integration.running import GUARD
from tests.integration.test_one_port_java import compiled

pytestmark = pytest.mark.integration


def trusting() -> ssl.SSLContext:
    """
    What verifies certificates of the tests' authority, and no others.
    """
    return ssl.create_default_context(cafile=str(authority().certificate))


class PythonTests(KnownCase):
    """
    Clients in the test's own process.
    """

    def values(self) -> tuple[tuple[str, str], ...]:
        """
        Credentials for clients that are told a field, and the means that they are.
        """
        return ("token", f"Bearer {self.house.token}"), ("basic", basic(USER, PASSWORD))

    def users(self) -> tuple[tuple[str, str], ...]:
        """
        Credentials for clients that are told a URL: what stands before the host.
        """
        return ("basic", f"{USER}:pass%3Aword@"), ("token", f"token:{self.house.token}@")

    def at(self, scheme: str, user: str) -> str:
        """
        A proxy's URL.
        """
        return f"{scheme}://{user}localhost:{self.proxy.port}"

    def test_requests(self) -> None:
        """
        requests: by its URL, in HTTP and SOCKS.  In SOCKS no token: PySocks writes the length of
        a password as UTF-8, and so wrong from 128 octets on.
        """
        for means, user in self.users():
            for scheme in ("http", "https", "socks5h")[: 3 if means == "basic" else 2]:
                web = self.web()
                with requests.Session() as session:
                    session.trust_env = False
                    session.proxies = dict.fromkeys(("http", "https"), self.at(scheme, user))
                    session.verify = str(authority().certificate)
                    self.assertEqual(session.get(f"{web.url}/", timeout=GUARD).content, PAGE)
                self.assertKnown("password" if scheme == "socks5h" else means)

    def test_httpx(self) -> None:
        """
        httpx: by a field, for tunnels and for requests that are forwarded.
        """
        for means, value in self.values():
            for web in self.webs():
                proxy = httpx.Proxy(self.at("http", ""), headers={"Proxy-Authorization": value})
                with httpx.Client(proxy=proxy, verify=trusting(), trust_env=False, timeout=GUARD) as client:
                    self.assertEqual(client.get(f"{web.url}/").content, PAGE)
                self.assertKnown(means)

    def test_aiohttp(self) -> None:
        """
        aiohttp: by a field.
        """

        async def fetch(web: Web, value: str) -> bytes:
            connector = aiohttp.TCPConnector(ssl=trusting())
            fields = {"Proxy-Authorization": value}
            async with aiohttp.ClientSession(connector=connector) as session:
                way: Any = {"proxy": self.at("http", ""), "proxy_headers": fields}
                async with session.get(f"{web.url}/", **way) as answer:
                    return await answer.read()

        for means, value in self.values():
            web = self.web()
            self.assertEqual(asyncio.run(asyncio.wait_for(fetch(web, value), GUARD)), PAGE)
            self.assertKnown(means)

    def test_urllib3(self) -> None:
        """
        urllib3: by a field, with the proxy in clear and within TLS.
        """
        for means, value in self.values():
            for scheme in ("http", "https"):
                web = self.web()
                with urllib3.ProxyManager(
                    self.at(scheme, ""),
                    proxy_headers={"Proxy-Authorization": value},
                    proxy_ssl_context=trusting() if scheme == "https" else None,
                    ca_certs=str(authority().certificate),
                ) as manager:
                    self.assertEqual(manager.request("GET", f"{web.url}/", timeout=GUARD).data, PAGE)
                self.assertKnown(means)

    def test_urllib(self) -> None:
        """
        What Python brings itself: by its URL.
        """
        for means, user in self.users():
            for web in self.webs():
                proxies = urllib.request.ProxyHandler(dict.fromkeys(("http", "https"), self.at("http", user)))
                opener = urllib.request.build_opener(proxies, urllib.request.HTTPSHandler(context=trusting()))
                with opener.open(f"{web.url}/", timeout=GUARD) as answer:
                    self.assertEqual(answer.read(), PAGE)
                self.assertKnown(means)

    def test_certificate(self) -> None:
        """
        A certificate, shown by urllib3 to the proxy and not to the origin.
        """
        context, web = trusting(), self.web()
        context.load_cert_chain(self.house.certificate)
        with urllib3.ProxyManager(
            self.at("https", ""), proxy_ssl_context=context, ca_certs=str(authority().certificate)
        ) as manager:
            self.assertEqual(manager.request("GET", f"{web.url}/", timeout=GUARD).data, PAGE)
        self.assertKnown("certificate")


class NodeTests(KnownCase):
    """
    undici's ProxyAgent, which is told the value of the field.
    """

    def test_values(self) -> None:
        """
        By a password and by a token, which C{Bearer} announces.
        """
        for means, words in (("basic", f"{USER}:{PASSWORD}"), ("token", f"Bearer {self.house.token}")):
            for scheme in ("http", "https"):
                web = self.web()
                proxy = f"{scheme}://localhost:{self.proxy.port}"
                said = self.command(
                    *(
                        "node",
                        CLIENTS / "proxyagent.js",
                        proxy,
                        authority().certificate,
                        words,
                        f"{web.url}/",
                    ),
                    NODE_PATH="/usr/share/nodejs",
                )
                self.assertTrue(said.startswith(PAGE), said)
                self.assertKnown(means)


class JavaTests(KnownCase):
    """
    Java's HttpClient, which has an C{Authenticator}, and its sockets.
    """

    def java(self, way: str, password: str, *urls: str) -> list[str]:
        """
        Run the program.
        """
        said = self.command(
            *("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
            # Or it keeps Basic from tunnels, and this machine's own names from proxies.
            *("-Djdk.http.auth.tunneling.disabledSchemes=", "-Dhttp.nonProxyHosts=", "-DsocksNonProxyHosts="),
            *("-cp", compiled(), "Fetch", "127.0.0.1", str(self.proxy.port), USER, password),
            *(authority().certificate, way, *urls),
        )
        return said.decode().splitlines()[1::2]

    def test_authenticator(self) -> None:
        """
        By a password, and by a token in its place; of the challenges it finds the one that it
        knows, Basic, wherever that stands.
        """
        for means, password in (("basic", PASSWORD), ("token", self.house.token)):
            webs = self.webs()
            urls = [f"{web.url}/" for web in webs]
            self.assertEqual(self.java("http1", password, *urls), [PAGE.decode().rstrip()] * 2)
            self.assertKnown(means, 2)

    def test_socks(self) -> None:
        """
        By the name and password of SOCKS.
        """
        web = self.web()
        self.assertEqual(self.java("socks", PASSWORD, f"{web.url}/"), [PAGE.decode().rstrip()])
        self.assertKnown("password")


class ChromiumTests(BrowserCase, KnownCase):
    """
    Chromium, which asks whoever sits before it.
    """

    def test_digest(self) -> None:
        """
        With a name and a password it takes the best challenge, which is Digest.
        """
        web = self.closing(Web({"/": b"<p>a page</p>"}))
        shown, asked = self.login(f"{web.url}/", f"http://localhost:{self.proxy.port}", USER, PASSWORD)
        self.assertIn("a page", shown)
        self.assertEqual({each["scheme"] for each in asked}, {"digest"})
        (found,) = {each["means"] for each in self.served() if each["target"] == web.address}
        self.assertEqual(found, "digest")


class ChromiumNetworkTests(BrowserCase):
    """
    Chromium, which nobody has told anything.
    """

    arguments = NEAR
    config = '[[identity]]\nuser = "ann"\nnetworks = ["127.0.0.0/8"]\n'

    def test_network(self) -> None:
        """
        By its address, and by every scheme that it knows in clear.
        """
        for scheme in ("http", "socks5"):
            self.proxy.mark()
            web = self.closing(Web({"/": b"<p>a page</p>"}))
            self.assertIn("a page", self.chromium(f"{web.url}/", f"{scheme}://localhost:{self.proxy.port}"))
            self.proxy.waitForEvents(1)
            events = [each for each in self.proxy.events() if each["target"] == web.address]
            self.assertEqual({(each["user"], each["means"]) for each in events}, {(USER, "network")})
