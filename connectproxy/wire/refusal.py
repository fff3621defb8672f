"""
The answer over HTTP that tells a client why there is no tunnel.

Owns its fields and the words of its body, from the rows of L{connectproxy.errors}; what a
program is told in the place of these is L{connectproxy.wire.problem}'s, and how a response
is written L{connectproxy.wire.http1}'s.
"""

from __future__ import annotations

from connectproxy.errors import Refusal
from connectproxy.wire.authorization import challenge
from connectproxy.wire.date import date
from connectproxy.wire.http1 import formatResponse
from connectproxy.wire.problem import MEDIA_TYPE, problem, wantsProblem
from connectproxy.wire.proxystatus import proxyStatus

__all__ = ["explain", "formatRefusal"]

Fields = tuple[tuple[bytes, bytes], ...]


def _words(refusal: Refusal, identifier: str) -> bytes:
    """
    What there is to say to people.
    """
    row = refusal.row
    lines = [f"{row.status} {row.reason}", "", row.cause]
    if refusal.detail:
        lines.append(f"Detail: {refusal.detail}.")
    if refusal.rule:
        lines.append(f"Rule: {refusal.rule}.")
    lines += [f"What to do: {refusal.message or row.remedy}", f"({identifier}: {refusal.kind})", ""]
    return "\n".join(lines).encode("utf-8")


def explain(
    refusal: Refusal, identifier: str, asked: Fields = (), target: str = ""
) -> tuple[list[tuple[str, str]], bytes]:
    """
    What there is to say of a refusal, in whatever version of HTTP.

    The C{Proxy-Status} field has the error type, and the status by which a next hop has
    refused, behind what that has said itself; no details: they would go to
    whoever asks, and the body says what concerns the client.

    @param identifier: what the proxy calls itself.
    @param asked: the fields of the request, with names in lower case, as far as they have
        been read: they say in which form the client wants to know.
    @param target: where the client wanted to go to, as it has said itself; empty where that
        is not known.
    @return: the fields, with the names as HTTP/1 writes them, and the body.
    """
    row = refusal.row
    if wantsProblem(asked):
        kind, body = MEDIA_TYPE, problem(refusal, identifier, target)
    else:
        kind, body = "text/plain; charset=utf-8", _words(refusal, identifier)
    ours = proxyStatus(identifier, row, received=refusal.received)
    fields = [
        ("Date", date().decode("ascii")),
        ("Proxy-Status", f"{refusal.members}, {ours}" if refusal.members else ours),
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *refusal.fields,
    ]
    if row.status == 407 and all(name.lower() != "proxy-authenticate" for name, _ in refusal.fields):
        fields.append(("Proxy-Authenticate", challenge(identifier)))
    return fields, body


def formatRefusal(
    refusal: Refusal,
    identifier: str,
    *,
    withBody: bool = True,
    close: bool = True,
    asked: Fields = (),
    target: str = "",
) -> bytes:
    """
    The answer that tells a client of HTTP/1 why there is no tunnel.

    @param identifier: what the proxy calls itself.
    @param withBody: C{False} for the answer to HEAD.
    @param close: whether the connection ends with it.
    @param asked: as L{explain} takes it.
    @param target: likewise.
    """
    fields, body = explain(refusal, identifier, asked, target)
    if close:
        fields.append(("Connection", "close"))
    row = refusal.row
    return formatResponse(row.status, row.reason, fields, body if withBody else b"")
