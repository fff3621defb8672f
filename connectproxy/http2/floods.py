"""
How much of what costs a peer nothing it may send (RFC 9113 section 10.5).

A frame that is cheap to send and takes work to serve is charged to a budget.  The
budget fills again with time, and with octets that are carried: who moves many
octets has reason for many window updates and pings, and who moves none has not.
Streams that are begun and reset have a budget of their own, which nothing but time
fills: a request is what costs most.
"""

from __future__ import annotations

__all__ = ["Budget"]


class Budget:
    """
    A bucket of tokens.

    @ivar left: how many there are.
    """

    __slots__ = ("_last", "_most", "_rate", "left")

    def __init__(self, most: float, rate: float, now: float) -> None:
        """
        @param most: how many tokens there are at first, and can be.
        @param rate: how many are added in a second.
        @param now: seconds of the clock.
        """
        self._most = most
        self._rate = rate
        self._last = now
        self.left = most

    def spend(self, tokens: float, now: float) -> bool:
        """
        Take some.

        @return: whether there were as many.
        """
        self.left -= tokens
        if self.left < 0:
            self.left = min(self._most, self.left + (now - self._last) * self._rate)
            self._last = now
        return self.left >= 0

    def earn(self, tokens: float) -> None:
        """
        Put some back, as far as there is room.
        """
        self.left = min(self._most, self.left + tokens)
