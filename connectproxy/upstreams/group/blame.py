"""
What a refusal says of the next hop that it came by.

Not all that a hop is at fault for by its looks is its fault.  Proxies say 503 of destinations
that they can't reach, some close the connection for that, and whoever waits for a silent
destination is silent himself.  If that took a hop out, a client who asks for three dead
destinations would take out one hop after the other, for everybody.  So there is a doubt in
these cases, which is settled by what another hop makes of the same request.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from connectproxy.errors import Refusal, Refused
from connectproxy.race import WORDS

__all__ = ["Blame", "blameOf", "wordsOf"]


class Blame(Enum):
    """
    Who is at fault.
    """

    HOP = "hop"
    """The hop, whatever was asked of it."""

    DOUBT = "doubt"
    """The hop, or the destination behind it: another hop may do better, and if it does, the
    first one was at fault."""

    DESTINATION = "destination"
    """The destination, or a rule of the hop's: the hop has answered, and others would say the same."""

    NOBODY = "nobody"
    """The hop has not been asked: this proxy's own policy, or its want of something."""


_OWN = frozenset({"connection_limit_reached", "proxy_draining", "proxy_exhausted", "proxy_internal_error"})
"""What this proxy lacks or fails at; the next one would fare no better."""

_DOUBTFUL = frozenset({"next_hop_gone", "next_hop_silent", "next_hop_unavailable"})

_SAID: Mapping[str, str] = MappingProxyType(
    {
        "dns_error": "has a name without an address",
        "dns_timeout": "has a name that could not be looked up in time",
        "next_hop_authentication_failed": "does not accept the credentials",
        "next_hop_gone": "closed the connection before it had answered",
        "next_hop_protocol_error": "does not answer as its protocol says",
        "next_hop_silent": "did not answer in time",
        "next_hop_unavailable": "said that it could not serve a request",
        "tls_alert_received": "ended the TLS handshake with an alert",
        "tls_certificate_error": "has not the certificate that it should have",
        "tls_protocol_error": "failed the TLS handshake",
        "upstream_unavailable": "has no next hop that can be used",
        **WORDS,
    }
)


def blameOf(refused: Refused) -> Blame:
    """
    Find out who is at fault.
    """
    kind = refused.refusal.kind
    if kind in _OWN:
        return Blame.NOBODY
    if refused.hop:
        return Blame.DOUBT if kind in _DOUBTFUL else Blame.HOP
    if refused.refusal.received or any(result == "connected" for _, result, _ in refused.tried):
        return Blame.DESTINATION
    return Blame.NOBODY


def wordsOf(refusal: Refusal) -> str:
    """
    What a hop has failed with, for a client who may not be the one that it failed for: so
    there is nothing in it of what that one had asked for.
    """
    return _SAID.get(refusal.kind, f"failed ({refusal.kind})")
