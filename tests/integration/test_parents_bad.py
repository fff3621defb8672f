"""
Next hops that answer over HTTP what they should not, or not at all: what the client is told, what
the event says, and that nobody gets to know a password.
"""

from __future__ import annotations

import time
from typing import ClassVar

import pytest

from connectproxy.testing import Close, HalfClose, Read, Reset, Say, Stall
from tests.integration.badcase import ASKED, MEMORY, OK, BadCase
from tests.integration.badparent import ENDLESS, Secure, context
from tests.integration.origins import authority
from tests.integration.raw import connect, nameOf, readToEnd
from tests.integration.running import waitFor

pytestmark = pytest.mark.integration


class OpenTests(BadCase):
    """
    Answers that are strange and open a tunnel all the same.
    """

    def play(self, *octets: bytes, rate: float = 0.0) -> None:
        """
        Have the hop say this, and take what comes.
        """
        self.stage.http.play((ASKED, *(Say(each, rate) for each in octets), Read(b"there")))

    def test_glued(self) -> None:
        """
        What is glued to the answer is not lost.
        """
        self.play(OK + b"hello")
        self.assertOpen("http")

    def test_slow(self) -> None:
        """
        Octet by octet.
        """
        self.play(OK + b"hello", rate=1.0)
        self.assertOpen("http")

    def test_content(self) -> None:
        """
        Fields about content mean nothing in a 2xx: all that follows is the destination's (RFC 9110
        section 9.3.6).
        """
        for field, sent in (
            (b"Content-Length: 2", b"hello"),
            (b"Content-Length: 0", b"hello"),
            (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
            (b"Content-Length: 7\r\nTransfer-Encoding: chunked", b"hello"),
        ):
            self.play(b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n" + sent)
            self.assertOpen("http", sent)
        self.play(b"HTTP/1.0 204 No Content\r\n\r\nhello")
        self.assertOpen("http")

    def test_interim(self) -> None:
        """
        Interim answers come first, all at once or apart.
        """
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        self.play(interim + OK + b"hello")
        self.assertOpen("http")
        self.play(interim, OK, b"hello")
        self.assertOpen("http")

    def test_ends(self) -> None:
        """
        What comes right after the answer comes to the client: an end of stream, a reset.
        """
        for step, end in ((Close(), "eof"), (HalfClose(), "eof"), (Reset(), "reset")):
            self.stage.http.play((ASKED, Say(OK), Read(b"go"), step))
            client, answer = self.opened("http")
            self.assertEqual(answer.status, 200)
            client.sendall(b"go")
            self.assertEqual(readToEnd(client), (b"", end))
            name = nameOf(client)
            client.close()
            event = self.proxy.event(name)
            self.assertEqual((event["event"], event["end"], event["upstream"]), ("tunnel", end, "http"))

    def test_digest(self) -> None:
        """
        A challenge that can be met is, on another connection; a second one is met at once with
        what is known, until it is stale.
        """
        challenge = (
            b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="r"\r\nProxy-Authenticate: Digest realm="r",'
            b' nonce="%b", qop="auth", algorithm=SHA-256%b\r\nContent-Length: 0\r\n\r\n'
        )
        first = (ASKED, Say(challenge % (b"one", b"")), Close())
        right = (ASKED, Say(OK + b"hello"), Read(b"there"))
        stale = (ASKED, Say(challenge % (b"two", b", stale=true")))
        self.stage.http.play(first, right, right, stale, right)
        for count in (2, 3, 5):
            self.assertOpen("http-asked")  # which no other test has asked anything
            self.assertEqual(len(self.stage.http.heard), count)
        said = [bytes(each) for each in self.stage.http.heard]
        for octets, nonce in zip(said, (b"", b"one", b"one", b"one", b"two"), strict=True):
            self.assertEqual(octets.count(b"Proxy-Authorization: Digest "), int(bool(nonce)))
            self.assertIn(nonce, octets)
            self.assertNotIn(b"Basic", octets)


class RefusedTests(BadCase):
    """
    Answers over HTTP that open nothing.
    """

    def test_garbage(self) -> None:
        """
        What is no HTTP.
        """
        for octets in (
            b"\x00\xff\x00 garbage\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 20x OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA field\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 33,
            b"\x15\x03\x01\x00\x02\x02\x46",
        ):
            self.stage.http.play((ASKED, Say(octets)))
            self.assertTold("http", "next_hop_protocol_error", "not valid HTTP/1.1")

    def test_tooMuch(self) -> None:
        """
        A head without an end: it is given up early.
        """
        for octets in (b"HTTP/1.1 200 " + b"x" * 65536, b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000):
            self.stage.http.play((ASKED, Say(octets), ENDLESS))
            self.assertTold("http", "next_hop_protocol_error")

    def test_statuses(self) -> None:
        """
        Each status is what it is for the client.
        """
        for status, error in (
            (b"302 Found\r\nLocation: http://login.example/", "next_hop_failed"),
            (b"400 Bad Request", "next_hop_failed"),
            (b"401 Who", "next_hop_authentication_failed"),
            (b"403 Forbidden", "next_hop_denied"),
            (b"404 Not Found", "next_hop_failed"),
            (b"429 Slowly", "next_hop_limit_reached"),
            (b"451 No", "next_hop_denied"),
            (b"500 Oh", "next_hop_failed"),
            (b"503 Later", "next_hop_unavailable"),
            (b"504 Too late", "next_hop_timeout"),
            (b"508 Round", "proxy_loop_detected"),
            (b"599 What", "next_hop_failed"),
        ):
            self.stage.http.play((ASKED, Say(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\nbody")))
            said = status.partition(b"\r")[0].decode()
            answer = self.assertTold("http", error, said, received=int(status[:3]))
            self.assertNotIn("location", answer.fields)
            self.assertNotIn("login.example", answer.body)

    def test_told(self) -> None:
        """
        What the hop says in Proxy-Status goes on, and is believed of the destination; so is its
        Retry-After.
        """
        said = 'far; error=dns_error; details="no such name"'
        octets = f"HTTP/1.1 502 Bad Gateway\r\nProxy-Status: {said}\r\n\r\n".encode()
        self.stage.http.play((ASKED, Say(octets)))
        self.assertTold("http", "dns_error", received=502, members=said)
        self.stage.http.play((ASKED, Say(b"HTTP/1.1 503 Later\r\nRetry-After: 120\r\n\r\n")))
        answer = self.assertTold("http", "next_hop_unavailable", received=503)
        self.assertEqual(answer.fields["retry-after"], "120")

    def test_hostileWords(self) -> None:
        """
        Nothing of what the hop says gets out of its place in an answer or an event.
        """
        octets = b'HTTP/1.1 403 \x1b[31m"<b>\xe4\r\nProxy-Status: far\x01; a\r\n\r\n'
        self.stage.http.play((ASKED, Say(octets)))
        _, answer = self.opened("http")
        self.assertIn(answer.status, (403, 502))
        self.assertNotIn("\x1b", str(answer.fields) + answer.body)
        waitFor(self.proxy.events, "the event")
        self.assertNotIn("\x1b", self.proxy.events()[0]["reason"])

    def test_credentials(self) -> None:
        """
        A 407 is the operator's matter, whatever it asks for, and never the client's.
        """
        for way, challenge, words in (
            ("http", b'Proxy-Authenticate: Basic realm="r"', "credentials"),
            ("http", b"A: b", "credentials"),
            ("http-basic", b'Proxy-Authenticate: Basic realm="r"', "rejects"),
            ("http-basic", b"Proxy-Authenticate: Negotiate", ""),
            ("http-bearer", b'Proxy-Authenticate: Bearer error="invalid_token"', "rejects"),
            ("http-digest", b'Proxy-Authenticate: Basic realm="r"', ""),
            ("http-digest", b'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"', "rejects"),
            ("http-digest", b"Proxy-Authenticate: Digest realm=,,=; nonce", ""),
        ):
            octets = b"HTTP/1.1 407 No\r\n" + challenge + b"\r\nContent-Length: 0\r\n\r\n"
            self.stage.http.play((ASKED, Say(octets)))
            self.assertTold(way, "next_hop_authentication_failed", words, received=407)
            self.assertLessEqual(len(self.stage.http.heard), 2)

    def test_hugeBody(self) -> None:
        """
        The body of a refusal is not read, and costs no memory.
        """
        before = self.proxy.memory()
        for framing in (b"Content-Length: 99999999999", b"Transfer-Encoding: chunked", b"A: b"):
            self.stage.http.play((ASKED, Say(b"HTTP/1.1 500 Oh\r\n" + framing + b"\r\n\r\n"), ENDLESS))
            self.assertTold("http", "next_hop_failed", received=500)
            self.assertLess(self.stage.http.sent, MEMORY)
        self.assertLess(self.proxy.memory() - before, MEMORY)

    def test_gone(self) -> None:
        """
        It closes, or resets, before the answer or within it.
        """
        for end in (Close(), Reset(), HalfClose()):
            for said in (b"", b"HTTP/1.1 200 O", b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-2]):
                self.stage.http.play((ASKED, *([Say(said)] if said else []), end))
                self.assertTold("http", "next_hop_gone", "closed the connection before it had answered")

    def test_silent(self) -> None:
        """
        It takes the request and says nothing, or not all, in time; slowness does not help.
        """
        for said in (b"", b"HTTP/1.1 200 O", b"HTTP/1.1 100 Continue\r\n\r\n"):
            self.stage.http.play((ASKED, *([Say(said)] if said else []), Stall()))
            began = time.monotonic()
            self.assertTold("http-quick", "next_hop_silent", "did not answer in time")
            self.assertGreater(time.monotonic() - began, 0.3)

    def test_nobody(self) -> None:
        """
        Nobody listens there.
        """
        self.assertTold("nobody", "connection_refused", "refused the connection")

    def test_beyond(self) -> None:
        """
        In a chain the one that is at fault is named.
        """
        self.stage.http.play((ASKED, Say(b"HTTP/1.1 407 No\r\n\r\n")))
        self.assertTold("beyond", "next_hop_authentication_failed", received=407, hop="http-basic")
        self.stage.http.play((ASKED, Close()))
        self.assertTold("beyond", "next_hop_gone", hop="http-basic")
        self.stage.http.play((ASKED, Say(OK), ASKED, Close()))
        _, answer = self.opened("beyond")
        self.assertEqual(answer.status, 502)


class MessageTests(BadCase):
    """
    The same for messages that a hop is sent whole.
    """

    request: ClassVar[bytes] = (
        b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nConnection: close\r\n\r\n"
    )

    def test_challenged(self) -> None:
        """
        A 407 of the hop's is no 407 of ours.
        """
        octets = b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n'
        for way in ("http", "http-basic"):
            self.stage.http.play((ASKED, Say(octets)))
            client, answer = self.opened(way, self.request)
            self.assertEqual(answer.status, 502)
            self.assertNotIn("proxy-authenticate", answer.fields)
            event = self.proxy.event(nameOf(client))
            self.assertEqual(event["error"], "next_hop_authentication_failed")
            self.assertEqual((event["received_status"], event["upstream"]), (407, way))
            self.assertIn(f"next hop {way} ", event["reason"])

    def test_faults(self) -> None:
        """
        It answers garbage, closes or resets.
        """
        for steps, error in (
            ((Say(b"\x00garbage\r\n\r\n"),), "next_hop_protocol_error"),
            ((Close(),), "next_hop_gone"),
            ((Reset(),), "next_hop_gone"),
            ((Say(b"HTTP/1.1 200 O"), Close()), "next_hop_gone"),
        ):
            self.stage.http.play((ASKED, *steps))
            self.assertTold("http", error, request=self.request, kind="request")

    def test_cutShort(self) -> None:
        """
        A response that is cut short is not taken for a whole one.
        """
        for end in (Close(), Reset()):
            self.stage.http.play((ASKED, Say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), end))
            client = self.closing(connect(self.proxy.portOf("http")))
            client.sendall(self.request)
            octets, how = readToEnd(client)
            self.assertIn((octets[-5:], how), ((b"hello", "eof"), (b"hello", "reset"), (b"", "reset")))
            self.assertEqual(self.proxy.event(nameOf(client))["end"], "truncated")

    def test_passed(self) -> None:
        """
        Other refusals are the hop's own answer to a message, and go on as that.
        """
        self.stage.http.play((ASKED, Say(b"HTTP/1.1 503 Later\r\nContent-Length: 4\r\n\r\nbody")))
        _, answer = self.opened("http", self.request)
        self.assertEqual((answer.status, answer.body), (503, "body"))

    def test_certificate(self) -> None:
        """
        A hop with another certificate is sent nothing.
        """
        made = authority()
        self.stage.tls.play((Secure(context(str(made.chain), str(made.key))), ASKED))
        self.assertTold("https-other", "tls_certificate_error", request=self.request)
        self.assertNotIn(b"GET", b"".join(self.stage.tls.heard))
