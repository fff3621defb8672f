"""
Tests for L{connectproxy.endpoints.connect}: what is said to the proxy.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from connectproxy.endpoints import CONNECTClientEndpoint, ProxyAuthenticationError, ProxyTimeoutError
from tests.endpoints.case import OPEN, EndpointCase

CHALLENGE = b'HTTP/1.1 407 Who\r\nProxy-Authenticate: Digest realm="r", nonce="%b", qop="auth"\r\n\r\n'


class CONNECTTests(EndpointCase):
    """
    L{CONNECTClientEndpoint}.
    """

    def endpoint(self, **parameters: Any) -> CONNECTClientEndpoint:
        return CONNECTClientEndpoint(self.proxy, "origin.example", 443, **parameters)

    def asked(self, number: int = 0) -> str:
        """
        @return: what the proxy is asked by a connection.
        """
        peer = self.accept(number)
        self.peer = peer
        return bytes(peer.received).decode()

    def test_request(self) -> None:
        """
        It is the least that there can be.
        """
        self.connect(self.endpoint())
        self.assertEqual(
            self.asked(), "CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n\r\n"
        )

    def test_headers(self) -> None:
        """
        More fields can be given; what would be read as something else is said at once.
        """
        self.connect(self.endpoint(headers=[("User-Agent", "test/1"), ("X-A", "\xe9")]))
        self.assertIn(b"\r\nUser-Agent: test/1\r\nX-A: \xe9\r\n", self.accept().received)
        for wrong in (("A", "b\r\nc: d"), ("A:", "b"), ("", "b")):
            with self.assertRaises(ValueError):
                self.endpoint(headers=[wrong])

    def test_basic(self) -> None:
        """
        A user and a password go with the first request.
        """
        self.connect(self.endpoint(credentials=("ann", "s\xe9cret:x")))
        encoded = b64encode("ann:s\xe9cret:x".encode()).decode()
        self.assertIn(f"\r\nProxy-Authorization: Basic {encoded}\r\n", self.asked())
        self.say(self.peer, OPEN)

    def test_bearer(self) -> None:
        """
        So does a token.
        """
        self.connect(self.endpoint(token="abc.def"))
        self.assertIn("\r\nProxy-Authorization: Bearer abc.def\r\n", self.asked())

    def test_wrong(self) -> None:
        """
        What can't be shown is said at once, and not shown.
        """
        for parameters in (
            {"credentials": ("a", "secret"), "token": "secret"},
            {"credentials": ("a\n", "secret")},
            {"credentials": ("a:b", "secret")},
            {"credentials": ("a", "secret"), "authentication": "ntlm"},
            {"token": "a secret"},
        ):
            with self.assertRaises(ValueError) as caught:
                self.endpoint(**parameters)
            self.assertNotIn("secret", str(caught.exception))

    def test_challenged(self) -> None:
        """
        A challenge that nothing can be said to is a failure of its own.
        """
        for parameters in ({}, {"credentials": ("ann", "secret")}):
            self.setUp()
            results = self.connect(self.endpoint(**parameters))
            self.asked()
            self.say(self.peer, CHALLENGE % b"n")
            error = self.failed(results, ProxyAuthenticationError)
            self.assertEqual((error.kind, error.status), ("next_hop_authentication_failed", 407))
            self.assertEqual(len(error.headers.getRawHeaders("proxy-authenticate")), 1)
            self.assertNotIn("secret", str(error))
            self.assertAtRest()

    def test_digest(self) -> None:
        """
        A challenge by Digest takes one connection more, the first time; the factory hears of
        one.
        """
        endpoint = self.endpoint(credentials=("ann", "secret"), authentication="digest")
        results = self.connect(endpoint)
        self.assertNotIn("Authorization", self.asked())
        self.say(self.peer, CHALLENGE % b"n")
        self.assertIsNotNone(self.peer.lost)
        self.assertEqual((results, len(self.reactor.attempts)), ([], 2))
        self.assertEqual(self.applications.turns, ["start"])
        self.assertIn('nonce="n", uri="origin.example:443"', self.asked(1))
        self.say(self.peer, OPEN)
        self.assertEqual(results[0].heard, ["made"])
        self.connect(endpoint.to("other.example", 80))
        self.assertIn('uri="other.example:80"', request := self.asked(2))
        self.assertIn("nc=00000002", request)
        self.connecting.cancel()
        results[0].transport.loseConnection()
        self.assertAtRest()
        self.assertEqual(self.applications.turns, ["start", "stop"])

    def test_digestRejected(self) -> None:
        """
        It is not asked a third time.
        """
        results = self.connect(self.endpoint(credentials=("ann", "wrong"), authentication="digest"))
        for number in range(2):
            self.asked(number)
            self.say(self.peer, CHALLENGE % b"n%d" % number)
        self.failed(results, ProxyAuthenticationError)
        self.assertEqual(len(self.reactor.attempts), 2)
        self.assertEqual(self.applications.turns, ["start", "stop"])
        self.assertAtRest()

    def test_digestNeverLearned(self) -> None:
        """
        However often there is another nonce.
        """
        results = self.connect(self.endpoint(credentials=("ann", "x"), authentication="digest"))
        stale = CHALLENGE.replace(b"qop", b"stale=true, qop")
        for number in range(2):
            self.asked(number)
            self.say(self.peer, stale % b"n%d" % number)
        self.failed(results, ProxyAuthenticationError)
        self.assertEqual(len(self.reactor.attempts), 2)

    def test_timeouts(self) -> None:
        """
        A proxy that says so of the destination is a timeout like any other.
        """
        results = self.connect(self.endpoint())
        self.asked()
        self.say(self.peer, b"HTTP/1.1 504 Late\r\n\r\n")
        self.assertEqual(self.failed(results, ProxyTimeoutError).status, 504)
