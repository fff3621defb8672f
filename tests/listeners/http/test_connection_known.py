"""
Tests for L{connectproxy.listeners.http} before a real switchboard that takes its time to
know who asks.
"""

from __future__ import annotations

import json
from typing import Any

from connectproxy.errors import Refusal
from connectproxy.interfaces import Action, Verdict
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS, FakeAuthenticator, Peer, makeSwitchboard
from tests.listeners.http.forwarding import GET, OK, ForwardCase, get
from tests.listeners.http.test_connection import HEAD, parse
from tests.listeners.http.test_connection_tunnel import CONNECTED
from tests.test_switchboard import Says

TIMEOUT = SETTINGS["timeouts.connect"]


class KnownCase(ForwardCase):
    """
    A port where ann gets in, later.
    """

    later = True

    def setUp(self) -> None:
        """
        Know ann.
        """
        self.known = FakeAuthenticator(later=self.later)
        ForwardCase.setUp(self)

    def listen(self, **settings: Any) -> Any:
        """
        Open a port.
        """
        board = makeSwitchboard(self.reactor, settings={**SETTINGS, **settings}, authenticator=self.known)
        return self.listenWith(board)

    @property
    def proved(self) -> bytes:
        """The field that says who it is."""
        return b"Proxy-Authorization: Basic " + self.known.right

    @property
    def connecting(self) -> bytes:
        """A CONNECT with it."""
        return HEAD[:-2] + self.proved + b"\r\n\r\n"

    def answer(self) -> None:
        """
        Say who it is.
        """
        self.known.answer()
        self.reactor.flush()

    def near(self) -> Any:
        """
        The proxy's side of the only client.
        """
        (near,) = self.port.factory.connections
        return near


class TunnelTests(KnownCase):
    """
    A CONNECT whose client is known later.
    """

    def test_early(self) -> None:
        """
        What comes behind the head, in one piece with it or later, waits, and goes to the
        destination first; nothing of it is read as a request.
        """
        for pieces in ((b"", b""), (b"early", b""), (b"", b"early"), (b"ear", b"ly")):
            client = self.ask(self.connecting + pieces[0])
            if pieces[1]:
                self.send(client, pieces[1])
            dials = len(self.upstream.dials)
            self.assertEqual((bytes(client.received), dials), (b"", len(self.events())))
            self.answer()
            self.assertEqual(len(self.upstream.dials), dials + 1)
            self.assertEqual(self.upstream.dials[-1].request.user, "ann")
            origin = self.upstream.dials[-1].succeed()
            self.reactor.flush()
            self.assertEqual(bytes(client.received), CONNECTED)
            self.send(client, b" late")
            self.assertEqual(bytes(origin.received), b"".join(pieces) + b" late")
            client.transport.abortConnection()
            self.reactor.flush()

    def test_bounded(self) -> None:
        """
        Of what comes one read is held.
        """
        for first in (self.connecting, self.connecting + b"early"):
            client = self.ask(first)
            near = next(each for each in self.port.factory.connections if each.transport.connected)
            self.send(client, bytes(1 << 20))
            self.assertLess(len(near.early), 70000)
            self.assertNotIn(near.transport, self.reactor.getReaders())
            self.known.waiting.clear()
            near.transport.abortConnection()
            self.reactor.flush()

    def test_wrong(self) -> None:
        """
        Who is not ann is told what is asked for, and that is the end of the connection
        (conformance 10 and 65).
        """
        client = self.ask(HEAD + HEAD)
        self.answer()
        answer = parse(client.received)
        self.assertEqual((answer.status, answer.fields["proxy-authenticate"]), (407, "Basic"))
        self.assertEqual((answer.fields["connection"], client.ended), ("close", True))
        self.assertEqual((self.upstream.dials, len(self.known.asked)), ([], 1))

    def test_gone(self) -> None:
        """
        A client that goes away cancels the question; nothing is left.
        """
        client = self.ask(self.connecting)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(self.known.cancelled, 1)
        self.assertEqual((self.event()["event"], self.event()["phase"]), ("abandoned", "authenticating"))
        self.checkQuiet()

    def test_late(self) -> None:
        """
        The time that a request has holds for this, too.
        """
        client = self.ask(self.connecting)
        self.reactor.advance(TIMEOUT + GRAIN)
        self.reactor.flush()
        self.assertEqual((self.known.cancelled, self.upstream.dials), (1, []))
        self.assertTrue(client.ended)
        self.assertGreaterEqual(parse(client.received).status, 400)


