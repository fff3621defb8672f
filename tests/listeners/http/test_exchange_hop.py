"""
Tests for L{connectproxy.listeners.http.exchange}: messages that another proxy forwards.
"""

from __future__ import annotations

import re
from typing import Any

from zope.interface.verify import verifyObject

from connectproxy.interfaces import IForwardingUpstream
from connectproxy.policy import Policy
from connectproxy.vetted import vetted
from connectproxy.wire.authorization.client import Authorizer
from tests.fakes import SETTINGS, FakePort, FakeUpstream, makeSwitchboard
from tests.listeners.hop import CHALLENGE, FakeHop, challenge
from tests.listeners.http.forwarding import GET, OK, ForwardCase, get
from tests.listeners.http.test_exchange_upgrade import OFFER, SWITCH

LINE = b"GET http://origin.example/path?query HTTP/1.1\r\n"
POST = b"POST http://origin.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
OTHER = get(target=b"http://other.example/")


class HopCase(ForwardCase):
    """
    A port whose requests go through another proxy.

    @ivar hop: it.
    """

    def listen(self, authorizer: Authorizer | None = None, **settings: Any) -> FakePort:
        """
        Open a port.
        """
        self.hop = FakeHop(self.reactor, authorizer)
        policy = Policy()
        ways = {"direct": vetted(self.hop, policy.decideAddress)}
        return self.listenWith(
            makeSwitchboard(self.reactor, upstreams=ways, policy=policy, settings={**SETTINGS, **settings})
        )

    @property
    def upstream(self) -> FakeUpstream:
        """
        The way out.
        """
        return self.hop

    def digest(self) -> None:
        """
        Have a port on a next hop that wants Digest.
        """
        self.listen(Authorizer("ann", "secret", "digest"))


class RequestTests(HopCase):
    """
    What the next hop gets.
    """

    def test_fake(self) -> None:
        """
        What the tests use is what upstreams provide.
        """
        verifyObject(IForwardingUpstream, self.hop)

    def test_head(self) -> None:
        """
        The next hop gets the request in absolute-form, in our own version, with a Host made
        from the target and a Via; what is about the client's connection stays here, with the
        client's credentials (conformance 26, 27, 28, 32 and 34).
        """
        _, origin = self.exchange(
            b"GET http://Origin.example:80/a%20b?c=%2F HTTP/1.0\r\nHost: other.example\r\nAccept: */*\r\n"
            b"Via: 1.0 fred\r\nProxy-Authorization: Basic c2VjcmV0\r\nConnection: X-Mine\r\nX-Mine: 1\r\n\r\n"
        )
        self.assertEqual(
            bytes(origin.received),
            b"GET http://Origin.example:80/a%%20b?c=%%2F HTTP/1.1\r\nHost: Origin.example:80\r\n"
            b"Accept: */*\r\nVia: 1.0 fred\r\nVia: 1.0 %b\r\n\r\n" % self.board.via,
        )
        self.assertEqual(len(self.hop.forwarded), 1)

    def test_credentials(self) -> None:
        """
        With every request go the credentials that this proxy has for the next hop, and none
        of its client's.
        """
        self.listen(Authorizer("ann", "secret"))
        client, origin = self.exchange(get(b"Proxy-Authorization: Basic bWluZQ=="))
        for _ in range(3):
            self.assertEqual(self.head(origin)[b"proxy-authorization"], b"Basic YW5uOnNlY3JldA==")
            self.reply(origin)
            self.send(client, get(b"Proxy-Authorization: Basic bWluZQ=="))
        self.assertEqual(len(self.hop.dials), 1)

    def test_everybody(self) -> None:
        """
        OPTIONS for the server as a whole has an empty path: to make an asterisk of it is for
        the last proxy; and Max-Forwards counts every proxy (conformance 30 and 31).
        """
        _, origin = self.exchange(get(b"Max-Forwards: 5", method=b"OPTIONS", target=b"http://origin.example"))
        self.assertTrue(origin.received.startswith(b"OPTIONS http://origin.example HTTP/1.1\r\n"))
        self.assertEqual(self.head(origin)[b"max-forwards"], b"4")
        client = self.ask(get(b"Max-Forwards: 0", method=b"OPTIONS", target=b"http://origin.example"))
        self.assertEqual(self.response(client, "OPTIONS").status, 200)
        self.assertEqual(len(self.hop.dials), 1)

    def test_body(self) -> None:
        """
        A body streams there as to an origin, in whatever pieces it comes.
        """
        client, origin = self.exchange(POST + b"he")
        self.assertTrue(origin.received.startswith(b"POST http://origin.example/ HTTP/1.1\r\n"))
        self.send(client, b"llo")
        self.assertTrue(origin.received.endswith(b"\r\n\r\nhello"))
        self.reply(origin)
        self.assertEqual(self.response(client, "POST").body, b"hello")
        self.assertEqual((self.end()["bytes_up"], self.end()["bytes_down"]), (5, 5))

    def test_upgrade(self) -> None:
        """
        A request that offers WebSocket is for the origin alone, so that the next hop is asked
        for a tunnel to it, in which the request has its usual form (conformance 36).
        """
        client, origin = self.exchange(OFFER)
        self.assertEqual((len(self.hop.dials), self.hop.forwarded), (1, []))
        self.assertTrue(origin.received.startswith(b"GET /path?query HTTP/1.1\r\n"))
        self.reply(origin, SWITCH + b"frame")
        self.assertTrue(client.received.endswith(b"\r\n\r\nframe"))

    def test_again(self) -> None:
        """
        A section that comes again is written as the connection wants it, of which there may be
        both kinds (conformance 26).
        """
        client, hop = self.exchange()
        self.reply(hop)
        for _ in range(3):
            hop.received.clear()
            self.send(client, GET)
            self.assertTrue(hop.received.startswith(LINE + b"Host: origin.example\r\nVia: "), hop.received)
            self.reply(hop)
        self.assertIsNotNone(next(iter(self.port.factory.connections)).repeated)
        self.send(client, OFFER)
        origin = self.hop.dials[-1].succeed()
        self.reactor.flush()
        self.reply(origin)
        hop.transport.loseConnection()
        self.reactor.flush()
        for _ in range(3):
            origin.received.clear()
            self.send(client, GET)
            self.assertTrue(
                origin.received.startswith(b"GET /path?query HTTP/1.1\r\nHost: origin.example\r\nV")
            )
            self.reply(origin)
        self.assertEqual(len(self.hop.dials), 2)


