"""
Tests for L{connectproxy.exchange}.
"""

from __future__ import annotations

import gc
import weakref
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.errors import Refusal
from connectproxy.exchange import ExchangeCall, _addressOf
from connectproxy.interfaces import (
    STALE,
    Action,
    Attempt,
    Established,
    ICarriage,
    IInboundExchange,
    Outcome,
    Phase,
    Verdict,
)
from connectproxy.leg import Leg
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS, Peer, makeRequest, pipePair
from tests.test_switchboard import Says, SwitchboardCase

TIMEOUT = SETTINGS["timeouts.connect"]
COMPLETE = Outcome("origin", Phase.RELAYING, "complete", 3, 5, 1.5, 200)


@implementer(ICarriage)
class Carriage:
    """
    An exchange under way, which ends when the test says so.
    """

    relayName = "forward"
    bytesUp = bytesDown = 0

    def __init__(self) -> None:
        self.finished: Deferred[Outcome] = Deferred()
        self.aborted: list[str] = []

    def abort(self, kind: str) -> None:
        self.aborted.append(kind)
        self.end("proxy", kind)

    def end(self, endedBy: str = "origin", kind: str = "complete", **more: Any) -> None:
        self.finished.callback(COMPLETE._replace(endedBy=endedBy, kind=kind, **more))


@implementer(IInboundExchange)
class FakeExchange:
    """
    A request that is forwarded, as a listener hands it over.

    @ivar kept: the connections that earlier ones have left, of which each is given once.
    @ivar asked: the upstreams that L{idle} was asked about.
    @ivar carriages: those that were begun, in order.
    """

    def __init__(self, request: Any, kept: Established | None = None, at: Any = None) -> None:
        self.request = request
        self.kept = [] if kept is None else [kept]
        self.at = at
        self.asked: list[str] = []
        self.accepted: list[Established] = []
        self.carriages: list[Carriage] = []
        self.refused: Refusal | None = None
        self._whenLost: Any = None

    def idle(self, upstream: str) -> Established | None:
        self.asked.append(upstream)
        return self.kept.pop() if self.kept else None

    def accept(self, established: Established) -> Any:
        assert self.refused is None, "answered twice"
        self._whenLost = None
        self.accepted.append(established)
        carriage = Carriage()
        self.carriages.append(carriage)
        if self.at is not None:
            self.at(carriage)
        return carriage

    def refuse(self, refusal: Refusal) -> None:
        assert self.refused is None, "answered twice"
        self._whenLost = None
        self.refused = refusal

    def whenLost(self, callback: Any) -> None:
        self._whenLost = callback

    def vanish(self) -> None:
        whenLost, self._whenLost = self._whenLost, None
        whenLost()


class ExchangeCase(SwitchboardCase):
    """
    A switchboard that forwards.
    """

    def forward(self, kept: Established | None = None, at: Any = None, **others: Any) -> FakeExchange:
        """
        Have a request forwarded that came half a second ago.
        """
        others = {"method": "GET", "arrived": self.reactor.seconds() - 0.5, **others}
        exchange = FakeExchange(makeRequest("host.example:80", **others), kept, at)
        self.board.forward(exchange)
        return exchange

    def keep(self, address: str = "198.51.100.9:80") -> tuple[Established, Peer]:
        """
        A connection that was made long ago, with the far end of it.
        """
        leg, origin = Leg(), Peer()
        pipePair(self.reactor, leg, origin)
        tried = (Attempt("198.51.100.9", "connected", 0.5),)
        return Established(leg, address, tried, self.reactor.seconds() - 100), origin

    def origin(self) -> Any:
        """
        Have the latest dial succeed.
        """
        return self.upstream.dials[-1].succeed()


