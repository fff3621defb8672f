"""
Tests for L{connectproxy.policy}.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from connectproxy.address import parseAuthority
from connectproxy.interfaces import Action, IPAddress, IRule, TunnelRequest, Verdict
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
        self.assertIs(Policy([Says(WATCH)]).decideRequest(REQUEST), DEFAULT)
        self.assertIs(Policy([Says(WATCH), Says(ALLOW)]).decideRequest(REQUEST), ALLOW)


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
        self.assertEqual([each.asked for each in silent], [[(REQUEST, ADDRESS)]] * 2)

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
        self.assertIs(Policy([Says(WATCH), Says(DENY)]).decideAddress(REQUEST, ADDRESS), DENY)


class VerdictTests(SynchronousTestCase):
    """
    What a rule says.
    """

    def test_refusal(self) -> None:
        """
        A denial stands for a refusal of its kind that names reason and rule.
        """
        self.assertEqual(DENY.refusal(), ("http_request_denied", "it is on the other list", "otherlist"))
        loop = DENY._replace(kind="proxy_loop_detected")
        self.assertEqual(loop.refusal().row.status, 502)
