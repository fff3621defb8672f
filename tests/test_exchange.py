"""
Tests for L{connectproxy.exchange}.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.errors import Refusal
from connectproxy.exchange import ExchangeCall
from connectproxy.interfaces import (
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
    @ivar asked: the ways that L{idle} was asked about.
    @ivar message: see L{IInboundExchange}.
    @ivar carriages: those that were begun, in order.
    """

    def __init__(self, request: Any, kept: Established | None = None, at: Any = None) -> None:
        self.request = request
        self.kept = [] if kept is None else [kept]
        self.at = at
        self.message = True
        self.asked: list[Any] = []
        self.accepted: list[Established] = []
        self.carriages: list[Carriage] = []
        self.refused: Refusal | None = None
        self._whenLost: Any = None

    def idle(self, way: Any) -> Established | None:
        self.asked.append(way)
        return self.kept.pop() if self.kept else None

    def accept(self, established: Established, terms: Any = None) -> Any:
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
        return Established(leg, address, tried, self.reactor.seconds() - 100, address), origin

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

    def test_forgotten(self) -> None:
        """
        One that may have to be begun again keeps what decides on it; what has become a tunnel,
        behind a 101, keeps its name only.
        """
        former = self.board.regime
        exchange = self.forward()
        self.upstream.dials[0].succeed()
        (call,) = self.board._calls
        self.board.adopt(former._replace(id="11111111"))
        self.assertIs(call._regime, former)
        self.board.regime = former
        exchange.carriages[0].relayName = "wired"
        self.board.adopt(former._replace(id="22222222"))
        self.assertIsNot(call._regime.policy, former.policy)
        self.assertEqual((call._way, call._routes), (None, None))
        exchange.carriages[0].end()
        self.event(config="00000000", relay="wired")

    def test_slots(self) -> None:
        """
        A call has no dictionary.
        """
        self.assertEqual(ExchangeCall.__slots__, ())
