"""
What only several keys of a C{[[listen]]} table together can be right or wrong about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["disagreements", "settled"]


def disagreements(endpoint: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """
    Find what does not go together.

    @param endpoint: a Twisted server endpoint string.
    @param options: the values of the other keys, by name.
    @return: for each problem the name of a key, what is wrong, what would be right.
    """
    certificates, keys = options["tls_certificate"], options["tls_key"]
    asked, authorities = options["client_certificates"], options["client_ca"]
    if certificates and endpoint.startswith("ssl:"):
        yield (
            "tls_certificate",
            "an ssl: endpoint has TLS of its own",
            "write tcp: in its place, without privateKey and certKey",
        )
    if keys and len(keys) != len(certificates):
        yield (
            "tls_key",
            f"there are {len(certificates)} certificates and {len(keys)} keys",
            "give a key for each certificate, in the same order; or none, if each is in the file of its certificate",
        )
    if asked != "none" and not certificates:
        yield "client_certificates", "clients show certificates only within TLS", "add tls_certificate"
    elif asked != "none" and not authorities:
        yield (
            "client_certificates",
            "nothing says whose certificates are good",
            "name a file with the certificates of CAs in client_ca",
        )
    if authorities and asked == "none":
        yield (
            "client_ca",
            "no client is asked for a certificate",
            'say client_certificates = "optional" or "required"',
        )
    if options["require_tls"] and not certificates:
        yield "require_tls", "there is no certificate to speak TLS with", "add tls_certificate"


def settled(endpoint: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """
    The options as a listener uses them.

    A key's file is named for each certificate, be it the same one; and where clients must
    have certificates they must speak TLS, or it would be enough not to.  Whether clients are
    asked who they are stays open where it is not said: what is read anew may change it.
    """
    return {
        **options,
        "name": options["name"] or endpoint,
        "tls_key": options["tls_key"] or options["tls_certificate"],
        "require_tls": options["require_tls"] or options["client_certificates"] == "required",
    }
