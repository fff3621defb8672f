"""
L{connectproxy.auth.digest} against clients of other people's: httpx and requests.

Both know Digest for origins; it is the same arithmetic, with other names of fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import requests
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.digest import DigestScheme, Known, Unverified
from connectproxy.wire.authorization import Digest, parseCredentials, secretHash

REALM = "connectproxy"
PASSWORD = 'open "sesame" \\ é'
URL = "http://example.com/a/b?c=d"


class ClientTests(SynchronousTestCase):
    """
    A client and a server that have nothing between them.
    """

    def setUp(self) -> None:
        """
        A scheme that also takes MD5.
        """
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.scheme = DigestScheme(self.clock, REALM, 300.0, md5=True)
        self.user = "ann"
        self.seen: list[Digest] = []
        self.algorithm = 0

    def lookup(self, user: bytes, algorithm: str, hashed: bool) -> Known | None:
        """
        Find the user.
        """
        if hashed or user != self.user.encode():
            return None
        return Known(self.user, secretHash(algorithm, user, REALM.encode(), PASSWORD.encode()))

    def judge(self, method: str, value: str | None, target: bytes) -> tuple[int, dict[str, str]]:
        """
        Answer a request.

        @return: the status, and the fields.
        """
        stale = False
        if value is not None:
            found = parseCredentials([value.encode("latin-1")])
            assert isinstance(found, Digest), found
            self.seen.append(found)
            verdict = self.scheme.verify(found, method, target, self.lookup)
            if not isinstance(verdict, Unverified):
                self.assertEqual(verdict, self.user)
                return 200, {}
            stale = verdict.stale
            if not stale:
                return 403, {"X-Reason": verdict.reason}
        return 401, {"WWW-Authenticate": self.scheme.challenges(stale)[self.algorithm]}

    def httpx(self, password: str = PASSWORD) -> Callable[[str], int]:
        """
        A client of httpx.
        """

        def serve(request: httpx.Request) -> httpx.Response:
            status, fields = self.judge(
                request.method, request.headers.get("authorization"), str(request.url).encode("ascii")
            )
            return httpx.Response(status, headers=fields)

        client = httpx.Client(
            transport=httpx.MockTransport(serve), auth=httpx.DigestAuth(self.user, password)
        )
        self.addCleanup(client.close)
        return lambda method: client.request(method, URL).status_code

    def requests(self, password: str = PASSWORD) -> Callable[[str], int]:
        """
        A client of requests.
        """
        judge = self.judge

        class Adapter(requests.adapters.BaseAdapter):
            def send(self, request: Any, *rest: Any, **more: Any) -> requests.Response:
                response = requests.Response()
                response.status_code, fields = judge(
                    request.method, request.headers.get("Authorization"), request.url.encode("ascii")
                )
                response.headers.update(fields)
                response.request, response.url, response.connection = request, request.url, self
                response.raw = _Empty()
                response._content = b""
                return response

            def close(self) -> None:
                pass

        session = requests.Session()
        session.trust_env = False
        session.mount("http://", Adapter())
        session.auth = requests.auth.HTTPDigestAuth(self.user, password)
        self.addCleanup(session.close)
        return lambda method: session.request(method, URL).status_code

    def test_both(self) -> None:
        """
        Each client with each algorithm, several requests with one nonce (conformance 68).
        """
        for make in (self.httpx, self.requests):
            for self.algorithm, name in enumerate(("SHA-256", "MD5")):
                ask = make()
                self.seen.clear()
                self.assertEqual([ask("GET"), ask("POST"), ask("GET")], [200, 200, 200])
                self.assertEqual({each.algorithm for each in self.seen}, {name})
                self.assertEqual([each.nc for each in self.seen], [b"00000001", b"00000002", b"00000003"])
                self.assertEqual(len({each.nonce for each in self.seen}), 1)
                self.assertEqual({each.uri for each in self.seen}, {b"/a/b?c=d"})

    def test_stale(self) -> None:
        """
        When the nonce is too old, the client goes on with a new one, and nobody is asked for
        a password (conformance 68).
        """
        for make in (self.httpx, self.requests):
            ask = make()
            self.assertEqual(ask("GET"), 200)
            self.clock.advance(301)
            self.seen.clear()
            self.assertEqual(ask("GET"), 200)
            self.assertEqual(len({each.nonce for each in self.seen}), 2)

    def test_wrong(self) -> None:
        """
        A wrong password remains one.
        """
        for make in (self.httpx, self.requests):
            self.assertEqual(make("other")("GET"), 403)


class _Empty:
    """
    The content of an answer that has none.
    """

    headers: Any = None
    _original_response = None

    def read(self, *rest: Any, **more: Any) -> bytes:
        return b""

    def close(self) -> None:
        pass

    def release_conn(self) -> None:
        pass
