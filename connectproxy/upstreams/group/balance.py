"""
Which of several next hops a request goes through.

Whoever asks says which can be used now; what is decided here is how the requests are shared
out among those.  Every way of doing that keeps to the weights.

  - In turn, by smooth weighted round robin, as nginx does it: with weights of 5, 1 and 1 one
    gets a a b a c a a.  What it remembers is bounded whichever are left out when: it is the
    greedy answer to the carpool problem.
  - By least tunnels: the fewest for its weight; in turn where several have as few.
  - By a hash of who asks, or of where to, so that the same lead to the same: rendezvous
    hashing, with weights as by Schindelhauer and Schomaker (2005).  A member that goes takes
    only its own share away, and it is spread over all others; one that comes takes its share
    from each.  The order for a key depends on nothing but the names and the weights, hence is
    the same in every process and after every restart; it was preferred to a ring of points,
    which needs thousands of them to keep to weights as closely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from math import log
from types import MappingProxyType
from typing import Protocol, TypeVar

from connectproxy.interfaces import TunnelRequest

__all__ = ["BALANCES", "Balance", "Hashed", "InTurn", "LeastTunnels", "Seat", "destinationKey", "userKey"]

REMEMBERED = 4096
"""Keys whose order is remembered: those hashed last."""


class Seat(Protocol):
    """
    One of those that are chosen among.

    @ivar name: no other has it.
    @ivar weight: 1 or more.
    @ivar turn: round robin's own, 0 at first.
    @ivar load: how many tunnels it has, and how many are being made.
    """

    turn: int

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> int: ...

    @property
    def load(self) -> int: ...


S = TypeVar("S", bound=Seat)


class Balance(Protocol):
    """
    Chooses.
    """

    def pick(self, seats: Sequence[S], request: TunnelRequest) -> S:
        """
        @param seats: those that can be used now, always in the same order; not empty.
        """


class InTurn:
    """
    Each as often as its weight says, spread as evenly as can be.
    """

    def pick(self, seats: Sequence[S], request: TunnelRequest) -> S:
        """
        See L{Balance.pick}.
        """
        best = seats[0]
        if len(seats) == 1:
            return best
        total = 0
        for seat in seats:
            weight = seat.weight
            total += weight
            seat.turn += weight
            if seat.turn > best.turn:
                best = seat
        best.turn -= total
        return best


class LeastTunnels(InTurn):
    """
    The one with the fewest tunnels for its weight.
    """

    def pick(self, seats: Sequence[S], request: TunnelRequest) -> S:
        """
        See L{Balance.pick}.
        """
        loads = [seat.load / seat.weight for seat in seats]
        least = min(loads)
        return InTurn.pick(
            self, [seat for seat, load in zip(seats, loads, strict=True) if load == least], request
        )


class Hashed:
    """
    The same for the same key, as long as it can be used; then another, which is the same for
    the key as well.
    """

    def __init__(self, key: Callable[[TunnelRequest], str], seats: Sequence[Seat]) -> None:
        """
        @param key: what counts of a request.
        @param seats: all of them, whether they can be used or not.
        """
        self._key = key
        self._shares = tuple((seat.name, seat.weight) for seat in seats)
        self.order = lru_cache(REMEMBERED)(self._order)

    def pick(self, seats: Sequence[S], request: TunnelRequest) -> S:
        """
        See L{Balance.pick}.
        """
        there = {seat.name: seat for seat in seats}
        return next(there[name] for name in self.order(self._key(request)) if name in there)

    def _order(self, key: str) -> tuple[str, ...]:
        """
        The names in the order in which a key prefers them.
        """
        octets = key.encode("utf-8", "surrogatepass")
        scores = [(_score(name, weight, octets), name) for name, weight in self._shares]
        return tuple(name for _, name in sorted(scores, reverse=True))


def _score(name: str, weight: int, key: bytes) -> float:
    """
    How much a key prefers a name: the highest of all is first with a probability in proportion
    to its weight, since C{-log(u)} of a uniform C{u} is exponentially distributed.
    """
    digest = blake2b(name.encode("utf-8") + b"\0" + key, digest_size=8).digest()
    # 52 bits and a half: never 0, and never rounded to 1.
    return weight / -log(((int.from_bytes(digest, "big") >> 12) + 0.5) / (1 << 52))


def userKey(request: TunnelRequest) -> str:
    """
    Who asks: by name, or by the address where nobody is known.  The two can't be mistaken for
    each other.
    """
    if request.identity is not None:
        return f"user {request.identity.name}"
    return f"address {getattr(request.client, 'host', '')}"


def destinationKey(request: TunnelRequest) -> str:
    """
    Where to, whatever the port.
    """
    return request.destination.host


BALANCES: Mapping[str, Callable[[Sequence[Seat]], Balance]] = MappingProxyType(
    {
        "round-robin": lambda seats: InTurn(),
        "least-tunnels": lambda seats: LeastTunnels(),
        "hash-user": lambda seats: Hashed(userKey, seats),
        "hash-destination": lambda seats: Hashed(destinationKey, seats),
    }
)
"""By the values of the key C{balance}: makes what chooses among some members."""
