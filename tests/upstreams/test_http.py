"""
Tests for L{connectproxy.upstreams.http}.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.config import configure
from connectproxy.errors import Refused
from connectproxy.interfaces import IForwardingUpstream, IUpstream, IUpstreamKind
from connectproxy.upstreams import direct, http
from connectproxy.wire.authorization import Digest, digestChallenge, parseCredentials, secretHash
from connectproxy.wire.connect import INTERIM
from connectproxy.wire.http1 import HeadReader, RequestHead
from tests.conformance import UpstreamContract
from tests.fakes import SETTINGS, FakeReactor, Peer, makeRequest, makeSurroundings

HOP = "192.0.2.80"
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"


def build(reactor: Any, **more: Any) -> Any:
    """
    Make an upstream that is reached straight.

    @param more: other keys of its C{[[upstream]]}.
    """
    said = {"name": "corp", "url": f"http://{HOP}:3128", "addresses": "unseen", **more}
    options = configure(upstream=[said]).rows["upstream"][0].options
    straight = direct.kind.build(makeSurroundings(reactor, settings=SETTINGS), {})
    return http.kind.build(makeSurroundings(reactor, reach=lambda name: straight), options)


def digest(nonce: str, **more: Any) -> bytes:
    """
    A 407 that asks for Digest.
    """
    challenge = digestChallenge("the hop", nonce, **more).encode("ascii")
    return b"HTTP/1.1 407 No\r\nProxy-Authenticate: %b\r\nContent-Length: 1000\r\n\r\n" % challenge


class HTTPContractTests(UpstreamContract, SynchronousTestCase):
    """
    What holds for every upstream holds for a proxy.
    """

    kind = http.kind
    keys: Mapping[str, Any] = {}
    answers: tuple[bytes, ...] = (EARLY[:20], EARLY[20:], OK[:30], OK[30:])

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.assertTrue(verifyObject(IUpstreamKind, self.kind))
        self.reactor = FakeReactor()
        self.reactor.advance(100.0)
        self.built: list[Peer] = []
        self.upstream = build(self.reactor, **self.keys)
        self.assertTrue(verifyObject(IUpstream, self.upstream))
        self.assertTrue(verifyObject(IForwardingUpstream, self.upstream))

    def phases(self) -> Mapping[str, tuple[Callable[[], Any], str]]:
        phases: dict[str, tuple[Callable[[], Any], str]] = {"dialling": (self.dial, "connection_timeout")}
        for count in range(len(self.answers)):
            phases[f"{count} answers"] = (lambda count=count: self.answer(count), "next_hop_silent")
        return phases

    def dial(self) -> Any:
        attempt = self.reactor.attempts[-1]
        self.assertEqual((attempt.host, attempt.port), (HOP, 3128))
        return attempt

    def answer(self, count: int) -> None:
        """
        Have the hop say as much.
        """
        peer = self.dial().succeed()
        for each in self.answers[:count]:
            self.reactor.flush()
            peer.transport.write(each)
        self.reactor.flush()

    def greet(self, peer: Any) -> None:
        for each in self.answers:
            self.reactor.flush()
            peer.transport.write(each)


class DigestContractTests(HTTPContractTests):
    """
    And for one that has to be asked twice.
    """

    keys: Mapping[str, Any] = {"credentials": "ann:secret", "authentication": "digest"}

    def dial(self) -> Any:
        if len(self.reactor.attempts) == 1:
            first = HTTPContractTests.dial(self).succeed()
            first.transport.write(digest("n"))
            self.reactor.flush()
        return HTTPContractTests.dial(self)


class HTTPCase(SynchronousTestCase):
    """
    Asks a proxy.
    """

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.reactor = FakeReactor()
        self.built: list[Peer] = []
        self.upstream = build(self.reactor)

    def connect(self, target: str = "host.example:443", upstream: Any = None, **more: Any) -> Deferred[Any]:
        """
        Ask for a connection.

        @param more: other fields of the request.
        """
        factory = Factory()
        factory.buildProtocol = self.build  # type: ignore[method-assign]
        connecting: Deferred[Any] = (upstream or self.upstream).connect(makeRequest(target, **more), factory)
        return connecting

    def build(self, addr: Any) -> Peer:
        """
        The caller's protocol.
        """
        self.built.append(Peer())
        return self.built[-1]

    def hop(self) -> Any:
        """
        The hop's end of the last connection, which has been told what it is.
        """
        peer = self.reactor.attempts[-1].succeed()
        self.reactor.flush()
        return peer

    def say(self, hop: Any, *pieces: bytes) -> None:
        """
        Have the hop answer, in so many pieces.
        """
        for each in pieces:
            hop.transport.write(each)
            self.reactor.flush()

    def asked(self, hop: Any) -> RequestHead:
        """
        The request that a hop has got.
        """
        head = HeadReader().receive(bytes(hop.received))
        assert isinstance(head, RequestHead), head
        self.assertEqual(head.method, "CONNECT")
        return head

    def refused(self, connecting: Deferred[Any], kind: str) -> Refused:
        """
        Why there is no connection; nothing is left of it.
        """
        refused = self.failureResultOf(connecting, Refused).value
        self.reactor.flush()
        self.assertEqual(refused.refusal.kind, kind, refused.refusal.detail)
        self.assertEqual((self.reactor.getReaders(), self.reactor.getWriters()), ([], []))
        self.assertEqual((self.reactor.getDelayedCalls(), self.built), ([], []))
        self.assertTrue(refused.refusal.detail.isascii() and refused.refusal.detail.isprintable())
        self.assertNotIn("secret", repr(refused.refusal))
        return refused  # type: ignore[no-any-return]


class SaidTests(HTTPCase):
    """
    What is said to the proxy.
    """

    def said(self, target: str = "host.example:443", **more: Any) -> bytes:
        """
        All that it is told at first.
        """
        self.connect(target, **more)
        return bytes(self.hop().received)

    def test_whole(self) -> None:
        """
        The target, C{Host} and C{Via}, and nothing more (RFC 9110 sections 7.6.3 and 9.3.6).
        """
        self.assertEqual(
            self.said(),
            b"CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\nVia: 1.1 fake-via\r\n\r\n",
        )
        self.assertTrue(
            self.said("[2001:db8::1]:8443").startswith(b"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n")
        )

    def test_via(self) -> None:
        """
        The way that the request has come is told before our part of it, and by which version it came
        in (RFC 9110 section 7.6.3).
        """
        fields = ((b"via", b"1.0 a"), (b"user-agent", b"x"), (b"via", b"1.1 caf\xe9, 1.1 c (d)"))
        for protocol, version in (
            ("http/1.1", b"1.1"),
            ("http/1.0", b"1.0"),
            ("h2", b"2.0"),
            ("socks5", b"1.1"),
        ):
            octets = self.said(fields=fields, protocol=protocol)
            _, _, rest = octets.partition(b"\r\nHost: host.example:443\r\n")
            self.assertEqual(
                rest, b"Via: 1.0 a\r\nVia: 1.1 caf\xe9, 1.1 c (d)\r\nVia: %b fake-via\r\n\r\n" % version
            )

    def test_othersStay(self) -> None:
        """
        Whatever else the client has said to this proxy, its credentials first of all, is for this
        proxy.
        """
        fields = tuple(
            (name, b"hidden") for name in (b"proxy-authorization", b"cookie", b"x-a", b"forwarded")
        )
        self.assertNotIn(b"hidden", self.said(fields=fields))

    def test_credentials(self) -> None:
        """
        Ours go with the request: Basic and Bearer at once.
        """
        basic = build(self.reactor, credentials="ann:s:ecret")
        self.assertIn(b"\r\nProxy-Authorization: Basic YW5uOnM6ZWNyZXQ=\r\n", self.said(upstream=basic))

    def test_introduction(self) -> None:
        """
        A PROXY header goes before everything.
        """
        octets = self.said(upstream=build(self.reactor, proxy_protocol="v1"))
        self.assertRegex(octets, rb"\APROXY TCP4 192\.0\.2\.7 \S+ 51000 \d+\r\nCONNECT ")

    def test_unfit(self) -> None:
        """
        What can't be shown is no upstream, and not repeated.
        """
        said = configure(upstream=[{"name": "corp", "url": "http://a", "addresses": "unseen"}])
        options = {**said.rows["upstream"][0].options, "token": "not hidden"}
        error = self.assertRaises(ValueError, http.kind.build, makeSurroundings(self.reactor), options)
        self.assertNotIn("hidden", str(error))
        self.assertEqual((http.kind.kindName, http.kind.schemes), ("http", ("http",)))


class OpenedTests(HTTPCase):
    """
    The ways in which it opens.
    """

    def opened(self, *pieces: bytes) -> tuple[Any, Any]:
        """
        The connection, and the hop that has said some pieces.
        """
        connecting = self.connect()
        hop = self.hop()
        self.say(hop, *pieces)
        return self.successResultOf(connecting), hop

    def test_everySplit(self) -> None:
        """
        However the answer is cut, and whatever it is glued to, what is behind its blank line is the
        destination's (conformance 8).
        """
        octets = EARLY + OK + b"220 ready\r\n"
        for at in range(1, len(octets)):
            established, hop = self.opened(octets[:at], octets[at:])
            self.say(hop, b"more")
            self.assertEqual(bytes(established.protocol.received), b"220 ready\r\nmore", at)
        established, hop = self.opened(*[octets[at : at + 1] for at in range(len(octets))])
        self.assertEqual(bytes(established.protocol.received), b"220 ready\r\n")

    def test_content(self) -> None:
        """
        What the answer says of content is ignored: the tunnel's octets are the tunnel's (conformance 7).
        """
        for line in (
            b"Content-Length: 3",
            b"Transfer-Encoding: chunked",
            b"Content-Length: x",
            b"Connection: close",
        ):
            established, hop = self.opened(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n5\r\nhello\r\n")
            self.say(hop, b"0\r\n\r\n")
            self.assertEqual(bytes(established.protocol.received), b"5\r\nhello\r\n0\r\n\r\n")
            self.assertEqual(established.protocol.transport.connected, 1)

    def test_interim(self) -> None:
        """
        Interim responses are passed over.
        """
        established, _ = self.opened(EARLY * INTERIM, OK)
        self.assertEqual(bytes(established.protocol.received), b"")

    def test_told(self) -> None:
        """
        What other proxies have said of it is told; whose address the destination has is not known
        (conformance 62).
        """
        established, _ = self.opened(b"HTTP/1.1 200 OK\r\nProxy-Status: a; next-hop=b\r\n\r\n")
        self.assertEqual((established.members, established.seen), ("a; next-hop=b", ""))
        self.assertEqual(established.address, f"{HOP}:3128")
        self.assertIs(established.form, None)

    def test_through(self) -> None:
        """
        The tunnel leads in both directions, and its end is the hop's.
        """
        established, hop = self.opened(OK)
        hop.received.clear()
        established.protocol.transport.write(b"up")
        self.say(hop, b"down")
        self.assertEqual((bytes(hop.received), bytes(established.protocol.received)), (b"up", b"down"))
        hop.transport.loseConnection()
        self.reactor.flush()
        self.assertTrue(established.protocol.ended)


class RefusedTests(HTTPCase):
    """
    The ways in which it does not.
    """

    def answer(self, kind: str, *pieces: bytes, upstream: Any = None) -> Refused:
        """
        What an answer is a refusal of; the connection to the hop is reset.
        """
        connecting = self.connect(upstream=upstream)
        hop = self.hop()
        self.say(hop, *pieces)
        refused = self.refused(connecting, kind)
        self.assertTrue(hop.lost)
        self.assertEqual(len(self.reactor.attempts), 1)
        self.assertEqual([each[0] for each in refused.tried], [HOP])
        self.reactor.attempts.clear()
        return refused

    def test_statuses(self) -> None:
        """
        What the next hop says is told, and whether another could do better (conformance 17 and 63).
        """
        for octets, kind, hop in (
            (b"HTTP/1.1 302 Found\r\nLocation: http://captive.example/\r\n\r\n", "next_hop_failed", ""),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", "next_hop_denied", ""),
            (b"HTTP/1.1 429 No\r\nRetry-After: 5\r\n\r\n", "next_hop_limit_reached", ""),
            (b"HTTP/1.1 502 No\r\nProxy-Status: a; error=dns_error\r\n\r\n", "dns_error", ""),
            (b"HTTP/1.1 503 No\r\n\r\n", "next_hop_unavailable", "corp"),
            (b"HTTP/1.1 504 No\r\n\r\n", "next_hop_timeout", ""),
            (EARLY + b"HTTP/1.1 508 Loop\r\n\r\n", "proxy_loop_detected", ""),
        ):
            refused = self.answer(kind, octets)
            self.assertEqual(refused.hop, hop, octets)
            self.assertIn(
                "the next hop corp answered the request for host.example:443", refused.refusal.detail
            )

    def test_hugeBody(self) -> None:
        """
        The head is enough: what a body announces is not waited for, and what comes of it is not read.
        """
        head = b"HTTP/1.1 500 No\r\nContent-Length: 1000000000\r\n\r\n"
        self.answer("next_hop_failed", head)
        self.answer("next_hop_failed", head[:-1], b"\n" + b"x" * 60000)

    def test_garbage(self) -> None:
        """
        What is not HTTP/1.1 is the next hop's fault.
        """
        for octets in (
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"SSH-2.0-x\r\n",
            b"\x00",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/2.0 200\r\n",
        ):
            self.assertEqual(self.answer("next_hop_protocol_error", octets).hop, "corp")
        self.answer("next_hop_protocol_error", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")

    def test_endless(self) -> None:
        """
        Neither a head nor interim responses go on for ever.
        """
        self.answer("next_hop_protocol_error", b"HTTP/1.1 200 OK\r\nA: ", *[b"b" * 8000] * 3)
        self.answer("next_hop_protocol_error", b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n" * 60] * 2)
        self.answer("next_hop_protocol_error", EARLY * (INTERIM + 1))

    def test_gone(self) -> None:
        """
        It closes, or resets, or ends its stream: without a word, in the middle of a head, or behind an
        interim response.
        """
        for octets in (b"", OK[:1], OK[:-1], EARLY, EARLY + OK[:20]):
            for leave in ("loseConnection", "abortConnection", "loseWriteConnection"):
                connecting = self.connect()
                hop = self.hop()
                self.say(hop, octets)
                self.assertNoResult(connecting)
                getattr(hop.transport, leave)()
                self.reactor.flush()
                refused = self.refused(connecting, "next_hop_gone")
                self.assertEqual(refused.hop, "corp", (octets, leave))
                self.assertTrue(hop.lost)

    def test_unmet(self) -> None:
        """
        A challenge that there is no answer to is told as what it is, and never passed on (conformance 17).
        """
        challenge = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=a\r\n\r\n"
        basic = build(self.reactor, credentials="ann:secret")
        for upstream, octets, words in (
            (None, b"HTTP/1.1 407 No\r\n\r\n", "does not say by which scheme"),
            (None, challenge, "wants credentials (Basic), and none are configured for it"),
            (basic, challenge, "rejects the credentials that it is shown by Basic"),
            (
                basic,
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\n\r\n",
                "by Negotiate, and is shown them by Basic",
            ),
            (basic, digest("n"), "by Digest, and is shown them by Basic"),
        ):
            refused = self.answer("next_hop_authentication_failed", octets, upstream=upstream)
            self.assertEqual(
                (refused.hop, refused.refusal.received, refused.refusal.fields), ("corp", 407, ())
            )
            self.assertIn(words, refused.refusal.detail)

    def test_nothingRetained(self) -> None:
        """
        Of a call that was refused nobody knows any more.
        """
        for octets in (b"HTTP/1.1 403 No\r\n\r\n", b"\x00", digest("n")):
            self.connect().addErrback(lambda failure: None)
            self.say(self.hop(), octets)
            handshake = weakref.ref(self.reactor.attempts[0].factory)
            self.reactor.attempts.clear()
            self.reactor.flush()
            gc.collect()
            self.assertIs(handshake(), None)


class DigestTests(HTTPCase):
    """
    A proxy that wants Digest.
    """

    def setUp(self) -> None:
        """
        Have a password.
        """
        HTTPCase.setUp(self)
        self.upstream = build(self.reactor, credentials="ann:secret", authentication="digest")

    def shown(self, hop: Any, target: str = "host.example:443") -> Digest:
        """
        What a hop is shown, which is right.
        """
        read = parseCredentials(self.asked(hop).values(b"proxy-authorization"))
        assert isinstance(read, Digest), read
        secret = secretHash(read.base, b"ann", read.realm, b"secret")
        self.assertEqual((read.response, read.uri), (read.expected(secret, b"CONNECT"), target.encode()))
        return read

    def learn(self) -> None:
        """
        Open one tunnel.
        """
        connecting = self.connect()
        self.say(self.hop(), digest("one"))
        self.say(self.hop(), OK)
        self.successResultOf(connecting)
        self.built.clear()

    def test_asked(self) -> None:
        """
        It is asked, asks back, and is asked anew on another connection; its 407's body is not read.
        What it leaves over then is the destination's.
        """
        connecting = self.connect()
        first = self.hop()
        self.assertEqual(self.asked(first).values(b"proxy-authorization"), [])
        self.say(first, digest("one")[:-1], b"\n" + b"x" * 500)
        self.assertTrue(first.lost)
        self.assertNoResult(connecting)
        second = self.hop()
        self.assertEqual((self.shown(second).nonce, self.shown(second).nc), (b"one", b"00000001"))
        self.say(second, OK + b"banner")
        self.assertEqual(bytes(self.successResultOf(connecting).protocol.received), b"banner")
        self.assertEqual(len(self.reactor.attempts), 2)

    def test_known(self) -> None:
        """
        The next request goes at once, with the next count.
        """
        self.learn()
        connecting = self.connect("other.example:443")
        hop = self.hop()
        self.assertEqual(self.shown(hop, "other.example:443").nc, b"00000002")
        self.say(hop, OK)
        self.successResultOf(connecting)
        self.assertEqual(len(self.reactor.attempts), 3)

    def test_stale(self) -> None:
        """
        A nonce that has become too old costs one more request.
        """
        self.learn()
        connecting = self.connect()
        self.say(self.hop(), digest("two", stale=True))
        hop = self.hop()
        self.assertEqual((self.shown(hop).nonce, self.shown(hop).nc), (b"two", b"00000001"))
        self.say(hop, OK)
        self.successResultOf(connecting)

    def test_rejected(self) -> None:
        """
        A wrong password is found out by one answer, and not tried for ever.
        """
        connecting = self.connect()
        self.say(self.hop(), digest("one"))
        self.say(self.hop(), digest("two"))
        refused = self.refused(connecting, "next_hop_authentication_failed")
        self.assertIn("rejects the credentials that it is shown by Digest", refused.refusal.detail)
        self.assertEqual((refused.hop, len(self.reactor.attempts)), ("corp", 2))
        connecting = self.connect()
        self.say(self.hop(), digest("three"))
        self.refused(connecting, "next_hop_authentication_failed")
        self.assertEqual(len(self.reactor.attempts), 3)

    def test_neverRight(self) -> None:
        """
        Who says each time that the nonce is too old is asked twice and no more.
        """
        connecting = self.connect()
        self.say(self.hop(), digest("one"))
        self.say(self.hop(), digest("two", stale=True))
        self.refused(connecting, "next_hop_authentication_failed")
        self.assertEqual(len(self.reactor.attempts), 2)

    def test_atOnce(self) -> None:
        """
        Requests that are challenged at the same time answer with a nonce each.
        """
        connecting = [self.connect(f"host{number}.example:443") for number in range(3)]
        hops = [attempt.succeed() for attempt in self.reactor.attempts]
        self.reactor.flush()
        for number, hop in enumerate(hops):
            self.say(hop, digest(f"n{number}"))
        found = []
        for number in range(3):
            hop = self.reactor.attempts[3 + number].succeed()
            self.reactor.flush()
            read = self.shown(hop, f"host{number}.example:443")
            found.append((read.nonce, read.nc))
            self.say(hop, OK)
            self.successResultOf(connecting[number])
        self.assertEqual(sorted(found), [(b"n0", b"00000001"), (b"n1", b"00000001"), (b"n2", b"00000001")])

    def test_secondFails(self) -> None:
        """
        What goes wrong on the second connection is what went wrong.
        """
        for octets, kind in (
            (b"HTTP/1.1 403 No\r\n\r\n", "next_hop_denied"),
            (b"\x00", "next_hop_protocol_error"),
        ):
            connecting = self.connect(
                upstream=build(self.reactor, credentials="a:b", authentication="digest")
            )
            self.say(self.hop(), digest("one"))
            self.say(self.hop(), octets)
            self.refused(connecting, kind)


class ForwardTests(HTTPCase):
    """
    Messages, which the proxy takes whole.
    """

    def test_forward(self) -> None:
        """
        The proxy itself is connected to, nothing is said, and what is to be said is known (RFC 9112
        section 3.2.2).
        """
        upstream = build(self.reactor, credentials="ann:secret")
        factory = Factory.forProtocol(Peer)
        connecting = upstream.forward(makeRequest("host.example:80", method="GET"), factory)
        hop = self.hop()
        established = self.successResultOf(connecting)
        self.assertEqual(bytes(hop.received), b"")
        self.assertEqual((established.address, established.seen), (f"{HOP}:3128", ""))
        self.assertEqual(established.form.name, "corp")
        self.assertEqual(
            established.form.begin(b"GET", b"/", b"host.example"),
            b"GET http://host.example/ HTTP/1.1\r\nHost: host.example"
            b"\r\nProxy-Authorization: Basic YW5uOnNlY3JldA==",
        )
        self.assertIs(self.upstream._form.authorizer, None)

    def test_cancelled(self) -> None:
        """
        Given up, it leaves nothing.
        """
        connecting = self.upstream.forward(
            makeRequest("host.example:80", method="GET"), Factory.forProtocol(Peer)
        )
        connecting.cancel()
        refused = self.refused(connecting, "connection_timeout")
        self.assertEqual(refused.hop, "corp")
        self.assertTrue(self.reactor.attempts[0].stopped)
