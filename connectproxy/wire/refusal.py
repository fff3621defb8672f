"""
The answer over HTTP that tells a client why there is no tunnel.

Owns its fields and the words of its body, from the rows of L{connectproxy.errors};
how a response is written is L{connectproxy.wire.http1}'s.
"""

from __future__ import annotations

from connectproxy.errors import Refusal
from connectproxy.wire.authorization import challenge
from connectproxy.wire.date import date
from connectproxy.wire.http1 import formatResponse
from connectproxy.wire.proxystatus import proxyStatus

__all__ = ["explain", "formatRefusal"]


def explain(refusal: Refusal, identifier: str) -> tuple[list[tuple[str, str]], bytes]:
    """
    What there is to say of a refusal, in whatever version of HTTP.

    The C{Proxy-Status} field has the error type only: its details would go to
    whoever asks, and the body says what concerns the client.

    @param identifier: what the proxy calls itself.
    @return: the fields, with the names as HTTP/1 writes them, and the body.
    """
    row = refusal.row
    lines = [f"{row.status} {row.reason}", "", row.cause]
    if refusal.detail:
        lines.append(f"Detail: {refusal.detail}.")
    if refusal.rule:
        lines.append(f"Rule: {refusal.rule}.")
    lines += [f"What to do: {row.remedy}", f"({identifier}: {refusal.kind})", ""]
    body = "\n".join(lines).encode("utf-8")
    fields = [
        ("Date", date().decode("ascii")),
        ("Proxy-Status", proxyStatus(identifier, row)),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    if row.status == 407:
        fields.append(("Proxy-Authenticate", challenge(identifier)))
    return fields, body


def formatRefusal(refusal: Refusal, identifier: str, *, withBody: bool = True, close: bool = True) -> bytes:
    """
    The answer that tells a client of HTTP/1 why there is no tunnel.

    @param identifier: what the proxy calls itself.
    @param withBody: C{False} for the answer to HEAD.
    @param close: whether the connection ends with it.
    """
    fields, body = explain(refusal, identifier)
    if close:
        fields.append(("Connection", "close"))
    row = refusal.row
    return formatResponse(row.status, row.reason, fields, body if withBody else b"")
