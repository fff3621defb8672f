"""
A request on its way: what it says, what an answer comes to, and when it is asked again.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from zope.interface.verify import verifyObject

from connectproxy.hop import BLAMED
from connectproxy.upstreams.http2.asking import TRIES, Asking
from connectproxy.wire.connect import INTERIM
from connectproxy.wire.http2 import ErrorCode, FrameType, formatData, formatGoAway, formatReset
from tests.upstreams.http2.case import HopCase, Serving


class AskTests(HopCase):
    """
    A request, and its answer.
    """

    def test_opens(self) -> None:
        """
        A CONNECT has C{:method} and C{:authority} and no other pseudo-field (RFC 9113 section
        8.5); 200 opens it, and who asked learns what was tried; octets pass in both directions.
        """
        connecting = self.connect("[2001:db8::1]:443", fields=((b"via", b"1.1 before"), (b"x-secret", b"1")))
        hop = self.hop()
        self.assertNoResult(connecting)
        self.assertEqual(
            hop.asked,
            {1: {":method": "CONNECT", ":authority": "[2001:db8::1]:443", "via": "1.1 before, 1.1 fake-via"}},
        )
        hop.answer(1, 200, ("proxy-status", "far; received-status=200"))
        self.flush()
        established = self.successResultOf(connecting)
        self.assertEqual(established.address, "198.51.100.1:3128")
        self.assertEqual([each.result for each in established.tried], ["connected"])
        self.assertEqual((established.seen, established.members), ("", "far; received-status=200"))
        self.assertEqual(self.built, [established.protocol])
        established.protocol.transport.write(b"up")
        hop.put(1, b"down")
        self.flush()
        self.assertEqual((bytes(hop.octets[1]), bytes(self.built[0].received)), (b"up", b"down"))

    def test_leftover(self) -> None:
        """
        What the destination says together with the answer reaches the protocol first, an end as
        well; any 2xx opens, and C{Content-Length} in it means nothing (RFC 9110 section 9.3.6).
        """
        connecting = self.connect()
        hop = self.raw()
        hop.transport.write(b"")
        hop.answer(1, (":status", "103"))
        hop.answer(1, (":status", "299"), ("content-length", "7"))
        hop.transport.write(formatData(1, b"banner and more", 4, end=True))
        self.flush()
        protocol = self.successResultOf(connecting).protocol
        self.assertEqual((bytes(protocol.received), protocol.ended), (b"banner and more", True))

    def test_opensWithAnEnd(self) -> None:
        """
        A destination that has ended its direction before the answer has ended it.
        """
        connecting = self.connect()
        hop = self.hop()
        hop.answer(1, 200, end=True)
        self.flush()
        protocol = self.successResultOf(connecting).protocol
        self.assertTrue(protocol.ended)
        protocol.transport.write(b"still")
        protocol.transport.loseConnection()
        self.flush()
        self.assertEqual((bytes(hop.octets[1]), hop.endings, hop.resetFrames), (b"still", [1], []))
        self.assertTrue(protocol.lost)

    def test_refused(self) -> None:
        """
        Any other answer refuses, by its status and its C{Proxy-Status}; the stream is reset, and
        the connection stays.
        """
        connecting = self.connect()
        hop = self.hop()
        hop.answer(1, 502, ("proxy-status", "far; error=connection_refused"))
        self.flush()
        refused = self.refused(connecting, "connection_refused")
        self.assertEqual((refused.refusal.received, refused.hop), (502, ""))
        self.assertEqual(refused.refusal.members, "far; error=connection_refused")
        self.assertEqual(hop.resets, {1: ErrorCode.CANCEL})
        for status, kind in (
            (403, "next_hop_denied"),
            (503, "next_hop_unavailable"),
            (407, "next_hop_authentication_failed"),
        ):
            again = self.connect()
            self.flush()
            hop.answer(max(hop.asked), status, end=True)
            self.flush()
            self.assertEqual(self.refused(again, kind).hop, "corp" if kind in BLAMED else "")
        self.assertEqual(len(self.way.dials), 1)

    def test_malformed(self) -> None:
        """
        What is no answer is refused as such, resets the stream and nothing else.
        """
        cases: list[tuple[Any, str]] = [
            (lambda hop, n: hop.answer(n, ("status", "200")), "no :status"),
            (lambda hop, n: hop.answer(n, (":status", "200"), (":status", "200")), "comes twice"),
            (lambda hop, n: hop.answer(n, ("x", "1"), (":status", "200")), "behind a field"),
            (lambda hop, n: hop.answer(n, (":status", "101")), ":status is none"),
            (lambda hop, n: hop.answer(n, (":status", "2000")), ":status is none"),
            (lambda hop, n: hop.answer(n, (":status", "200"), ("connection", "close")), "one connection"),
            (lambda hop, n: hop.answer(n, (":status", "100"), end=True), "interim response ends"),
            (lambda hop, n: [hop.answer(n, (":status", "100")) for _ in range(INTERIM + 1)], "more than"),
            (lambda hop, n: hop.transport.write(formatData(n, b"x", 9)), "before the answer"),
            (lambda hop, n: hop.transport.write(formatData(n, b"", 9, end=True)), "ends without an answer"),
        ]
        first = self.connect()
        hop = self.raw()
        hop.answer(1)
        self.flush()
        other = self.successResultOf(first).protocol
        for index, (say, words) in enumerate(cases):
            connecting = self.connect()
            self.flush()
            number = 2 * index + 3
            say(hop, number)
            self.flush()
            refused = self.refused(connecting, "next_hop_protocol_error")
            self.assertIn(words, refused.refusal.detail)
            self.assertEqual(refused.hop, "corp")
            self.assertIn((number, ErrorCode.PROTOCOL_ERROR), hop.resetFrames)
        hop.transport.write(formatData(1, b"unharmed", 16384))
        self.flush()
        self.assertEqual(bytes(other.received), b"unharmed")

    def test_resets(self) -> None:
        """
        A reset in place of an answer says why there is none, or that the protocol is broken.
        """
        self.connect()  # so that there is a connection
        hop = self.hop()
        for code, kind, name in (
            (ErrorCode.CONNECT_ERROR, "next_hop_failed", "CONNECT_ERROR"),
            (ErrorCode.ENHANCE_YOUR_CALM, "next_hop_limit_reached", "ENHANCE_YOUR_CALM"),
            (ErrorCode.INTERNAL_ERROR, "next_hop_protocol_error", "INTERNAL_ERROR"),
            (ErrorCode.NO_ERROR, "next_hop_protocol_error", "NO_ERROR"),
            (0xDEADBEEF, "next_hop_protocol_error", "code 3735928559"),
        ):
            connecting = self.connect()
            self.flush()
            hop.transport.write(formatReset(max(hop.asked), code))
            self.flush()
            self.assertIn(name, self.refused(connecting, kind).refusal.detail)
        self.assertEqual(len(self.way.dials), 1)

    def test_cancelled(self) -> None:
        """
        A request that is cancelled while it waits for its answer is reset, and the connection and
        its tunnels stay; an answer that comes too late has no effect.
        """
        first = self.connect()
        hop = self.hop()
        hop.answer(1)
        connecting = self.connect("slow.example:443")
        self.flush()
        connecting.cancel()
        refused = self.refused(connecting, "next_hop_silent")
        self.assertIn("slow.example:443", refused.refusal.detail)
        self.assertEqual(refused.hop, "corp")
        # h2 would send nothing on a stream that it knows to be reset, so it must not know yet.
        hop.h2.send_headers(3, [(":status", "200")])
        hop.h2.send_data(3, b"late", end_stream=True)
        hop.send()
        self.flush()
        self.assertEqual(hop.resets, {3: ErrorCode.CANCEL})
        self.successResultOf(first).protocol.transport.write(b"on")
        self.flush()
        self.assertEqual(bytes(hop.octets[1]), b"on")
        self.assertEqual(len(self.built), 1)

    def test_interfaces(self) -> None:
        """
        It is the protocol of its stream until there is a tunnel; nothing is written before that.
        """
        self.connect()
        self.hop()
        (connection,) = self.pool._open
        asking = connection.streams[1].protocol
        self.assertIsInstance(asking, Asking)
        self.assertTrue(verifyObject(IHalfCloseableProtocol, asking))
        asking.writeConnectionLost()

    def test_bug(self) -> None:
        """
        A failure that is no refusal is passed on as it is.
        """
        connecting = self.connect()
        self.way.dials[0].result.errback(ZeroDivisionError())
        self.failureResultOf(connecting, ZeroDivisionError)
        self.assertNothingLeft()


class AgainTests(HopCase):
    """
    Requests that are asked again.
    """

    def test_refusedStream(self) -> None:
        """
        A request that the next hop says it has not served is asked again (RFC 9113 section 8.7),
        so often and no oftener.
        """
        connecting = self.connect()
        hop = self.hop()
        for index in range(TRIES - 1):
            hop.reset(2 * index + 1, ErrorCode.REFUSED_STREAM)
            self.flush()
        self.assertNoResult(connecting)
        hop.answer(2 * TRIES - 1)
        self.flush()
        self.successResultOf(connecting)
        connecting = self.connect()
        self.flush()
        hop.reset(max(hop.asked), ErrorCode.REFUSED_STREAM)
        self.flush()
        self.assertEqual(len(self.way.dials), 2)  # that one has a tunnel, and takes no more than that
        for _ in range(TRIES - 1):
            other = self.hop(Serving())
            other.reset(max(other.asked), ErrorCode.REFUSED_STREAM)
            self.flush()
            if len(other.asked) > 1:
                other.reset(max(other.asked), ErrorCode.REFUSED_STREAM)
                self.flush()
                break
        self.assertEqual(self.refused(connecting, "next_hop_unavailable").hop, "corp")

    def test_goneAway(self) -> None:
        """
        Behind a GOAWAY, requests that it says were not served are asked on another connection,
        those that were served get their answer, and tunnels go on (section 6.8).
        """
        tunnel, served, not_ = self.connect("a:1"), self.connect("b:1"), self.connect("c:1")
        hop = self.raw()
        hop.answer(1)
        hop.transport.write(formatGoAway(3, 0))
        self.flush()
        other = self.way.dials[1].succeed(Serving())
        self.flush()
        self.assertEqual([fields[":authority"] for fields in other.asked.values()], ["c:1"])
        other.answer(1)
        hop.answer(3)
        self.flush()
        for each in (tunnel, served, not_):
            protocol = self.successResultOf(each).protocol
            protocol.transport.write(b"on")
        self.flush()
        self.assertEqual(len(hop.frames(FrameType.DATA)), 2)
        for protocol in self.built:
            protocol.transport.abortConnection()
        self.flush()
        self.assertTrue(hop.ended)
        self.assertFalse(other.ended)

    def test_staleConnection(self) -> None:
        """
        A connection that had been up before and is lost with a request on it was stale: the
        request is asked again, once.
        """
        connecting = self.connect()
        hop = self.hop()
        hop.answer(1)
        self.flush()
        self.successResultOf(connecting).protocol.transport.loseConnection()
        hop.put(1, b"", end=True)
        connecting = self.connect()
        self.flush()
        hop.transport.abortConnection()
        self.flush()
        self.assertNoResult(connecting)
        self.hop().transport.abortConnection()
        self.flush()
        self.assertEqual(self.refused(connecting, "next_hop_gone").hop, "corp")
        self.assertEqual(len(self.way.dials), 2)
        self.assertNothingLeft()

    def test_freshConnection(self) -> None:
        """
        One that was made for the request was not.
        """
        connecting = self.connect()
        self.hop().transport.abortConnection()
        self.flush()
        self.refused(connecting, "next_hop_gone")
        self.assertEqual(len(self.way.dials), 1)
        self.assertNothingLeft()


class CredentialsTests(HopCase):
    """
    A next hop that wants to know who asks.
    """

    keys = {"url": "h2c://192.0.2.1:3128", "credentials": "user:secret"}

    def test_basic(self) -> None:
        """
        Credentials go with the request, and are never put into a table (RFC 7541 section 7.1.3);
        a 407 is ours to answer for.
        """
        connecting = self.connect()
        hop = self.hop()
        sent = "Basic " + b64encode(b"user:secret").decode("ascii")
        self.assertEqual(hop.asked[1]["proxy-authorization"], sent)
        self.assertIn(b"\x1f\x22", bytes(hop.received))  # never indexed, name 49 of the static table
        hop.answer(1, 407, ("proxy-authenticate", 'Basic realm="x"'))
        self.flush()
        refused = self.refused(connecting, "next_hop_authentication_failed")
        self.assertEqual(refused.hop, "corp")
        self.assertNotIn("secret", repr(refused.refusal))


class DigestTests(HopCase):
    """
    The same by Digest.
    """

    keys = {"url": "h2c://192.0.2.1:3128", "credentials": "user:secret", "authentication": "digest"}
    challenge = ("proxy-authenticate", 'Digest realm="x", qop="auth", algorithm=SHA-256, nonce="%d"')

    def test_askedAgain(self) -> None:
        """
        A challenge that can be met is met on the same connection, once; the next request meets it
        at once.
        """
        connecting = self.connect()
        hop = self.hop()
        self.assertNotIn("proxy-authorization", hop.asked[1])
        name, value = self.challenge
        hop.answer(1, 407, (name, value % 1))
        self.flush()
        self.assertIn('nonce="1"', hop.asked[3]["proxy-authorization"])
        hop.answer(3)
        self.flush()
        self.successResultOf(connecting)
        connecting = self.connect()
        self.flush()
        self.assertIn("nc=00000002", hop.asked[5]["proxy-authorization"])
        hop.answer(5, 407, (name, value % 2 + ", stale=true"))
        self.flush()
        hop.answer(7, 407, (name, value % 3 + ", stale=true"))
        self.flush()
        self.refused(connecting, "next_hop_authentication_failed")
        self.assertEqual(max(hop.asked), 7)
        self.assertEqual(len(self.way.dials), 1)
