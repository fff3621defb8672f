"""
L{connectproxy.auth.digest} against curl, which knows Digest for proxies.

What answers it here is a small server of the standard library's with nothing else of ours,
so that what curl sends is judged by this one module; it is proxy and origin in one.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pycurl
import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.digest import DigestScheme, Known, Unverified
from connectproxy.auth.digestfile import DigestUsers
from connectproxy.wire.authorization import Digest, parseCredentials
from tests.integration.running import GUARD, environment

pytestmark = pytest.mark.integration

REALM = 'a "realm"'
PASSWORD = "pass:wörd"
PAGE = b"a page, by way of a proxy\n"


class Serving(BaseHTTPRequestHandler):
    """
    Serves one connection; within a tunnel it is the origin.
    """

    protocol_version = "HTTP/1.1"
    server: Proxy
    _tunnel = False

    def answer(self) -> None:
        """
        Answer any request.
        """
        proxy = self.server
        status, fields = (200, []) if self._tunnel else proxy.judge(self)
        if self.command == "CONNECT":
            self._tunnel = status == 200
        body = b"" if self._tunnel and self.command == "CONNECT" else PAGE
        self.send_response_only(status)
        for name, value in fields:
            self.send_header(name, value)
        if body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_CONNECT = do_GET = do_POST = answer

    def log_message(self, *words: Any) -> None:
        """
        Say nothing.
        """


class Proxy(ThreadingHTTPServer):
    """
    A proxy that asks for Digest.
    """

    daemon_threads = True

    def __init__(self, user: str, md5: bool) -> None:
        ThreadingHTTPServer.__init__(self, ("127.0.0.1", 0), Serving)
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.scheme = DigestScheme(self.clock, REALM, 300.0, md5)
        self.users = DigestUsers(REALM)
        whole = f"{user}:{REALM}:{PASSWORD}".encode()
        self.users.add(user.encode(), "SHA-256", hashlib.sha256(whole).digest())
        self.users.add(user.encode(), "MD5", hashlib.md5(whole, usedforsecurity=False).digest())
        self.seen: list[tuple[Digest, str | Unverified]] = []
        self.only: str | None = None
        self.ages = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def judge(self, request: Serving) -> tuple[int, list[tuple[str, str]]]:
        """
        What a proxy would answer, but for the content.
        """
        with self.lock:
            stale = False
            values = request.headers.get_all("Proxy-Authorization", [])
            if values:
                if self.ages:
                    self.ages -= 1
                    self.clock.advance(301)
                found = parseCredentials([each.encode("latin-1") for each in values])
                assert isinstance(found, Digest), found
                target = request.path.encode("ascii")
                verdict = self.scheme.verify(found, request.command, target, self.users.find)
                self.seen.append((found, verdict))
                if not isinstance(verdict, Unverified):
                    known: Known | None = self.users.find(found.user, found.base, found.hashed)
                    assert known is not None
                    return 200, [("Proxy-Authentication-Info", self.scheme.information(found, known))]
                stale = verdict.stale
            challenges = [
                each for each in self.scheme.challenges(stale) if self.only is None or self.only in each
            ]
            return 407, [("Proxy-Authenticate", each) for each in challenges]


class CurlTests(SynchronousTestCase):
    """
    curl, with C{--proxy-digest}.
    """

    def serve(self, user: str = "ann", *, md5: bool = False) -> Proxy:
        """
        Have a proxy run until the test is over.
        """
        proxy = Proxy(user, md5)
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        return proxy

    def curl(self, proxy: Proxy, *words: str, user: str = "ann", password: str = PASSWORD) -> str:
        """
        Run curl, through the proxy.

        @return: the content and the status of each answer, one after another.
        """
        asked = ("curl", "-q", "-sS", "-x", proxy.url, "--proxy-digest", "-U", f"{user}:{password}", *words)
        done = subprocess.run(asked, capture_output=True, timeout=GUARD, env=environment(), check=False)
        return done.stdout.decode()

    def test_forwarded(self) -> None:
        """
        A request for an URL: curl hashes the path alone (conformance 68).
        """
        proxy = self.serve()
        self.assertEqual(self.curl(proxy, f"{proxy.url}/a?b=c"), PAGE.decode())
        ((found, verdict),) = proxy.seen
        self.assertEqual((found.uri, found.algorithm, verdict), (b"/a?b=c", "SHA-256", "ann"))

    def test_tunnel(self) -> None:
        """
        A tunnel: curl hashes the authority (conformance 68).
        """
        proxy = self.serve()
        self.assertEqual(self.curl(proxy, "-p", f"{proxy.url}/"), PAGE.decode())
        ((found, verdict),) = proxy.seen
        self.assertEqual(found.uri, proxy.url.removeprefix("http://").encode())
        self.assertEqual(verdict, "ann")

    def test_hashedName(self) -> None:
        """
        It takes the offer to hash the name, and the name is found (conformance 68).
        """
        proxy = self.serve("Jäsøn Doe")
        self.assertEqual(self.curl(proxy, f"{proxy.url}/", user="Jäsøn Doe"), PAGE.decode())
        ((found, verdict),) = proxy.seen
        self.assertEqual((found.hashed, verdict), (True, "Jäsøn Doe"))

    def test_md5(self) -> None:
        """
        Of both algorithms it takes the first, and MD5 where that is all there is
        (conformance 68).
        """
        proxy = self.serve(md5=True)
        self.assertEqual(self.curl(proxy, f"{proxy.url}/"), PAGE.decode())
        proxy.only = "MD5"
        self.assertEqual(self.curl(proxy, f"{proxy.url}/"), PAGE.decode())
        self.assertEqual([found.algorithm for found, _ in proxy.seen], ["SHA-256", "MD5"])

    def test_session(self) -> None:
        """
        An algorithm with C{-sess}, which we do not offer but take (conformance 68).
        """
        proxy = self.serve()
        challenges = proxy.scheme.challenges
        proxy.scheme.challenges = lambda stale=False: tuple(  # type: ignore[method-assign]
            each.replace("algorithm=SHA-256,", "algorithm=SHA-256-sess,") for each in challenges(stale)
        )
        self.assertEqual(self.curl(proxy, f"{proxy.url}/"), PAGE.decode())
        self.assertEqual(
            [(found.algorithm, verdict) for found, verdict in proxy.seen], [("SHA-256-sess", "ann")]
        )

    def test_stale(self) -> None:
        """
        With a nonce that is too old it tries again with the new one (conformance 68).
        """
        proxy = self.serve()
        proxy.ages = 1
        self.assertEqual(self.curl(proxy, "-o", "/dev/null", "-w", "%{http_code}", f"{proxy.url}/"), "200")
        first, second = proxy.seen
        assert isinstance(first[1], Unverified)
        self.assertTrue(first[1].stale)
        self.assertEqual(second[1], "ann")

    def test_several(self) -> None:
        """
        Several requests of one handle, one nonce: each is counted (conformance 68).
        """
        proxy = self.serve()
        content = io.BytesIO()
        handle = pycurl.Curl()
        self.addCleanup(handle.close)
        handle.setopt(pycurl.PROXY, proxy.url)
        handle.setopt(pycurl.NOPROXY, "")
        handle.setopt(pycurl.PROXYAUTH, pycurl.HTTPAUTH_DIGEST)
        handle.setopt(pycurl.PROXYUSERPWD, f"ann:{PASSWORD}".encode())
        handle.setopt(pycurl.WRITEDATA, content)
        for number in range(5):
            handle.setopt(pycurl.URL, f"{proxy.url}/{number}")
            handle.perform()
        self.assertEqual(content.getvalue(), PAGE * 5)
        self.assertEqual([verdict for _, verdict in proxy.seen], ["ann"] * 5)
        self.assertEqual(len({found.nonce for found, _ in proxy.seen}), 1)
        self.assertEqual([int(found.nc, 16) for found, _ in proxy.seen], [1, 2, 3, 4, 5])

    def test_wrong(self) -> None:
        """
        A wrong password does not get in, and is not tried over and over.
        """
        proxy = self.serve()
        words = ("-o", "/dev/null", "-w", "%{http_code}")
        self.assertEqual(self.curl(proxy, *words, f"{proxy.url}/", password="other"), "407")
        self.assertEqual(
            [verdict for _, verdict in proxy.seen], [Unverified("the user or the password is wrong")]
        )
