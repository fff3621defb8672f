"""
The Proxy-Authorization field with the schemes Basic, Digest and Bearer, and the
challenges that ask for them (RFC 9110 sections 11.3 to 11.7, RFC 7617, RFC 7616, RFC
6750).

Owns the grammar, and of Digest the arithmetic; who may come in is not known here.  Left
out: every other scheme, C{auth-int}, and what RFC 2069 had without C{qop}.
"""

from __future__ import annotations

from connectproxy.wire.authorization.basic import Basic, challenge, normalForm
from connectproxy.wire.authorization.bearer import Bearer, bearerChallenge
from connectproxy.wire.authorization.credentials import parseBasic, parseCredentials
from connectproxy.wire.authorization.digest import (
    Digest,
    authenticationInformation,
    digestChallenge,
    nameHash,
    secretHash,
)
from connectproxy.wire.authorization.parameters import MOST

__all__ = [
    "MOST",
    "Basic",
    "Bearer",
    "Digest",
    "authenticationInformation",
    "bearerChallenge",
    "challenge",
    "digestChallenge",
    "nameHash",
    "normalForm",
    "parseBasic",
    "parseCredentials",
    "secretHash",
]
