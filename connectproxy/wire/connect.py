"""
CONNECT over HTTP/1.1, as a client: asks another proxy for a tunnel (RFC 9110 section 9.3.6,
RFC 9112 section 3.2.3).

Any 2xx opens it, and what comes behind the blank line is the destination's, whatever the
head says of content: C{Content-Length} and C{Transfer-Encoding} are ignored there (RFC 9110
section 9.3.6, RFC 9112 section 6.3).  Interim responses are passed over.  Nothing of the
content of any other answer is read: the head is enough, and the connection is given up.

Which refusal an answer is, L{connectproxy.wire.hopstatus} says; credentials are
L{connectproxy.wire.authorization.client}'s.  Left out: a second request on the connection,
for the answer to a challenge as well, and content in a CONNECT.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.wire.authorization.client import Authorizer, unmet
from connectproxy.wire.grammar import FIELD
from connectproxy.wire.hopstatus import membersOf, named, refusalOf
from connectproxy.wire.negotiation import Again, Passage
from connectproxy.wire.response import ResponseHead, ResponseReader

__all__ = ["INTERIM", "ConnectNegotiation", "refused"]

INTERIM = 32
"""How many interim responses may come before the final one."""


def refused(
    head: ResponseHead, name: str, target: str, authorizer: Authorizer | None, said: str | None
) -> Refusal | Again:
    """
    What an answer that opens nothing comes to, and whether to ask anew.

    @param head: any final one but a 2xx.
    @param name: what the next hop is called.
    @param target: what it was asked for.
    @param authorizer: what there is to show to it, which learns from a 407.
    @param said: the C{Proxy-Authorization} that it was asked with.
    """
    refusal = refusalOf(head, name, target)
    if said is not None:
        refusal = _discreet(refusal, said)
    if head.status != 407:
        return refusal
    values = head.values(b"proxy-authenticate")
    refusal = refusal._replace(detail=f"{named(name)} {unmet(authorizer, values)}")
    if authorizer is not None and authorizer.challenged(values, said):
        return Again(refusal)
    return refusal


def _discreet(refusal: Refusal, said: str) -> Refusal:
    """
    A refusal without what has been shown to the next hop: some repeat in their answer what they
    were asked, and it goes into logs and to clients.
    """
    proof = said.partition(" ")[2]
    return refusal._replace(
        detail=refusal.detail.replace(proof, "..."),
        members="" if proof in refusal.members else refusal.members,
    )


class ConnectNegotiation:
    """
    One CONNECT; a L{Negotiation<connectproxy.wire.negotiation.Negotiation>}.

    @ivar response: the final head, once it has come, for whoever wants all of it.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        name: str = "",
        fields: Sequence[tuple[str, str]] = (),
        authorizer: Authorizer | None = None,
    ) -> None:
        """
        @param destination: what the next hop is to connect to.
        @param name: what the next hop is called in details.
        @param fields: more fields, names and values in Latin-1, such as C{Via}.
        @param authorizer: what there is to show to the next hop.
        """
        self._target = str(destination)
        self._name = name
        self._fields = fields
        self._authorizer = authorizer
        self._said: str | None = None
        self._interim = 0
        self._reader = ResponseReader("CONNECT")
        self.response: ResponseHead | None = None

    def __repr__(self) -> str:
        """Without the fields: one of them may be what proves who we are."""
        return f"<{type(self).__name__} {self._target}>"

    def begin(self) -> bytes:
        """
        The request.

        @raise ValueError: a field could be read as something else, which is our own bug.
        """
        target = self._target
        lines = [f"CONNECT {target} HTTP/1.1\r\nHost: {target}".encode("ascii")]
        for name, value in self._fields:
            line = f"{name}: {value}".encode("latin-1")
            if FIELD.fullmatch(line) is None or ":" in name:
                raise ValueError(f"the field {name!r} has a character that names or values must not have")
            lines.append(line)
        if self._authorizer is not None:
            self._said = said = self._authorizer.field("CONNECT", target)
            if said is not None:
                lines.append(b"Proxy-Authorization: " + said.encode("ascii"))
        return b"\r\n".join([*lines, b"", b""])

    def receive(self, octets: bytes) -> bytes | Passage | Refusal | Again:
        """
        See L{Negotiation.receive<connectproxy.wire.negotiation.Negotiation.receive>}.
        """
        while True:
            head = self._reader.receive(octets)
            if head is None:
                return b""
            if isinstance(head, Refusal):
                return self._wrong(head.detail)
            if head.status > 199:
                return self._answered(head)
            if head.status == 101:
                return self._wrong("it changes to another protocol, which nobody has asked for")
            self._interim += 1
            if self._interim > INTERIM:
                return self._wrong(f"there were more than {INTERIM} interim responses")
            octets = self._reader.leftover
            self._reader = ResponseReader("CONNECT")

    def _answered(self, head: ResponseHead) -> Passage | Refusal | Again:
        """
        The answer is there.
        """
        self.response = head
        if head.status < 300:
            return Passage(self._reader.leftover, head.status, head.fields, membersOf(head.fields))
        return refused(head, self._name, self._target, self._authorizer, self._said)

    def _wrong(self, why: str) -> Refusal:
        """
        What has come is no answer.
        """
        words = f"the answer of {named(self._name)} is not valid HTTP/1.1: {why}"
        return Refusal("next_hop_protocol_error", words)
