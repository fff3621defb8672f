"""
What a client is told that is not let in, and the challenges that go with it.
"""

from __future__ import annotations

from typing import NamedTuple

from connectproxy.auth.digest import DigestScheme
from connectproxy.errors import Refusal
from connectproxy.wire.authorization import bearerChallenge, challenge

__all__ = ["BROKEN", "BUSY", "CLEAR", "STRANGER", "WRONG", "Challenges", "tooMany"]

WRONG = "the user or the password is wrong"

CLEAR = Refusal(
    "http_request_denied",
    "credentials would go to the proxy in clear text, where others could read them, and it takes none like that",
    message="Reach the proxy by TLS: name it as https://, and not http://, in the client's setting;"
    " the operator can lift this with auth.require_tls.",
)
"""No 407: whoever gets one sends the password."""

STRANGER = Refusal(
    "http_request_denied",
    "the proxy serves clients that it knows by their connection, and does not know this one",
    message="Ask the operator of the proxy to add the client's certificate or network to an [[identity]] table.",
)
"""No 407: there is nothing that a client could say."""

BUSY = Refusal(
    "login_limit_reached",
    "too many passwords are being checked at the moment",
    message="Try again in a few seconds.",
    fields=(("Retry-After", "2"),),
)

BROKEN = Refusal(
    "proxy_internal_error",
    "the credentials could not be checked",
    message="Try again later; the operator finds the failure in the proxy's log.",
)


def tooMany(seconds: int) -> Refusal:
    """
    There were too many wrong credentials.

    @param seconds: until one is listened to again, at least 1.
    """
    detail = f"there were too many wrong credentials; more are looked at in {seconds} s"
    return Refusal("login_limit_reached", detail, fields=(("Retry-After", str(seconds)),))


class Challenges(NamedTuple):
    """
    What clients are asked for.

    @ivar realm: printable ASCII.
    @ivar digest: makes the challenges of Digest; L{None} if there is nobody who has one.
    @ivar passwords: somebody knows passwords.
    @ivar bearer: tokens are taken; clients that know no Bearer give them as a password.
    """

    realm: str
    digest: DigestScheme | None = None
    passwords: bool = False
    bearer: bool = False

    def __bool__(self) -> bool:
        """Whether a client could say anything at all."""
        return self.passwords or self.bearer or self.digest is not None

    def remedy(self) -> str:
        """
        What to do about a 407: empty where passwords are all that there is, of which the
        refusal itself speaks.
        """
        if not self.bearer:
            return ""
        if self.passwords or self.digest is not None:
            return (
                "Give the client the user and password of the proxy, as in http://user:password@proxy:8080, or a"
                " token as the password of the user token."
            )
        return (
            "Give the client a token as the password of the user token, as in http://token:TOKEN@proxy:8080, or in"
            " Proxy-Authorization: Bearer TOKEN. The operator of the proxy makes tokens (connectproxy token)."
        )

    def fields(self, *, stale: bool = False, error: str = "") -> tuple[tuple[str, str], ...]:
        """
        The header fields of a 407, one challenge each: not every client takes lists apart.

        @param stale: see L{DigestScheme.challenges}.
        @param error: what is wrong with a token that came.
        """
        values = [] if self.digest is None else [*self.digest.challenges(stale)]
        if self.passwords or self.bearer:
            values.append(challenge(self.realm))
        if self.bearer:
            values.append(bearerChallenge(self.realm, "invalid_token" if error else "", error))
        return tuple(("Proxy-Authenticate", value) for value in values)
