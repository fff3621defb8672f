"""
Tests for L{connectproxy.decision}: what is counted, compared and audited.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.audit import FIELDS
from connectproxy.decision import UNDECIDED, lastTried, terms
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Action, Attempt, Bounds, ProxyUser, Terms, Timeouts, Verdict
from connectproxy.policy import Policy
from connectproxy.routes import Routes
from tests.fakes import SETTINGS, FakeAuthenticator, FakeUpstream
from tests.test_call_tunnel import TunnelCase
from tests.test_switchboard import Says

YES = Verdict(Action.ALLOW, "it may", "yes")
NO = Verdict(Action.DENY, "it may not", "no")


class Audit:
    """
    Keeps what it is told.
    """

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, known: dict[str, Any]) -> None:
        """
        Keep it, if it is declared.
        """
        unknown = set(known) - set(FIELDS)
        assert not unknown, f"fields that are not declared: {unknown}"
        self.lines.append(known)


class SettledTests(TunnelCase):
    """
    One decision on one request.
    """

    def setUp(self) -> None:
        """
        Have an audit.
        """
        super().setUp()
        self.audit = Audit()

    def audited(self, **expected: Any) -> None:
        """
        There is one line, and it says this among other things.
        """
        (line,) = self.audit.lines
        self.assertEqual({name: line[name] for name in expected}, expected)

    def test_allowed(self) -> None:
        """
        A permission is written as soon as it is certain, and once.
        """
        self.make(Says(YES), audit=self.audit)
        user = ProxyUser("ann", frozenset({"staff"}), (), "token")
        client, origin = self.open(identity=user)
        known = {"decision": "allow", "rule": "yes", "reason": "it may", "error": None, "user": "ann"}
        known["upstream"] = "direct"  # the default one, which the rule does not name
        self.audited(**known, address="198.51.100.1", target="host.example:443", config="00000000")
        for each in (client, origin):
            each.transport.loseConnection()
        self.reactor.flush()
        self.audited(**known)
        self.assertEqual(self.board.tally.decisions, {("allow", "yes"): 1})

    def test_denied(self) -> None:
        """
        So is a denial.
        """
        self.make(Says(NO), audit=self.audit)
        self.place()
        self.audited(
            decision="deny", rule="no", reason="it may not", error="http_request_denied", upstream=None
        )
        self.assertEqual(self.board.tally.decisions, {("deny", "no"): 1})

    def test_unreachable(self) -> None:
        """
        What is allowed and can't be reached is allowed, for the reason that there was; the
        error says what it came to.
        """
        self.make(Says(YES), audit=self.audit)
        self.place()
        self.upstream.dials[0].fail(detail="nobody there")
        self.audited(decision="allow", rule="yes", reason="it may", error="connection_refused")

    def test_wayOfThen(self) -> None:
        """
        The way is the one that was taken, and not the one that would be by now.
        """
        self.make(Says(YES), audit=self.audit)
        self.place()
        other = {"direct": self.upstream, "other": self.upstream}
        self.board.adopt(self.board.regime, Routes(other, "other"))
        self.upstream.dials[0].succeed()
        self.audited(decision="allow", upstream="direct")

    def test_unknownUser(self) -> None:
        """
        What never came to a rule is refused, by none.
        """
        self.make(Says(YES), authenticator=FakeAuthenticator(), audit=self.audit)
        self.place()
        self.audited(decision="deny", rule=None, error="proxy_authentication_required", user=None)
        self.assertEqual(self.board.tally.decisions, {})
        self.assertEqual(self.board.tally.refusals, {"proxy_authentication_required": 1})

    def test_gone(self) -> None:
        """
        Where nothing was decided before the client went, nothing is written.
        """
        users = FakeAuthenticator(later=True)
        self.make(authenticator=users, audit=self.audit)
        self.place().vanish()
        self.assertEqual(self.audit.lines, [])
        self.event(decision=None, rule=None, reason=None)


class ReportTests(TunnelCase):
    """
    Rules that only report.
    """

    def test_reported(self) -> None:
        """
        They have no effect, and stand in the event and in the counts.
        """
        report = NO._replace(reportOnly=True)
        self.make(Says(report), Says(YES))
        self.place()
        self.upstream.dials[0].fail()
        self.event(decision="allow", rule="yes", report="no: it may not")
        self.assertEqual(self.board.tally.reports, {"no": 1})


class ShadowTests(TunnelCase):
    """
    A second policy beside the one in force.
    """

    def shadow(self, live: Says, shadow: Says, expected: str | None) -> None:
        """
        Place a request, and see what is said of the difference.
        """
        self.make(live, shadow=Policy([shadow]))
        self.place()
        for dial in self.upstream.dials:
            dial.succeed()
            self.board.abort("aborted")
            self.reactor.flush()
        self.event(shadow=expected)
        self.assertEqual(sum(self.board.tally.shadow.values()), expected is not None)

    def test_same(self) -> None:
        """
        What it would have done, too, is not worth a word, whichever of its rules did it.
        """
        self.shadow(Says(YES), Says(Verdict(Action.ALLOW, "why", "other")), None)
        self.setUp()
        self.shadow(Says(NO), Says(Verdict(Action.DENY, "why", "other")), None)

    def test_other(self) -> None:
        """
        What it would have done otherwise is in the event.
        """
        self.shadow(Says(YES), Says(NO), "deny by rule no")
        self.setUp()
        self.shadow(Says(NO), Says(YES), "allow by rule yes")

    def test_address(self) -> None:
        """
        It sees the address, too.
        """
        self.shadow(Says(YES), Says(None, NO), "deny by rule no")

    def test_deniedBehindHop(self) -> None:
        """
        It sees an address that this one has denied, also where a next hop would have connected to it.
        """
        way = FakeUpstream(self.reactor)
        self.make(Says(YES), shadow=Policy([Says(YES, NO)]), upstreams={"direct": way})
        self.board.adopt(self.board.regime, Routes({"corp": way}, "corp"))
        self.place()
        tried = (Attempt("192.0.2.1", "connection_refused", 0.1), Attempt("10.0.0.1", NO.kind, 0.0))
        way.dials[0].result.errback(Refused(NO.refusal(), tried))
        self.event(shadow=None, decision="deny", upstream="corp")

    def test_broken(self) -> None:
        """
        One with a bug has no more effect than one without.
        """
        rule = Says(YES)
        rule.decideRequest = lambda request: 1 / 0  # type: ignore[assignment, method-assign, return-value]
        self.shadow(Says(YES), rule, None)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class LastTriedTests(SynchronousTestCase):
    """
    L{lastTried}.
    """

    def test_address(self) -> None:
        """
        What was dialled is the destination's address only if the way is straight; what a rule has
        denied always is.
        """
        tried = (Attempt("2001:db8::1", "connection_refused", 0.1), Attempt("10.0.0.1", NO.kind, 0.0))
        for refusal, straight, expected in (
            (NO.refusal(), True, "2001:db8::1"),
            (NO.refusal(), False, "10.0.0.1"),
            (Refusal("connection_refused"), False, None),
            (Refusal(NO.kind), False, None),
            (None, False, None),
        ):
            found = lastTried(tried, refusal, straight=straight)
            self.assertEqual(None if found is None else str(found), expected)
        self.assertIsNone(lastTried((), NO.refusal(), straight=True))


class TermsTests(TunnelCase):
    """
    L{terms}.
    """

    def test_terms(self) -> None:
        """
        They are only said where they are not the usual ones.
        """
        self.assertIsNone(terms(None, (), SETTINGS))
        self.assertIsNone(terms(Bounds(connect=1.0), (), SETTINGS))
        usual = Timeouts(SETTINGS["timeouts.idle"], SETTINGS["timeouts.half_open"], 4.0)
        self.assertEqual(terms(Bounds(lifetime=4.0), ("a",), SETTINGS), Terms(usual, ("a",)))  # type: ignore[arg-type]

    def test_undecided(self) -> None:
        """
        Nothing is known of what was not decided.
        """
        self.assertEqual(set(UNDECIDED), {None})
