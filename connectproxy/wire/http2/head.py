"""
What the fields of a request and of a response say, and which are malformed (RFC 9113
sections 8.1.1, 8.2, 8.3 and 8.5, RFC 8441 section 4).

Owns the rules that a header section can break by itself.  What an authority means
is L{connectproxy.address}'s to say; how field blocks are compressed is nobody's
here.

It is stricter than RFC 9113 section 8.2.1 where a request is going to be written as
HTTP/1.1: names are tokens and values hold no control characters (RFC 9110 sections
5.1 and 5.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from connectproxy.errors import Refusal
from connectproxy.wire.grammar import TCHAR, VALUE_OCTET, escape

__all__ = ["RequestFields", "ResponseFields", "readRequest", "readResponse", "readTrailers"]

Fields = tuple[tuple[bytes, bytes], ...]

_NAME = re.compile(rb"%b+" % TCHAR.replace(b"A-Z", b""))
_VALUE = re.compile(rb"(?:(?![\t ])%b*(?<![\t ]))?" % VALUE_OCTET)
_STATUS = re.compile(rb"[1-5][0-9]{2}")
_METHOD = re.compile(rb"%b+" % TCHAR)
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*")
_VISIBLE = re.compile(rb"[!-~]+")
"""What may stand in an authority and a path, before anybody looks into them."""

_CONNECTION = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
"""Fields of one connection, of which HTTP/2 has none (section 8.2.2)."""

_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path", b":protocol"})


class RequestFields(NamedTuple):
    """
    A request as its header section tells it; what is absent is empty.

    @ivar method: the method, which is case-sensitive.
    @ivar scheme: the scheme in lower case.
    @ivar authority: from C{:authority}, else from C{Host}.
    @ivar path: the path and query of the target.
    @ivar protocol: what an extended CONNECT asks for (RFC 8441 section 4).
    @ivar fields: the other fields in the order of arrival, the cookie's crumbs
        joined to one field (section 8.2.3).
    @ivar length: the C{Content-Length}; L{None} if there is none.
    """

    method: bytes
    scheme: bytes
    authority: bytes
    path: bytes
    protocol: bytes
    fields: Fields
    length: int | None = None


class ResponseFields(NamedTuple):
    """
    A response as its header section tells it.

    @ivar status: 100 to 599, and never 101, which HTTP/2 does not have (section 8.6).
    @ivar fields: the fields in the order of arrival.
    """

    status: int
    fields: Fields


def _malformed(detail: str) -> Refusal:
    return Refusal("http_request_error", detail)


def readRequest(section: Iterable[tuple[bytes, bytes]]) -> RequestFields | Refusal:
    """
    Read the header section of a request.

    @return: the request; or what makes it malformed.
    """
    pseudo: dict[bytes, bytes] = {}
    fields: list[tuple[bytes, bytes]] = []
    crumbs: list[bytes] = []
    host: bytes | None = None
    length: int | None = None
    for name, value in section:
        if name[:1] == b":":
            if fields or crumbs:
                return _malformed("a pseudo-field stands behind a field")
            if name in pseudo or name not in _PSEUDO:
                return _malformed(f"the pseudo-field {escape(name)} is unknown or comes twice")
            pseudo[name] = value
            continue
        wrong = _checkField(name, value)
        if wrong:
            return _malformed(wrong)
        if name == b"cookie":
            crumbs.append(value)
            continue
        if name == b"host":
            if host is not None:
                return _malformed("there are several Host fields")
            host = value
        elif name == b"content-length":
            if not value.isdigit() or len(value) > 18 or length not in (None, int(value)):
                return _malformed("the Content-Length is no number, or there are several")
            length = int(value)
        fields.append((name, value))
    if crumbs:
        fields.append((b"cookie", b"; ".join(crumbs)))
    found = RequestFields(
        pseudo.get(b":method", b""),
        pseudo.get(b":scheme", b"").lower(),
        pseudo.get(b":authority") or host or b"",
        pseudo.get(b":path", b""),
        pseudo.get(b":protocol", b""),
        tuple(fields),
        length,
    )
    wrong = _checkPseudo(pseudo, found, host)
    return _malformed(wrong) if wrong else found


def readResponse(section: Iterable[tuple[bytes, bytes]]) -> ResponseFields | Refusal:
    """
    Read the header section of a response (section 8.3.2).

    @return: the response; or, as C{next_hop_protocol_error}, what makes it malformed.
    """
    status = b""
    fields: list[tuple[bytes, bytes]] = []
    for name, value in section:
        if name[:1] != b":":
            wrong = _checkField(name, value)
            fields.append((bytes(name), bytes(value)))
        elif fields:
            wrong = "a pseudo-field stands behind a field"
        elif status or name != b":status":
            wrong = f"the pseudo-field {escape(name)} is unknown or comes twice"
        else:
            wrong = "" if _STATUS.fullmatch(value) and value != b"101" else "the :status is none"
            status = bytes(value)
        if wrong:
            return Refusal("next_hop_protocol_error", wrong)
    if not status:
        return Refusal("next_hop_protocol_error", "there is no :status")
    return ResponseFields(int(status), tuple(fields))


def readTrailers(section: Iterable[tuple[bytes, bytes]]) -> Fields | Refusal:
    """
    Read a trailer section (section 8.1).

    @return: the fields; or what makes it malformed.
    """
    fields = tuple((bytes(name), bytes(value)) for name, value in section)
    for name, value in fields:
        wrong = _checkField(name, value)
        if wrong:
            return _malformed(f"in the trailers, {wrong}")
    return fields


def _checkField(name: bytes, value: bytes) -> str:
    """
    What is wrong with a field; empty if nothing is.
    """
    if _NAME.fullmatch(name) is None:
        return f"the field name {escape(name)} has an octet that it must not have"
    if _VALUE.fullmatch(value) is None:
        return f"the value of {escape(name)} has an octet that it must not have, or white space around it"
    if name in _CONNECTION or (name == b"te" and value.lower() != b"trailers"):
        return f"{escape(name)} is a field of one connection, which HTTP/2 does not have"
    return ""


def _checkPseudo(pseudo: dict[bytes, bytes], found: RequestFields, host: bytes | None) -> str:
    """
    What is wrong with the pseudo-fields; empty if nothing is.
    """
    if _METHOD.fullmatch(found.method) is None:
        return "there is no valid :method"
    for name in (b":authority", b":path"):
        if name in pseudo and _VISIBLE.fullmatch(pseudo[name]) is None:
            return f"the value of {escape(name)} is empty or has an octet that it must not have"
    if b"#" in found.path:
        return "the :path has a fragment"
    if found.method == b"CONNECT" and b":protocol" not in pseudo:
        if b":scheme" in pseudo or b":path" in pseudo:
            return "a CONNECT has :scheme or :path"
        return "" if b":authority" in pseudo else "a CONNECT has no :authority"
    if b":protocol" in pseudo and (found.method != b"CONNECT" or _METHOD.fullmatch(found.protocol) is None):
        return ":protocol has no place there, or no valid value"
    if _SCHEME.fullmatch(found.scheme) is None or b":path" not in pseudo:
        return "there is no valid :scheme, or no :path"
    if found.scheme in (b"http", b"https"):
        if not found.authority:
            return "there is neither :authority nor Host"
        if found.path[:1] != b"/" and (found.path, found.method) != (b"*", b"OPTIONS"):
            return "the :path does not begin with a slash"
    if host is not None and host.lower() != found.authority.lower():
        return "Host is not what :authority is"
    return ""
