"""
Tests for L{connectproxy.interfaces}: the values, and that everything of ours which
claims an interface provides it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IProtocolFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementedBy
from zope.interface.verify import verifyClass, verifyObject

import connectproxy
from connectproxy import interfaces
from connectproxy.address import parseAuthority
from connectproxy.config import configure
from connectproxy.discovery import kinds
from connectproxy.errors import KINDS
from connectproxy.interfaces import (
    Action,
    Attempt,
    Established,
    IInboundTunnel,
    IListenerKind,
    IRelay,
    IRule,
    IRuleKind,
    ISwitchboard,
    ITunnel,
    IUpstream,
    IUpstreamKind,
    Outcome,
    Phase,
    TunnelRequest,
    Verdict,
)
from connectproxy.ledger import Ledger
from connectproxy.leg import Leg
from connectproxy.limits import Admission
from connectproxy.listeners.http import HTTPProxyFactory
from connectproxy.names import Names
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy
from connectproxy.relay import Timeouts, WiredRelay, WiredTunnel
from connectproxy.splice import SpliceRelay
from connectproxy.spliced import SplicedTunnel
from connectproxy.switchboard import Switchboard
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor

REQUEST = TunnelRequest(
    parseAuthority(b"host.example:443"),  # type: ignore[arg-type]
    IPv4Address("TCP", "127.0.0.1", 40000),
    "tcp:8080",
    "http/1.1",
)


class ValueTests(SynchronousTestCase):
    """
    What crosses the seams.
    """

    def test_frozen(self) -> None:
        """
        A value cannot be changed and has no room for more: whoever has been given one
        can rely on it, and thousands of them are small.
        """
        values: list[tuple[Any, str]] = [
            (REQUEST, "listener"),
            (Verdict(Action.ALLOW, "", ""), "reason"),
            (Attempt("192.0.2.1", "connected", 0.1), "result"),
            (Established(Leg(), "192.0.2.1:443"), "address"),
            (Outcome("client", Phase.RELAYING, "eof", 0, 0, 0.0), "kind"),
            (KINDS["dns_error"], "status"),
        ]
        for value, attribute in values:
            with self.assertRaises(AttributeError):
                setattr(value, attribute, "other")
            self.assertEqual(type(value).__slots__, (), type(value).__name__)

    def test_phases(self) -> None:
        """
        They come in the order in which a request goes through them.
        """
        self.assertEqual(
            [phase.value for phase in Phase],
            [
                "arrived",
                "authenticating",
                "deciding",
                "dialling",
                "answering",
                "relaying",
                "draining",
                "done",
            ],
        )

    def test_defaults(self) -> None:
        """
        What a dialect does not have can be left away.
        """
        self.assertEqual((REQUEST.method, REQUEST.fields, REQUEST.arrived), ("CONNECT", (), 0.0))
        verdict = Verdict(Action.DENY, "why", "rule")
        self.assertEqual(verdict.kind, "http_request_denied")
        self.assertIsNone(verdict.upstream)
        self.assertFalse(verdict.reportOnly)

    def test_refusal(self) -> None:
        """
        A denial becomes a refusal without losing anything.
        """
        verdict = Verdict(Action.DENY, "why", "rule", "destination_ip_prohibited")
        self.assertEqual(verdict.refusal(), ("destination_ip_prohibited", "why", "rule"))


class DocumentationTests(SynchronousTestCase):
    """
    The seams are what third parties write against.
    """

    def test_exports(self) -> None:
        """
        C{__all__} has every interface and value that there is.
        """
        own = {
            name
            for name, value in vars(interfaces).items()
            if getattr(value, "__module__", "") == interfaces.__name__ and not name.startswith("_")
        }
        self.assertEqual(own, set(interfaces.__all__))
        self.assertEqual(list(interfaces.__all__), sorted(interfaces.__all__))

    def test_everythingIsDescribed(self) -> None:
        """
        Every interface, method and attribute says what it is for.
        """
        for name in interfaces.__all__:
            value = getattr(interfaces, name)
            self.assertTrue((value.__doc__ or "").strip(), name)
            if isinstance(value, type(Interface)):
                for each, description in value.namesAndDescriptions():
                    self.assertTrue(description.getDoc().strip(), f"{name}.{each}")


class ImplementerTests(SynchronousTestCase):
    """
    Whoever claims an interface provides it.
    """

    def setUp(self) -> None:
        """
        One proxy's worth of parts, none of which is started.
        """
        self.clock = FakeReactor()
        self.wheel = Wheel(self.clock)
        self.config = configure()
        self.policy = Policy()

    def board(self) -> Switchboard:
        """
        A switchboard that leads nowhere.
        """
        admission = Admission(self.wheel)
        return Switchboard(self.clock, self.wheel, self.policy, {}, [], Ledger(), admission, self.config)

    def test_kinds(self) -> None:
        """
        Every kind that is found, and every rule and upstream that it builds.
        """
        for kind in kinds("connectproxy.listeners", IListenerKind).values():
            verifyObject(IListenerKind, kind)
        own = OwnPorts()
        for kind in kinds("connectproxy.rules", IRuleKind).values():
            verifyObject(IRuleKind, kind)
            verifyObject(IRule, kind.build(self.config, own))
        for kind in kinds("connectproxy.upstreams", IUpstreamKind).values():
            verifyObject(IUpstreamKind, kind)
            verifyObject(IUpstream, kind.build(self.clock, self.config, self.policy, Names(self.clock)))

    def test_switchboard(self) -> None:
        """
        L{Switchboard}.
        """
        verifyObject(ISwitchboard, self.board())

    def test_listener(self) -> None:
        """
        L{HTTPProxy} and its factory.
        """
        factory = HTTPProxyFactory(self.board(), "tcp:8080")
        verifyObject(IProtocolFactory, factory)
        protocol = factory.buildProtocol(None)
        for interface in (IInboundTunnel, IHalfCloseableProtocol, IProtocol):
            verifyObject(interface, protocol)

    def test_relays(self) -> None:
        """
        Both relays and what they make; those of the one relay hold sockets, so that
        their class is looked at.
        """
        verifyObject(IRelay, WiredRelay(self.clock, self.wheel))
        verifyObject(ITunnel, WiredTunnel(self.clock, self.wheel, Timeouts()))
        reactor: Any = self.clock
        verifyObject(IRelay, SpliceRelay(reactor, self.clock, self.wheel))
        verifyClass(ITunnel, SplicedTunnel)

    def test_leg(self) -> None:
        """
        L{Leg}.
        """
        verifyObject(IHalfCloseableProtocol, Leg())
        verifyObject(IProtocol, Leg())

    def test_nobodyIsForgotten(self) -> None:
        """
        Every class of the package that claims one of our interfaces is looked at above.
        """
        ours = {getattr(interfaces, name) for name in interfaces.__all__ if name.startswith("I")}
        seen = {"HTTPProxy", "Switchboard", "Tunnel", "WiredRelay", "WiredTunnel"}
        seen |= {"SpliceRelay", "SplicedTunnel", "_Kind"}
        seen |= {"OwnAddresses", "AllowedPorts", "PrivateAddresses", "DirectUpstream"}
        claiming = set()
        for module in self.modules():
            for value in vars(module).values():
                if isinstance(value, type) and value.__module__ == module.__name__:
                    if ours.intersection(implementedBy(value).flattened()):
                        claiming.add(value.__name__)
        self.assertEqual(claiming, seen)

    def modules(self) -> list[Any]:
        """
        Every module of the package.
        """
        from importlib import import_module

        root = Path(connectproxy.__path__[0])
        names = []
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        return [import_module(name) for name in names]
