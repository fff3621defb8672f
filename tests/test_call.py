"""
Tests for L{connectproxy.call}: requests that are dialled for, in vain.
"""

from __future__ import annotations

from connectproxy.errors import KINDS, Refusal, Refused
from connectproxy.interfaces import Action, Attempt, Verdict
from connectproxy.routes import Routes
from connectproxy.wheel import GRAIN
from tests.fakes import SETTINGS, FakeUpstream
from tests.test_switchboard import Says, SwitchboardCase

TIMEOUT = SETTINGS["timeouts.connect"]


class DialTests(SwitchboardCase):
    """
    Requests that are dialled for, in vain.
    """

    def test_dial(self) -> None:
        """
        The upstream is given the request; the client is not told anything yet.
        """
        inbound = self.place()
        (dial,) = self.upstream.dials
        self.assertIs(dial.request, inbound.request)
        self.assertEqual((inbound.accepted, inbound.refused), (None, None))
        self.assertEqual(self.ledger.events, [])
        self.assertEqual(self.board.admission.tunnels, 1)

    def test_everyKind(self) -> None:
        """
        Whatever kind of failure the upstream has, it is passed on as it is, and the event
        has it with what was tried.
        """
        tried = (Attempt("2606:4700::1", "destination_ip_unroutable", 0.25), Attempt("1.1.1.1", "x", 0.5))
        for kind, row in KINDS.items():
            self.make()
            inbound = self.place()
            self.reactor.advance(0.75)
            self.upstream.dials[0].fail(kind, "the detail", tried)
            self.assertEqual(inbound.refused, Refusal(kind, "the detail"))
            self.event(
                event="refusal",
                decision="allow",
                rule="default",
                reason="the detail",
                status=row.status,
                error=kind,
                upstream="direct",
                address=None,
                tried=[
                    {"address": "2606:4700::1", "result": "destination_ip_unroutable", "ms": 250.0},
                    {"address": "1.1.1.1", "result": "x", "ms": 500.0},
                ],
                relay=None,
                ended_by="proxy",
                phase="dialling",
                end="refused",
                head_ms=500.0,
                connect_ms=750.0,
                total_ms=1250.0,
            )
            self.nothingIsLeft()

    def test_address(self) -> None:
        """
        A denial of every address counts as the rule's, though the request itself was
        allowed; nothing was dialled, so that there is no time for it.
        """
        inbound = self.place()
        self.reactor.advance(0.25)
        refusal = Refusal("destination_ip_prohibited", "it is private", "private-addresses")
        tried = (Attempt("10.0.0.1", "destination_ip_prohibited", 0.0),)
        self.upstream.dials[0].result.errback(Refused(refusal, tried, self.reactor.seconds() - 0.125))
        self.assertEqual(inbound.refused, refusal)
        self.event(
            decision="deny",
            rule="private-addresses",
            reason="it is private",
            status=403,
            error="destination_ip_prohibited",
            upstream="direct",
            phase="dialling",
            resolve_ms=125.0,
            connect_ms=None,
            total_ms=750.0,
        )

    def test_exhausted(self) -> None:
        """
        When the proxy has no descriptor left its ports are paused.
        """

        class Port:
            paused = False

            def pauseProducing(self) -> None:
                self.paused = True

        port = Port()
        self.board.admission.watch(port)
        self.place()
        self.upstream.dials[0].fail("connection_refused")
        self.assertFalse(port.paused)
        self.place()
        self.upstream.dials[1].fail("proxy_exhausted")
        self.assertTrue(port.paused)

    def test_timeout(self) -> None:
        """
        One deadline is over everything before the answer; when it comes the upstream is
        cancelled, and its own words are the answer.
        """
        inbound = self.place()
        self.reactor.advance(TIMEOUT - 0.01)
        self.assertFalse(self.upstream.dials[0].cancelled)
        self.reactor.advance(2 * GRAIN)
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertEqual(inbound.refused, Refusal("connection_timeout", "it was cancelled"))
        self.event(event="refusal", status=504, error="connection_timeout", phase="dialling")
        self.nothingIsLeft()

    def test_noDeadlineAfterwards(self) -> None:
        """
        The deadline goes with the answer, whichever it was.
        """
        self.place()
        self.place()
        self.assertEqual(len(self.board.wheel), 2)
        self.upstream.dials[0].fail()
        self.assertEqual(len(self.board.wheel), 1)
        self.upstream.dials[1].succeed()
        self.reactor.advance(2 * TIMEOUT)
        self.assertEqual(self.board.admission.tunnels, 1)

    def test_timeoutInTheSameInstant(self) -> None:
        """
        A deadline that is asked after the answer does nothing.
        """
        self.place()
        (call,) = self.board._calls
        self.upstream.dials[0].fail()
        self.assertIsNone(call.expired(self.reactor.seconds()))
        call.abort("drain_timeout")
        call.clientGone()
        self.assertEqual(len(self.ledger.events), 1)

    def test_clientGone(self) -> None:
        """
        A client that goes away while it is dialled for gets no answer: dialling is
        cancelled and the event says who left.
        """
        inbound = self.place()
        self.reactor.advance(0.25)
        inbound.vanish()
        self.assertTrue(self.upstream.dials[0].cancelled)
        self.assertEqual((inbound.accepted, inbound.refused), (None, None))
        self.event(
            event="abandoned",
            decision="allow",
            rule="default",
            status=None,
            error=None,
            upstream="direct",
            ended_by="client",
            phase="dialling",
            end="client_gone",
            total_ms=750.0,
        )
        self.nothingIsLeft()

    def test_otherUpstream(self) -> None:
        """
        A rule can send a request another way, and the event names it.
        """
        other = FakeUpstream(self.reactor)
        direct = FakeUpstream(self.reactor)
        self.make(
            Says(Verdict(Action.ALLOW, "by the other way", "says", upstream="other")),
            upstreams={"direct": direct, "other": other},
        )
        self.place()
        self.assertEqual((len(other.dials), len(direct.dials)), (1, 0))
        other.dials[0].fail()
        self.event(upstream="other", decision="allow", rule="says")

    def test_routesOfThen(self) -> None:
        """
        Whether an address leads another way than its name let expect is asked of the ways that
        there were then: a reload meanwhile denies nothing.
        """
        rule = Says(Verdict(Action.ALLOW, "it may", "says", provisional=True))
        rule.decideAddress = lambda request, address: Verdict(Action.ALLOW, "it may", "says")  # type: ignore[method-assign]
        self.make(rule)
        inbound = self.place()
        other = {"direct": self.upstream, "other": FakeUpstream(self.reactor)}
        self.board.adopt(self.board.regime, Routes(other, "other"))
        self.upstream.dials[0].succeed()
        self.assertIsNone(inbound.refused)
        self.assertIsNotNone(inbound.accepted)
