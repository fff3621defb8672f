"""
curl and nghttp at the one port, by every protocol that they know.
"""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pycurl
import pytest

from tests.integration.origins import Web, authority
from tests.integration.program import PAGE, OnePortCase
from tests.integration.running import GUARD

pytestmark = pytest.mark.integration

HTTPS2 = 3
"""C{CURLPROXY_HTTPS2}, for which pycurl has no name: TLS, and HTTP/2 where the proxy agrees."""

UPLOAD = random.Random(1).randbytes(1500000)


class CurlTests(OnePortCase):
    """
    The system's curl, as most people meet it.
    """

    def curl(self, *words: str | Path, **more: int | str) -> bytes:
        """
        Run curl without anybody's own settings.  A name that it looks up itself it finds
        where the origins are.
        """
        made = authority().certificate
        options = ("--noproxy", "", "--cacert", made, "--proxy-cacert", made)
        return self.command("curl", "-q", "-sS", *options, *words, **more)

    def fetch(self, scheme: str, *webs: Web) -> bytes:
        """
        Get each server's page, and one of them again.
        """
        resolve = [word for web in webs for word in ("--resolve", f"{web.address}:127.0.0.1")]
        urls = [f"{web.url}/" for web in (*webs, webs[-1])]
        return self.curl("-x", self.by(scheme), *resolve, *urls)

    def test_plain(self) -> None:
        """
        Plain HTTP by C{http://}: each request is forwarded as a message.
        """
        webs = [self.web(tls=False), self.web(tls=False)]
        self.assertEqual(self.fetch("http", *webs), PAGE * 3)
        targets = [web.address for web in webs]
        self.assertCame(3, event="request", protocol="http/1.1", targets=targets)

    def test_plainWithinTLS(self) -> None:
        """
        Plain HTTP by C{https://}: as before, with the proxy's certificate verified.
        """
        web = self.web(tls=False)
        self.assertEqual(self.fetch("https", web), PAGE * 2)
        self.assertCame(2, event="request", protocol="http/1.1", targets=[web.address], tls=True)

    def test_upload(self) -> None:
        """
        A body goes up and comes back in a forwarded request: by its length, in chunks of no
        announced length, and after the C{100 Continue} that curl waits for with both.
        """
        web = self.web(tls=False)
        (file := self.temporary() / "body").write_bytes(UPLOAD)
        for framing in ("Content-Length: 1500000", "Transfer-Encoding: chunked"):
            self.proxy.mark()
            options = (
                "-x",
                self.by("http"),
                "-H",
                framing,
                "-H",
                "Expect: 100-continue",
                "--expect100-timeout",
                "600",
            )
            came = self.curl(*options, "--data-binary", f"@{file}", f"{web.url}/")
            self.assertEqual(came, UPLOAD[::-1])
            self.assertCame(1, event="request", protocol="http/1.1", targets=[web.address], down=len(UPLOAD))
            self.assertGreaterEqual(self.served()[0]["bytes_up"], len(UPLOAD))

    def test_tunnels(self) -> None:
        """
        HTTPS by C{http://} and C{https://}: a tunnel, used for two requests.
        """
        for scheme in ("http", "https"):
            self.proxy.mark()
            web = self.web()
            self.assertEqual(self.fetch(scheme, web), PAGE * 2)
            secure = scheme == "https"
            self.assertCame(
                1, event="tunnel", protocol="http/1.1", targets=[web.address], down=2 * len(PAGE), tls=secure
            )

    def test_socks5(self) -> None:
        """
        By C{socks5h://} the proxy looks the name up, by C{socks5://} curl does.
        """
        for scheme, host in (("socks5h", "localhost"), ("socks5", "127.0.0.1")):
            self.proxy.mark()
            webs = [self.web(), self.web(tls=False)]
            self.assertEqual(self.fetch(scheme, *webs), PAGE * 3)
            targets = [f"{host}:{web.port}" for web in webs]
            self.assertCame(2, event="tunnel", protocol="socks5", targets=targets)

    def test_socks4(self) -> None:
        """
        By C{socks4a://} the proxy looks the name up, by C{socks4://} curl does.
        """
        for scheme, host in (("socks4a", "localhost"), ("socks4", "127.0.0.1")):
            self.proxy.mark()
            webs = [self.web(), self.web(tls=False)]
            self.assertEqual(self.fetch(scheme, *webs), PAGE * 3)
            targets = [f"{host}:{web.port}" for web in webs]
            self.assertCame(2, event="tunnel", protocol=scheme, targets=targets)

    def test_wrongPassword(self) -> None:
        """
        Whoever has a wrong password gets nowhere; a port that asks nobody takes any.
        """
        web = self.web(tls=False)
        for scheme in ("http", "socks5h"):
            self.proxy.mark()
            address = self.by(scheme, password="guessed")
            if not self.asks:
                self.assertEqual(self.curl("-x", address, f"{web.url}/"), PAGE)
                continue
            code = 97 if scheme == "socks5h" else 22
            self.curl("--fail", "-x", address, f"{web.url}/", status=code)
            self.proxy.waitForEvents(1)
            (event,) = self.proxy.events()
            self.assertEqual((event["error"], event["user"]), ("proxy_authentication_required", None))


