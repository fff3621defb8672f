"""
Who uses the proxy: every way to find that out, and one identity that it ends in.

L{buildAuthenticator} makes from a configuration what the rest asks, an
L{connectproxy.interfaces.IAuthenticator}.  Behind it is a Portal of L{twisted.cred}.

  - L{connectproxy.auth.authenticator} puts all ways together;
    L{connectproxy.auth.refusals} has its words, and the challenges;
  - L{connectproxy.auth.realm} makes the avatar, and knows who is in which group;
  - L{connectproxy.auth.credentials} is what clients give;
  - L{connectproxy.auth.checkers} asks those who know passwords: L{connectproxy.auth.pair},
    L{connectproxy.auth.htpasswd} with its L{connectproxy.auth.hashes}, and anybody's;
  - L{connectproxy.auth.schemes} asks L{connectproxy.auth.tokens} and
    L{connectproxy.auth.digest};
  - L{connectproxy.auth.connection} knows clients by what they need not say;
  - L{connectproxy.auth.hashing}, L{connectproxy.auth.checks} and
    L{connectproxy.auth.cache} keep passwords from costing more than they must;
  - L{connectproxy.auth.throttle} keeps them from being guessed.
"""

from __future__ import annotations

from connectproxy.auth.authenticator import Authenticator
from connectproxy.auth.build import buildAuthenticator

__all__ = ["Authenticator", "buildAuthenticator"]
