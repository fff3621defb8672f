"""
Tests for L{connectproxy.parts}; what they do together is with the service's.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import Config, configure
from connectproxy.own import OwnPorts
from connectproxy.parts import CannotOpen, Parts
from connectproxy.policy import buildPolicy
from connectproxy.regime import Regime
from connectproxy.ways import buildWays
from tests.fakes import FakeReactor, makeBase, makeRequest


class PartsTests(SynchronousTestCase):
    """
    L{Parts}.
    """

    def setUp(self) -> None:
        """
        A reactor without sockets.
        """
        self.reactor = FakeReactor()
        self.own = OwnPorts()
        self.base = makeBase(self.reactor, self.own)

    def regime(self, **tables: Any) -> Regime:
        config: Config = configure(relay={"splice": False}, **{"access_log": {"file": "none"}, **tables})
        return Regime(config, buildPolicy(config, self.own), id=config.id)

    def parts(self, **tables: Any) -> Parts:
        regime = self.regime(**tables)
        parts = Parts(self.base, regime, (), buildWays(self.base, regime.config))
        self.addCleanup(parts.dispose)
        return parts

    def test_adopt(self) -> None:
        """
        What outlives a regime asks the new one from then on.
        """
        parts = self.parts()
        other = self.regime(limits={"tunnels": 3, "tunnels_per_client": 2}, allow={"ports": [25]})
        parts.adopt(other, (), buildWays(self.base, other.config, parts.ways))
        self.assertIs(parts.inForce.policy, other.policy)
        self.assertIs(parts.board.regime, other)
        self.assertEqual((parts.admission.limit, parts.admission.perClient), (3, 2))
        self.assertEqual(parts.ledger.config, other.id)

    def test_files(self) -> None:
        """
        An access log and an audit file are opened, or it says which can't be.
        """
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        access, audit = str(directory / "access"), str(directory / "audit")
        parts = self.parts(access_log={"file": access}, audit={"file": audit})
        assert parts.audit is not None
        self.assertEqual(parts.audit.path, audit)
        missing = str(directory / "missing" / "file")
        for tables, what in (
            ({"access_log": {"file": missing}}, "access log"),
            ({"audit": {"file": missing}}, "audit file"),
            ({"access_log": {"file": access}, "audit": {"file": missing}}, "audit file"),
        ):
            error = self.assertRaises(CannotOpen, self.parts, **tables)
            self.assertEqual(str(error), f"can't open the {what} {missing}: No such file or directory")

    def test_dispose(self) -> None:
        """
        Nothing is left with the reactor.
        """
        regime = self.regime(audit={"file": self.mktemp()})
        parts = Parts(self.base, regime, (), buildWays(self.base, regime.config))
        parts.dispose()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_datagrams(self) -> None:
        """
        Datagrams go straight or nowhere, whichever of a destination's addresses leads elsewhere.
        """
        corp = {"name": "corp", "url": "http://192.0.2.1:3128", "addresses": "unseen"}
        far = {"name": "far", "action": "allow", "networks": ["8.8.8.0/24"], "upstream": "corp"}
        rules = [far, {"name": "all", "action": "allow"}]
        parts = self.parts(upstream=[corp], rule=rules, policy={"default": "deny"})
        request = makeRequest(method="UDP")
        judge = parts.board.datagrams.judge
        self.assertIsNone(judge(request, ip_address("8.8.4.4")))
        found = {str(ip): judge(request, ip_address(ip)) for ip in ("8.8.8.8", "10.0.0.1")}
        self.assertEqual([each.rule for each in found.values()], ["far", "private-addresses"])
        self.assertEqual(
            found["8.8.8.8"].reason, "example.com:443 is reached by way of corp, which carries no datagrams"
        )
        parts = self.parts(upstream=[corp], route={"upstream": "corp", "direct": ["example.com"]})
        judge = parts.board.datagrams.judge
        self.assertIsNone(judge(request, ip_address("8.8.4.4")))
        self.assertIsNotNone(judge(makeRequest("other.example:443", method="UDP"), ip_address("8.8.4.4")))
