"""
Tests for L{connectproxy.call}: how many tunnels one client may have.
"""

from __future__ import annotations

from connectproxy.interfaces import ProxyUser
from tests.fakes import SETTINGS, addressOf
from tests.test_switchboard import SwitchboardCase


class ShareTests(SwitchboardCase):
    """
    A bound for each client.
    """

    def setUp(self) -> None:
        SwitchboardCase.setUp(self)
        self.make(settings={**SETTINGS, "limits.tunnels_per_client": 1})

    def test_refusesMore(self) -> None:
        """
        Who has as many as it may is told 429 before anything is dialled, also from another
        port of its own; conformance 17 and 43.
        """
        self.place()
        inbound = self.place(client=addressOf("192.0.2.7", 51001))
        assert inbound.refused is not None
        self.assertEqual((inbound.refused.kind, inbound.refused.row.status), ("client_limit_reached", 429))
        self.assertEqual(len(self.upstream.dials), 1)
        self.event(event="refusal", status=429, error="client_limit_reached", decision=None)

    def test_others(self) -> None:
        """
        Another address is another client; one user is one, wherever it comes from.
        """
        self.place()
        self.assertIsNone(self.place(client=addressOf("192.0.2.8", 51000)).refused)
        self.assertIsNone(self.place(identity=ProxyUser("a")).refused)
        self.assertIsNotNone(
            self.place(identity=ProxyUser("a"), client=addressOf("192.0.2.9", 51000)).refused
        )
        self.assertIsNone(self.place(identity=ProxyUser("b")).refused)

    def test_overIsOver(self) -> None:
        """
        What failed, was given up or has ended counts no more.
        """
        self.place()
        self.upstream.dials[-1].fail()
        inbound = self.place()
        self.assertIsNone(inbound.refused)
        inbound.vanish()
        inbound = self.place()
        origin = self.upstream.dials[-1].succeed()
        self.assertIsNotNone(self.place().refused)
        origin.transport.abortConnection()
        self.reactor.flush()
        self.assertIsNone(self.place().refused)
