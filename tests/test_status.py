"""
Tests for L{connectproxy.status}; with a proxy that is up they are with the service's.
"""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from connectproxy import __version__
from connectproxy.config import configure
from connectproxy.errors import KINDS
from connectproxy.reload import Reloaded
from connectproxy.status import LOGINS, describe
from connectproxy.tally import Tally


class DescribeTests(SynchronousTestCase):
    """
    L{describe}.
    """

    def describe(self, last: Reloaded | None = None, audit: Any = None) -> dict[str, Any]:
        tally = Tally()
        tally.decisions["allow", "mirror"] = 3
        tally.refusals = Counter(dict.fromkeys(LOGINS, 2), connection_limit_reached=1)
        regime = SimpleNamespace(id="01234567", config=configure())
        parts: Any = SimpleNamespace(
            board=SimpleNamespace(regime=regime, tally=tally, draining=False),
            admission=SimpleNamespace(tunnels=1, connections=2),
            ways=SimpleNamespace(state=lambda: {"pool": {"members": {}}}),
            audit=audit,
        )
        reloader: Any = SimpleNamespace(last=last, at=86400.0)
        addresses = [IPv4Address("TCP", "127.0.0.1", 8080), UNIXAddress(b"/run/x")]
        return describe(parts, addresses, 0.0, reloader)

    def test_everything(self) -> None:
        """
        All that there is to know, and no more.
        """
        found = self.describe()
        self.assertIsInstance(found.pop("pid"), int)
        self.assertEqual(
            found,
            {
                "version": __version__,
                "configuration": "01234567",
                "file": None,
                "since": "1970-01-01T00:00:00Z",
                "reload": None,
                "listeners": ["127.0.0.1:8080", "unix"],
                "draining": False,
                "tunnels": 1,
                "connections": 2,
                "upstreams": {"pool": {"members": {}}},
                "logins_refused": 4,
                "decisions": [{"decision": "allow", "rule": "mirror", "count": 3}],
                "refusals": {**dict.fromkeys(sorted(LOGINS), 2), "connection_limit_reached": 1},
                "reports": {},
                "shadow": {},
                "audit": None,
            },
        )

    def test_reload(self) -> None:
        """
        The last reload, with what was wrong and what takes a restart.
        """
        done = self.describe(Reloaded("a", (), ("note",)))["reload"]
        self.assertEqual(
            done, {"at": "1970-01-02T00:00:00Z", "done": True, "problems": [], "notes": ["note"]}
        )
        self.assertFalse(self.describe(Reloaded("a", ("problem",)))["reload"]["done"])

    def test_audit(self) -> None:
        """
        The audit file, and what it has lost.
        """
        audit = SimpleNamespace(path="audit", dropped=3)
        self.assertEqual(self.describe(audit=audit)["audit"], {"file": "audit", "dropped": 3})

    def test_logins(self) -> None:
        """
        The kinds that count as logins are kinds.
        """
        self.assertEqual(set(LOGINS) - set(KINDS), set())
