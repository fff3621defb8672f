"""
Tests for L{connectproxy.association}.
"""

from __future__ import annotations

import errno
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.association import REFUSALS, Association
from connectproxy.datagrams import DirectDatagrams
from connectproxy.errors import Refusal
from connectproxy.interfaces import Action, Arrival, IRule, ProxyUser, TunnelRequest, Verdict
from connectproxy.interfaces.datagrams import IAssociation, IDatagramFlow, IInboundDatagrams
from connectproxy.names import Names
from connectproxy.routes import Routes
from tests.datagrams.network import Network
from tests.datagrams.test_flow import NOWHERE, to
from tests.fakes import SETTINGS, FakeReactor, addressOf, makeRequest, makeSwitchboard


class Certificate(NamedTuple):
    """
    What there is to know of a client's certificate.
    """

    subject: str
    fingerprint: str


ARRIVAL = Arrival(
    addressOf("192.0.2.7", 51000),
    "tcp:8080",
    990.0,
    "TLSv1.3",
    Certificate("CN=ann", "ab"),
    addressOf("192.0.2.250", 4000),
)


@implementer(IInboundDatagrams)
class FakeInbound:
    """
    A client's side that keeps what it is told.

    @ivar answer: what C{accept} is to return, or to raise.
    """

    answer: Any = None

    def __init__(self, **fields: Any) -> None:
        fields = {
            "destination": NOWHERE,
            "protocol": "socks5",
            "method": "UDP ASSOCIATE",
            "arrived": 990.0,
            "identity": ProxyUser("ann"),
            "arrival": ARRIVAL,
            **fields,
        }
        self.request = makeRequest()._replace(**fields)
        self.flow: IDatagramFlow | None = None
        self.refusals: list[Refusal] = []
        self.closings = 0
        self.lost: Any = None

    def accept(self, flow: IDatagramFlow) -> Refusal | None:
        self.flow = flow
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]

    def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def deliver(self, host: str, port: int, payload: bytes) -> bool:
        return True

    def close(self) -> None:
        self.closings += 1

    def whenLost(self, callback: Any) -> None:
        self.lost = callback


@implementer(IRule)
class DenyPort25:
    """
    Denies one port, and sends another by another way.
    """

    ruleName = "port-25"

    def decideRequest(self, request: TunnelRequest) -> Verdict | None:
        assert request.method == "UDP", request
        if request.destination.port == 25:
            return Verdict(Action.DENY, "port 25 is closed", self.ruleName)
        if request.destination.port == 26:
            return Verdict(Action.ALLOW, "port 26 goes round", "detour", upstream="socks")
        return None

    def decideAddress(self, request: TunnelRequest, address: Any) -> Verdict | None:
        return None


class AssociationCase(SynchronousTestCase):
    """
    Associations at a switchboard on a fake network.
    """

    def setUp(self) -> None:
        """
        A switchboard on a fake network.
        """
        self.reactor, self.network = FakeReactor(), Network()
        self.reactor.advance(1000.0)
        self.build()

    def build(self, authenticator: Any = None, **settings: Any) -> None:
        """
        Make the switchboard, with other settings.
        """
        self.board = makeSwitchboard(
            self.reactor,
            rules=[DenyPort25()],
            settings={**SETTINGS, **{name.replace("__", "."): value for name, value in settings.items()}},
            authenticator=authenticator,
        )
        self.board.datagrams = DirectDatagrams(
            self.reactor, self.board.regime.policy.decideAddress, Names(self.reactor), self.network.socket
        )
        self.events = self.board.ledger.events

    def associate(self, **fields: Any) -> FakeInbound:
        """
        Ask for an association.
        """
        inbound = FakeInbound(**fields)
        self.begin(inbound)
        return inbound

    def begin(self, inbound: FakeInbound) -> None:
        """
        Have the switchboard take charge.
        """
        self.board.associate(inbound)

    def only(self) -> Association:
        """
        The association that is open.
        """
        (association,) = self.board.associations
        return association  # type: ignore[no-any-return]

    def assertRefused(self, inbound: FakeInbound, kind: str) -> Refusal:
        """
        It was refused, in this way, and nothing is left of it but the event.
        """
        (refusal,) = inbound.refusals
        event = self.events[-1]
        self.assertEqual((refusal.kind, event["error"], event["event"]), (kind, kind, "refusal"))
        self.assertEqual((event["end"], event["ended_by"]), ("refused", "proxy"))
        self.assertEqual((event["reason"], event["status"]), (refusal.detail, refusal.row.status))
        self.assertEqual((event["method"], event["protocol"]), ("UDP ASSOCIATE", "socks5"))
        self.assertNothingLeft()
        return refusal

    def assertNothingLeft(self) -> None:
        """
        Nothing counts, nothing is watched, there is no deadline.
        """
        self.assertEqual((self.board.associations, len(self.board.wheel)), (set(), 0))
        self.assertEqual(self.reactor.getReaders(), [])


