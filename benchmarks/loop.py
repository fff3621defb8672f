"""
Readiness of descriptors, with as little between the kernel and the call as Python allows.

The load has to outrun what it measures, so this is no reactor: one epoll set,
one dictionary, no timers but the end of a run.  It knows no proxy, no tunnel
and no figure.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable

__all__ = ["READ", "WRITE", "Loop"]

READ: int = select.EPOLLIN
WRITE: int = select.EPOLLOUT

# Events taken in one batch.  Enough for every tunnel of a run to be ready at
# once; more would only delay the look at the clock.
_BATCH = 256
# Seconds between looks at the clock while nothing happens.
_TICK = 0.05


class Loop:
    """
    One level-triggered epoll set.

    A descriptor leaves the set when it is closed, so L{forget} costs no system
    call.  A descriptor closed and reused within one batch may be called for an
    event of its predecessor: calls must take C{BlockingIOError} for "not yet".

    @ivar calls: what to call when a descriptor is ready, by descriptor.
        Replacing an entry changes who listens and costs no system call.
    """

    def __init__(self) -> None:
        self.calls: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()
        self._stopped = False

    def watch(self, fd: int, mask: int, call: Callable[[], None]) -> None:
        """
        Call C{call} whenever C{fd} is ready.

        @param mask: L{READ}, L{WRITE} or both; errors and hang-ups are always told.
        """
        self.calls[fd] = call
        self._epoll.register(fd, mask)

    def change(self, fd: int, mask: int) -> None:
        """Wait for something else on a descriptor that is watched already."""
        self._epoll.modify(fd, mask)

    def forget(self, fd: int) -> None:
        """Listen no more; the caller closes the descriptor next."""
        self.calls.pop(fd, None)

    def stop(self) -> None:
        """End the L{run} that is under way, after the present batch."""
        self._stopped = True

    def run(self, seconds: float) -> bool:
        """
        Serve the descriptors for a time.

        @param seconds: how long, at most.
        @return: whether L{stop} ended it, rather than the clock.
        """
        self._stopped = False
        poll, find, clock = self._epoll.poll, self.calls.get, time.monotonic
        end = clock() + seconds
        while not self._stopped:
            left = end - clock()
            if left <= 0:
                return False
            for fd, _ in poll(min(left, _TICK), _BATCH):
                call = find(fd)
                if call is not None:
                    call()
        return True

    def close(self) -> None:
        """Give the epoll set back."""
        self.calls.clear()
        self._epoll.close()
