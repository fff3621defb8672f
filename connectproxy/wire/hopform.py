"""
How a message is put to a next hop that forwards it itself: another proxy.

Owns what differs from a request to an origin, which is how it begins: the target in
absolute-form (RFC 9112 section 3.2.2) and our own C{Proxy-Authorization} (RFC 9110 section
11.7.2); and what becomes of the 407 that asks for that.  All the rest of the head is the
same, whoever gets it: see L{connectproxy.wire.forwarding}.

Credentials are L{connectproxy.wire.authorization}'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from connectproxy.errors import Refusal
from connectproxy.wire.authorization.client import Authorizer, unmet
from connectproxy.wire.hopstatus import membersOf
from connectproxy.wire.response import ResponseHead

__all__ = ["HopForm", "behindBeginning", "requestLine"]

_CREDENTIALS = b"\r\nProxy-Authorization: "

_FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "connection_terminated": "next_hop_gone",
        "http_protocol_error": "next_hop_protocol_error",
        "http_response_header_section_size": "next_hop_protocol_error",
        "http_response_incomplete": "next_hop_gone",
        "http_response_timeout": "next_hop_silent",
        "http_response_transfer_coding": "next_hop_protocol_error",
    }
)
"""What is said of an origin before its response has begun, and what that is of a next hop."""


def requestLine(method: bytes, target: bytes, hostField: bytes) -> bytes:
    """
    Write what every head that goes out begins with (RFC 9112 section 3.2): the request line
    and C{Host}, without the CRLF behind it.
    """
    return b"%b %b HTTP/1.1\r\nHost: %b" % (method, target, hostField)


def _absolute(path: bytes, hostField: bytes) -> bytes:
    """
    The absolute-form.  C{OPTIONS *} is an empty path there, which the last proxy makes
    C{*} of (RFC 9112 section 3.2.4).
    """
    return b"http://%b%b" % (hostField, b"" if path == b"*" else path)


class HopForm(NamedTuple):
    """
    What there is to know of such a next hop.

    @ivar authorizer: says who this proxy is; L{None} where the next hop has not to know.
    @ivar name: what the next hop is called in details.
    """

    authorizer: Authorizer | None
    name: str

    def begin(self, method: bytes, path: bytes, hostField: bytes) -> bytes:
        """
        Write the beginning of a head, as L{requestLine}, with our credentials behind it.

        @param path: the origin-form, or C{b"*"}.
        """
        target = _absolute(path, hostField)
        begun = requestLine(method, target, hostField)
        if self.authorizer is None:
            return begun
        value = self.authorizer.field(method.decode("ascii"), target.decode("ascii"))
        return begun if value is None else b"%b%b%b" % (begun, _CREDENTIALS, value.encode("ascii"))

    def challenged(self, head: ResponseHead, sent: bytes) -> bool:
        """
        Learn from a 407 (RFC 9110 section 15.5.8).

        @param sent: the head of the request that it is the answer to.
        @return: whether asking again makes sense.
        """
        if self.authorizer is None:
            return False
        _, shown, rest = sent.partition(_CREDENTIALS)
        said = rest.partition(b"\r\n")[0].decode("ascii") if shown else None
        return self.authorizer.challenged(head.values(b"proxy-authenticate"), said)

    def refusal(self, head: ResponseHead) -> Refusal:
        """
        What a 407 is for the client, who has no part in it.
        """
        why = unmet(self.authorizer, head.values(b"proxy-authenticate"))
        detail = f"the next hop {self.name} {why}"
        members = membersOf(head.fields)
        return Refusal("next_hop_authentication_failed", detail, received=407, members=members)

    def failure(self, refusal: Refusal) -> Refusal:
        """
        What it is for the client that there is no response to a message.

        @param refusal: what it would be of an origin: the next hop is at fault here, who had to
            answer for the origin.
        """
        kind = _FAILURES.get(refusal.kind)
        if kind is None:
            return refusal
        return refusal._replace(kind=kind, detail=f"the next hop {self.name} failed: {refusal.detail}")


def behindBeginning(
    written: bytes, method: bytes, path: bytes, hostField: bytes, form: HopForm | None
) -> bytes | None:
    """
    What a head has behind its beginning: it is the same whoever gets it, and as often as
    the same fields are written.

    @param written: the head; the others are what it was begun with.
    @return: L{None} if it was begun with something else.
    """
    begun = requestLine(method, path if form is None else _absolute(path, hostField), hostField)
    if not written.startswith(begun):
        return None
    end = len(begun)
    if form is not None and written.startswith(_CREDENTIALS, end):
        end = written.index(b"\r\n", end + 2)
    return written[end:]
