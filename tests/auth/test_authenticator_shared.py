"""
Tests for L{connectproxy.auth.authenticator}: what passwords cost, and guesses.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred

from connectproxy.auth import authenticator
from connectproxy.auth.checks import GIVEN_UP
from tests.auth.case import SECRET, Checker, arrivalOf, asking, basic
from tests.auth.portalcase import PortalCase

RIGHT = basic(f"zoë:{SECRET}")
WRONG = "the user or the password is wrong"


class SharedTests(PortalCase):
    """
    One hash for all (conformance 67).
    """

    def setUp(self) -> None:
        """
        An authenticator.
        """
        PortalCase.setUp(self)
        self.make()

    def ask(self, value: bytes = RIGHT, host: str = "192.0.2.7") -> Any:
        """
        Ask with credentials.
        """
        return self.authenticator.identify(asking(value, arrival=arrivalOf(host)))

    def test_herd(self) -> None:
        """
        A thousand connections with one password at once are one hash, wherever they are
        from; and nothing is hashed in the reactor's thread.
        """
        found = [self.ask(host=f"192.0.{each // 250}.{each % 250}") for each in range(1000)]
        self.assertEqual(len(self.threads.calls), 1)
        self.assertNoResult(found[0])
        self.threads.run()
        self.assertEqual({self.successResultOf(each).name for each in found}, {"zoë"})
        self.assertEqual(self.ask().name, "zoë")
        self.assertEqual(self.threads.calls, [])

    def test_wrongHerd(self) -> None:
        """
        A thousand wrong ones at once are one hash and one guess of each source, and wrong for
        all.
        """
        found = [self.ask(basic("zoë:x"), f"192.0.2.{each % 2}") for each in range(1000)]
        self.assertEqual(self.threads.run(), 1)
        for each in found:
            self.assertAsked(each, WRONG)
        for host in ("192.0.2.0", "192.0.2.1"):
            for _ in range(9):
                self.assertAsked(self.ask(basic("zoë:y"), host), WRONG)
            self.assertRefused(self.ask(basic("zoë:y"), host), "login_limit_reached", "6")

    def test_lifetime(self) -> None:
        """
        A right one is hashed again when its time is over, and one that is wrong each time.
        """
        self.result(self.ask())
        self.reactor.advance(60)
        self.assertEqual(self.result(self.ask()).name, "zoë")
        for _ in range(2):
            self.ask(basic("zoë:x"))
            self.assertEqual(self.threads.run(), 1)

    def test_uncached(self) -> None:
        """
        Without a cache it is hashed each time.
        """
        self.make(cache=0)
        for _ in range(2):
            found = self.ask()
            self.assertEqual(self.threads.run(), 1)
            self.assertEqual(self.successResultOf(found).name, "zoë")

    def test_cancelOne(self) -> None:
        """
        Who goes away is told so, and the others wait on.
        """
        first, second = self.ask(), self.ask()
        first.cancel()
        self.assertEqual(self.successResultOf(first), GIVEN_UP)
        self.threads.run()
        self.assertEqual(self.successResultOf(second).name, "zoë")

    def test_cancelAll(self) -> None:
        """
        When all have gone what has not been begun is not hashed; that was no guess.
        """
        others = [self.ask(basic(f"zoë:{each}")) for each in range(2)]
        found = [self.ask(), self.ask()]
        for each in found:
            each.cancel()
            self.assertEqual(self.successResultOf(each), GIVEN_UP)
        self.assertEqual(self.threads.run(), 2)
        for each in others:
            self.assertAsked(each, WRONG)
        self.assertEqual(self.result(self.ask()).name, "zoë")

    def test_wasted(self) -> None:
        """
        Who goes away when its hash is being made has had its guess, whatever comes of it: or
        all threads could be kept at work for nothing.
        """
        for each in range(10):
            self.ask(basic(f"zoë:{each}")).cancel()
            self.assertEqual(self.threads.run(), 1)
        self.assertRefused(self.ask(), "login_limit_reached", "6")
        self.assertEqual(self.result(self.ask(host="192.0.2.8")).name, "zoë")

    def test_wastedElsewhere(self) -> None:
        """
        So it is where nobody knows the user.
        """
        self.make(others=[Checker(UnauthorizedLogin())])
        for each in range(10):
            self.ask(basic(f"jo:{each}")).cancel()
            self.threads.run()
        self.assertRefused(self.ask(), "login_limit_reached", "6")

    def test_busy(self) -> None:
        """
        When there are too many to hash it is said at once, with when to come again; that was
        no guess.
        """
        found = [self.ask(basic(f"zoë:{each}")) for each in range(6)]
        self.assertRefused_(self.ask(), "login_limit_reached")
        self.threads.run()
        for each in found:
            self.assertAsked(each, WRONG)
        self.assertEqual(self.result(self.ask()).name, "zoë")

    def assertRefused_(self, found: Any, kind: str) -> None:
        """
        Somebody is refused at once, to come again in a while.
        """
        self.assertNotIsInstance(found, Deferred)
        self.assertRefused(found, kind, "2")

    def test_manyOthers(self) -> None:
        """
        Nor may there be any number of them with somebody's checker that does not answer; a
        client that goes away makes room.
        """
        hanging: list[Deferred[Any]] = []

        def hang(credentials: Any) -> Deferred[Any]:
            hanging.append(Deferred())
            return hanging[-1]

        self.make(others=[Checker(hang)])
        with patch.object(authenticator, "MOST", 3):
            found = [self.ask(basic(f"jo:{each}")) for each in range(3)]
            self.assertRefused_(self.ask(basic("jo:3")), "login_limit_reached")
            found[0].cancel()
            self.assertTrue(hanging[0].called)
            self.assertIsInstance(self.ask(basic("jo:3")), Deferred)
        hanging[1].callback(b"jo")
        self.assertEqual(self.successResultOf(found[1]).name, "jo")

    def test_manyOfOne(self) -> None:
        """
        One source has only so many of them under way, so that another is not kept waiting by it.
        """
        near, far = arrivalOf("192.0.2.7"), arrivalOf("192.0.2.8")
        with patch.object(authenticator, "MOST_OF_ONE", 2):
            for each in range(2):
                found = self.authenticator.check(b"jo", b"%d" % each, near)
                self.assertIsInstance(found, Deferred)
            self.assertRefused_(self.authenticator.check(b"jo", b"2", near), "login_limit_reached")
            self.assertIsInstance(self.authenticator.check(b"jo", b"0", near), Deferred)
            self.assertIsInstance(self.authenticator.check(b"jo", b"3", far), Deferred)

    def test_close(self) -> None:
        """
        At the end nobody is left waiting, and nothing more is hashed.
        """
        found = [self.ask(basic(f"zoë:{each}")) for each in range(4)]
        self.authenticator.close()
        self.assertEqual([self.successResultOf(each) for each in found], [GIVEN_UP] * 4)
        self.assertTrue(self.threads.closed)
        self.assertRefused_(self.ask(), "login_limit_reached")


class ThrottleTests(PortalCase):
    """
    Guesses (conformance 70).
    """

    def guess(self, times: int, host: str = "192.0.2.7", user: str = "zoë") -> None:
        """
        Guess wrong.
        """
        for each in range(times):
            found = self.authenticator.identify(asking(basic(f"{user}:{each}"), arrival=arrivalOf(host)))
            self.assertAsked(found, WRONG)

    def test_source(self) -> None:
        """
        Who has guessed too often is not listened to, and no hash is made, whatever comes,
        until time has passed; other sources are.
        """
        self.make()
        self.guess(10)
        for value in (RIGHT, basic("jo:x")):
            self.assertRefused(self.authenticator.identify(asking(value)), "login_limit_reached", "6")
        self.assertRefused(self.authenticator.check(b"zoe", b"x", arrivalOf()), "login_limit_reached", "6")
        self.assertEqual(self.threads.calls, [])
        near = asking(RIGHT, arrival=arrivalOf("192.0.2.8"))
        self.assertEqual(self.result(self.authenticator.identify(near)).name, "zoë")
        self.reactor.advance(6)
        self.guess(1)

    def test_ipv6(self) -> None:
        """
        All addresses of a /64 are one source.
        """
        self.make()
        for each in range(10):
            self.guess(1, f"2001:db8::{each}")
        far = asking(RIGHT, arrival=arrivalOf("2001:db8::ffff:1"))
        self.assertRefused(self.authenticator.identify(far), "login_limit_reached", "6")

    def test_user(self) -> None:
        """
        One user can't be guessed at from everywhere; who is that user, and was before, is
        let in all the same.
        """
        self.make()
        home = arrivalOf("198.51.100.1")
        self.result(self.authenticator.identify(asking(RIGHT, arrival=home)))
        for each in range(50):
            self.guess(1, f"192.0.2.{each}")
        self.assertRefused(
            self.authenticator.identify(asking(basic("zoë:x"), arrival=arrivalOf("192.0.2.99"))),
            "login_limit_reached",
            "2",
        )
        # Kept, from anywhere; and when it is kept no more, from where it was right before.
        self.assertEqual(
            self.result(self.authenticator.identify(asking(RIGHT, arrival=arrivalOf("192.0.2.99")))).name,
            "zoë",
        )
        self.reactor.advance(61)
        for each in range(50):
            self.guess(1, f"203.0.113.{each}")
        self.assertRefused(
            self.authenticator.identify(asking(RIGHT, arrival=arrivalOf("192.0.2.99"))),
            "login_limit_reached",
            "2",
        )
        self.assertEqual(self.result(self.authenticator.identify(asking(RIGHT, arrival=home))).name, "zoë")

    def test_kept(self) -> None:
        """
        What was right a moment ago is, though others behind the same address guess.
        """
        self.make()
        self.result(self.authenticator.identify(asking(RIGHT)))
        self.guess(10, user="jo")
        self.assertEqual(self.authenticator.identify(asking(RIGHT)).name, "zoë")  # type: ignore[union-attr]

    def test_off(self) -> None:
        """
        Without a limit it can be guessed at for ever.
        """
        self.make(guesses=0)
        self.guess(100)
