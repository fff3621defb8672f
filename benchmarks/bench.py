"""
One proxy that runs, and what is needed to measure it.

It opens and closes tunnels in numbers and takes windows of time; what goes
through the tunnels is up to L{benchmarks.traffic}, and what is made of it to
L{benchmarks.modes}.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from benchmarks.loop import Loop
from benchmarks.meter import Meter, Reading
from benchmarks.origin import Origin
from benchmarks.tunnel import CONNECT, Tunnel

__all__ = ["PATIENCE", "Bench", "Figures", "rest"]

Figures = dict[str, float]

# Seconds a single tunnel may take to open, answer or close before it counts as stuck.
PATIENCE = 5.0
# Tunnels that are being opened at once, where opening is not what is measured.
_OPENING = 64


@dataclass
class Bench:
    """
    One proxy that runs, and what is needed to measure it.

    @ivar proxy: its address and port; L{None} to go to the origin directly.
    @ivar seconds: how long a window lasts.
    @ivar startSeconds: from starting the process to the first message echoed.
    @ivar leftOpen: connections the origin still had when it should have had none.
    @ivar dialect: how the proxy is spoken to; one of L{benchmarks.tunnel.DIALECTS}.
    @ivar faults: what went wrong, and how often; one fault voids a measurement.
    """

    loop: Loop
    origin: Origin
    proxy: tuple[str, int] | None
    meter: Meter
    seconds: float
    startSeconds: float = 0.0
    leftOpen: int = 0
    dialect: str = CONNECT
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def warmUp(self) -> float:
        """Seconds of load before a window: buffers and queues have filled by then."""
        return min(0.5, self.seconds / 2)

    def window(self) -> tuple[Reading, Figures]:
        """
        Run the load for the window.

        @return: what it took, and the figures every family reports: seconds,
            and the shares of a core that the proxy, the load, and others beside
            each of them used.
        """
        gc.collect()
        gc.disable()
        try:
            before = self.meter.begin()
            self.loop.run(self.seconds)
            took = self.meter.end() - before
        finally:
            gc.enable()
        # On a core that both share, neither counts among the others.
        both = took.proxy + took.load
        known = (both, both) if self.meter.shared else (took.proxy, took.load)
        return took, {
            "seconds": took.wall,
            "proxy_busy": took.proxy / took.wall,
            "load_busy": took.load / took.wall,
            "beside_proxy": max(0.0, took.cores[0] - known[0]) / took.wall,
            "beside_load": max(0.0, took.cores[1] - known[1]) / took.wall,
        }

    def openTunnels(self, count: int, service: str) -> list[Tunnel]:
        """
        Open tunnels, some at a time.

        @return: those that opened; what did not is in L{faults}.
        """
        tunnels: list[Tunnel] = []
        begun = pending = 0

        def ended(tunnel: Tunnel | None, reason: str = "") -> None:
            nonlocal pending
            pending -= 1
            if tunnel is None:
                self.faults[f"open: {reason}"] += 1
            else:
                # Quiet until the mode says what to do with the socket.
                self.loop.calls[tunnel.fd] = rest
                tunnels.append(tunnel)
            self.loop.stop()

        while (begun < count or pending) and not self.faults:
            while begun < count and pending < _OPENING:
                begun += 1
                pending += 1
                target = self.origin.target(service)
                Tunnel(
                    self.loop, self.proxy, target, lambda t, _: ended(t), partial(ended, None), self.dialect
                )
            if pending and not self.loop.run(PATIENCE):
                self.faults["open: no answer"] += pending
        return tunnels

    def settle(self, tunnels: list[Tunnel], reset: bool = False) -> None:
        """Close tunnels, and wait until the origin has seen the proxy close its side."""
        for tunnel in tunnels:
            tunnel.close(reset)
        end = time.monotonic() + PATIENCE
        while self.origin.visits and time.monotonic() < end:
            self.loop.run(0.01)
        self.leftOpen = len(self.origin.visits)


def rest() -> None:
    """What a tunnel does before it is told; level-triggered, so nothing is lost."""
