"""
Tests for L{connectproxy.interfaces.values}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS
from connectproxy.interfaces import (
    STALE,
    Action,
    Arrival,
    Attempt,
    Established,
    Outcome,
    Phase,
    TunnelRequest,
    Verdict,
)
from connectproxy.leg import Leg
from tests.fakes import addressOf, makeRequest

CLIENT = addressOf("192.0.2.7", 51000)
REQUEST = makeRequest("host.example:443", client=CLIENT)


class ValueTests(SynchronousTestCase):
    """
    What crosses the seams.
    """

    def test_frozen(self) -> None:
        """
        A value cannot be changed and has no room for more: whoever has been given one
        can rely on it, and thousands of them are small.
        """
        values: list[tuple[Any, str]] = [
            (Arrival(CLIENT, "tcp:8080", 0.0), "client"),
            (REQUEST, "listener"),
            (Verdict(Action.ALLOW, "", ""), "reason"),
            (Attempt("192.0.2.1", "connected", 0.1), "result"),
            (Established(Leg(), "192.0.2.1:443"), "address"),
            (Outcome("client", Phase.RELAYING, "eof", 0, 0, 0.0), "kind"),
            (KINDS["dns_error"], "status"),
        ]
        for value, attribute in values:
            with self.assertRaises(AttributeError):
                setattr(value, attribute, "other")
            self.assertEqual(type(value).__slots__, (), type(value).__name__)

    def test_described(self) -> None:
        """
        Every field of every value says what it is.
        """
        for value in (Arrival, TunnelRequest, Verdict, Attempt, Established, Outcome):
            for field in value._fields:
                self.assertIn(f"@ivar {field}:", value.__doc__ or "", value.__name__)

    def test_phases(self) -> None:
        """
        They come in the order in which a request goes through them.
        """
        self.assertEqual(
            [phase.value for phase in Phase],
            [
                "arrived",
                "authenticating",
                "deciding",
                "dialling",
                "answering",
                "relaying",
                "draining",
                "done",
            ],
        )

    def test_defaults(self) -> None:
        """
        What a dialect does not have can be left away.
        """
        request = TunnelRequest(REQUEST.destination, CLIENT, "tcp:8080", "http/1.1")
        self.assertEqual(
            (request.method, request.fields, request.arrived, request.user, request.arrival),
            ("CONNECT", (), 0.0, None, None),
        )
        verdict = Verdict(Action.DENY, "why", "rule")
        self.assertEqual(verdict.kind, "http_request_denied")
        self.assertIsNone(verdict.upstream)
        self.assertFalse(verdict.reportOnly)
        outcome = Outcome("client", Phase.RELAYING, "eof", 0, 0, 0.0)
        self.assertEqual((outcome.status, outcome.refusal), (200, None))

    def test_credentials(self) -> None:
        """
        A request does not show its fields, of which one may be credentials: not in a log,
        nor in a traceback with the values of variables (conformance 69).
        """
        request = makeRequest(fields=((b"proxy-authorization", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),))
        for shown in (repr(request), str(request), f"{request}", repr([request])):
            self.assertNotIn("QWxh", shown)
            self.assertIn("CONNECT example.com:443", shown)

    def test_arrival(self) -> None:
        """
        A connection in clear that nobody has introduced is nothing but its address.
        """
        arrival = Arrival(CLIENT, "tcp:8080", 1.0)
        self.assertEqual((arrival.tls, arrival.certificate, arrival.sender), (None, None, None))

    def test_refusal(self) -> None:
        """
        A denial becomes a refusal without losing anything.
        """
        verdict = Verdict(Action.DENY, "why", "rule", "destination_ip_prohibited", message="ask Ann")
        self.assertEqual(verdict.refusal()[:5], ("destination_ip_prohibited", "why", "rule", "ask Ann", ()))

    def test_stale(self) -> None:
        """
        The one kind of outcome that is not told to anybody is none of the others.
        """
        self.assertIn("STALE", Outcome.__doc__ or "")
        self.assertNotIn(STALE, KINDS)
