"""
Tests for L{connectproxy.switchboard}: requests that are not dialled for, and the one event
that each leaves.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.errors import KINDS, Refusal
from connectproxy.events import showAddress
from connectproxy.interfaces import Action, IPAddress, IRule, ISwitchboard, TunnelRequest, Verdict
from connectproxy.ledger import FIELDS
from connectproxy.rules.ports import AllowedPorts
from tests.fakes import (
    SETTINGS,
    FakeInbound,
    FakeReactor,
    FakeUpstream,
    RecordingLedger,
    addressOf,
    makeRequest,
    makeSwitchboard,
)

TIMEOUT = SETTINGS["timeouts.connect"]


@implementer(IRule)
class Says:
    """
    A rule with one verdict on every request, and one on every address.
    """

    ruleName = "says"

    def __init__(self, verdict: Verdict | None, address: Verdict | None = None) -> None:
        self.verdict = verdict
        self.address = address

    def decideRequest(self, request: TunnelRequest) -> Verdict | None:
        return self.verdict

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        return self.address


class SwitchboardCase(SynchronousTestCase):
    """
    A switchboard whose connections are made by the test.
    """

    def setUp(self) -> None:
        """
        Make one that allows everything.  The time is not 0, which stands for nothing.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(1000.0)
        self.make()

    def make(self, *rules: Any, **others: Any) -> None:
        """
        Make another one.
        """
        self.board = makeSwitchboard(self.reactor, rules=rules, **others)
        self.ledger: RecordingLedger = self.board.ledger
        self.upstream: FakeUpstream = self.board.upstreams.get("direct")

    def place(self, target: str = "host.example:443", **others: Any) -> FakeInbound:
        """
        Place a request that came half a second ago.
        """
        early, ended = others.pop("early", b""), others.pop("ended", False)
        request = makeRequest(target, arrived=self.reactor.seconds() - 0.5, **others)
        inbound = FakeInbound(self.reactor, request, early=early, ended=ended)
        self.board.place(inbound)
        return inbound

    def event(self, **expected: Any) -> dict[str, Any]:
        """
        The only event so far, which has these fields among others.
        """
        (event,) = self.ledger.events
        self.assertEqual({name: event[name] for name in expected}, expected)
        self.assertEqual(set(event), set(FIELDS) - {"id"})
        return event

    def nothingIsLeft(self) -> None:
        """
        Nobody counts, and nothing is going to happen.
        """
        self.assertEqual(self.board.admission.tunnels, 0)
        self.assertEqual(len(self.board.wheel), 0)
        self.assertEqual(self.board._calls, set())


class RefusedTests(SwitchboardCase):
    """
    Requests that are not dialled for.
    """

    def test_interface(self) -> None:
        """
        It is a switchboard, and says what listeners ask of it.
        """
        verifyObject(ISwitchboard, self.board)
        self.assertIs(self.board.clock, self.reactor)
        self.assertEqual(self.board.settings["proxy.name"], "connectproxy")

    def test_rule(self) -> None:
        """
        A denial by a rule is answered as such, and the event names rule and reason.
        """
        self.make(AllowedPorts(((443, 443),)))
        inbound = self.place("host.example:25")
        reason = "port 25 is not among the allowed ports (443)"
        self.assertEqual(inbound.refused, Refusal("http_request_denied", reason, "allow-ports"))
        self.assertEqual(self.upstream.dials, [])
        self.event(
            event="refusal",
            target="host.example:25",
            decision="deny",
            rule="allow-ports",
            reason=reason,
            status=403,
            error="http_request_denied",
            upstream=None,
            address=None,
            tried=[],
            relay=None,
            ended_by="proxy",
            phase="deciding",
            end="refused",
            head_ms=500.0,
            resolve_ms=None,
            connect_ms=None,
            relay_ms=None,
            total_ms=500.0,
        )
        self.nothingIsLeft()

    def test_ruleWithAKind(self) -> None:
        """
        A denial can be of any kind there is.
        """
        for kind, row in KINDS.items():
            self.make(Says(Verdict(Action.DENY, "why", "says", kind)))
            inbound = self.place()
            self.assertEqual(inbound.refused, Refusal(kind, "why", "says"))
            self.event(error=kind, status=row.status, rule="says", decision="deny")

    def test_full(self) -> None:
        """
        With as many tunnels as are allowed the next is refused; no rule is asked, and it
        does not count itself.
        """
        self.make(settings={**SETTINGS, "limits.tunnels": 1})
        self.place()
        inbound = self.place()
        assert inbound.refused is not None
        self.assertEqual(inbound.refused.kind, "connection_limit_reached")
        self.assertIn("1 tunnels are open", inbound.refused.detail)
        self.assertEqual(len(self.upstream.dials), 1)
        self.assertEqual(self.board.admission.tunnels, 1)
        self.event(
            event="refusal",
            decision=None,
            rule=None,
            reason=inbound.refused.detail,
            status=503,
            error="connection_limit_reached",
            phase="arrived",
            end="refused",
        )

    def test_roomAgain(self) -> None:
        """
        When one is over there is room for the next.
        """
        self.make(settings={**SETTINGS, "limits.tunnels": 1})
        self.place()
        self.upstream.dials[0].fail()
        self.assertIsNone(self.place().refused)

    def test_draining(self) -> None:
        """
        While the proxy is being stopped, requests on connections that it has still are
        refused.
        """
        self.board.drain()
        inbound = self.place()
        assert inbound.refused is not None
        self.assertEqual(inbound.refused.kind, "proxy_draining")
        self.event(event="refusal", status=503, error="proxy_draining", phase="arrived", decision=None)
        self.nothingIsLeft()

    def test_answeredOnce(self) -> None:
        """
        A client that goes away after its refusal is no second event.
        """
        self.make(Says(Verdict(Action.DENY, "why", "says")))
        inbound = self.place()
        if inbound._whenLost is not None:
            inbound._whenLost()
        self.assertEqual(len(self.ledger.events), 1)


