"""
The ordinary relay under test.
"""

from __future__ import annotations

from typing import Any

from connectproxy.relay import Timeouts, WiredRelay
from connectproxy.sockets import unsent
from tests.relaycase import Rig

__all__ = ["Wired"]


class Wired:
    """
    The relay under test.
    """

    clock: Any
    wheel: Any

    def makeRelay(self, timeouts: Timeouts) -> WiredRelay:
        return WiredRelay(self.clock, self.wheel, timeouts)

    def userSpace(self, rig: Rig) -> int:
        return sum(map(unsent, rig.near))
