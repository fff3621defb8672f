"""
What events say of a client, whatever became of its request.

L{connectproxy.ledger} declares the fields and writes them; here they are filled in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress

from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, Attempt, Outcome, ProxyUser, TunnelRequest

__all__ = [
    "describeClient",
    "describeOutcome",
    "describeRequest",
    "headerField",
    "milliseconds",
    "showAddress",
    "showAttempts",
    "showCertificate",
]

FIELD_LIMIT = 128
"""Characters of a header field that an event keeps."""

_NO_ARRIVAL = Arrival(UNIXAddress(None), "", 0.0)
"""For requests of whose connection nothing is known."""

_NOBODY = ProxyUser("")


def showAddress(address: IAddress) -> str:
    """
    An address in one string, as events have it.
    """
    if isinstance(address, UNIXAddress):
        return "unix"
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None:
        return "unknown"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def showCertificate(arrival: Arrival | None) -> str | None:
    """
    Whose certificate a client has shown, as events have it: its subject, or what tells
    it from all others where it has none.
    """
    if arrival is None or arrival.certificate is None:
        return None
    return arrival.certificate.subject or f"sha256:{arrival.certificate.fingerprint}"


def headerField(fields: tuple[tuple[bytes, bytes], ...], name: bytes) -> str | None:
    """
    The first header field of that name, as text.
    """
    for each, value in fields:
        if each == name:
            return value[:FIELD_LIMIT].decode("latin-1")
    return None


def milliseconds(seconds: float) -> float:
    """
    A span of time as events have it.
    """
    return int(seconds * 1e6) / 1e3


def describeClient(request: TunnelRequest) -> dict[str, Any]:
    """
    The fields of an event that say who asked, and how it came here.
    """
    arrival, identity = request.arrival or _NO_ARRIVAL, request.identity or _NOBODY
    return {
        "listener": request.listener,
        "client": showAddress(request.client),
        "sender": showAddress(arrival.sender) if arrival.sender else None,
        "user": identity.name or None,
        "groups": sorted(identity.groups) if identity.groups else (),
        "means": identity.means or None,
        "tls": arrival.tls,
        "certificate": showCertificate(arrival),
        "protocol": request.protocol,
        "method": request.method,
    }


def showAttempts(tried: Iterable[Attempt]) -> list[dict[str, Any]]:
    """
    What became of each address, as events have it.
    """
    return [
        {"address": each.address, "result": each.result, "ms": milliseconds(each.seconds)} for each in tried
    ]


def describeOutcome(outcome: Outcome, refusal: Refusal | None) -> dict[str, Any]:
    """
    The fields of an event that say how it ended.
    """
    return {
        "status": outcome.status,
        "error": refusal.kind if refusal is not None else None,
        "received_status": (refusal.received or None) if refusal is not None else None,
        "bytes_up": outcome.bytesUp,
        "bytes_down": outcome.bytesDown,
        "ended_by": outcome.endedBy,
        "phase": outcome.phase.value,
        "end": outcome.kind,
    }


def describeRequest(request: TunnelRequest) -> dict[str, Any]:
    """
    The fields of an event that say what a request was for.
    """
    target, host = str(request.destination), headerField(request.fields, b"host")
    if host is not None and host.lower() in (target, request.destination.uriHost):
        host = None
    return {
        "target": target,
        "host": host,
        "user_agent": headerField(request.fields, b"user-agent"),
        "alpn": headerField(request.fields, b"alpn"),
    }
