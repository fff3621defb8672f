"""
One check of credentials that several wait for.

A thousand connections that come at once with the same password are one question, and one
hash.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from twisted.internet.defer import Deferred

from connectproxy.errors import Refusal
from connectproxy.interfaces import Identified

__all__ = ["GIVEN_UP", "Check"]

GIVEN_UP = Refusal(
    "login_limit_reached",
    "the credentials could not be checked in time",
    message="Try again later; if it stays so, the operator can look at what checks passwords.",
    fields=(("Retry-After", "2"),),
)
"""What fires where nobody waits any more, or could."""


class Check:
    """
    One check.

    @ivar user: who is said to ask, in octets.
    @ivar means: see L{connectproxy.interfaces.IProxyUser}.
    @ivar sources: from where; see L{connectproxy.auth.throttle.sourceOf}.
    @ivar over: it has been answered.
    @ivar answer: what was, then.
    """

    __slots__ = ("_asked", "_waiting", "answer", "means", "over", "sources", "user")

    def __init__(self, user: bytes, means: str) -> None:
        self.user = user
        self.means = means
        self.sources: set[Hashable] = set()
        self.over = False
        self.answer: Identified = None
        self._asked: Deferred[Any] | None = None
        self._waiting: dict[Deferred[Identified], None] = {}

    def __repr__(self) -> str:
        """Without who it is about."""
        return f"<{type(self).__name__} of {len(self._waiting)}>"

    def begin(self, asked: Deferred[Identified]) -> None:
        """
        @param asked: fires with the answer; does not fail.
        """
        self._asked = asked
        asked.addCallback(self._told)

    def wait(self) -> Deferred[Identified]:
        """
        Wait for the answer.

        @return: it.  Cancelled, it fires with L{GIVEN_UP}; when nobody waits any more,
            the check is cancelled, too.
        """
        waiting: Deferred[Identified] = Deferred(self._leave)
        self._waiting[waiting] = None
        return waiting

    def cancel(self) -> None:
        """
        Give it up for everybody.
        """
        for each in list(self._waiting):
            each.cancel()

    def _leave(self, waiting: Deferred[Identified]) -> None:
        """
        One waits no more.
        """
        self._waiting.pop(waiting, None)
        if not self._waiting and self._asked is not None:
            self._asked.cancel()
        waiting.callback(GIVEN_UP)

    def _told(self, answer: Identified) -> None:
        """
        Tell everybody.
        """
        self.over = True
        self.answer = answer
        self._asked = None
        while self._waiting:
            self._waiting.popitem()[0].callback(answer)