class EventTests(AssociationCase):
    """
    What is recorded of an association, and of what it refuses.
    """

    def test_interface(self) -> None:
        """
        It is what it claims to be.
        """
        self.associate()
        self.assertTrue(verifyObject(IAssociation, self.only()))
        self.assertTrue(verifyObject(IInboundDatagrams, FakeInbound()))

    def test_event(self) -> None:
        """
        There is one event at the end, with all that is known; conformance 73.
        """
        inbound = self.associate()
        flow: Any = inbound.flow
        flow.send(to("192.0.2.1:53"), b"abc")
        self.network.sockets[0].inbox.append((b"answer", ("192.0.2.1", 53)))
        self.reactor.flush()
        flow.drop("malformed")
        flow.drop("fragments", 2)
        self.assertEqual(self.events, [])
        self.reactor.advance(4.0)
        inbound.lost()
        (event,) = self.events
        self.assertEqual(
            event,
            {
                "timestamp": self.board.ledger.stamp(14.0),
                "event": "tunnel",
                "listener": "tcp:8080",
                "client": "192.0.2.7:51000",
                "sender": "192.0.2.250:4000",
                "config": "00000000",
                "user": "ann",
                "groups": (),
                "means": None,
                "tls": "TLSv1.3",
                "certificate": "CN=ann",
                "protocol": "socks5",
                "method": "UDP ASSOCIATE",
                "target": "192.0.2.1:53",
                "address": "192.0.2.1:53",
                "status": 200,
                "upstream": "direct",
                "relay": "datagrams",
                "reason": "datagrams were dropped: 1 malformed, 2 fragments",
                "bytes_up": 3,
                "bytes_down": 6,
                "ended_by": "client",
                "phase": "relaying",
                "end": "eof",
                "head_ms": 10000.0,
                "relay_ms": 4000.0,
                "total_ms": 14000.0,
            },
        )
        self.assertEqual((inbound.closings, inbound.refusals), (0, []))
        self.assertNothingLeft()

    def test_idleEvent(self) -> None:
        """
        One that carried nothing says so, and of its connection what there is.
        """
        for arrival in (None, ARRIVAL._replace(sender=None, certificate=None)):
            self.associate(arrival=arrival).lost()
            event = self.events[-1]
            self.assertEqual((event["target"], event["address"], event["reason"]), (None, None, None))
            self.assertEqual((event["bytes_up"], event["bytes_down"]), (0, 0))
            self.assertEqual((event["sender"], event["certificate"]), (None, None))

    def test_refusedDestinations(self) -> None:
        """
        Each destination that is refused has an event, once; and nothing was sent there.
        """
        flow: Any = self.associate().flow
        for port in (25, 26, 25, 53):
            flow.send(to(f"a.example:{port}" if port == 25 else f"192.0.2.1:{port}"), b"a")
        denied, detour = self.events
        self.assertEqual(
            [
                denied[each]
                for each in ("event", "method", "target", "decision", "rule", "reason", "error", "end")
            ],
            [
                "refusal",
                "UDP",
                "a.example:25",
                "deny",
                "port-25",
                "port 25 is closed",
                "http_request_denied",
                "refused",
            ],
        )
        self.assertEqual((denied["user"], denied["client"]), ("ann", "192.0.2.7:51000"))
        self.assertEqual((detour["target"], detour["error"]), ("192.0.2.1:26", "http_request_denied"))
        self.assertIn("by way of socks, which carries no datagrams", detour["reason"])
        self.assertEqual([each.to for each in self.network.sent], [("192.0.2.1", 53)])

    def test_otherDefault(self) -> None:
        """
        Where everything goes by way of another proxy, datagrams do not go past it.
        """
        self.board.routes = Routes(self.board.upstreams, "parent")
        flow: Any = self.associate().flow
        flow.send(to("192.0.2.1:53"), b"a")
        self.assertEqual((self.network.sent, self.events[0]["error"]), ([], "http_request_denied"))

    def test_manyRefusals(self) -> None:
        """
        A client can't fill the log with destinations that are refused.
        """
        inbound = self.associate()
        flow: Any = inbound.flow
        for number in range(REFUSALS + 10):
            flow.send(to(f"n{number}.example:25"), b"a")
        self.assertEqual(len(self.events), REFUSALS)
        inbound.lost()
        self.assertEqual(
            self.events[-1]["reason"],
            f"datagrams were dropped: {REFUSALS + 10} to destinations that were refused",
        )

    def test_withoutRule(self) -> None:
        """
        What no rule refuses has no decision in its event.
        """
        self.associate()
        request = self.only().request._replace(destination=to("a.example:53"), method="UDP")
        self.only().refused(request, Refusal("dns_error", "there is none"))
        self.assertEqual((self.events[0]["decision"], self.events[0]["rule"]), (None, None))

    def test_unknownClient(self) -> None:
        """
        The event of a client whose address is none.
        """
        self.associate(client=IPv4Address("TCP", "192.0.2.8", 1)).lost()
        self.associate(client=UNIXAddress(b"/x")).lost()
        self.assertEqual([each["client"] for each in self.events], ["192.0.2.8:1", "unix"])

    def test_lostEvent(self) -> None:
        """
        An event that can't be written is logged; all else goes on.
        """

        def write(known: Any) -> None:
            raise OSError(errno.ENOSPC, "full")

        inbound = self.associate()
        self.board.ledger.write = write
        inbound.lost()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertNothingLeft()
