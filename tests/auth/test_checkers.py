"""
Tests for L{connectproxy.auth.checkers}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.cred import strcred
from twisted.cred.checkers import (
    ANONYMOUS,
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.auth.checkers import Broken, FirstOf, makeCheckers, whereRaised
from connectproxy.auth.credentials import UserPassword
from connectproxy.auth.hashing import Busy
from connectproxy.auth.pair import OnePair
from connectproxy.config import Problem
from tests.auth.case import SECRET, Checker
from tests.installed import install


class WhereTests(SynchronousTestCase):
    """
    Exceptions, without what they say.
    """

    def test_where(self) -> None:
        """
        The class and the place are told, and no word of the exception (conformance 69).
        """
        try:
            int(SECRET)
        except ValueError as error:
            self.assertRegex(whereRaised(error), rf"\AValueError in test_where \({__file__}:[0-9]+\)\Z")
        self.assertEqual(whereRaised(KeyError(SECRET)), "KeyError")

    def test_deep(self) -> None:
        """
        The place is where it was raised.
        """

        def inner() -> None:
            raise KeyError(SECRET)

        try:
            inner()
        except KeyError as error:
            self.assertIn("KeyError in inner (", whereRaised(error))


class MakeTests(SynchronousTestCase):
    """
    Checkers by strings.
    """

    def make(self, *descriptions: str) -> tuple[list[tuple[str, Any]], list[Problem]]:
        """
        Make checkers.
        """
        problems: list[Problem] = []
        return makeCheckers(descriptions, problems), problems

    def test_made(self) -> None:
        """
        Twisted's own are made.
        """
        path = Path(self.mktemp())
        path.write_text(f"zoe:{SECRET}\n")
        made, problems = self.make(f"file:{path}", f"memory:zoe:{SECRET}")
        self.assertEqual(([kind for kind, _ in made], problems), (["file", "memory"], []))
        self.assertIsInstance(made[0][1], FilePasswordDB)

    def test_problems(self) -> None:
        """
        What can't be made, or knows no passwords, is told, without what stands behind the
        colon: it may be a password (conformance 69).
        """
        made, problems = self.make("nosuch:" + SECRET, "anonymous", "memory:" + SECRET, "a\nb")
        self.assertEqual(made, [])
        self.assertEqual(
            [each.place for each in problems],
            [
                "auth.checkers nosuch",
                "auth.checkers anonymous",
                "auth.checkers memory",
                "auth.checkers a\\nb",
            ],
        )
        self.assertIn("no checker of this kind", problems[0].message)
        self.assertIn("it takes IAnonymous", problems[1].message)
        self.assertIn('authentication = "optional"', problems[1].advice)
        self.assertIn("could not be made: InvalidAuthArgumentString", problems[2].message)
        self.assertNotIn(SECRET, str(problems))

    def test_installed(self) -> None:
        """
        One that is not Twisted's is found by an entry point, and told what stands behind the
        colon; Twisted's own can't be replaced.
        """
        points = {"table": "toys_checker:table", "memory": "toys_checker:table", "broken": "toys_nothing:x"}
        install(self, {"connectproxy.checkers": points}, {"toys_checker": FACTORY})
        made, problems = self.make(f"table:{SECRET}", f"memory:zoe:{SECRET}", "table")
        self.assertEqual(problems, [])
        self.assertEqual([kind for kind, _ in made], ["table", "memory", "table"])
        self.assertEqual([made[0][1].argument, made[2][1].argument], [SECRET, ""])
        self.assertIsInstance(made[1][1], InMemoryUsernamePasswordDatabaseDontUse)

    def test_unloadable(self) -> None:
        """
        Where that can't be loaded, it is told why.
        """
        install(self, {"connectproxy.checkers": {"broken": "toys_nothing:x"}})
        made, problems = self.make(f"broken:{SECRET}")
        self.assertEqual(made, [])
        self.assertEqual(
            str(problems[0]),
            "auth.checkers broken: the entry point broken = toys_nothing:x of toys 1.0 can't be loaded:"
            " ModuleNotFoundError: No module named 'toys_nothing'",
        )


FACTORY = """
from zope.interface import implementer
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory

class Table:
    credentialInterfaces = (IUsernamePassword,)

@implementer(ICheckerFactory)
class Factory:
    authType = "table"

    def generateChecker(self, argument):
        made = Table()
        made.argument = argument
        return made

