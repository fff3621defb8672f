"""
A checker that fails, and says in its failures what it was given: put where Twisted looks for
plugins, it is the kind C{talkative}.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import ICheckerFactory
from twisted.internet.defer import fail
from twisted.plugin import IPlugin
from zope.interface import implementer

__all__ = ["factory"]


@implementer(ICredentialsChecker)
class Checker:
    """
    Fails by an exception, by a Deferred or by what it gives, as the user's name has it.
    """

    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> Any:
        """
        Fail.
        """
        said = f"{credentials.username!r} {credentials.password!r} {credentials!r}"
        if credentials.username == b"raises":
            raise RuntimeError(said)
        if credentials.username == b"fails":
            return fail(ValueError(said, credentials))
        if credentials.username == b"gives":
            return [said]
        raise UnauthorizedLogin(said)


@implementer(ICheckerFactory, IPlugin)
class Factory:
    """
    Makes it.
    """

    authType = "talkative"
    authHelp = ""
    argStringFormat = ""
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argument: str) -> Checker:
        """
        @param argument: whatever it is.
        """
        return Checker()


factory = Factory()