class ForwardTests(KnownCase):
    """
    A message whose client is known later.
    """

    def test_pipelined(self) -> None:
        """
        The next request waits until the first has its response, and its client is found out
        by itself (conformance 46).
        """
        asked = get(self.proved)
        client = self.ask(asked + GET)
        self.assertEqual(len(self.known.asked), 1)
        self.answer()
        origin = self.upstream.dials[0].succeed()
        self.reactor.flush()
        self.assertEqual(len(self.known.asked), 1)
        self.assertNotIn(b"proxy-authorization", self.head(origin))
        self.reply(origin)
        self.assertEqual(len(self.known.asked), 2)
        self.answer()
        first, second = self.all(client, "GET", "GET")
        self.assertEqual((first.status, first.body, second.status), (200, b"hello", 407))
        self.assertEqual(len(self.upstream.dials), 1)

    def test_body(self) -> None:
        """
        What has come of a body waits, however much the client sends, and goes on whole.
        """
        body = bytes(range(256)) * 1024
        head = get(self.proved, b"Content-Length: %d" % len(body), method=b"POST")
        client = self.ask(head + body[:10])
        self.send(client, body[10:])
        self.assertLess(len(self.near().early), 140000)
        self.answer()
        origin = self.upstream.dials[0].succeed()
        self.reactor.flush()
        self.assertTrue(bytes(origin.received).endswith(b"\r\n\r\n" + body))
        self.reply(origin)
        self.assertEqual(self.response(client, "POST").status, 200)

    def test_asksAgain(self) -> None:
        """
        A client that is asked who it is says so on the same connection: Digest needs two
        requests.
        """
        client = self.ask(GET)
        self.answer()
        refused = self.response(client)
        self.assertEqual((refused.status, refused.fields[b"proxy-authenticate"]), (407, b"Basic"))
        self.assertNotIn(b"connection", refused.fields)
        client.received.clear()
        self.send(client, get(self.proved))
        self.answer()
        self.reply(self.upstream.dials[0].succeed())
        self.assertEqual(self.response(client).body, b"hello")

    def test_gone(self) -> None:
        """
        A client that goes away cancels the question.
        """
        for request in (get(self.proved), get(b"Content-Length: 5", method=b"POST")):
            cancelled = self.known.cancelled
            self.ask(request).transport.abortConnection()
            self.reactor.flush()
            self.assertEqual(self.known.cancelled, cancelled + 1)
            self.assertEqual(self.events()[-1]["event"], "abandoned")
        self.assertEqual(self.upstream.dials, [])

    def test_repeated(self) -> None:
        """
        A request that is just like the one before it is asked about again all the same.
        """
        client = self.ask(get(self.proved))
        self.answer()
        origin = self.upstream.dials[0].succeed()
        for _ in range(3):
            self.reply(origin, OK)
            self.send(client, get(self.proved))
            self.answer()
        self.assertEqual(len(self.known.asked), 4)
        self.assertEqual(bytes(origin.received).count(b"GET /path"), 4)
        self.assertNotIn(self.known.right, bytes(origin.received))


class SaidTests(KnownCase):
    """
    What a refusal says, in the form that the client asks for.
    """

    later = False

    def said(self, client: Peer, *methods: str) -> dict[str, Any]:
        """
        The members of the document that a client has got.
        """
        answer = self.response(client, *methods)
        self.assertEqual(answer.fields[b"content-type"], b"application/problem+json")
        members: dict[str, Any] = json.loads(answer.body)
        self.assertEqual(members["status"], answer.status)
        return members

    def test_problem(self) -> None:
        """
        A CONNECT, a message and what is neither are all refused by a document, if that is
        wanted; the destination is in it as far as the client's own words were understood.
        """
        rule = Says(Verdict(Action.DENY, "because", "says", message="Ask ops."))
        self.listenWith(makeSwitchboard(self.reactor, rules=[rule]))
        accept = b"Accept: application/json\r\n\r\n"
        for head, kind, destination in (
            (HEAD[:-2] + accept, "http_request_denied", "host.example:443"),
            (get(accept[:-4]), "http_request_denied", "origin.example:80"),
            (b"CONNECT host.example HTTP/1.1\r\nHost: a\r\n" + accept, "http_request_error", None),
            (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n" + accept, "http_scheme_not_supported", None),
        ):
            members = self.said(self.ask(head))
            self.assertEqual((members["kind"], members.get("destination")), (kind, destination))
            denied = kind == "http_request_denied"
            self.assertEqual(
                (members.get("rule"), members["remedy"] == "Ask ops."), ("says" if denied else None, denied)
            )

    def test_text(self) -> None:
        """
        For others it is as it was, with the operator's words.
        """
        rule = Says(Verdict(Action.DENY, "because", "says", message="Ask ops."))
        self.listenWith(makeSwitchboard(self.reactor, rules=[rule]))
        for fields in (b"", b"Accept: */*\r\n"):
            answer = parse(self.ask(HEAD[:-2] + fields + b"\r\n").received)
            self.assertEqual(answer.fields["content-type"], "text/plain; charset=utf-8")
            self.assertIn("\nWhat to do: Ask ops.\n", answer.body)

    def test_head(self) -> None:
        """
        The answer to HEAD has no body, whatever its form.
        """
        octets = get(b"Accept: application/json", method=b"HEAD")
        answer = self.response(self.ask(octets), "HEAD")
        self.assertEqual((answer.status, answer.body), (407, b""))
        self.assertEqual(answer.fields[b"content-type"], b"application/problem+json")

    def test_unread(self) -> None:
        """
        A head that never was one has no wishes.
        """
        answer = parse(
            self.ask(b"GET http://a/ HTTP/1.1\r\nAccept: application/json\r\nbad line\r\n\r\n").received
        )
        self.assertEqual((answer.status, answer.fields["content-type"]), (400, "text/plain; charset=utf-8"))

    def test_waits(self) -> None:
        """
        How long to wait is in the fields, and a message's connection goes on.
        """
        self.known.refusal = Refusal("login_limit_reached", fields=(("Retry-After", "9"),))
        client = self.ask(GET)
        answer = self.response(client)
        self.assertEqual((answer.status, answer.fields[b"retry-after"]), (429, b"9"))
        self.assertFalse(client.ended)
