"""
Tests for L{connectproxy.vetted}.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.config import configure
from connectproxy.errors import Refused
from connectproxy.interfaces import (
    Action,
    Established,
    IForwardingUpstream,
    IPAddress,
    IStandingUpstream,
    IUpstream,
    TunnelRequest,
    Verdict,
)
from connectproxy.leg import Leg
from connectproxy.names import Names, TooManyLookups
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy, buildPolicy
from connectproxy.vetted import Known, VettedForwarding, VettedUpstream, vetted
from tests.fakes import FakeReactor, FakeUpstream, makeRequest


@implementer(IForwardingUpstream, IStandingUpstream)
class Whole(FakeUpstream):
    """
    An upstream that takes messages, and stands.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        FakeUpstream.__init__(self, reactor)
        self.forwarded = FakeUpstream(reactor)
        self.told: list[str] = []

    def forward(self, request: TunnelRequest, factory: Any) -> Deferred[Established]:
        return self.forwarded.connect(request, factory)

    def start(self) -> None:
        self.told.append("start")

    def stop(self) -> None:
        self.told.append("stop")

    def state(self) -> Any:
        return {"up": True}


class VettedCase(SynchronousTestCase):
    """
    An upstream behind a policy that closes 10.0.0.0/8 and what is loopback.
    """

    here: ClassVar[bool] = False

    def setUp(self) -> None:
        """
        Names are looked up here, or not.
        """
        self.reactor = FakeReactor()
        self.inner = Whole(self.reactor)
        self.judged: list[str] = []
        names = Names(self.reactor) if self.here else None
        self.upstream: Any = vetted(self.inner, self.judge, names)

    def judge(self, request: TunnelRequest, address: IPAddress | None) -> Verdict | None:
        self.judged.append(str(address))
        if not str(address).startswith(("10.", "127.")):
            return None
        return Verdict(Action.DENY, "it is closed", "closed", "destination_ip_prohibited")

    def connect(self, target: str = "example.com:443", how: str = "connect") -> Deferred[Established]:
        connecting: Deferred[Established] = getattr(self.upstream, how)(
            makeRequest(target), Factory.forProtocol(Leg)
        )
        self.reactor.flush()
        return connecting

    def refused(self, connecting: Deferred[Established]) -> Any:
        return self.failureResultOf(connecting, Refused).value


class UnseenTests(VettedCase):
    """
    Only names are judged.
    """

    def test_interfaces(self) -> None:
        """
        It is what the inner one is.
        """
        verifyObject(IForwardingUpstream, self.upstream)
        verifyObject(IStandingUpstream, self.upstream)
        plain = vetted(FakeUpstream(self.reactor), self.judge)
        verifyObject(IUpstream, plain)
        self.assertEqual((type(self.upstream), type(plain)), (VettedForwarding, VettedUpstream))
        plain.start()
        plain.stop()
        self.assertEqual(plain.state(), {})

    def test_standing(self) -> None:
        """
        It stands with the inner one.
        """
        self.upstream.start()
        self.upstream.stop()
        self.assertEqual(self.inner.told, ["start", "stop"])
        self.assertEqual(self.upstream.state(), {"up": True})

    def test_name(self) -> None:
        """
        A name goes to the next hop as it is, and no address is seen.
        """
        connecting = self.connect()
        self.inner.dials[0].result.callback(Established(Leg(), "192.0.2.1:3128"))
        self.assertEqual(self.successResultOf(connecting).seen, "")
        self.assertEqual(self.judged, ["None"])
        self.assertEqual(str(self.inner.dials[0].request.destination), "example.com:443")

    def test_literal(self) -> None:
        """
        An address is judged, and is what is seen of a connection by way of somebody else.
        """
        connecting = self.connect("198.51.100.7:443")
        self.inner.dials[0].result.callback(Established(Leg(), "192.0.2.1:3128"))
        self.assertEqual(self.successResultOf(connecting).seen, "198.51.100.7:443")
        self.assertEqual(self.judged, ["198.51.100.7"])

    def test_denied(self) -> None:
        """
        A closed one is refused by its rule, before anybody is asked.
        """
        refused = self.refused(self.connect("10.0.0.5:443"))
        self.assertEqual((refused.refusal.rule, refused.refusal.row.status), ("closed", 403))
        self.assertEqual([each.result for each in refused.tried], ["destination_ip_prohibited"])
        self.assertEqual(self.inner.dials, [])

    def test_networks(self) -> None:
        """
        What only an address could allow is refused before the next hop hears of it: what it says of
        a name, and when, would tell of what is behind it.
        """
        policy = buildPolicy(
            configure(
                policy={"default": "deny"},
                rule=[{"name": "far", "action": "allow", "networks": ["198.51.100.0/24"]}],
            ),
            OwnPorts(),
        )
        self.assertTrue(policy.decideRequest(makeRequest()).provisional)
        self.upstream = vetted(self.inner, policy.decideAddress)
        for how in ("connect", "forward"):
            refused = self.refused(self.connect("example.com:443", how))
            self.assertEqual((refused.refusal.rule, refused.tried), ("default", ()))
        self.assertEqual(self.inner.dials + self.inner.forwarded.dials, [])

    def test_localhost(self) -> None:
        """
        C{localhost}, and any name below it, is the loopback address wherever it is asked for.
        """
        for name in ("localhost", "db.localhost"):
            self.assertEqual(self.refused(self.connect(f"{name}:443")).refusal.rule, "closed")
        self.assertEqual(self.judged, ["127.0.0.1"] * 2)

    def test_localhostOpen(self) -> None:
        """
        Where that is open, the name goes on.
        """
        upstream: Any = vetted(self.inner, lambda request, address: None)
        upstream.connect(makeRequest("localhost:443"), Factory.forProtocol(Leg))
        self.assertEqual(self.inner.dials[0].request.destination.host, "localhost")

    def test_forward(self) -> None:
        """
        Messages go as messages, and are judged alike.
        """
        self.connect("example.com:80", "forward")
        self.assertEqual(len(self.inner.forwarded.dials), 1)
        self.assertEqual(self.refused(self.connect("10.0.0.5:80", "forward")).refusal.rule, "closed")


