"""
What a client gives to prove who it is, as L{twisted.cred} passes it to checkers.

One class for each way, each with its own interface, by which the Portal finds the
checker.  Nothing of what is in them shows: not in C{repr}, nor in a traceback with the
values of variables.
"""

from __future__ import annotations

from hmac import compare_digest

from twisted.cred.credentials import ICredentials, IUsernamePassword
from zope.interface import Attribute, implementer

from connectproxy.wire.authorization import Digest

__all__ = ["Digested", "IDigested", "ISigned", "Signed", "UserPassword"]


class ISigned(ICredentials):
    """
    A token that was signed with a key of the proxy's operator.
    """

    token: bytes = Attribute("The token.")
    user: bytes = Attribute("What stands in front of it where it is a password; else empty.")
    lasts: float = Attribute("Set by the checker: for how many seconds it is good.")


class IDigested(ICredentials):
    """
    The answer to a challenge of the scheme Digest (RFC 7616).
    """

    digest: Digest = Attribute("The L{connectproxy.wire.authorization.Digest}.")
    method: str = Attribute("The method of the request that it came with.")
    target: bytes = Attribute("The target of that request, as it was sent.")


class _Hidden:
    """
    Does not show what it has.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@implementer(IUsernamePassword)
class UserPassword(_Hidden):
    """
    A name and a password, over HTTP or SOCKS.

    @ivar username: octets of UTF-8 in Normalization Form C, as Twisted's checkers take them.
    @ivar password: likewise.
    """

    __slots__ = ("password", "username")

    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = password

    def checkPassword(self, password: bytes) -> bool:
        """
        Compare with the right one, which a checker has in clear, in a time that does not
        tell where they differ.
        """
        right = password if isinstance(password, bytes) else str(password).encode("utf-8", "surrogatepass")
        return compare_digest(self.password, right)


@implementer(ISigned)
class Signed(_Hidden):
    """
    A token.

    @see: L{ISigned}
    """

    __slots__ = ("lasts", "token", "user")

    def __init__(self, token: bytes, user: bytes) -> None:
        self.token = token
        self.user = user
        self.lasts = 0.0


@implementer(IDigested)
class Digested(_Hidden):
    """
    A digest.

    @see: L{IDigested}
    """

    __slots__ = ("digest", "method", "target")

    def __init__(self, digest: Digest, method: str, target: bytes) -> None:
        self.digest = digest
        self.method = method
        self.target = target
