"""
The connections to origins that the requests of one client's connection have left
open.

They belong to that client and are closed with it: nobody gets to use a connection
that was made for somebody else, nor one that was made for another user or by
another way.

Nor for another destination, but for one case: a next hop that forwards messages itself
can be asked for any.  That needs nothing of the destination's to be judged here, so it is
for names only, and not behind an address that has been judged; and no group that may have
a choice of its own for each destination.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from connectproxy.address import Destination
from connectproxy.interfaces import Established
from connectproxy.sockets import hasArrived

if TYPE_CHECKING:
    from connectproxy.origin.connection import OriginConnection
    from connectproxy.origin.lifetime import Lifetime

__all__ = ["MOST", "Key", "OriginPool"]

MOST = 8
"""How many idle connections one client may leave."""

Key = tuple[Hashable, Destination, str | None]
"""The way by which a connection was made, its destination and the user."""


class OriginPool:
    """
    Idle connections, by what they may be used for.

    @ivar most: how many there may be; the one that has been idle for longest goes first.
    """

    __slots__ = ("_idle", "most")

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._idle: dict[Any, Hashable] = {}

    def __len__(self) -> int:
        return len(self._idle)

    def put(self, key: Key, connection: OriginConnection) -> None:
        """
        Keep a connection that is reusable.

        @param key: what it was made for.
        """
        if len(self._idle) >= self.most:
            self.remove(next(iter(self._idle)))
        established = connection.established
        if established.form is None:
            self._idle[connection] = key
        else:
            way, destination, user = key
            self._idle[connection] = way, None if _serves(established) else destination, user, _HOP
        connection.keep(self)

    def take(self, key: Key, message: bool = True) -> OriginConnection | None:
        """
        A connection that may be used for what the key says, the latest first; or L{None}.

        One on which something has come meanwhile is closed: it would be taken for the
        response to the next request.

        @param message: whether one to a next hop that forwards messages itself will do.
        """
        found = self._take(key)
        if found is None and message and self._idle:
            way, destination, user = key
            found = self._take((way, destination, user, _HOP))
            if found is None and destination.fixed is None:
                found = self._take((way, None, user, _HOP))
        return found

    def _take(self, key: Hashable) -> OriginConnection | None:
        """
        A connection that is kept under a key.
        """
        for connection, known in reversed(tuple(self._idle.items())):
            if known == key:
                taken: OriginConnection = connection
                if hasArrived(taken.transport):
                    self.remove(taken)
                    continue
                del self._idle[connection]
                taken.pool = None
                return taken
        return None

    def forget(self, connection: Lifetime) -> None:
        """
        A connection that is idle here has been closed, or is being.
        """
        self._idle.pop(connection, None)

    def remove(self, connection: OriginConnection) -> None:
        """
        Close one.
        """
        self.forget(connection)
        connection.pool = None
        connection.close()

    def close(self) -> None:
        """
        Close them all.
        """
        for connection in list(self._idle):
            self.remove(connection)


_HOP = "hop"
"""Tells the keys of connections to next hops, which take messages in another form."""


def _serves(established: Established) -> bool:
    """
    Whether a connection to a next hop will do for other destinations.
    """
    return not established.seen and not established.member
