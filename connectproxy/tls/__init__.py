"""
TLS between clients and the proxy, and between the proxy and next hops.

  - L{connectproxy.tls.files} reads certificates and keys;
  - L{connectproxy.tls.context} makes contexts of them, anew when they change;
  - L{connectproxy.tls.transport} puts TLS onto a connected transport, of which
    L{connectproxy.tls.layer} passes on the rest;
  - L{connectproxy.tls.identity} tells who a client is by its certificate;
  - L{connectproxy.tls.failure} tells why a handshake failed.

Towards a next hop:

  - L{connectproxy.tls.client} makes contexts, and the client's side of a connection;
  - L{connectproxy.tls.trust} says whether the hop is who it should be;
  - L{connectproxy.tls.blame} makes a refusal of a handshake that failed.
"""

from __future__ import annotations

from connectproxy.tls.blame import handshakeRefusal
from connectproxy.tls.client import ClientOptions, ClientTLS
from connectproxy.tls.context import ServerTLS, TLSOptions
from connectproxy.tls.failure import handshakeFailure
from connectproxy.tls.identity import ClientCertificate, clientIdentity
from connectproxy.tls.transport import TLSTransport, secure

__all__ = [
    "ClientCertificate",
    "ClientOptions",
    "ClientTLS",
    "ServerTLS",
    "TLSOptions",
    "TLSTransport",
    "clientIdentity",
    "handshakeFailure",
    "handshakeRefusal",
    "secure",
]
