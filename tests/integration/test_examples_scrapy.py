"""
The download handler for Scrapy, by all that can become of a request.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.origins import Web, authority
from tests.integration.program import CLIENTS
from tests.integration.raw import SilentOrigin, readToEnd
from tests.integration.test_examples_proxied import PYTHON, ExampleCase
from tests.integration.trails import SAID

pytestmark = pytest.mark.integration

HTML = b"<html><title>a page</title></html>"


def answers(octets: bytes) -> Callable[[socket.socket], None]:
    """
    @return: what reads a request, and answers it with all that there is to say.
    """

    def serve(sock: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += sock.recv(4096)
        sock.sendall(octets)

    return serve


class HandlerTests(ExampleCase):
    """
    C{Handler}.
    """

    def crawl(self, requests: dict[str, dict[str, Any]], **settings: Any) -> dict[str, Any]:
        """
        Make requests.

        @return: what became of each.
        """
        said = self.command(
            *PYTHON,
            CLIENTS / "crawl.py",
            json.dumps(settings),
            said=json.dumps(requests).encode(),
            both=True,
            SSL_CERT_FILE=str(authority().certificate),
        )
        found: dict[str, Any] = json.loads(said)
        self.assertEqual(found.keys(), requests.keys())
        return found

    def test_answers(self) -> None:
        """
        What comes is what Scrapy's own handler makes of it without a proxy, by the default proxy
        and by one of the request's own, or a chain.
        """
        own, squid, _, tinyproxy, _, dante, microsocks = self.trails
        pages = {"/page.html": HTML, "/empty": b"", "/": b"a page"}
        secured, plain = (self.closing(Web(pages, tls=tls)) for tls in (True, False))
        cookies = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        served = answers(b"%s\r\nto the end" % cookies)
        endless, likewise = self.serving(served), self.serving(served)
        chain = [squid.url("http"), microsocks.url("socks5h", SAID)]
        requests: dict[str, dict[str, Any]] = {
            "html": {"url": f"{secured.url}/page.html#part"},
            "sent": {"url": f"{secured.url}/", "method": "POST", "body": "octets"},
            "missing": {"url": f"{plain.url}/none"},
            "empty": {"url": f"{plain.url}/empty"},
            "endless": {"url": f"http://localhost:{endless}/"},
        }
        without = requests | {"endless": {"url": f"http://localhost:{likewise}/"}}
        expected = self.crawl(without, DOWNLOAD_HANDLERS={})
        for name, way in (("sent", chain), ("missing", own.url("http")), ("empty", tinyproxy.url("http"))):
            requests[name]["meta"] = {"proxy": way}
        found = self.crawl(requests, PROXIES=dante.url("socks5h"))
        self.assertEqual(found, expected)
        self.assertEqual(
            {name: (became["status"], became["body"]) for name, became in found.items()},
            {
                "html": (200, HTML.decode()),
                "sent": (200, "stetco"),
                "missing": (404, "there is no such page\n"),
                "empty": (200, ""),
                "endless": (200, "to the end"),
            },
        )
        dante.waitFor(secured.port)
        dante.waitFor(endless)
        squid.waitFor(microsocks.port)
        microsocks.waitFor(secured.port)
        own.waitFor(plain.port, "request")
        tinyproxy.waitFor(plain.port, "request")

    def test_failures(self) -> None:
        """
        What does not come fails by the names that Scrapy has for it, for its retries to know, and
        a proxy's refusal by the proxy's.
        """
        own, _, known, *_ = self.trails
        large = self.closing(Web({"/": bytes(2000)}))
        silent = self.closing(SilentOrigin())
        closed = self.origin()
        nowhere = closed.getsockname()[1]
        closed.close()
        mute = self.serving(lambda sock: readToEnd(sock) and None)
        deaf = self.serving(lambda sock: readToEnd(sock) and None)
        short = self.serving(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"))
        here, soon = own.url("http"), {"download_timeout": 0.3}
        found = self.crawl(
            {
                "large": {"url": f"{large.url}/", "meta": {"download_maxsize": 1000}},
                "larger": {"url": f"{large.url}/"},
                "silent proxy": {"url": "https://origin.test/", "meta": {"proxy": f"http://127.0.0.1:{silent.port}"} | soon},
                "mute proxy": {"url": "https://origin.test/", "meta": {"proxy": f"http://127.0.0.1:{mute}"} | soon},
                "deaf origin": {"url": f"http://localhost:{deaf}/", "meta": soon},
                "short": {"url": f"http://localhost:{short}/"},
                "no proxy": {"url": "https://origin.test/", "meta": {"proxy": f"http://127.0.0.1:{nowhere}"}},
                "no origin": {"url": f"https://localhost:{nowhere}/"},
                "unknown": {"url": "https://origin.test/", "meta": {"proxy": known.url("http", "ann:wrongword@")}},
                "no address": {"url": "https://origin.invalid/", "meta": {"proxy": own.url("socks5")}},
            },
            PROXIES=here,
            DOWNLOAD_MAXSIZE=1500,
        )  # fmt: skip
        self.assertEqual(
            {name: kind for name, (kind, _) in found.items()},
            {
                "large": "DownloadCancelledError",
                "larger": "DownloadCancelledError",
                "silent proxy": "DownloadTimeoutError",
                "mute proxy": "DownloadTimeoutError",
                "deaf origin": "DownloadTimeoutError",
                "short": "DownloadFailedError",
                "no proxy": "DownloadConnectionRefusedError",
                "no origin": "ProxyConnectError",
                "unknown": "ProxyAuthenticationError",
                "no address": "CannotResolveHostError",
            },
        )
        self.assertNotIn("wrongword", str(found))
