"""
Several checkers of passwords as one, some of them anybody's.

A checker of our own says whether it knows a user, and the first that does decides.
Somebody else's (L{twisted.cred.strcred}) can only be tried: it is called in the reactor's
thread, as C{ICredentialsChecker} has it, and may give a Deferred; it may also fail in any
way, and what it says then is not passed on, since the password may be in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred import strcred
from twisted.cred.checkers import ICredentialsChecker, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from connectproxy.auth.hashing import Busy, Wasted
from connectproxy.auth.realm import avatarName
from connectproxy.config import Problem
from connectproxy.discovery import Unloadable
from connectproxy.discovery import checkers as installed

__all__ = ["Broken", "FirstOf", "makeCheckers", "whereRaised"]

KEY = "auth.checkers"


class Broken(Exception):
    """
    A checker could not do its work; that has been logged.
    """


def whereRaised(error: BaseException) -> str:
    """
    Describe an exception without anything that it says: its class and the last place.
    """
    last, line = error.__traceback__, 0
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    name = type(error).__qualname__
    if last is None:
        return name
    line, code = last.tb_lineno, last.tb_frame.f_code
    return f"{name} in {code.co_name} ({code.co_filename}:{line})"


def makeCheckers(descriptions: Sequence[str], problems: list[Problem]) -> list[tuple[str, Any]]:
    """
    Make the checkers that strings describe, as for C{twistd}'s own C{--auth}.  Loads
    plugins, and may read files.

    @param problems: where everything is added that is wrong with them.  Of what stands
        behind the colon nothing is repeated: for some it is a password.
    @return: the kind of each, and the checker.
    """
    made = []
    for description in descriptions:
        kind = description.partition(":")[0][:40]  # of a string that does not show itself, one that does
        shown = kind.encode("unicode_escape").decode("ascii")
        wrong, advice = (
            "",
            "twistd web --help-auth tells which there are, and twistd web --help-auth-type each",
        )
        checker: Any = None
        try:
            checker = _make(description)
        except strcred.InvalidAuthType:
            wrong = "there is no checker of this kind"
        except Unloadable as error:
            wrong, advice = str(error), ""
        except Exception as error:  # noqa: BLE001 - it is anybody's
            wrong = f"the checker could not be made: {whereRaised(error)}"
        else:
            if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
                # Twisted's plugin leaves strings where this checker looks for octets.
                checker.users = {_octets(user): _octets(password) for user, password in checker.users.items()}
            takes = getattr(checker, "credentialInterfaces", ())
            if not any(each.isOrExtends(IUsernamePassword) or each is IUsernamePassword for each in takes):
                names = ", ".join(each.__name__ for each in takes) or "nothing"
                wrong = f"the checker takes no name and password: it takes {names}"
                advice = (
                    'to serve clients that do not say who they are, say authentication = "optional" or "off"'
                )
        if wrong:
            problems.append(Problem(KEY, f"{KEY} {shown}", wrong, advice))
        else:
            made.append((kind, checker))
    return made


def _make(description: str) -> Any:
    """
    Make a checker: Twisted's and those of its plugins go before those of entry points.

    @raise strcred.InvalidAuthType: nobody has one of this kind.
    @raise Unloadable: one can't be loaded.
    """
    try:
        return strcred.makeChecker(description)
    except strcred.InvalidAuthType:
        kind, _, argument = description.partition(":")
        factory = installed(strcred.ICheckerFactory).get(kind)
        if factory is None:
            raise
    return factory.generateChecker(argument)


def _octets(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


@implementer(ICredentialsChecker)
class FirstOf:
    """
    Asks checkers in their order.
    """

    credentialInterfaces = (IUsernamePassword,)
    _log = Logger()

    def __init__(
        self,
        own: Sequence[Any],
        others: Sequence[tuple[str, Any]] = (),
        reject: Callable[[Any], Deferred[Any]] | None = None,
    ) -> None:
        """
        @param own: checkers that have C{knows}.
        @param others: the kinds of others, and these.
        @param reject: fails with L{UnauthorizedLogin} after as long a time as the slowest
            of them takes, or with L{Busy}; so that nobody can tell by the time who knew
            the user.
        """
        self._own = own
        self._others = others
        self._reject = reject

    def requestAvatarId(self, credentials: Any) -> Any:
        """
        Check a name and a password.

        @return: the user's name, or a Deferred of it.  It fails with
            L{UnauthorizedLogin}; with L{Busy}; with L{Broken}, if one of the checkers
            could not tell and none of the others knew better.  Cancelled, it cancels
            what it waits for.
        """
        for each in self._own:
            if each.knows(credentials.username):
                try:
                    return each.requestAvatarId(credentials)
                except UnauthorizedLogin:
                    return fail(UnauthorizedLogin()) if self._reject is None else self._reject(credentials)
        return Deferred.fromCoroutine(self._try(credentials))

    async def _try(self, credentials: Any) -> str | bytes:
        """
        Try those that can't say whom they know.
        """
        broken = False
        for kind, checker in self._others:
            try:
                avatarId = await maybeDeferred(checker.requestAvatarId, credentials)
            except (CancelledError, Busy, Wasted):
                raise
            except LoginFailed:
                continue
            except Exception as error:  # noqa: BLE001 - it is anybody's
                self._complain(kind, f"failed with {whereRaised(error)}")
                broken = True
                continue
            name = avatarName(avatarId)
            if name is not None:
                return name
            self._complain(kind, f"gave a {type(avatarId).__qualname__} that is not the name of a user")
            broken = True
        if broken:
            raise Broken
        if self._reject is not None:
            await self._reject(credentials)
        raise UnauthorizedLogin

    def _complain(self, kind: str, words: str) -> None:
        self._log.error("the checker {kind} could not check a password: it {words}", kind=kind, words=words)
