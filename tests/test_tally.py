"""
Tests for L{connectproxy.tally}.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.tally import Tally


class TallyTests(SynchronousTestCase):
    """
    L{Tally}.
    """

    def test_json(self) -> None:
        """
        What was counted can be written as JSON, in an order that does not change.
        """
        tally = Tally()
        tally.decisions["deny", "private-addresses"] += 2
        tally.decisions["allow", "default"] += 1
        tally.refusals["proxy_authentication_required"] += 3
        tally.reports["old"] += 1
        tally.shadow["deny new"] += 4
        self.assertEqual(
            json.loads(json.dumps(tally.asJSON())),
            {
                "decisions": [
                    {"decision": "allow", "rule": "default", "count": 1},
                    {"decision": "deny", "rule": "private-addresses", "count": 2},
                ],
                "refusals": {"proxy_authentication_required": 3},
                "reports": {"old": 1},
                "shadow": {"deny new": 4},
            },
        )

    def test_nothing(self) -> None:
        """
        Nothing has been counted at first.
        """
        self.assertEqual(Tally().asJSON(), {"decisions": [], "refusals": {}, "reports": {}, "shadow": {}})