class ForwardTests(ExchangeCase):
    """
    A request on a connection of its own.
    """

    def test_fakes(self) -> None:
        """
        What the tests use is what listeners provide.
        """
        verifyObject(ICarriage, Carriage())
        verifyObject(IInboundExchange, FakeExchange(makeRequest()))

    def test_complete(self) -> None:
        """
        The listener is given the connection and carries the messages; when it is through,
        the event has what it tells.
        """
        exchange = self.forward()
        self.reactor.advance(0.25)
        self.origin()
        (established,) = exchange.accepted
        self.assertEqual(established.address, "198.51.100.1:80")
        self.assertEqual(self.ledger.events, [])
        self.assertEqual(self.board.admission.tunnels, 1)
        self.reactor.advance(1.5)
        exchange.carriages[0].end(status=404)
        self.event(
            event="request",
            method="GET",
            target="host.example:80",
            decision="allow",
            rule="default",
            status=404,
            error=None,
            upstream="direct",
            address="198.51.100.1:80",
            tried=[{"address": "198.51.100.1", "result": "connected", "ms": 0.0}],
            relay="forward",
            bytes_up=3,
            bytes_down=5,
            ended_by="origin",
            phase="relaying",
            end="complete",
            head_ms=500.0,
            connect_ms=250.0,
            relay_ms=1500.0,
            total_ms=2250.0,
        )
        self.nothingIsLeft()

    def test_noDeadlineAfterwards(self) -> None:
        """
        The deadline for connecting goes with the connection: how long the origin may take
        is the listener's to say.
        """
        exchange = self.forward()
        self.assertEqual(len(self.board.wheel), 1)
        self.origin()
        self.assertEqual(len(self.board.wheel), 0)
        self.reactor.advance(2 * TIMEOUT)
        self.assertIsNone(exchange.refused)

    def test_connectionsStay(self) -> None:
        """
        The client's connection is the listener's all the time: the end of an exchange is
        not its end.
        """
        self.board.connectionOpened(-1)
        exchange = self.forward()
        self.origin()
        exchange.carriages[0].end()
        self.assertEqual(self.board.admission.connections, 1)

    def test_originFails(self) -> None:
        """
        What an origin did wrong after it was connected is in the event.
        """
        exchange = self.forward()
        self.origin()
        refusal = Refusal("http_protocol_error", "line 1 is odd")
        exchange.carriages[0].end(kind="refused", status=502, refusal=refusal)
        self.event(
            event="request", status=502, error="http_protocol_error", reason="line 1 is odd", end="refused"
        )
        self.assertIsNone(exchange.refused)

    def test_upgraded(self) -> None:
        """
        Behind a 101 it is a relay that carries: the event names the one that did.
        """
        exchange = self.forward()
        self.origin()
        exchange.carriages[0].relayName = "splice"
        exchange.carriages[0].end(kind="eof", status=101)
        self.event(event="request", relay="splice", status=101, end="eof")

    def test_refused(self) -> None:
        """
        What the policy denies is refused, and no idle connection is looked for.
        """
        self.make(Says(Verdict(Action.DENY, "why", "says")))
        exchange = self.forward(self.keep()[0])
        self.assertEqual(exchange.refused, Refusal("http_request_denied", "why", "says"))
        self.assertEqual(exchange.asked, [])
        self.event(event="refusal", status=403, phase="deciding")
        self.nothingIsLeft()

    def test_dialFails(self) -> None:
        """
        Without a connection the client is told why, as with a tunnel.
        """
        exchange = self.forward()
        self.upstream.dials[0].fail("dns_error", "there is no such name")
        self.assertEqual(exchange.refused, Refusal("dns_error", "there is no such name"))
        self.event(event="refusal", error="dns_error", status=502, relay=None, address=None)
        self.nothingIsLeft()

    def test_timeout(self) -> None:
        """
        So when connecting takes too long.
        """
        exchange = self.forward()
        self.reactor.advance(TIMEOUT + 2 * GRAIN)
        assert exchange.refused is not None
        self.assertEqual(exchange.refused.kind, "connection_timeout")
        self.nothingIsLeft()

    def test_clientGoneWhileDialling(self) -> None:
        """
        A client that goes away meanwhile has its connection cancelled.
        """
        exchange = self.forward()
        exchange.vanish()
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertIsNone(exchange.refused)
        self.event(event="abandoned", end="client_gone", phase="dialling", status=None)
        self.nothingIsLeft()

    def test_clientGoneLater(self) -> None:
        """
        One that goes away before the response has had no answer either; one that goes in
        the midst of it has.
        """
        exchange = self.forward()
        self.origin()
        exchange.carriages[0].end("client", "client_gone", status=None)
        self.event(event="abandoned", end="client_gone", phase="relaying", status=None, ended_by="client")
        self.make()
        exchange = self.forward()
        self.origin()
        exchange.carriages[0].end("client", "reset")
        self.event(event="request", end="reset", status=200)

    def test_atOnce(self) -> None:
        """
        An exchange that is over before C{accept} returns is over.
        """
        self.forward(at=lambda carriage: carriage.end())
        self.origin()
        self.event(event="request", end="complete", relay="forward")
        self.nothingIsLeft()

    def test_acceptRaises(self) -> None:
        """
        A listener that can't begin: the origin is closed, and the client told whose
        fault it is.
        """
        exchange = self.forward(at=lambda carriage: 1 / 0)
        origin = self.origin()
        self.reactor.flush()
        self.assertIsNotNone(origin.lost)
        assert exchange.refused is not None
        self.assertEqual(exchange.refused.kind, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.event(event="refusal", status=500, phase="relaying")
        self.nothingIsLeft()

    def test_idleRaises(self) -> None:
        """
        So one that can't say what is idle.
        """
        exchange = FakeExchange(makeRequest())
        exchange.idle = lambda upstream: 1 / 0  # type: ignore[method-assign, assignment]
        self.board.forward(exchange)
        assert exchange.refused is not None
        self.assertEqual(exchange.refused.kind, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.nothingIsLeft()

    def test_nothingIsRetained(self) -> None:
        """
        Of an exchange that is over nothing keeps anything, without the collector's help.
        """
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        exchange = self.forward()
        self.origin()
        (call,) = self.board._calls
        exchange.carriages[0].end()
        self.upstream.dials.clear()
        watched = weakref.ref(exchange)
        del call, exchange
        self.assertIsNone(watched())

    def test_slots(self) -> None:
        """
        A call has no dictionary.
        """
        self.assertEqual(ExchangeCall.__slots__, ())


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
        self.assertEqual(exchange.asked, ["direct"])
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
        self.make(
            Says(Verdict(Action.ALLOW, "why", "says", upstream="other")),
            upstreams={"other": self.upstream, "direct": self.upstream},
        )
        self.assertEqual(self.forward().asked, ["other"])

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
        self.assertEqual((exchange.asked, self.upstream.dials), (["direct", "direct"], []))

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
            self.assertIsNone(_addressOf(shown), shown)
        self.assertEqual(_addressOf("[2001:db8::1]:80"), ip_address("2001:db8::1"))
        self.assertEqual(_addressOf("192.0.2.1:80"), ip_address("192.0.2.1"))


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
        self.assertEqual(exchange.asked, ["direct"])
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
