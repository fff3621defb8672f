"""
Who may use the proxy.

For now that is one user with one password, the same for every protocol.
"""

from __future__ import annotations

import hashlib
import secrets
from hmac import compare_digest

from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import IAuthenticator
from connectproxy.wire.authorization import normalForm, parseBasic

__all__ = ["OneUser"]

_WRONG = Refusal("proxy_authentication_required", "the user or the password is wrong")


@implementer(IAuthenticator)
class OneUser:
    """
    Knows one user by a password.

    What is kept and compared are digests with a secret key: equally long whatever a
    client sends, so that the time which comparing takes says nothing, and no use to
    whoever gets to see them.  A password chosen by the operator and kept in memory
    needs no slow hash: there is no file of hashes to steal.
    """

    def __init__(self, user: str, password: str) -> None:
        """
        @param user: without a colon, not empty.
        @param password: anything without control characters.
        @raise ValueError: they are not.
        """
        # A lone surrogate becomes what is no UTF-8, and not an exception that has the password.
        given = [normalForm(each.encode("utf-8", "surrogatepass")) for each in (user, password)]
        if not user or ":" in user or given[0] is None or given[1] is None:
            raise ValueError("a user has a name without a colon, and neither has control characters")
        self._key = secrets.token_bytes(32)
        self._name = given[0].decode("utf-8")
        self._expected = self._digest(given[0], given[1])

    def _digest(self, user: bytes, password: bytes) -> bytes:
        return hashlib.blake2b(b"%d:%b%b" % (len(user), user, password), key=self._key).digest()

    def identify(self, fields: tuple[tuple[bytes, bytes], ...]) -> str | Refusal:
        """
        See L{IAuthenticator.identify}.
        """
        found = parseBasic([value for name, value in fields if name == b"proxy-authorization"])
        if isinstance(found, str):
            return Refusal("proxy_authentication_required", found)
        return self._judge(found.user, found.password)

    def check(self, user: bytes, password: bytes) -> str | Refusal:
        """
        See L{IAuthenticator.check}.
        """
        given = normalForm(user), normalForm(password)
        if given[0] is None or given[1] is None:
            return _WRONG
        return self._judge(given[0], given[1])

    def _judge(self, user: bytes, password: bytes) -> str | Refusal:
        return self._name if compare_digest(self._digest(user, password), self._expected) else _WRONG
