"""
What is said to a next hop before it lets octets pass: the contract that every protocol of
next hops keeps, whoever has the connection.

A negotiation knows octets only.  It says what goes first, takes what comes, and ends in one
of three ways: the way is open, it is not, or it could be on another connection.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from connectproxy.errors import Refusal

__all__ = ["Again", "Negotiation", "Passage"]


class Passage(NamedTuple):
    """
    The way is open: what comes next is the destination's.

    @ivar leftover: what the destination has said already, behind the last answer.
    @ivar status: the HTTP status; 0 where the protocol is another one.
    @ivar fields: the header fields of the answer, names in lower case.
    @ivar members: the members of its C{Proxy-Status} field; see
        L{connectproxy.errors.Refusal.members}.
    @ivar bound: the address that the next hop says it has connected from, as host and
        port; empty where it does not say.
    """

    leftover: bytes = b""
    status: int = 0
    fields: tuple[tuple[bytes, bytes], ...] = ()
    members: str = ""
    bound: str = ""


class Again(NamedTuple):
    """
    The next hop wants something that is known by now, and has to be asked anew, on another
    connection: with a response to its challenge, say.

    @ivar refusal: what to say if it is not asked again.
    """

    refusal: Refusal


class Negotiation(Protocol):
    """
    One negotiation, from the first octet to the last.
    """

    def begin(self) -> bytes:
        """
        What goes first; it is called once, before anything else.
        """

    def receive(self, octets: bytes) -> bytes | Passage | Refusal | Again:
        """
        Take what has come, in whatever pieces.

        @return: octets to send, perhaps none, while there is more to come; else how it has
            ended, after which nothing more is taken.
        """
