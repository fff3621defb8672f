"""
A page with many parts in Chromium, by every scheme that it knows for proxies.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest

from tests.integration.browser import PICTURE, BrowserCase
from tests.integration.origins import Web
from tests.integration.program import PASSWORD, USER, OnePortCase
from tests.integration.running import waitFor

pytestmark = pytest.mark.integration

PARTS = 15
"""So many pictures, scripts and style sheets, from each of two origins."""

PAGE = """<!doctype html>
<title>not loaded</title>
<p id="result">nothing</p>
<script>
let ran = 0;
</script>
{parts}
<script>
window.addEventListener("load", () => {{
  const loaded = [...document.images].filter((image) => image.complete && image.naturalWidth === 7).length;
  const style = getComputedStyle(document.documentElement);
  const styled = {names}.filter((name) => style.getPropertyValue(name) === "1").length;
  document.getElementById("result").textContent =
    `${{loaded}} pictures, ${{ran}} scripts, ${{styled}} styles`;
}});
</script>
"""


LEAST = PARTS * len(PICTURE)
"""Octets that each origin has to send at least."""

WHOLE = f"{2 * PARTS} pictures, {2 * PARTS} scripts, {2 * PARTS} styles"


class PageCase(BrowserCase, OnePortCase):
    """
    Tests with a page that has many parts.  Chromium trusts the tests' authority and nobody else.
    """

    def show(self, url: str, proxy: str) -> str:
        """
        Load a page.
        """
        return self.chromium(url, proxy)

    def webs(self) -> tuple[Web, Web]:
        """
        An origin for plain HTTP with a page that has half of its parts from another one,
        which serves HTTPS.
        """
        pages: dict[str, dict[str, str]] = {"plain": {}, "secure": {}}
        for kind, number in product(pages, range(PARTS)):
            style = f":root {{ --{kind}{number}: 1 }}"
            pages[kind] |= {f"/{number}.svg": PICTURE, f"/{number}.css": style, f"/{number}.js": "ran += 1"}
        secure = self.closing(Web({path: text.encode() for path, text in pages["secure"].items()}))
        parts = "\n".join(
            f'<link rel="stylesheet" href="{base}/{number}.css"><img src="{base}/{number}.svg">'
            f'<script src="{base}/{number}.js"></script>'
            for base, number in product(("", secure.url), range(PARTS))
        )
        names = [f"--{kind}{number}" for kind, number in product(pages, range(PARTS))]
        pages["plain"]["/page.html"] = PAGE.format(parts=parts, names=names)
        return self.closing(
            Web({path: text.encode() for path, text in pages["plain"].items()}, tls=False)
        ), secure

    def load(self, scheme: str, protocol: str, *, tls: bool = False) -> list[dict[str, Any]]:
        """
        Load the page and see that all of it came by the proxy.

        @return: the events of the origin for plain HTTP.
        """
        plain, secure = self.webs()
        self.assertIn(WHOLE, self.show(f"{plain.url}/page.html", f"{scheme}://localhost:{self.proxy.port}"))
        found: dict[str, list[dict[str, Any]]] = {web.address: [] for web in (plain, secure)}

        def enough() -> bool:
            for address in found:
                found[address] = [each for each in self.served() if each["target"] == address]
            return all(sum(each["bytes_down"] for each in events) > LEAST for events in found.values())

        waitFor(enough, "the events of both origins")
        # It also looks for an icon, which is given up when the browser ends.
        events = [each for listed in found.values() for each in listed if each["status"] is not None]
        ways = {(each["protocol"], each["tls"] is not None, each["user"]) for each in events}
        self.assertEqual(ways, {(protocol, tls, self.user)}, events)
        tunnels = found[secure.address]
        self.assertEqual({(each["event"], each["status"]) for each in tunnels}, {("tunnel", 200)})
        return found[plain.address]

    def assertForwarded(self, events: list[dict[str, Any]]) -> None:
        """
        The parts by plain HTTP came by a request each.
        """
        found = Counter((each["event"], each["status"]) for each in events)
        self.assertGreater(found["request", 200], 3 * PARTS)  # the page, too


class ChromiumTests(PageCase):
    """
    By every scheme that Chromium knows for proxies.
    """

    def test_http(self) -> None:
        """
        By C{http://}.
        """
        self.assertForwarded(self.load("http", "http/1.1"))

    def test_https(self) -> None:
        """
        By C{https://}, which is HTTP/2: all parts are streams of one connection or two.
        """
        self.assertForwarded(self.load("https", "h2", tls=True))
        clients = {each["client"] for each in self.served() if each["status"] == 200}
        self.assertLess(len(clients), 4)

    def test_socks5(self) -> None:
        """
        By C{socks5://}: nothing but tunnels.
        """
        events = self.load("socks5", "socks5")
        self.assertEqual({(each["event"], each["status"]) for each in events}, {("tunnel", 200)})


class ChromiumAskedTests(PageCase):
    """
    With a name and a password, which somebody types in.  By SOCKS Chromium has none to give.
    """

    asks = True

    def show(self, url: str, proxy: str) -> str:
        shown, asked = self.login(url, proxy, USER, PASSWORD)
        challenges = {(each["source"], each["scheme"], each["realm"]) for each in asked}
        self.assertEqual(challenges, {("Proxy", "basic", "connectproxy")})
        return shown

    def test_http(self) -> None:
        """
        By C{http://}.
        """
        self.assertForwarded(self.load("http", "http/1.1"))

    def test_https(self) -> None:
        """
        By C{https://}: every stream says who asks.
        """
        self.assertForwarded(self.load("https", "h2", tls=True))
