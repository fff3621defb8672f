"""
Tests for L{connectproxy.call}: our own bugs.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.interfaces import Action, Verdict
from connectproxy.relay import WiredRelay
from tests.fakes import FakeInbound, FakeUpstream
from tests.test_call_tunnel import TunnelCase
from tests.test_switchboard import Says


class BrokenTests(TunnelCase):
    """
    Our own bugs, and those of rules, upstreams and relays: they are logged, and nobody is
    left waiting.
    """

    def check500(self, inbound: FakeInbound, **expected: Any) -> None:
        """
        The client was told that it is our fault, and the log has the traceback.
        """
        assert inbound.refused is not None
        self.assertEqual(inbound.refused.kind, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, KeyError)), 1)
        self.event(event="refusal", status=500, error="proxy_internal_error", end="refused", **expected)
        self.nothingIsLeft()

    def test_rule(self) -> None:
        """
        A rule that raises.
        """

        class Broken(Says):
            def decideRequest(self, request: Any) -> Verdict | None:
                raise ZeroDivisionError

        self.make(Broken(None))
        self.check500(self.place(), phase="deciding", decision=None)

    def test_refusing(self) -> None:
        """
        A listener that can't say no: there is one event, and nobody counts.
        """
        self.make(Says(Verdict(Action.DENY, "why", "says")))
        self.patch(FakeInbound, "refuse", lambda inbound, refusal: 1 / 0)
        self.place()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.event(event="refusal", status=403, rule="says")
        self.nothingIsLeft()

    def test_unknownUpstream(self) -> None:
        """
        A rule that names an upstream which isn't there.
        """
        self.make(Says(Verdict(Action.ALLOW, "why", "says", upstream="nowhere")))
        self.check500(self.place(), phase="dialling", upstream="nowhere")

    def test_upstreamRaises(self) -> None:
        """
        An upstream that raises.
        """

        class Broken(FakeUpstream):
            def connect(self, request: Any, factory: Any) -> Any:
                raise ZeroDivisionError

        self.make(upstreams={"direct": Broken(self.reactor)})
        self.check500(self.place(), phase="dialling")

    def test_upstreamFails(self) -> None:
        """
        An upstream that fails otherwise than it may.
        """
        inbound = self.place()
        self.upstream.dials[0].result.errback(ZeroDivisionError())
        self.check500(inbound, phase="dialling")

    def test_upstreamFailsAndTheClientIsGone(self) -> None:
        """
        With nobody there to be told it is not told.
        """

        class Broken(FakeUpstream):
            def connect(self, request: Any, factory: Any) -> Any:
                result = super().connect(request, factory)
                result._canceller = lambda result: result.errback(ZeroDivisionError())
                return result

        self.make(upstreams={"direct": Broken(self.reactor)})
        inbound = self.place()
        inbound.vanish()
        self.assertIsNone(inbound.refused)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.event(event="abandoned", end="client_gone", status=None)
        self.nothingIsLeft()

    def test_accept(self) -> None:
        """
        A listener that can't accept: the connection that was made is closed.
        """
        inbound = self.place()
        inbound.accept = lambda established: 1 / 0  # type: ignore[method-assign, assignment]
        origin = self.upstream.dials[0].succeed()
        self.reactor.flush()
        self.assertIsNotNone(origin.lost)
        self.check500(inbound, phase="answering", relay=None, address="198.51.100.1:443")

    def checkAborted(self, relay: Any) -> None:
        """
        With a relay that fails both ends are closed, the event says how it ended, and the
        connection counts no more.
        """
        self.make(relays=[relay])
        client, origin = self.open()
        for each in (client, origin):
            self.assertIsNotNone(each.lost)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.event(event="tunnel", status=200, ended_by="proxy", end="aborted", phase="relaying")
        self.nothingIsLeft()
        self.assertEqual(self.board.admission.connections, 0)

    def test_join(self) -> None:
        """
        A relay that raises before it has touched anything.
        """

        class Broken(WiredRelay):
            def join(self, client: Any, origin: Any, terms: Any = None) -> Any:
                raise ZeroDivisionError

        self.checkAborted(Broken(self.reactor, self.board.wheel))

    def test_joinHalfway(self) -> None:
        """
        A relay that raises when it has taken both over.
        """

        class Broken(WiredRelay):
            def join(self, client: Any, origin: Any, terms: Any = None) -> Any:
                super().join(client, origin)
                raise ZeroDivisionError

        wheel = self.board.wheel
        self.checkAborted(Broken(self.reactor, wheel))
        self.assertLessEqual(len(wheel), 1)

    def test_noRelay(self) -> None:
        """
        Where no relay can serve it is a bug as well: one of them takes everything.
        """

        class Choosy(WiredRelay):
            def canJoin(self, client: Any, origin: Any) -> bool:
                return False

        self.make(relays=[Choosy(self.reactor, self.board.wheel)])
        client, origin = self.open()
        self.assertIsNotNone(client.lost)
        self.assertIsNotNone(origin.lost)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.event(event="tunnel", end="aborted", phase="answering", relay=None)

    def test_ledger(self) -> None:
        """
        A ledger that raises: the client has its answer, and the next one is served.
        """
        self.ledger.write = lambda known: 1 / 0  # type: ignore[method-assign, assignment]
        inbound = self.place()
        self.upstream.dials[0].fail()
        assert inbound.refused is not None
        self.assertEqual(inbound.refused.kind, "connection_refused")
        client, origin = self.open()
        for each in (client, origin):
            each.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.nothingIsLeft()
        self.assertEqual(self.board.admission.connections, 1)


class RoomTests(SynchronousTestCase):
    """
    What a call costs.
    """

    def test_slots(self) -> None:
        """
        A call has no dictionary: there is one for each tunnel that is up.
        """
        from connectproxy.call import Call

        self.assertFalse(hasattr(Call, "__dict__") and "__dict__" in Call.__dict__)
