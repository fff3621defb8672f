"""
What a client says over and over.

A program that asks for one thing after the other sends the same header section with
each request; only the request line differs.  Octets that are equal to those of a
request that has been read, found right and written for the origin need not be read,
judged and written once more: with small responses that, and the same with the heads
of responses (L{connectproxy.origin.connection}), is a fifth of all the work.

What is kept is the last section of one client's connection, with that connection and
no other, so that nothing is shared that could be a secret.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from connectproxy.wire.hopform import HopForm, behindBeginning, requestLine
from connectproxy.wire.http1 import Limits, RequestHead
from connectproxy.wire.target import Target

__all__ = ["LONGEST", "Repeated", "learn"]

LONGEST = 4096
"""Octets of a section that is kept."""

_LINE = re.compile(rb"(GET|HEAD) ([!-~]++) HTTP/1\.1\r\n")
"""
The request lines that are read here: of the methods that neither have a body, mostly,
nor care about C{Max-Forwards}.  What is another has L{HeadReader} to read it.
"""


class Repeated(NamedTuple):
    """
    A header section that has been served, of a request without a body.

    @ivar section: its octets, with the blank line.
    @ivar fields: as in L{RequestHead}.
    @ivar keep: whether the client's connection goes on.
    @ivar written: what goes to the origin, or to a next hop, behind what its head begins with.
    @ivar line: octets that the request line may have, without its CRLF.
    """

    section: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    keep: bool
    written: bytes
    line: int

    def read(self, octets: bytes) -> RequestHead | None:
        """
        The head of a request that differs in its request line only.

        @param octets: what has come; L{None} is the answer unless they are just that.
        """
        if not octets.endswith(self.section):
            return None
        found = _LINE.match(octets)
        if found is None or (end := found.end()) + len(self.section) != len(octets) or end > self.line + 2:
            return None
        method, target = found.groups()
        return RequestHead(method.decode(), target, 1, self.fields)

    def write(self, head: RequestHead, target: Target, form: HopForm | None = None) -> bytes:
        """
        The head for the origin, or for a next hop.

        @param head: what L{read} has given.
        @param form: that of the next hop, where it is one; it may be another than before.
        """
        begin = requestLine if form is None else form.begin
        return begin(head.method.encode(), target.path, target.hostField) + self.written


def learn(
    octets: bytes,
    head: RequestHead,
    target: Target,
    keep: bool,
    written: bytes,
    limits: Limits,
    form: HopForm | None = None,
) -> Repeated | None:
    """
    Keep what a request has said, in case it is said again.

    @param octets: the whole head as it came, and nothing else.
    @param written: the head as it went out.
    @param form: that of the next hop that it went to, where it was one.
    @return: L{None} for one that can't be kept.
    """
    found = _LINE.match(octets)
    if found is None or len(octets) - found.end() > LONGEST:
        return None
    rest = behindBeginning(written, head.method.encode(), target.path, target.hostField, form)
    if rest is None:
        return None
    return Repeated(octets[found.end() :], head.fields, keep, rest, limits.line)
