"""
Admission: how many tunnels at once, in all and for one client, and what happens when
the system has no more descriptors.

Descriptors are handed out lowest first, so the number of the newest says how
near the end is, whoever else in the process uses some.  When it comes near, the
listening ports are paused: clients then wait in the kernel's queue, or go
elsewhere, and every tunnel that is up keeps what it needs.  Once a second it is
looked whether there is room again.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import Any

from twisted.logger import Logger

from connectproxy.wheel import Wheel

__all__ = ["Admission"]

LOOK_AGAIN = 1.0
"""Seconds between two looks at whether there are descriptors again."""


def openFiles() -> int:
    """
    The soft limit of descriptors of this process.
    """
    try:
        import resource  # noqa: PLC0415 - it is not everywhere
    except ImportError:  # not a POSIX system: handles are plentiful there
        return 1 << 20
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


class Admission:
    """
    Counts tunnels and watches descriptors.

    @ivar tunnels: requests that are being served or carried right now.
    @ivar perClient: how many of them one client may have; 0 for as many as it likes.
    @ivar connections: clients' connections that are open right now.
    @ivar paused: no connections are being accepted.
    """

    _log = Logger()

    def __init__(
        self, wheel: Wheel, tunnels: int = 0, descriptors: int | None = None, perClient: int = 0
    ) -> None:
        """
        @param wheel: keeps the time until the next look.
        @param tunnels: how many at once; 0 for as many as descriptors allow.
        @param perClient: how many of one client's; 0 for no bound but that.
        @param descriptors: the limit of descriptors; by default the process's.
        """
        limit = openFiles() if descriptors is None else descriptors
        self.limit = tunnels
        self.perClient = perClient
        self._shares: dict[Hashable, int] = {}
        self.tunnels = 0
        self.connections = 0
        self.paused = False
        self.slot = 0
        # A turn of the reactor accepts a hundred connections and more before
        # anything can stop it, and each wants a second descriptor.
        self._ceiling = limit - min(256, limit // 8)
        self._descriptors = limit
        self._wheel = wheel
        self._ports: list[Any] = []

    @property
    def full(self) -> bool:
        """
        Whether there are as many tunnels as are allowed.
        """
        return 0 < self.limit <= self.tunnels

    def enter(self, client: Hashable) -> bool:
        """
        Count one more tunnel of a client, if it may have one.

        @param client: tells clients apart: a user, or an address.
        @return: whether it may; L{leave} is called when it is over, then.
        """
        share = self._shares.get(client, 0)
        if share >= self.perClient:
            return False
        self._shares[client] = share + 1
        return True

    def leave(self, client: Hashable) -> None:
        """
        One of a client's tunnels is over.
        """
        share = self._shares[client] - 1
        if share:
            self._shares[client] = share
        else:
            del self._shares[client]

    def watch(self, port: Any) -> None:
        """
        @param port: a listening port, which is paused when descriptors run out.
            One that can't be paused is left alone.
        """
        if hasattr(port, "pauseProducing"):
            self._ports.append(port)

    def forget(self) -> None:
        """
        Touch no port any more: they are being closed.
        """
        self._ports.clear()
        self._wheel.remove(self)
        self.paused = False

    def opened(self, descriptor: int) -> None:
        """
        A client has connected.

        @param descriptor: the number of its socket; -1 where there is none.
        """
        self.connections += 1
        if descriptor >= self._ceiling:
            self.exhausted()

    def exhausted(self) -> None:
        """
        There are no more descriptors, or hardly any: stop accepting.
        """
        if self.paused or not self._ports:
            return
        self.paused = True
        self._log.warn(
            "accepting no more connections: nearly all of the {limit} descriptors are in use, {open} of them by"
            " clients; raise the limit of open files (ulimit -n, LimitNOFILE=) or lower limits.tunnels",
            limit=self._descriptors,
            open=self.connections,
        )
        for port in self._ports:
            port.pauseProducing()
        self._wheel.add(self, LOOK_AGAIN)

    def expired(self, now: float) -> float | None:
        """
        Look whether there is room again.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        try:
            probe = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return LOOK_AGAIN
        os.close(probe)
        if probe >= self._ceiling:
            return LOOK_AGAIN
        self.paused = False
        self._log.info("accepting connections again: {open} are open", open=self.connections)
        for port in self._ports:
            port.resumeProducing()
        return None
