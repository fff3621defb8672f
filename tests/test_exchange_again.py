"""
Tests for L{connectproxy.exchange}: connections that are used again, those that turn out closed,
and a proxy that stops.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from connectproxy.decision import addressOf
from connectproxy.errors import Refusal
from connectproxy.interfaces import (
    STALE,
    Action,
    Verdict,
)
from connectproxy.routes import Routes
from connectproxy.wheel import GRAIN
from tests.fakes import FakeUpstream, makeRequest
from tests.test_exchange import TIMEOUT, ExchangeCase, FakeExchange
from tests.test_switchboard import Says


class IdleTests(ExchangeCase):
    """
    A connection that an earlier request has left open.
    """

    def test_used(self) -> None:
        """
        It is used again, and nobody dials; what it has cost when it was made counts no
        more.
        """
        kept, _ = self.keep()
        exchange = self.forward(kept)
        self.assertEqual(self.upstream.dials, [])
        self.assertEqual(exchange.asked, [self.upstream])
        self.assertIs(exchange.accepted[0], kept)
        self.reactor.advance(1.0)
        exchange.carriages[0].end()
        self.event(
            event="request",
            address="198.51.100.9:80",
            tried=[],
            resolve_ms=None,
            connect_ms=None,
            relay_ms=1500.0,
            total_ms=1500.0,
        )
        self.nothingIsLeft()

    def test_wayOfThePolicy(self) -> None:
        """
        Only one that was made by the way that the policy chooses is asked for.
        """
        other = FakeUpstream(self.reactor)
        self.make(
            Says(Verdict(Action.ALLOW, "why", "says", upstream="other")),
            upstreams={"other": other, "direct": self.upstream},
        )
        self.assertEqual(self.forward().asked, [other])

    def test_wayOfNow(self) -> None:
        """
        What was made by a way before it changed is none of the way's any more, whatever that is
        called: the old one may have led elsewhere, or past the rules about addresses.
        """
        other = FakeUpstream(self.reactor)
        self.board.adopt(self.board.regime, Routes({"direct": other}))
        self.assertEqual(self.forward().asked, [other])

    def test_judged(self) -> None:
        """
        Its address is judged for every request by itself: what the policy no longer allows
        is closed, and the request goes the way of all others.
        """
        judged = []

        class Closed(Says):
            def decideAddress(self, request: Any, address: Any) -> Verdict | None:
                judged.append((request, address))
                return Verdict(Action.DENY, "why", "closed")

        self.make(Closed(None))
        for address, ip in (("198.51.100.9:80", "198.51.100.9"), ("[2001:db8::9]:80", "2001:db8::9")):
            kept, origin = self.keep(address)
            exchange = self.forward(kept)
            self.reactor.flush()
            self.assertEqual(judged.pop(), (exchange.request, ip_address(ip)))
            self.assertTrue(origin.ended)
            self.assertEqual(exchange.accepted, [])
            self.upstream.dials[-1].succeed()
            self.assertEqual(exchange.accepted[0].address, "198.51.100.1:80")

    def test_another(self) -> None:
        """
        Where several are open, one that is still allowed will do.
        """

        class Closed(Says):
            def decideAddress(self, request: Any, address: Any) -> Verdict | None:
                return Verdict(Action.DENY, "why", "closed") if str(address).endswith(".9") else None

        self.make(Closed(None))
        (first, far), (second, _) = self.keep("198.51.100.9:80"), self.keep("198.51.100.8:80")
        exchange = FakeExchange(makeRequest("host.example:80"), second)
        exchange.kept.append(first)
        self.board.forward(exchange)
        self.reactor.flush()
        self.assertTrue(far.ended)
        self.assertIs(exchange.accepted[0], second)
        self.assertEqual((exchange.asked, self.upstream.dials), ([self.upstream, self.upstream], []))

    def test_noAddress(self) -> None:
        """
        Where a chain's first hop has a name there is no address to judge.
        """

        class Asked(Says):
            def decideAddress(self, request: Any, address: Any) -> Verdict | None:
                raise ZeroDivisionError

        self.make(Asked(None))
        kept, _ = self.keep("hop.example:3128")
        self.assertEqual(len(self.forward(kept).accepted), 1)
        for shown in ("hop.example:3128", "unix", "unknown", "", ":80", "[]:80", "1.2.3:80"):
            self.assertIsNone(addressOf(shown), shown)
        self.assertEqual(addressOf("[2001:db8::1]:80"), ip_address("2001:db8::1"))
        self.assertEqual(addressOf("192.0.2.1:80"), ip_address("192.0.2.1"))


class StaleTests(ExchangeCase):
    """
    An idle connection that the origin had closed.
    """

    def stale(self) -> FakeExchange:
        """
        An exchange that was begun on one.
        """
        exchange = self.forward(self.keep()[0])
        self.reactor.advance(0.125)
        exchange.carriages[0].end(kind=STALE, status=None)
        return exchange

    def test_again(self) -> None:
        """
        The request goes out once more, on a connection that is made for it, with a
        deadline; there is one event.
        """
        exchange = self.stale()
        self.assertEqual(self.ledger.events, [])
        self.assertEqual(exchange.asked, [self.upstream])
        self.assertEqual(len(self.board.wheel), 1)
        self.assertEqual(self.board.admission.tunnels, 1)
        self.reactor.advance(0.25)
        self.origin()
        self.assertEqual(len(exchange.carriages), 2)
        self.reactor.advance(1.5)
        exchange.carriages[1].end()
        self.event(
            event="request",
            end="complete",
            address="198.51.100.1:80",
            tried=[{"address": "198.51.100.1", "result": "connected", "ms": 0.0}],
            relay_ms=1500.0,
            connect_ms=375.0,
        )
        self.nothingIsLeft()

    def test_inVain(self) -> None:
        """
        If that can't be made the client is told, and the event does not name the old one.
        """
        exchange = self.stale()
        self.upstream.dials[0].fail()
        assert exchange.refused is not None
        self.assertEqual(exchange.refused.kind, "connection_refused")
        self.event(event="refusal", phase="dialling", address=None, relay=None, relay_ms=None)
        self.nothingIsLeft()

    def test_timeout(self) -> None:
        """
        Nor may it take longer than any other.
        """
        exchange = self.stale()
        self.reactor.advance(TIMEOUT + 2 * GRAIN)
        assert exchange.refused is not None
        self.assertEqual(exchange.refused.kind, "connection_timeout")
        self.nothingIsLeft()

    def test_clientGone(self) -> None:
        """
        The client's going away is heard again while it is dialled for again.
        """
        exchange = self.stale()
        exchange.vanish()
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.event(event="abandoned", end="client_gone", phase="dialling")
        self.nothingIsLeft()

    def test_draining(self) -> None:
        """
        A proxy that is being stopped begins nothing again.
        """
        exchange = self.forward(self.keep()[0])
        self.board.drain()
        exchange.carriages[0].end(kind=STALE, status=None)
        assert exchange.refused is not None
        self.assertEqual(exchange.refused.kind, "proxy_draining")
        self.assertEqual(self.upstream.dials, [])
        self.event(event="refusal", status=503, error="proxy_draining")
        self.nothingIsLeft()

    def test_upstreamRaises(self) -> None:
        """
        Where dialling again fails by a bug nobody is left waiting.
        """
        exchange = self.forward(self.keep()[0])
        self.upstream.connect = lambda request, factory: 1 / 0  # type: ignore[method-assign, assignment]
        exchange.carriages[0].end(kind=STALE, status=None)
        assert exchange.refused is not None
        self.assertEqual(exchange.refused.kind, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.nothingIsLeft()


class StopTests(ExchangeCase):
    """
    The proxy is being stopped.
    """

    def test_refused(self) -> None:
        """
        A request that comes then is refused.
        """
        self.board.drain()
        exchange = self.forward()
        assert exchange.refused is not None
        self.assertEqual(exchange.refused.kind, "proxy_draining")
        self.event(phase="arrived", event="refusal")

    def test_goesOn(self) -> None:
        """
        One that is under way may end, and its event says when it did.
        """
        exchange = self.forward()
        self.origin()
        self.board.drain()
        exchange.carriages[0].end()
        self.event(phase="draining", end="complete")

    def test_aborted(self) -> None:
        """
        When the time is over it is broken off.
        """
        exchange = self.forward()
        self.origin()
        self.board.drain()
        self.board.abort("drain_timeout")
        self.assertEqual(exchange.carriages[0].aborted, ["drain_timeout"])
        self.event(event="request", end="drain_timeout", ended_by="proxy", phase="draining")
        self.nothingIsLeft()

    def test_abortedWhileDialling(self) -> None:
        """
        Who has no connection yet is told; so with one that is made again.
        """
        for kept in (None, self.keep()[0]):
            self.make()
            exchange = self.forward(kept)
            if kept is not None:
                exchange.carriages[0].end(kind=STALE, status=None)
            self.board.drain()
            self.board.abort("drain_timeout")
            self.assertTrue(self.upstream.dials[0].cancelled)
            self.assertEqual(exchange.refused, Refusal("proxy_draining", "the proxy is being stopped"))
            self.event(event="refusal", error="proxy_draining", phase="dialling")
            self.nothingIsLeft()
