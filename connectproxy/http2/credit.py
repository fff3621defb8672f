"""
How much peers may send before it has been taken (RFC 9113 section 5.2).

A stream's window is what a stalled stream can make the proxy hold.  So it begins at
the least that HTTP/2 has and doubles whenever what came has been taken, up to a
mebioctet, which is enough for 80 Mbit/s at a round trip of 100 ms.  All that the
streams of a connection have above their first windows comes out of one allowance.
A connection can hold the first windows of as many streams as it may have, and that
allowance, and no more: 16 MiB and 16 MiB with a client's default of 256 streams.

The connection's window is no bound on memory then, and would be a way for a stalled
stream to stall the others; it is as good as open, and filled again as soon as octets
have arrived.
"""

from __future__ import annotations

__all__ = ["ALLOWANCE", "CONNECTION", "FIRST", "LARGEST_STREAM", "Credit"]

FIRST = 65535
"""Octets of a stream's window at first: what RFC 9113 section 6.9.2 begins with."""

LARGEST_STREAM = FIRST << 4
"""Octets of a stream's window at most."""

ALLOWANCE = 16 << 20
"""Octets that the windows of a connection's streams may be above their first, all together."""

CONNECTION = 1 << 30
"""Octets of a connection's window."""


class Credit:
    """
    The receiving windows of one connection.
    """

    __slots__ = ("_grown", "_room")

    def __init__(self) -> None:
        self._grown = 0
        self._room = CONNECTION

    def received(self, weight: int) -> int:
        """
        Octets have arrived.

        @return: by how much the peer is to be told that the connection's window
            is larger again; mostly 0.
        """
        self._room -= weight
        if self._room * 2 > CONNECTION:
            return 0
        increment = CONNECTION - self._room
        self._room = CONNECTION
        return increment

    def grow(self, octets: int) -> bool:
        """
        Whether a stream's window may become larger.
        """
        if self._grown + octets > ALLOWANCE:
            return False
        self._grown += octets
        return True

    def closed(self, size: int) -> None:
        """
        A stream is over.

        @param size: what its window had become.
        """
        self._grown -= size - FIRST
