"""
Tests for L{connectproxy.entry}: what limits say, at once or after a while.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from connectproxy.entry import settled
from connectproxy.errors import Refusal
from connectproxy.interfaces import Action, ProxyUser, Terms, Timeouts, Verdict
from connectproxy.interfaces.values import Bounds
from tests.fakes import makeRequest
from tests.test_switchboard import Says, SwitchboardCase

TOO_MANY = Refusal("rate_limit_reached", "too fast", "limit ci", fields=(("Retry-After", "3"),))


class Pass:
    """
    What the accounts give for a request that is let in.
    """

    def __init__(self, shapers: tuple[Any, ...] = ()) -> None:
        self.shapers = shapers
        self.watched: list[Any] = []
        self.left: list[tuple[int, int]] = []

    def watch(self, tunnel: Any) -> None:
        """
        See what moves.
        """
        self.watched.append(tunnel)

    def leave(self, up: int, down: int) -> None:
        """
        It is over.
        """
        self.left.append((up, down))


class Accounts:
    """
    Answers what the test wants.
    """

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def enter(self, request: Any) -> Any:
        """
        Note the request.
        """
        self.asked.append(request)
        return self.answer


class SettledTests(SwitchboardCase):
    """
    L{settled}.
    """

    def test_withoutProof(self) -> None:
        """
        What proved it is gone, all of it; the rest is as it was (conformance 69).
        """
        fields = ((b"proxy-authorization", b"a"), (b"host", b"h"), (b"proxy-authorization", b"b"))
        user = ProxyUser("ann")
        request = settled(makeRequest(fields=fields), user)
        self.assertEqual((request.identity, request.fields), (user, ((b"host", b"h"),)))


class LimitsTests(SwitchboardCase):
    """
    What accounts say of a request.
    """

    def test_letIn(self) -> None:
        """
        A tunnel is watched while it is up, and gives back what it took, with what it moved.
        """
        given = Pass()
        accounts = Accounts(given)
        self.make(accounts=accounts)
        user = ProxyUser("ann")
        inbound = self.place(early=b"abc", identity=user)
        self.assertEqual([each.identity for each in accounts.asked], [user])
        peer = self.upstream.dials[0].succeed()
        self.reactor.flush()
        self.assertEqual(len(given.watched), 1)
        self.assertEqual(given.left, [])
        peer.transport.write(b"defgh")
        self.reactor.flush()
        peer.transport.loseConnection()
        self.reactor.flush()
        inbound.client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(given.left, [(3, 5)])

    def test_refused(self) -> None:
        """
        What is one too many is refused by the limit's name, before any rule is asked.
        """
        rule = Says(Verdict(Action.DENY, "why", "says"))
        self.make(rule, accounts=Accounts(TOO_MANY))
        inbound = self.place()
        self.assertEqual(inbound.refused, TOO_MANY)
        self.event(
            status=429, error="rate_limit_reached", rule="limit ci", reason="too fast", decision="deny"
        )
        self.nothingIsLeft()

    def test_givenBack(self) -> None:
        """
        What a rule denies, or what can't be reached, counts no more.
        """
        for rule in (Says(Verdict(Action.DENY, "why", "says")), Says(None)):
            given = Pass()
            self.make(rule, accounts=Accounts(given))
            self.place()
            for dial in self.upstream.dials:
                dial.fail()
            self.assertEqual((given.left, given.watched), ([(0, 0)], []))
            self.nothingIsLeft()

    def later(self) -> tuple[Any, Deferred[Any], list[int]]:
        """
        A request whose accounts take their time.
        """
        cancelled: list[int] = []
        answer: Deferred[Any] = Deferred(lambda waiting: cancelled.append(1))
        self.make(accounts=Accounts(answer))
        return self.place(), answer, cancelled

    def test_later(self) -> None:
        """
        A quota that somebody else counts is waited for.
        """
        _, answer, _ = self.later()
        self.assertEqual(self.upstream.dials, [])
        answer.callback(Pass())
        self.assertEqual(len(self.upstream.dials), 1)
        inbound, answer, _ = self.later()
        answer.callback(TOO_MANY)
        self.assertEqual(inbound.refused, TOO_MANY)

    def test_clientGone(self) -> None:
        """
        Once the client has gone, it is not.
        """
        inbound, _, cancelled = self.later()
        inbound.vanish()
        self.assertEqual(cancelled, [1])
        self.event(event="abandoned", end="client_gone")
        self.nothingIsLeft()

    def test_timeIsUp(self) -> None:
        """
        A store that says nothing costs the client no more than the time for its answer.
        """
        inbound, _, cancelled = self.later()
        self.reactor.advance(self.board.settings["timeouts.connect"] + 1)
        self.assertEqual(cancelled, [1])
        self.assertEqual(inbound.refused.kind, "quota_unavailable")
        self.nothingIsLeft()

    def test_fails(self) -> None:
        """
        Accounts with a bug let nobody in.
        """
        inbound, answer, _ = self.later()
        answer.errback(ZeroDivisionError())
        self.assertEqual(inbound.refused.kind, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.nothingIsLeft()


class TermsTests(SwitchboardCase):
    """
    What a rule and the limits say of how a tunnel is carried.
    """

    def terms(self, bounds: Bounds | None, shapers: tuple[Any, ...]) -> Terms | None:
        """
        What a relay is told.
        """
        told: list[Any] = []
        self.make(Says(Verdict(Action.ALLOW, "why", "says", bounds=bounds)), accounts=Accounts(Pass(shapers)))
        (relay,) = self.board.relays
        join = relay.join

        def note(client: Any, origin: Any, terms: Any = None) -> Any:
            told.append(terms)
            return join(client, origin)

        relay.join = note
        self.place()
        self.upstream.dials[0].succeed()
        (found,) = told
        return found  # type: ignore[no-any-return]

    def test_none(self) -> None:
        """
        Where nothing is said, nothing is.
        """
        self.assertIsNone(self.terms(None, ()))
        self.assertIsNone(self.terms(Bounds(connect=3.0), ()))

    def test_bounds(self) -> None:
        """
        A rule's deadlines go before those of the configuration, one by one; 0 is none.
        """
        usual = self.board.settings
        self.assertEqual(
            self.terms(Bounds(idle=7.0), ()),
            Terms(Timeouts(7.0, usual["timeouts.half_open"], usual["timeouts.lifetime"])),
        )
        self.assertEqual(
            self.terms(Bounds(idle=0.0, lifetime=9.0), ()),
            Terms(Timeouts(0.0, usual["timeouts.half_open"], 9.0)),
        )

    def test_shapers(self) -> None:
        """
        What limits the rate is passed on.
        """
        shapers = ((object(), object()),)
        self.assertEqual(self.terms(None, shapers), Terms(None, shapers))

    def test_otherWay(self) -> None:
        """
        Where the address makes another rule decide, which wants another way than the one that
        has been taken, the request is refused: it is not to go there this way.
        """
        maybe = Verdict(Action.ALLOW, "why", "says", provisional=True)
        for upstream, refused in (("detour", True), ("direct", False), (None, False)):
            self.make(Says(maybe, Verdict(Action.ALLOW, "why", "other", upstream=upstream)))
            inbound = self.place()
            origin = self.upstream.dials[0].succeed()
            self.reactor.flush()
            self.assertEqual(inbound.refused is not None, refused)
            self.assertEqual(origin.lost is not None, refused)
            if refused:
                self.event(decision="deny", rule="other", status=403)

    def test_connect(self) -> None:
        """
        A rule may give a request less time to be answered, or more.
        """
        self.make(Says(Verdict(Action.ALLOW, "why", "says", bounds=Bounds(connect=2.0))))
        self.place()
        self.reactor.advance(1)
        self.assertFalse(self.upstream.dials[0].cancelled)
        self.reactor.advance(2)
        self.assertTrue(self.upstream.dials[0].cancelled)