class JudgedTests(VettedCase):
    """
    Names are looked up here.
    """

    here: ClassVar[bool] = True

    def answer(self, *addresses: str) -> None:
        for lookup in self.reactor.nameResolver.lookups:
            if not lookup.done:
                lookup.answer(*addresses)
        self.reactor.flush()

    def asked(self) -> list[str]:
        return [str(dial.request.destination) for dial in self.inner.dials]

    def test_address(self) -> None:
        """
        The next hop is asked for the address that has been judged, IPv4 first.
        """
        connecting = self.connect()
        self.answer("2001:db8::7", "198.51.100.7")
        self.assertEqual(self.asked(), ["198.51.100.7:443"])
        self.inner.dials[0].result.callback(Established(Leg(), "192.0.2.1:3128"))
        self.assertEqual(self.successResultOf(connecting).seen, "198.51.100.7:443")

    def test_oneAfterTheOther(self) -> None:
        """
        Where the hop can't reach one address, it is asked for the next, three in all.
        """
        connecting = self.connect()
        self.answer("198.51.100.7", "198.51.100.8", "2001:db8::7", "2001:db8::8")
        for dial in range(3):
            self.inner.dials[dial].fail("connection_refused")
        self.assertEqual(self.asked(), ["198.51.100.7:443", "198.51.100.8:443", "[2001:db8::7]:443"])
        self.assertEqual(self.refused(connecting).refusal.kind, "connection_refused")

    def test_hopAtFault(self) -> None:
        """
        Where the hop itself fails, or denies, no other address would help.
        """
        connecting = self.connect()
        self.answer("198.51.100.7", "198.51.100.8")
        self.inner.dials[0].fail("next_hop_denied")
        self.assertEqual(self.refused(connecting).refusal.kind, "next_hop_denied")
        self.assertEqual(len(self.inner.dials), 1)

    def test_judgedOnce(self) -> None:
        """
        Whoever is asked for the address can tell that it has been judged, and is none that the
        client has named.
        """
        self.connect()
        self.answer("198.51.100.7")
        self.assertTrue(self.inner.dials[0].request.judged)
        self.connect("198.51.100.7:443")
        self.assertFalse(self.inner.dials[1].request.judged)

    def test_raises(self) -> None:
        """
        An upstream that raises fails the request, and nobody waits for it.
        """
        self.inner.connect = lambda request, factory: 1 / 0
        connecting = self.connect()
        self.answer("198.51.100.7")
        self.failureResultOf(connecting, ZeroDivisionError)

    def test_denied(self) -> None:
        """
        Closed addresses are not asked for; if all are, the rule says so, and they are told as tried.
        """
        connecting = self.connect()
        self.answer("10.0.0.5", "198.51.100.7")
        self.assertEqual(self.asked(), ["198.51.100.7:443"])
        self.inner.dials[0].result.callback(Established(Leg(), "192.0.2.1:3128"))
        tried = self.successResultOf(connecting).tried
        self.assertEqual([each.address for each in tried], ["10.0.0.5"])
        connecting = self.connect("other.example:443")
        self.answer("10.0.0.5", "10.0.0.6")
        refused = self.refused(connecting)
        self.assertEqual((refused.refusal.rule, len(refused.tried)), ("closed", 2))

    def test_noAddress(self) -> None:
        """
        A name without an address is none for the next hop either, and the reason says who looked.
        """
        connecting = self.connect()
        self.answer()
        refusal = self.refused(connecting).refusal
        self.assertEqual(refusal.kind, "dns_error")
        self.assertIn("addresses = judged", refusal.detail)

    def test_busy(self) -> None:
        """
        Too many look-ups are our own fault.
        """
        from twisted.internet.defer import fail

        class Busy:
            def lookup(self, name: str, version: int) -> Deferred[Any]:
                return fail(TooManyLookups())

        upstream = vetted(self.inner, self.judge, Busy())  # type: ignore[arg-type]
        refused = self.refused(upstream.connect(makeRequest(), Factory.forProtocol(Leg)))
        self.assertEqual(refused.refusal.kind, "connection_limit_reached")

    def test_bug(self) -> None:
        """
        A rule that raises fails the request.
        """

        def judge(request: TunnelRequest, address: IPAddress) -> Verdict | None:
            raise ZeroDivisionError

        upstream = vetted(self.inner, judge, Names(self.reactor))
        connecting = upstream.connect(makeRequest(), Factory.forProtocol(Leg))
        self.reactor.flush()
        self.answer("198.51.100.7")
        self.failureResultOf(connecting, ZeroDivisionError)

    def test_cancelledEarly(self) -> None:
        """
        Given up while names are looked up, it fails as that; the answer comes to nobody.
        """
        connecting = self.connect()
        connecting.cancel()
        self.assertEqual(self.refused(connecting).refusal.kind, "dns_timeout")
        self.answer("198.51.100.7")
        self.assertEqual(self.inner.dials, [])

    def test_cancelledLate(self) -> None:
        """
        Given up while the hop is asked, it is not asked again.
        """
        connecting = self.connect()
        self.answer("198.51.100.7", "198.51.100.8")
        connecting.cancel()
        self.assertTrue(self.inner.dials[0].cancelled)
        self.assertEqual(self.refused(connecting).refusal.kind, "connection_timeout")
        self.assertEqual(len(self.inner.dials), 1)

    def test_otherFailure(self) -> None:
        """
        A bug of the inner one is passed on as it is.
        """
        connecting = self.connect()
        self.answer("198.51.100.7")
        self.inner.dials[0].result.errback(ZeroDivisionError())
        self.failureResultOf(connecting, ZeroDivisionError)

    def test_forward(self) -> None:
        """
        A message would name its destination: it goes through a tunnel to the address.
        """
        self.connect("example.com:80", "forward")
        self.answer("198.51.100.7")
        self.assertEqual((self.asked(), self.inner.forwarded.dials), (["198.51.100.7:80"], []))
        self.connect("198.51.100.9:80", "forward")
        self.assertEqual(len(self.inner.forwarded.dials), 1)


class KnownTests(SynchronousTestCase):
    """
    L{Known}.
    """

    def test_judged(self) -> None:
        """
        What has been judged, or named by the operator, is held to no rule but that it is not this
        proxy; what a client names is.
        """
        own = OwnPorts()
        own.add(ip_address("192.0.2.1"), 443)
        known = Known(Policy(default=Action.DENY), own)
        request = makeRequest()
        for address, judged, rule in (
            ("10.0.0.1", True, None),
            ("192.0.2.1", True, "own-addresses"),
            ("198.51.100.1", False, "default"),
        ):
            verdict = known.decideAddress(request._replace(judged=judged), ip_address(address))
            self.assertEqual(None if verdict is None else verdict.rule, rule)
