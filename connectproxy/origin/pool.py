"""
The connections to origins that the requests of one client's connection have left
open.

They belong to that client and are closed with it: nobody gets to use a connection
that was made for somebody else, nor one that was made for another user or by
another way.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from connectproxy.sockets import hasArrived

if TYPE_CHECKING:
    from connectproxy.origin.connection import OriginConnection
    from connectproxy.origin.lifetime import Lifetime

__all__ = ["MOST", "OriginPool"]

MOST = 8
"""How many idle connections one client may leave."""


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

    def put(self, key: Hashable, connection: OriginConnection) -> None:
        """
        Keep a connection that is reusable.

        @param key: the way by which it was made, its destination and the user.
        """
        if len(self._idle) >= self.most:
            self.remove(next(iter(self._idle)))
        self._idle[connection] = key
        connection.keep(self)

    def take(self, key: Hashable) -> OriginConnection | None:
        """
        A connection that was put in with the same key, the latest first; or L{None}.

        One on which something has come meanwhile is closed: it would be taken for the
        response to the next request.
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
