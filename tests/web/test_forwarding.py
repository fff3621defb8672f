"""
Tests for L{connectproxy.web.forwarding}.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.internet.defer import CancelledError, succeed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tests.web.case import ANSWER, AgentCase

URL = b"http://origin.example/path?a=b#there"
CHALLENGE = (
    b"HTTP/1.1 407 Who\r\nContent-Length: 4\r\n"
    b'Proxy-Authenticate: Digest realm="r", nonce="%b", qop="auth"\r\n\r\nwhat'
)


@implementer(IBodyProducer)
class Nothing:
    """
    Content that is none.
    """

    length = 0

    def startProducing(self, consumer: Any) -> Any:
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


class ForwardingTests(AgentCase):
    """
    L{ForwardingAgent}, as L{ProxyingAgent} has it.
    """

    def test_request(self) -> None:
        """
        The whole URI without its fragment, the origin's C{Host}, and nothing about who asks.
        """
        self.get(self.agent("http://proxy.example"), URL)
        self.dialled()
        self.assertEqual(
            self.heard(), b"GET http://origin.example/path?a=b HTTP/1.1\r\nHost: origin.example\r\n\r\n"
        )

    def test_basic(self) -> None:
        """
        Credentials go with each request, and the caller's fields stay as they are.
        """
        headers = Headers({b"X-A": [b"b"]})
        self.get(self.agent("http://ann:secret@proxy.example"), URL, headers)
        self.dialled()
        request = self.heard()
        self.assertIn(b"Proxy-Authorization: Basic " + b64encode(b"ann:secret") + b"\r\n", request)
        self.assertIn(b"X-A: b\r\n", request)
        self.assertFalse(headers.hasHeader(b"Proxy-Authorization"))

    def test_own(self) -> None:
        """
        The caller's go before the URL's.
        """
        headers = Headers({b"Proxy-Authorization": [b"Bearer x"]})
        self.get(self.agent("http://ann:secret@proxy.example"), URL, headers)
        self.dialled()
        request = self.heard()
        self.assertIn(b"Proxy-Authorization: Bearer x\r\n", request)
        self.assertNotIn(b"Basic", request)

    def test_refused(self) -> None:
        """
        What a proxy answers is a response, whatever it is.
        """
        for status in (403, 407, 502):
            results = self.get(self.agent("http://ann:wrong@proxy.example", pool=None), URL)
            self.dialled()
            self.say(self.peer, ANSWER.replace(b"200", b"%d" % status))
            self.assertEqual(results, [(status, b"hi")])
            self.assertAtRest()

    def test_digest(self) -> None:
        """
        A challenge by Digest is answered on the same connection, and later requests answer it
        at once.
        """
        agent = self.agent("http://ann:secret@proxy.example", authentication="digest")
        results = self.get(agent, URL)
        self.dialled()
        self.assertNotIn(b"Proxy-Authorization", self.heard())
        self.say(self.peer, CHALLENGE % b"n")
        self.assertIn(b'uri="http://origin.example/path?a=b"', self.heard())
        self.say(self.peer, ANSWER)
        self.assertEqual(results, [(200, b"hi")])
        self.get(agent, URL, Headers(), Nothing(), method=b"POST")
        self.reactor.flush()
        self.assertIn(b"nc=00000002", self.heard())
        self.assertEqual(len(self.reactor.attempts), 1)

    def test_rejected(self) -> None:
        """
        It is not answered again and again.
        """
        agent = self.agent("http://ann:wrong@proxy.example", authentication="digest")
        results = self.get(agent, URL)
        self.dialled()
        self.say(self.peer, CHALLENGE % b"n1")
        self.say(self.peer, CHALLENGE % b"n2")
        self.assertEqual(results, [(407, b"what")])

    def test_other(self) -> None:
        """
        Nor is one that can't be answered.
        """
        agent = self.agent("http://ann:secret@proxy.example", authentication="digest")
        results = self.get(agent, URL)
        self.dialled()
        self.say(self.peer, (CHALLENGE % b"n").replace(b"Digest", b"Negotiate"))
        self.assertEqual(results, [(407, b"what")])

    def test_endless(self) -> None:
        """
        What comes with a challenge is thrown away, up to a limit.
        """
        agent = self.agent("http://ann:secret@proxy.example", authentication="digest")
        self.get(agent, URL)
        self.dialled()
        first = self.peer
        self.say(first, (CHALLENGE % b"n").replace(b"Content-Length: 4", b"Content-Length: 999999"))
        self.assertEqual(len(self.reactor.attempts), 1)
        self.say(first, bytes(80000))
        self.assertTrue(first.ended or first.lost)
        self.dialled()
        self.assertIn(b"nc=00000001", self.heard())

    def test_cancelled(self) -> None:
        """
        Cancelled meanwhile, the connection is closed, and nothing more is asked.
        """
        agent = self.agent("http://ann:secret@proxy.example", authentication="digest")
        results = self.get(agent, URL)
        self.dialled()
        self.say(self.peer, (CHALLENGE % b"n").replace(b"Content-Length: 4", b"Content-Length: 9"))
        self.asking.cancel()
        self.failed(results, CancelledError)
        self.reactor.flush()
        self.assertTrue(self.peer.ended or self.peer.lost)
        self.assertEqual(len(self.reactor.attempts), 1)
        self.peer.transport.abortConnection()
        self.assertAtRest()
