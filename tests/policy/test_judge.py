"""
Tests for L{connectproxy.policy.judge}, with rules in Python; for those of a configuration see
L{tests.policy.test_build}.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.address import parseAuthority
from connectproxy.interfaces import Action, INameRule, IPAddress, IRule, ProxyUser, TunnelRequest, Verdict
from connectproxy.policy import DEFAULT, Policy

REQUEST = TunnelRequest(
    parseAuthority(b"host.example:443"),  # type: ignore[arg-type]
    IPv4Address("TCP", "127.0.0.1", 40000),
    "tcp:8080",
    "http/1.1",
)
ADDRESS = ip_address("192.0.2.1")


@implementer(IRule)
class Says:
    """
    A rule that says the same to whatever it is asked, and remembers the questions.
    """

    def __init__(self, verdict: Verdict | None) -> None:
        self.ruleName = "says"
        self.verdict = verdict
        self.asked: list[Any] = []

    def decideRequest(self, request: TunnelRequest) -> Verdict | None:
        self.asked.append(request)
        return self.verdict

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        self.asked.append((request, address))
        return self.verdict


ALLOW = Verdict(Action.ALLOW, "it is on the list", "list", upstream="other")
DENY = Verdict(Action.DENY, "it is on the other list", "otherlist")
WATCH = DENY._replace(reportOnly=True)


class RequestTests(SynchronousTestCase):
    """
    The first question: what is asked for.
    """

    def test_nobodyHasSaid(self) -> None:
        """
        What no rule decides is allowed, and the verdict says that this is why.
        """
        self.assertIs(Policy().decideRequest(REQUEST), DEFAULT)
        silent = [Says(None), Says(None)]
        self.assertIs(Policy(silent).decideRequest(REQUEST), DEFAULT)
        self.assertEqual([each.asked for each in silent], [[REQUEST], [REQUEST]])
        self.assertIs(DEFAULT.action, Action.ALLOW)
        self.assertEqual(DEFAULT.rule, "default")

    def test_firstDecides(self) -> None:
        """
        The first that has something to say decides, and no other is asked.
        """
        for verdict, other in ((ALLOW, DENY), (DENY, ALLOW)):
            last = Says(other)
            self.assertIs(Policy([Says(None), Says(verdict), last]).decideRequest(REQUEST), verdict)
            self.assertEqual(last.asked, [])

    def test_reportOnly(self) -> None:
        """
        A verdict that only reports neither denies nor ends the search.
        """
        reports = ("otherlist: it is on the other list",)
        self.assertEqual(Policy([Says(WATCH)]).decideRequest(REQUEST), DEFAULT._replace(reports=reports))
        found = Policy([Says(WATCH), Says(ALLOW), Says(WATCH)]).decideRequest(REQUEST)
        self.assertEqual(found, ALLOW._replace(reports=reports))
        self.assertIs(Policy([Says(ALLOW._replace(reportOnly=True))]).decideRequest(REQUEST), DEFAULT)


class AddressTests(SynchronousTestCase):
    """
    The second question: what is about to be dialled.
    """

    def test_nobodyHasSaid(self) -> None:
        """
        An address that no rule minds may be dialled; every rule has been asked about
        this address for this request.
        """
        silent = [Says(None), Says(None)]
        self.assertIsNone(Policy(silent).decideAddress(REQUEST, ADDRESS))
        self.assertEqual([each.asked[0] for each in silent], [(REQUEST, ADDRESS)] * 2)

    def test_denied(self) -> None:
        """
        The denial itself comes back, with its rule and reason.
        """
        self.assertIs(Policy([Says(None), Says(DENY)]).decideAddress(REQUEST, ADDRESS), DENY)

    def test_allowed(self) -> None:
        """
        A permission ends the search: what a later rule would deny stays open.
        """
        last = Says(DENY)
        self.assertIsNone(Policy([Says(ALLOW), last]).decideAddress(REQUEST, ADDRESS))
        self.assertEqual(last.asked, [])

    def test_reportOnly(self) -> None:
        """
        A denial that only reports does not keep an address closed.
        """
        self.assertIsNone(Policy([Says(WATCH)]).decideAddress(REQUEST, ADDRESS))
        denial = Policy([Says(WATCH), Says(DENY)]).decideAddress(REQUEST, ADDRESS)
        self.assertEqual(denial, DENY._replace(reports=("otherlist: it is on the other list",)))


class StageTests(SynchronousTestCase):
    """
    What is not known yet.
    """

    MAYBE = Verdict(Action.ALLOW, "it depends", "maybe", provisional=True)

    def test_lookAndSee(self) -> None:
        """
        A permission that depends on the rest goes before a denial behind it, be that the
        default, and the first such permission does.
        """
        for behind in ([Says(DENY)], []):
            policy = Policy(
                [Says(self.MAYBE), Says(ALLOW._replace(provisional=True)), *behind], default=Action.DENY
            )
            self.assertIs(policy.decideRequest(REQUEST), self.MAYBE)

    def test_denialBefore(self) -> None:
        """
        A denial before it is one, and a denial that depends on the rest waits for that.
        """
        self.assertIs(Policy([Says(DENY), Says(self.MAYBE)]).decideRequest(REQUEST), DENY)
        depends = DENY._replace(provisional=True)
        self.assertIs(Policy([Says(depends)]).decideRequest(REQUEST), DEFAULT)

    def test_permissionBehind(self) -> None:
        """
        A permission that holds in any case goes before one that may hold; it says that
        this is not the last word.
        """
        verdict = Policy([Says(self.MAYBE), Says(ALLOW)]).decideRequest(REQUEST)
        self.assertEqual(verdict, ALLOW._replace(provisional=True))

    def test_nothingMoreToLearn(self) -> None:
        """
        When all is known, what would have allowed if it fitted does not, and what would
        have denied does.
        """
        denies = Policy([Says(self.MAYBE)], default=Action.DENY)
        self.assertEqual(denies.judge(REQUEST, ADDRESS).rule, "default")
        self.assertEqual(denies.judge(REQUEST, None).rule, "default")
        depends = Policy([Says(DENY._replace(provisional=True))])
        self.assertEqual(depends.judge(REQUEST, ADDRESS).rule, "otherlist")
        self.assertIs(depends.judge(REQUEST, None), DEFAULT)

    def test_deniedOnceDeniedAlways(self) -> None:
        """
        A rule that denies a request and says nothing of addresses has not taken it back;
        one that allows has to say so again, or what comes behind it is asked.
        """

        class Forgets(Says):
            def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
                return None

        self.assertIs(Policy([Forgets(DENY)]).judge(REQUEST, ADDRESS), DENY)
        self.assertIs(Policy([Forgets(ALLOW), Says(DENY)]).judge(REQUEST, ADDRESS), DENY)
        self.assertIs(Policy([Forgets(ALLOW), Says(DENY)]).judge(REQUEST, None), ALLOW)

    def test_contact(self) -> None:
        """
        A denial without words of its own has those of the policy, whoever denies.
        """
        own = DENY._replace(message="no")
        for policy, message in (
            (Policy([Says(DENY)], contact="ask"), "ask"),
            (Policy([Says(own)], contact="ask"), "no"),
            (Policy(default=Action.DENY, contact="ask"), "ask"),
            (Policy([Says(ALLOW)], contact="ask"), ""),
        ):
            self.assertEqual(policy.decideRequest(REQUEST).message, message)
        denial = Policy([Says(DENY)], contact="ask").decideAddress(REQUEST, ADDRESS)
        assert denial is not None
        self.assertEqual(denial.refusal().message, "ask")

    def test_default(self) -> None:
        """
        Where the default is to deny, the reason names the destination and who asks.
        """
        verdict = Policy(default=Action.DENY).decideRequest(REQUEST)
        self.assertEqual(verdict[:3], (Action.DENY, "no rule allows host.example:443", "default"))
        user = REQUEST._replace(identity=ProxyUser("ci"))
        reason = Policy(default=Action.DENY).judge(user, ADDRESS).reason
        self.assertEqual(reason, "no rule allows host.example:443 for user ci")


@implementer(INameRule)
class Greeted(Says):
    """
    A rule that wants server names to end alike.
    """

    def __init__(self, verdict: Verdict | None = None, *, wants: bool = True) -> None:
        Says.__init__(self, verdict)
        self.wants = wants

    def wantsServerName(self, request: TunnelRequest) -> bool:
        return self.wants

    def decideServerName(
        self, request: TunnelRequest, address: IPAddress | None, name: str
    ) -> Verdict | None:
        self.asked.append((address, name))
        return DENY if not name.endswith(".example") else None


class NameRuleTests(SynchronousTestCase):
    """
    The third question: with what name the client begins TLS.
    """

    def test_interfaces(self) -> None:
        """
        The rule for the test is one.
        """
        verifyObject(INameRule, Greeted())

    def test_asked(self) -> None:
        """
        The name is asked about in its normal form, also where it is missing or nobody knows
        the address; other rules are asked what they are asked without it.
        """
        rule, other = Greeted(), Says(None)
        policy = Policy([rule, other])
        self.assertIs(policy.decideServerName(REQUEST, ADDRESS, "A.Example."), DEFAULT)
        self.assertIs(policy.judge(REQUEST, ADDRESS, "a.example"), DEFAULT)
        self.assertIs(policy.decideServerName(REQUEST, None, ""), DENY)
        self.assertEqual(rule.asked, [(ADDRESS, "a.example"), (ADDRESS, "a.example"), (None, "")])
        self.assertEqual(other.asked[0], (REQUEST, ADDRESS))

    def test_wanted(self) -> None:
        """
        The name is wanted if a rule wants it that is reached.
        """
        for rules, wanted in (
            ([Greeted()], True),
            ([Greeted(wants=False)], False),
            ([Says(ALLOW), Greeted()], False),
            ([Says(DENY), Greeted()], False),
            ([Says(WATCH), Says(StageTests.MAYBE), Says(None), Greeted()], True),
            ([Says(None)], False),
            ([], False),
        ):
            self.assertIs(Policy(rules).wantsServerName(REQUEST), wanted)

    def test_maybe(self) -> None:
        """
        It may still allow when the address is known, and no more when the name is.
        """
        rule = Greeted(StageTests.MAYBE)
        policy = Policy([rule], default=Action.DENY)
        self.assertIs(policy.judge(REQUEST, ADDRESS), StageTests.MAYBE)
        self.assertIsNone(policy.decideAddress(REQUEST, ADDRESS))
        self.assertEqual(policy.judge(REQUEST, ADDRESS, "a.example").rule, "default")

    def test_noTunnel(self) -> None:
        """
        Where there is no tunnel there is no name, and that is known from the beginning; what
        depends on the address still waits for that.
        """
        asked = REQUEST._replace(method="GET")
        rule = Greeted(StageTests.MAYBE)
        policy = Policy([rule], default=Action.DENY)
        self.assertFalse(policy.wantsServerName(asked))
        self.assertIs(policy.decideRequest(asked), StageTests.MAYBE)
        self.assertEqual(policy.judge(asked, ADDRESS).rule, DENY.rule)
        self.assertEqual(rule.asked, [asked, (ADDRESS, "")])


class VerdictTests(SynchronousTestCase):
    """
    What a rule says.
    """

    def test_refusal(self) -> None:
        """
        A denial stands for a refusal of its kind that names reason and rule.
        """
        self.assertEqual(DENY.refusal()[:3], ("http_request_denied", "it is on the other list", "otherlist"))
        loop = DENY._replace(kind="proxy_loop_detected")
        self.assertEqual(loop.refusal().row.status, 502)