class CurlAskedTests(CurlTests):
    """
    The same, with a name and a password.
    """

    asks = True

    def test_socks4(self) -> None:
        """
        SOCKS 4 can't prove who somebody is, whatever its user id says: nobody gets in.
        """
        web = self.web(tls=False)
        for scheme in ("socks4", "socks4a"):
            self.proxy.mark()
            self.curl("-x", self.by(scheme), f"{web.url}/", status=97)
            self.proxy.waitForEvents(1)
            (event,) = self.proxy.events()
            found = event["protocol"], event["error"], event["user"]
            self.assertEqual(found, (scheme, "proxy_authentication_required", None))


class Curl2Tests(OnePortCase):
    """
    A libcurl that speaks HTTP/2 with proxies, as C{curl --proxy-http2} does.
    """

    def setUp(self) -> None:
        OnePortCase.setUp(self)
        self.handle = self.closing(pycurl.Curl())

    def fetch(self, url: str, body: bytes = b"") -> bytes:
        """
        Get a page, or send a body for an answer.
        """
        made, came, handle = str(authority().certificate), BytesIO(), self.handle
        settings = {
            pycurl.URL: url,
            pycurl.PROXY: self.by("https"),
            pycurl.PROXYTYPE: HTTPS2,
            pycurl.NOPROXY: "",
            pycurl.CAINFO: made,
            pycurl.PROXY_CAINFO: made,
            pycurl.WRITEFUNCTION: came.write,
            pycurl.TIMEOUT: int(GUARD),
        }
        if body:
            settings |= {pycurl.POSTFIELDS: body}
        for option, value in settings.items():
            handle.setopt(option, value)
        handle.perform()
        self.assertEqual(handle.getinfo(pycurl.RESPONSE_CODE), 200)
        return came.getvalue()

    def test_https(self) -> None:
        """
        HTTPS in a stream: TLS within HTTP/2 within TLS.
        """
        webs = [self.web(), self.web()]
        self.assertEqual([self.fetch(f"{web.url}/") for web in webs], [PAGE, PAGE])
        self.assertEqual(self.fetch(f"{webs[0].url}/", UPLOAD), UPLOAD[::-1])
        self.handle.close()
        self.assertCame(2, event="tunnel", protocol="h2", targets=[web.address for web in webs], tls=True)

    def test_plain(self) -> None:
        """
        Plain HTTP: requests that are forwarded.
        """
        web = self.web(tls=False)
        self.assertEqual([self.fetch(f"{web.url}/") for _ in range(3)], [PAGE] * 3)
        self.assertEqual(self.fetch(f"{web.url}/", UPLOAD), UPLOAD[::-1])
        self.handle.close()
        self.assertCame(4, event="request", protocol="h2", targets=[web.address], tls=True)


class Curl2AskedTests(Curl2Tests):
    """
    The same, with a name and a password.
    """

    asks = True


class PriorKnowledgeTests(OnePortCase):
    """
    HTTP/2 in clear, from the first octet on.
    """

    def test_curl(self) -> None:
        """
        curl, which takes the proxy for the server.
        """
        web = self.web(tls=False)
        way = ("--http2-prior-knowledge", "--connect-to", f"{web.address}:127.0.0.1:{self.proxy.port}")
        curl = ("curl", "-q", "-sS", "--noproxy", "*", *way)
        self.assertEqual(self.command(*curl, f"{web.url}/"), PAGE)
        self.assertEqual(self.command(*curl, "--data-binary", "@-", f"{web.url}/", said=UPLOAD), UPLOAD[::-1])
        self.assertCame(2, event="request", protocol="h2", targets=[web.address], down=len(UPLOAD))

    def test_pages(self) -> None:
        """
        Who takes the proxy for a web server is told by HTTP/2 what it is, in clear and within
        TLS, and how a browser is to come: as it has come now.
        """
        curl = ("curl", "-q", "-sS", "--noproxy", "*", "--cacert", authority().certificate)
        port = self.proxy.port
        for option, scheme, way in (
            ("--http2-prior-knowledge", "http", "PROXY {0}; SOCKS5 {0}"),
            ("--http2", "https", "HTTPS {0}"),
        ):
            self.proxy.mark()
            for host in ("127.0.0.1", "localhost"):
                there = f"{host}:{port}"
                resolve = ("--resolve", f"{there}:127.0.0.1")
                said = self.command(*curl, option, *resolve, f"{scheme}://{there}/")
                self.assertIn(f"curl -x {scheme}://{there} ".encode(), said)
                said = self.command(*curl, option, *resolve, f"{scheme}://{there}/proxy.pac")
                self.assertIn(way.format(there).encode(), said)
            self.proxy.waitForEvents(4)
            found = {(event["protocol"], event["status"]) for event in self.proxy.events()}
            self.assertEqual(found, {("h2", 200)})

    def test_nghttp(self) -> None:
        """
        nghttp, which names another authority than the one that it connects to, with several
        requests at once and a body.
        """
        web = self.web(tls=False)
        way = ("nghttp", "-H", f":authority: {web.address}", f"http://127.0.0.1:{self.proxy.port}/")
        self.assertEqual(self.command(*way, "-m", "10"), PAGE * 10)
        self.assertCame(10, event="request", protocol="h2", targets=[web.address])
        self.proxy.mark()
        (file := self.temporary() / "body").write_bytes(UPLOAD)
        self.assertEqual(self.command(*way, "-d", file), UPLOAD[::-1])
        self.assertCame(1, event="request", protocol="h2", targets=[web.address], down=len(UPLOAD))