class ResponseTests(HopCase):
    """
    What the client gets.
    """

    def test_passedOn(self) -> None:
        """
        A response goes on with our Via behind the others and the Proxy-Status of who made it,
        whatever its status: a next hop's own pages look like an origin's (conformance 28).
        """
        for status in (200, 403, 502, 504):
            client, hop = self.exchange()
            self.reply(
                hop,
                b"HTTP/1.1 %d X\r\nContent-Length: 2\r\nVia: 1.1 corp\r\nProxy-Status: corp; error=dns_error\r\n"
                b"Proxy-Authentication-Info: nextnonce=x\r\n\r\nno" % status,
            )
            response = self.response(client)
            self.assertEqual((response.status, response.body, response.whole), (status, b"no", True))
            self.assertEqual(response.fields[b"proxy-status"], b"corp; error=dns_error")
            self.assertRegex(
                bytes(client.received), b"(?s)\r\nVia: 1.1 corp\r\n.*\r\nVia: 1.1 %b\r\n" % self.board.via
            )
            self.assertNotIn(b"proxy-authentication-info", response.fields)
            self.assertEqual((self.end()["status"], self.end()["error"]), (status, None))

    def test_cutShort(self) -> None:
        """
        A response that the next hop cuts short never looks complete (conformance 37).
        """
        client, hop = self.exchange()
        self.reply(hop, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
        hop.transport.loseConnection()
        self.assertFalse(self.response(client).whole)
        self.assertEqual(self.end()["end"], "truncated")

    def test_noResponse(self) -> None:
        """
        A next hop that does not respond, or not in HTTP, is told of as itself: the origin may not
        even have been asked.
        """
        for octets, kind in ((b"", "next_hop_gone"), (b"garbage\r\n\r\n", "next_hop_protocol_error")):
            client, hop = self.exchange()
            if octets:
                self.reply(hop, octets)
            hop.transport.loseConnection()
            response = self.response(client)
            self.assertEqual((response.status, self.end()["error"]), (502, kind))
            self.assertIn(b"the next hop corp ", response.body)

    def test_wantsCredentials(self) -> None:
        """
        What the next hop asks this proxy for never asks the client for anything, whatever it
        says and whatever there is to show.
        """
        said = (CHALLENGE, challenge(length=7), b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        for authorizer in (None, Authorizer("ann", "secret"), Authorizer.bearer("token")):
            self.listen(authorizer)
            for octets in said:
                client, hop = self.exchange()
                self.reply(hop, octets)
                response = self.response(client)
                self.assertEqual(response.status, 502)
                self.assertNotIn(b"proxy-authenticate", response.fields)
                self.assertEqual(self.end()["received_status"], 407)
                self.assertIn(b"the next hop corp ", response.body)
                self.assertNotIn(b"YW5u", response.body)
                self.assertEqual(self.end()["error"], "next_hop_authentication_failed")
                self.assertIsNotNone(hop.lost)

    def test_originWantsThem(self) -> None:
        """
        In a tunnel it is the origin that says 407, which is not its to say.
        """
        client, origin = self.exchange(OFFER)
        self.reply(origin, CHALLENGE)
        self.assertEqual(self.response(client).status, 502)
        self.assertEqual(self.end()["error"], "http_protocol_error")


class ChallengedTests(HopCase):
    """
    A next hop that wants Digest.
    """

    def setUp(self) -> None:
        super().setUp()
        self.digest()

    def proof(self, hop: Any) -> dict[bytes, bytes]:
        """
        The parameters of what the next hop has been shown.
        """
        shown = self.head(hop)[b"proxy-authorization"]
        return dict(re.findall(rb'(\w+)="?([^",]*)', shown.removeprefix(b"Digest ")))

    def test_again(self) -> None:
        """
        The first request finds out what there is to prove and goes out again; those behind it
        prove it at once, each for its own target and with its own count, on the same
        connection.
        """
        client, hop = self.exchange()
        self.assertNotIn(b"proxy-authorization", self.head(hop))
        self.reply(hop, challenge(length=20))
        self.assertEqual((bytes(client.received), self.events()), (b"", []))
        self.assertIsNotNone(hop.lost)
        hop = self.hop.dials[-1].succeed()
        self.reactor.flush()
        for number, path in enumerate((b"/path?query", b"/2", b"/3", b"/4"), 1):
            proof = self.proof(hop)
            self.assertEqual(proof[b"uri"], b"http://origin.example" + path)
            self.assertEqual((proof[b"nonce"], proof[b"nc"]), (b"n1", b"%08x" % number))
            client.received.clear()
            self.reply(hop)
            self.assertEqual(self.response(client).status, 200)
            self.send(client, get(target=b"http://origin.example/%d" % (number + 1)))
        self.assertEqual((len(self.hop.dials), len(self.events())), (2, 4))

    def test_stale(self) -> None:
        """
        A nonce that has become too old costs one request more, and no client notices.
        """
        client, hop = self.exchange()
        self.reply(hop, CHALLENGE)
        hop = self.hop.dials[-1].succeed()
        self.reply(hop)
        self.send(client, GET)
        self.reply(hop, CHALLENGE.replace(b'"n1"', b'"n2", stale=true'))
        hop = self.hop.dials[-1].succeed()
        self.reactor.flush()
        self.assertEqual(self.proof(hop)[b"nonce"], b"n2")
        self.reply(hop)
        self.assertEqual([each.status for each in self.all(client, "GET", "GET")], [200, 200])

    def test_once(self) -> None:
        """
        Nobody is asked more than twice for one request, whatever the next hop says.
        """
        client, hop = self.exchange()
        self.reply(hop, CHALLENGE)
        hop = self.hop.dials[-1].succeed()
        self.reply(hop, CHALLENGE.replace(b'"n1"', b'"n2", stale=true'))
        self.assertEqual(self.response(client).status, 502)
        self.assertEqual((len(self.hop.dials), len(self.events())), (2, 1))
        self.assertEqual(self.end()["error"], "next_hop_authentication_failed")

    def test_unsentBody(self) -> None:
        """
        A request whose body has not begun to go out does so behind the second head, all of it.
        """
        client, hop = self.exchange(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        self.reply(hop, CHALLENGE)
        self.send(client, b"he")
        hop = self.hop.dials[-1].succeed()
        self.reactor.flush()
        self.send(client, b"llo")
        self.assertIn(b"proxy-authorization", self.head(hop))
        self.assertTrue(hop.received.endswith(b"\r\n\r\nhello"))
        self.reply(hop)
        self.assertEqual(self.response(client, "POST").status, 200)

    def test_sentBody(self) -> None:
        """
        What has gone out of a body is gone; but the request behind it proves what it has to.
        """
        for body in (b"hello", b"h"):
            self.digest()
            client, hop = self.exchange(POST + body)
            self.reply(hop, CHALLENGE)
            self.assertEqual(self.response(client, "POST").status, 502)
            self.assertEqual(len(self.hop.dials), 1)
            client, hop = self.exchange(POST + body)
            self.assertEqual(self.proof(hop)[b"nonce"], b"n1")

    def test_blocked(self) -> None:
        """
        A next hop that has not taken the head when it asks for a proof does not hold the
        second one up.
        """
        client = self.ask(POST.replace(b"Host: a", b"Host: a\r\nX: " + b"y" * 3000))
        hop = self.hop.dials[-1].succeed(capacity=100)
        self.reply(hop, CHALLENGE)
        hop = self.hop.dials[-1].succeed()
        self.reactor.flush()
        self.send(client, b"hello")
        self.assertTrue(hop.received.endswith(b"\r\n\r\nhello"))

    def test_gone(self) -> None:
        """
        A client that goes before the second connection is there leaves nothing behind.
        """
        client, hop = self.exchange()
        self.reply(hop, CHALLENGE)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertTrue(self.hop.dials[-1].cancelled)
        self.assertEqual(self.event()["event"], "abandoned")
        self.checkQuiet()

    def test_draining(self) -> None:
        """
        When the proxy is being stopped nothing is asked again.
        """
        client, hop = self.exchange()
        self.board.draining = True
        self.reply(hop, CHALLENGE)
        self.assertEqual(self.response(client).status, 503)
        self.assertEqual(len(self.hop.dials), 1)


class KeptTests(HopCase):
    """
    Connections to the next hop that have been left open.
    """

    def done(self, request: bytes = GET) -> tuple[Any, Any]:
        """
        Have a request served.
        """
        client, hop = self.exchange(request)
        self.reply(hop)
        client.received.clear()
        return client, hop

    def test_others(self) -> None:
        """
        One connection serves whatever its client asks for by name, in its turn.
        """
        client, hop = self.done()
        for host in (b"other.example", b"third.example:8080", b"origin.example"):
            hop.received.clear()
            self.send(client, get(target=b"http://%b/" % host))
            self.assertTrue(
                hop.received.startswith(b"GET http://%b/ HTTP/1.1\r\nHost: %b\r\n" % (host, host))
            )
            self.reply(hop)
        self.assertEqual(len(self.hop.dials), 1)
        self.assertEqual(
            [each["target"] for each in self.events()],
            ["origin.example:80", "other.example:80", "third.example:8080", "origin.example:80"],
        )

    def test_addresses(self) -> None:
        """
        What is an address is judged each time, so that it is not asked for on a connection that
        was made for something else.
        """
        for host in (b"127.0.0.1", b"[::1]", b"localhost", b"a.localhost"):
            client, _ = self.done()
            dials = len(self.hop.dials)
            self.send(client, get(target=b"http://%b/" % host))
            self.assertEqual(len(self.hop.dials), dials + 1, host)

    def test_sameAddress(self) -> None:
        """
        One to an address that was judged is used for that, as long as it may be, and for no
        other.
        """
        address = get(target=b"http://198.51.100.7/")
        client, hop = self.done(address)
        self.send(client, address)
        self.reply(hop)
        self.assertEqual(len(self.hop.dials), 1)
        for other in (b"198.51.100.7:81", b"198.51.100.8", b"origin.example"):
            client, hop = self.done(address)
            dials = len(self.hop.dials)
            self.send(client, get(target=b"http://%b/" % other))
            self.assertEqual(len(self.hop.dials), dials + 1)

    def test_member(self) -> None:
        """
        A group chooses for each destination: what it has chosen is used for that one.
        """
        self.hop.member = "first"
        client, hop = self.done()
        self.send(client, GET)
        self.reply(hop)
        self.assertEqual(len(self.hop.dials), 1)
        self.send(client, OTHER)
        self.assertEqual(len(self.hop.dials), 2)

    def test_upgrade(self) -> None:
        """
        One that is for messages is not asked for another protocol.
        """
        for request in (GET, get(target=b"http://198.51.100.7/")):
            client, _ = self.done(request)
            dials = len(self.hop.dials)
            self.send(client, OFFER.replace(b"origin.example", request.split(b"/")[2]))
            self.assertEqual(len(self.hop.dials), dials + 1)

    def test_tunnel(self) -> None:
        """
        One that leads through the next hop to an origin is for that origin only.
        """
        client, origin = self.done(OFFER)
        self.send(client, OTHER)
        self.assertEqual((len(self.hop.dials), len(self.hop.forwarded)), (2, 1))
        self.assertEqual(origin.received.count(b"GET "), 1)

    def test_stale(self) -> None:
        """
        One that turns out closed is made anew, and the request goes out there in the same form,
        if it may go out twice (conformance 33).
        """
        client, hop = self.done()
        self.send(client, OTHER)
        hop.transport.loseConnection()
        self.reactor.flush()
        hop = self.hop.forwarded[1].succeed()
        self.reactor.flush()
        self.assertTrue(hop.received.startswith(b"GET http://other.example/ HTTP/1.1\r\n"))
        self.reply(hop)
        self.assertEqual(self.response(client).status, 200)
        client.received.clear()
        self.send(client, POST + b"hello")
        hop.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(self.response(client, "POST").status, 502)
        self.assertEqual(len(self.hop.dials), 2)

    def test_unasked(self) -> None:
        """
        One on which something has come is not used again: it would be the response to another's
        request (conformance 33).
        """
        client, hop = self.done()
        hop.transport.write(OK)
        self.send(client, OTHER)
        self.assertEqual(len(self.hop.dials), 2)
