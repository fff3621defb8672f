"""
How often what was decided, since the start.

Counts only; what a single request came to is the ledger's.  There is a count for each
rule that a policy has had, so that it grows no further than the operator writes rules.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

__all__ = ["Tally"]


class Tally:
    """
    The counts.

    @ivar decisions: by the action and the rule's name.
    @ivar refusals: by the kind of refusal, of those that were no rule's decision.
    @ivar reports: by the rule that would have denied, and only reports.
    @ivar shadow: by what the shadow policy would have done otherwise.
    """

    def __init__(self) -> None:
        self.decisions: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[str] = Counter()
        self.reports: Counter[str] = Counter()
        self.shadow: Counter[str] = Counter()

    def asJSON(self) -> dict[str, Any]:
        """
        The counts as JSON has them.
        """
        decisions = [
            {"decision": action, "rule": rule, "count": count}
            for (action, rule), count in sorted(self.decisions.items())
        ]
        return {
            "decisions": decisions,
            "refusals": dict(sorted(self.refusals.items())),
            "reports": dict(sorted(self.reports.items())),
            "shadow": dict(sorted(self.shadow.items())),
        }