table = Factory()
"""


class FirstOfTests(SynchronousTestCase):
    """
    Several as one.
    """

    def setUp(self) -> None:
        """
        Keep what is logged.
        """
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def ask(self, first: FirstOf, user: str = "zoe", password: str = SECRET) -> Deferred[Any]:
        """
        Check a pair.
        """
        return maybeDeferred(first.requestAvatarId, UserPassword(user.encode(), password.encode()))

    def test_interface(self) -> None:
        """
        It is a checker.
        """
        verifyObject(ICredentialsChecker, FirstOf(()))

    def test_own(self) -> None:
        """
        The first of our own that knows a user decides, also against.
        """
        other = Checker("zoe")
        first = FirstOf([OnePair("zoe", "one"), OnePair("zoe", "two")], [("x", other)])
        self.assertEqual(self.successResultOf(self.ask(first, "zoe", "one")), b"zoe")
        self.failureResultOf(self.ask(first, "zoe", "two"), UnauthorizedLogin)
        self.assertEqual(other.asked, 0)

    def test_others(self) -> None:
        """
        Others are asked in their order, until one knows better; be it later.
        """
        later: Deferred[Any] = Deferred()
        checkers = [Checker(), Checker(lambda _: fail(LoginFailed())), Checker(later), Checker("not asked")]
        asked = self.ask(FirstOf([OnePair("one", "x")], [("x", each) for each in checkers]))
        self.assertNoResult(asked)
        later.callback("zoe\u0308".encode())
        self.assertEqual(self.successResultOf(asked), "zoë")
        self.assertEqual([each.asked for each in checkers], [1, 1, 1, 0])
        self.assertEqual(self.events, [])

    def test_nobody(self) -> None:
        """
        Where nobody knows a user the answer is no, after as long a time as any.
        """
        slow: list[Deferred[Any]] = []

        def reject(credentials: Any) -> Deferred[Any]:
            slow.append(Deferred())
            return slow[-1]

        for first, user in (
            (FirstOf([OnePair("one", "x")], [("x", Checker())], reject), "zoe"),
            (FirstOf([OnePair("one", "x")], [("x", Checker())], reject), "one"),
        ):
            asked = self.ask(first, user)
            self.assertNoResult(asked)
            slow.pop().errback(UnauthorizedLogin())
            self.failureResultOf(asked, UnauthorizedLogin)
        self.failureResultOf(self.ask(FirstOf([OnePair("one", "x")])), UnauthorizedLogin)

    def test_broken(self) -> None:
        """
        A checker that fails in any way, or gives what is no name, does not shut out those
        whom another one knows; if none does, that is no verdict.
        """
        for answer in (
            RuntimeError(SECRET),
            lambda credentials: fail(KeyError(credentials.password)),
            lambda credentials: [credentials.password],
            ANONYMOUS,
            b"",
            lambda _: succeed(7),
        ):
            self.events.clear()
            asked = self.ask(FirstOf((), [("bad", Checker(answer)), ("good", Checker("zoe"))]))
            self.assertEqual(self.successResultOf(asked), "zoe")
            self.failureResultOf(
                self.ask(FirstOf((), [("bad", Checker(answer)), ("none", Checker())])), Broken
            )
            self.assertEqual([each["kind"] for each in self.events], ["bad", "bad"])
            self.assertNotIn(SECRET, str(self.events))

    def test_busy(self) -> None:
        """
        That there is no room to wait is passed on.
        """
        self.failureResultOf(self.ask(FirstOf((), (), lambda _: fail(Busy()))), Busy)
        self.failureResultOf(self.ask(FirstOf((), [("x", Checker(Busy()))])), Busy)

    def test_cancel(self) -> None:
        """
        Who gives up cancels what is waited for.
        """
        hanging: Deferred[Any] = Deferred()
        next_ = Checker("zoe")
        asked = self.ask(FirstOf((), [("x", Checker(hanging)), ("y", next_)]))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertTrue(hanging.called)
        self.assertEqual(next_.asked, 0)

    def test_twistedsOwn(self) -> None:
        """
        Twisted's checker of a file takes our credentials.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"zoe:%b\n" % SECRET.encode())
        first = FirstOf((), makeCheckers([f"file:{path}"], []))
        self.assertEqual(self.successResultOf(self.ask(first)), "zoe")
        self.failureResultOf(self.ask(first, "zoe", "x"), UnauthorizedLogin)
        self.failureResultOf(self.ask(first, "zoo"), UnauthorizedLogin)

    def test_memory(self) -> None:
        """
        So does the one of a string, whose plugin takes strings for octets.
        """
        first = FirstOf((), makeCheckers([f"memory:zoë:{SECRET}"], []))
        self.assertEqual(self.successResultOf(self.ask(first, "zoë")), "zoë")
        self.failureResultOf(self.ask(first, "zoë", "x"), UnauthorizedLogin)

    def test_memoryOctets(self) -> None:
        """
        And if it comes to take octets one day, those stay.
        """

        class Factory:
            def generateChecker(self, _: str) -> Any:
                return InMemoryUsernamePasswordDatabaseDontUse(zoe=SECRET.encode())

        self.patch(strcred, "findCheckerFactory", lambda _: Factory())
        self.assertEqual(
            self.successResultOf(self.ask(FirstOf((), makeCheckers(["memory"], [])), "zoe")), "zoe"
        )
