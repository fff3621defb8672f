"""
Tests for L{connectproxy.listeners.http2} before a real switchboard that takes its time to
know who asks; conformance 46.
"""

from __future__ import annotations

import json
from typing import Any

from connectproxy.wheel import GRAIN
from connectproxy.wire.http2 import ErrorCode
from tests.fakes import SETTINGS, FakeAuthenticator
from tests.listeners.http2.exchanging import PLAIN, ExchangeCase, fields

TIMEOUT = SETTINGS["timeouts.connect"]


class KnownCase(ExchangeCase):
    """
    A port where ann gets in, later.
    """

    later = True

    def setUp(self) -> None:
        """
        Know ann.
        """
        ExchangeCase.setUp(self)
        self.known = FakeAuthenticator(later=self.later)
        self.board.regime = self.board.regime._replace(authenticator=self.known)
        self.proved = ("proxy-authorization", "Basic " + self.known.right.decode())

    def know(self) -> None:
        """
        Say who it is.
        """
        self.known.answer()
        self.flush()


class KnownTests(KnownCase):
    """
    Streams whose client is known later.
    """

    def test_early(self) -> None:
        """
        What comes behind a CONNECT waits, and is not credited; then it goes first.
        """
        client = self.client()
        number = client.connect("example.com:443", self.proved)
        client.put(number, b"early " * 10000)
        self.flush()
        self.assertLess(client.h2.local_flow_control_window(number), 6000)
        self.assertEqual(self.dials, [])
        self.know()
        origin = self.dials[0].succeed()
        client.put(number, b"late", end=True)
        self.flush()
        self.assertEqual(bytes(origin.received), b"early " * 10000 + b"late")
        self.assertEqual(self.dials[0].request.user, "ann")

    def test_others(self) -> None:
        """
        Other streams do not wait for one, and each is asked about by itself.
        """
        client = self.client()
        numbers = [client.connect("example.com:443", self.proved) for _ in range(3)]
        self.flush()
        self.assertEqual(len(self.known.asked), 3)
        self.know()
        self.dials[0].succeed()
        self.flush()
        self.assertEqual([client.heard(number).status for number in numbers], [None, None, 200])

    def test_wrong(self) -> None:
        """
        A refusal that comes later is an answer, and the connection goes on.
        """
        client = self.client()
        number = client.connect("example.com:443")
        client.put(number, b"early")
        self.flush()
        self.know()
        heard = client.heard(number)
        self.assertEqual((heard.status, heard.ended, heard.reset), (407, True, ErrorCode.NO_ERROR))
        self.assertEqual(heard.fields["proxy-authenticate"], "Basic")
        again = client.connect("example.com:443", self.proved)
        self.flush()
        self.know()
        self.dials[0].succeed()
        self.flush()
        self.assertEqual(client.heard(again).status, 200)

    def test_gone(self) -> None:
        """
        A stream that is reset cancels its question; so does a connection that is lost, for all
        of them.
        """
        client = self.client()
        number = client.connect("example.com:443", self.proved)
        kept = client.ask(fields("POST", "/", self.proved))
        self.flush()
        client.cancel(number)
        self.flush()
        self.assertEqual(self.known.cancelled, 1)
        client.cancel(kept)
        self.flush()
        self.assertEqual(self.known.cancelled, 2)
        client.connect("example.com:443", self.proved)
        client.ask(fields("GET", "/", self.proved), end=True)
        self.flush()
        client.transport.abortConnection()
        self.flush()
        self.assertEqual((self.known.cancelled, self.dials), (4, []))
        self.assertEqual({each["event"] for each in self.events}, {"abandoned"})
        self.assertNothingLeft()

    def test_late(self) -> None:
        """
        The time that a request has holds for this, too.
        """
        client = self.client()
        number = client.connect("example.com:443", self.proved)
        self.flush()
        self.reactor.advance(TIMEOUT + GRAIN)
        self.flush()
        self.assertEqual((self.known.cancelled, self.dials), (1, []))
        self.assertTrue(client.heard(number).ended)

    def test_body(self) -> None:
        """
        A message's body waits within its window, and goes on whole; what has proved who it is
        does not.
        """
        client = self.client()
        number = client.ask(fields("POST", "/", self.proved, ("content-length", "20000")))
        client.put(number, b"x" * 20000, end=True)
        self.flush()
        self.know()
        origin = self.dials[0].succeed()
        self.flush()
        self.assertTrue(bytes(origin.received).endswith(b"\r\n\r\n" + b"x" * 20000))
        self.assertNotIn(self.known.right, bytes(origin.received))
        self.answer(origin, PLAIN)
        self.assertEqual(client.heard(number).status, 200)

    def test_bodyRefused(self) -> None:
        """
        Refused, it is thrown away, and told so.
        """
        client = self.client()
        number = client.ask(fields("POST", "/"))
        client.put(number, b"x" * 20000)
        self.flush()
        self.know()
        heard = client.heard(number)
        self.assertEqual((heard.status, heard.ended, heard.reset), (407, True, ErrorCode.NO_ERROR))
        self.assertEqual(self.dials, [])


class SaidTests(KnownCase):
    """
    What a refusal says, in the form that the client asks for.
    """

    later = False

    def said(self, asked: list[tuple[str, str]]) -> Any:
        """
        What a client is answered that wants JSON.
        """
        client = self.client()
        number = client.ask([*asked, ("accept", "application/problem+json, text/plain;q=0.5")], end=True)
        self.flush()
        return client.heard(number)

    def test_problem(self) -> None:
        """
        A tunnel, a message and what is neither are refused by a document, if that is wanted.
        """
        tunnel = [(":method", "CONNECT"), (":authority", "Host.Example:443")]
        strange = [(":method", "GET"), (":scheme", "ftp"), (":authority", "a.example"), (":path", "/")]
        for asked, kind, destination in (
            (tunnel, "proxy_authentication_required", "host.example:443"),
            (fields(), "proxy_authentication_required", "a.example:80"),
            (strange, "http_scheme_not_supported", None),
        ):
            heard = self.said(asked)
            self.assertEqual(heard.fields["content-type"], "application/problem+json")
            members = json.loads(bytes(heard.octets))
            self.assertEqual((members["kind"], members.get("destination")), (kind, destination))
            self.assertEqual(members["status"], heard.status)
            self.assertEqual(int(heard.fields["content-length"]), len(heard.octets))

    def test_head(self) -> None:
        """
        The answer to HEAD has no body.
        """
        heard = self.said(fields("HEAD"))
        self.assertEqual((heard.status, bytes(heard.octets)), (407, b""))
        self.assertEqual(heard.fields["content-type"], "application/problem+json")
