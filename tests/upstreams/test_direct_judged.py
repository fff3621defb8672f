"""
Tests for L{connectproxy.upstreams.direct}: no address is dialled that the policy has not seen.
"""

from __future__ import annotations

from connectproxy.interfaces import IPAddress, TunnelRequest, Verdict
from connectproxy.names import TTL, Names
from connectproxy.policy import Policy
from connectproxy.race import ATTEMPT_DELAY
from connectproxy.upstreams.direct import DirectUpstream
from tests.upstreams.test_direct import FOUR, SIX, DirectCase


class JudgeTests(DirectCase):
    """
    The policy comes before any packet (conformance 80).
    """

    def test_whatIsJudged(self) -> None:
        """
        The request and each address, no more and no less.
        """
        self.connect()
        self.answer(6, SIX)
        ((request, address),) = self.judged
        self.assertEqual(str(request.destination), "host.example:443")
        self.assertEqual(str(address), self.dialled()[0])

    def test_privateBehindAName(self) -> None:
        """
        A name that leads to private addresses only, metadata services among them, is
        refused by the rule's name, without an octet towards them.
        """
        for address in ("10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00:ec2::254", "::1"):
            names_ = Names(self.reactor)
            self.upstream = DirectUpstream(self.reactor, self.judge, names_)
            connecting = self.connect()
            self.answer(6, address)
            self.answer(4, address)
            refused = self.refused(connecting)
            self.assertEqual(refused.refusal.kind, "destination_ip_prohibited")
            self.assertEqual(refused.refusal.rule, "private-addresses")
            self.assertNotIn(address, refused.refusal.detail)
            self.assertEqual(refused.tried, ((address, "destination_ip_prohibited", 0.0),))
        self.assertEqual(self.dialled(), [])

    def test_privateAmongPublic(self) -> None:
        """
        Of a name that leads to both, only the public addresses are dialled.
        """
        connecting = self.connect()
        self.answer(6)
        self.answer(4, "10.0.0.1", FOUR, "192.168.0.1")
        self.reactor.advance(10)
        self.assertEqual(self.dialled(), [FOUR])
        self.reactor.attempts[0].succeed()
        self.assertEqual(
            [each.result for each in self.successResultOf(connecting).tried],
            ["destination_ip_prohibited", "connected", "destination_ip_prohibited"],
        )

    def test_privateAddress(self) -> None:
        """
        So it is with an address as the target, in whatever notation.
        """
        for target in ("127.0.0.1:443", "[::1]:443", "[::ffff:127.0.0.1]:443", "[64:ff9b::a9fe:a9fe]:443"):
            self.assertEqual(
                self.refused(self.connect(target)).refusal.kind, "destination_ip_prohibited", target
            )

    def test_rebinding(self) -> None:
        """
        A name that is public when it is first looked up and private the next time gains
        nothing: what is dialled is what was judged, every time.
        """
        connecting = self.connect()
        self.answer(6)
        self.answer(4, FOUR)
        self.reactor.attempts[0].succeed()
        self.successResultOf(connecting)
        self.reactor.advance(TTL)
        connecting = self.connect()
        self.answer(6)
        self.answer(4, "169.254.169.254")
        self.assertEqual(self.refused(connecting).refusal.kind, "destination_ip_prohibited")
        self.assertEqual(self.dialled(), [FOUR])

    def test_rebindingWithinTheCache(self) -> None:
        """
        While the first answer is kept the resolver is not even asked: there is no second
        answer between judging and dialling.
        """
        self.reactor.nameResolver.answers["host.example"] = [FOUR]
        self.connect()
        self.reactor.nameResolver.answers["host.example"] = ["127.0.0.1"]
        self.connect()
        self.assertEqual(self.dialled(), [FOUR, FOUR])

    def test_ruleThatFails(self) -> None:
        """
        A rule that raises fails the request at once, whether the address was asked for or
        came by a look-up, at the start or in its turn; nothing stays under way.
        """
        for target in ("1.1.1.1:443", "host.example:443"):
            self.policy = Policy([Broken()])
            connecting = self.connect(target)
            if target.startswith("host"):
                self.answer(6, SIX)
                self.answer(4)
            self.failureResultOf(connecting, ZeroDivisionError)
        self.policy = Policy()
        connecting = self.connect("late.example:443")
        self.answer(6, SIX)
        self.answer(4, FOUR)
        self.policy = Policy([Broken()])
        self.reactor.advance(ATTEMPT_DELAY)
        self.failureResultOf(connecting, ZeroDivisionError)
        self.assertEqual([each.state for each in self.reactor.attempts], ["disconnected"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class Broken:
    """
    A rule with a bug.
    """

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        1 / 0  # noqa: B018 - the bug
