"""
What is known of one destination of datagrams, and the look-ups that find it out.

It decides nothing, and sends nothing: that is L{connectproxy.datagrams.flow}'s.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from connectproxy.address import Destination
from connectproxy.datagrams.port import DatagramPort
from connectproxy.interfaces import IPAddress
from connectproxy.names import Names

__all__ = ["Lookup", "Route"]


class Lookup:
    """
    Both look-ups of one name.

    @ivar waiting: datagrams that wait for them.
    """

    __slots__ = ("_asked", "_done", "_found", "waiting")

    def __init__(self, done: Callable[[tuple[IPAddress, ...], bool], None]) -> None:
        """
        @param done: is called once, when both are over, with the addresses, IPv4 before
            IPv6, and whether both could be asked for.
        """
        self._done = done
        self._asked: list[Deferred[tuple[IPAddress, ...]]] = []
        self._found: dict[int, tuple[IPAddress, ...] | None] = {}
        self.waiting: list[bytes] = []

    def begin(self, names: Names, name: str) -> None:
        """
        Ask for both families.  They may have been answered before this returns.
        """
        for version in (4, 6):
            lookup = names.lookup(name, version)
            self._asked.append(lookup)
            lookup.addCallbacks(
                self._answered, self._answered, callbackArgs=(version,), errbackArgs=(version,)
            )

    def stop(self) -> None:
        """
        Wait for the answers no more.
        """
        self._found = {0: None}  # never complete
        for each in self._asked:
            each.cancel()

    def _answered(self, result: tuple[IPAddress, ...] | Failure, version: int) -> None:
        """
        One of the two has been answered, or could not be asked.
        """
        found = self._found
        found[version] = None if isinstance(result, Failure) else result
        if len(found) == 2 and 0 not in found:
            self._done((found[4] or ()) + (found[6] or ()), None not in found.values())


class Route:
    """
    What is known of one destination.

    @ivar targets: addresses that may be sent to, the best first: each a socket, a
        host and a port.
    @ivar expires: when it has to be found out anew, in seconds of the clock.
    @ivar lookup: what has to be answered first; L{None} when nothing has to.
    """

    __slots__ = ("destination", "expires", "lookup", "targets")

    def __init__(self, destination: Destination, expires: float) -> None:
        self.destination = destination
        self.expires = expires
        self.targets: tuple[tuple[DatagramPort, str, int], ...] = ()
        self.lookup: Lookup | None = None
