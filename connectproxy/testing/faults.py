"""
What a connection can be made to do wrong, a step at a time: the words of a script.

A script is a sequence of steps, of which each begins when the one before it is done.  They
say what the client of a L{connectproxy.testing.FaultyServer} gets to see.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Close", "Forward", "HalfClose", "Read", "Reset", "Say", "Stall", "Step"]


@dataclass(frozen=True)
class Say:
    """
    Send something, be it an answer or garbage.

    @ivar octets: what.
    @ivar rate: how many octets a second; 0 for all at once.
    """

    octets: bytes
    rate: float = 0.0


@dataclass(frozen=True)
class Read:
    """
    Wait for what the client says.  What an earlier C{Read} has waited for does not count
    again.

    @ivar until: how many octets, or what they have to end with.
    """

    until: int | bytes


@dataclass(frozen=True)
class Forward:
    """
    Pass on what the target says; what the client says is always passed on to the target.

    @ivar octets: how many; L{None} for all, up to the target's end of stream, which is passed
        on as well.
    @ivar rate: how many octets a second; 0 for as many as the client takes.
    """

    octets: int | None = None
    rate: float = 0.0


@dataclass(frozen=True)
class Stall:
    """
    Send nothing and read nothing, so that the client can't go on writing when all buffers
    are full.

    @ivar seconds: for how long; L{None} for ever.
    """

    seconds: float | None = None


@dataclass(frozen=True)
class HalfClose:
    """
    Send the end of the stream, and go on reading.
    """


@dataclass(frozen=True)
class Close:
    """
    Close the connection, after what has been said.
    """


@dataclass(frozen=True)
class Reset:
    """
    Reset the connection.  What has been said before may be lost by it, as with any reset.
    """


Step = Say | Read | Forward | Stall | HalfClose | Close | Reset
