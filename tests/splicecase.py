"""
The relay by splice under test.
"""

from __future__ import annotations

from connectproxy.relay import Timeouts
from connectproxy.splice import SpliceRelay
from tests.loopback import REACTOR
from tests.relaycase import LoopbackCase, Rig

__all__ = ["CountingRelay", "Spliced"]


class CountingRelay(SpliceRelay):
    """
    Counts how often the reactor calls.
    """

    calls = 0

    def doRead(self) -> None:
        self.calls += 1
        SpliceRelay.doRead(self)


class Spliced(LoopbackCase):
    """
    The relay under test.
    """

    def makeRelay(self, timeouts: Timeouts) -> CountingRelay:
        return CountingRelay(REACTOR, self.clock, self.wheel, timeouts)

    def userSpace(self, rig: Rig) -> int:
        return len(rig.tunnel.client.early) + len(rig.tunnel.origin.early)

    async def closeAll(self) -> None:
        """
        No pipe has come back with octets in it, whatever a test did.
        """
        await LoopbackCase.closeAll(self)
        self.assertEqual(self.relay.pipes.discarded, 0)