class RejectedTests(SwitchboardCase):
    """
    What never became a request.
    """

    def reject(self, refusal: Refusal | None, method: str | None, target: str | None) -> None:
        """
        Have it recorded.
        """
        client = addressOf("192.0.2.7", 51000)
        arrived = self.reactor.seconds() - 0.25
        self.board.rejected(refusal, client, "tcp:8080", "http/1.1", arrived, method, target)

    def test_refusal(self) -> None:
        """
        A malformed head is a refusal like others.
        """
        self.reject(Refusal("http_request_error", "line 1 is odd"), "GET", "/")
        (event,) = self.ledger.events
        self.assertEqual(
            event,
            {
                "timestamp": "2023-11-14T22:13:19.750Z",
                "event": "refusal",
                "config": "00000000",
                "listener": "tcp:8080",
                "client": "192.0.2.7:51000",
                "sender": None,
                "tls": None,
                "certificate": None,
                "protocol": "http/1.1",
                "method": "GET",
                "target": "/",
                "reason": "line 1 is odd",
                "status": 400,
                "error": "http_request_error",
                "ended_by": "proxy",
                "phase": "arrived",
                "end": "refused",
                "head_ms": 250.0,
                "total_ms": 250.0,
            },
        )

    def test_abandoned(self) -> None:
        """
        A client that went away in the middle of its head is no refusal: it was not
        answered.
        """
        self.reject(None, None, None)
        (event,) = self.ledger.events
        self.assertEqual(event["event"], "abandoned")
        self.assertEqual((event["status"], event["error"]), (None, None))
        self.assertEqual((event["ended_by"], event["end"]), ("client", "client_gone"))
        self.assertEqual((event["method"], event["target"]), (None, None))


class FieldTests(SwitchboardCase):
    """
    What an event takes from the request.
    """

    def eventOf(self, **fields: Any) -> dict[str, Any]:
        """
        The event of a request.
        """
        self.make(Says(Verdict(Action.DENY, "why", "says")))
        self.place(**fields)
        return self.event()

    def test_request(self) -> None:
        """
        Who, what and where.
        """
        event = self.eventOf(
            target="[2606:4700::1]:443",
            client=IPv6Address("TCP", "2001:db8::7", 51000),
            listener="tcp:8081",
            protocol="http/1.0",
        )
        self.assertEqual(event["target"], "[2606:4700::1]:443")
        self.assertEqual(event["client"], "[2001:db8::7]:51000")
        self.assertEqual(event["listener"], "tcp:8081")
        self.assertEqual(event["protocol"], "http/1.0")
        self.assertEqual(event["method"], "CONNECT")
        self.assertEqual(event["timestamp"], "2023-11-14T22:13:19.500Z")

    def test_headerFields(self) -> None:
        """
        The first User-Agent and ALPN are kept, cut, and nothing else of what the client
        says about itself (conformance 24).
        """
        fields = (
            (b"host", b"host.example"),
            (b"user-agent", b"curl/8.0 \xe9" + b"x" * 200),
            (b"user-agent", b"other"),
            (b"alpn", b"h2, http%2F1.1"),
            (b"proxy-authorization", b"Basic c2VjcmV0"),
        )
        event = self.eventOf(fields=fields)
        self.assertEqual(event["user_agent"], "curl/8.0 \xe9" + "x" * 118)
        self.assertEqual(len(event["user_agent"]), 128)
        self.assertEqual(event["alpn"], "h2, http%2F1.1")
        self.assertNotIn("c2VjcmV0", repr(event))
        self.assertEqual((self.eventOf()["user_agent"], self.eventOf()["alpn"]), (None, None))

    def test_addresses(self) -> None:
        """
        An address is host and port, IPv6 in brackets; a socket in the file system has
        neither; of what is not known nothing is made up.
        """
        for address, shown in (
            (IPv4Address("TCP", "192.0.2.1", 80), "192.0.2.1:80"),
            (IPv6Address("TCP", "::1", 80), "[::1]:80"),
            (HostnameAddress(b"host.example", 80), "unknown"),
            (UNIXAddress("/run/socket"), "unix"),
            (UNIXAddress(None), "unix"),
            (None, "unknown"),
        ):
            self.assertEqual(showAddress(address), shown)  # type: ignore[arg-type]
