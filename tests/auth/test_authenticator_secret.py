"""
Tests for L{connectproxy.auth.authenticator}: no credential is anywhere (conformance 69).
"""

from __future__ import annotations

import gc
from io import StringIO
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, setDebugging
from twisted.logger import globalLogPublisher, textFileLogObserver
from twisted.python.failure import Failure

from connectproxy.auth.hashing import Hashing
from connectproxy.auth.tokens import mint
from connectproxy.errors import Refusal
from tests.auth.case import Checker, arrivalOf, asking, basic
from tests.auth.portalcase import KEY, PortalCase, digestOf

MARK = "marker-of-a-secret"


class SecretTests(PortalCase):
    """
    A marker goes in wherever a secret can, and is looked for in all that comes out.
    """

    def setUp(self) -> None:
        """
        Keep what is logged, as events and as text.
        """
        PortalCase.setUp(self)
        self.text = StringIO()
        self.events: list[Any] = []
        for each in (self.events.append, textFileLogObserver(self.text)):
            globalLogPublisher.addObserver(each)
            self.addCleanup(globalLogPublisher.removeObserver, each)
        self.addCleanup(setDebugging, False)
        setDebugging(True)

    def assertNowhere(self, *found: Any) -> None:
        """
        Nothing has the marker: what was found, what was logged, what can be looked at.
        """
        gc.collect()
        shown = [self.text.getvalue(), repr(self.events), *map(repr, found), repr(vars(self.authenticator))]
        for event in self.events:
            failure = event.get("log_failure")
            if failure is not None:
                shown += [failure.getTraceback(detail="verbose"), failure.getBriefTraceback()]
        for text in shown:
            self.assertNotIn(MARK, text)

    def everything(self) -> list[Any]:
        """
        Credentials of every kind with the marker in them, over HTTP and SOCKS.
        """
        authenticator, found = self.authenticator, []
        token = mint(KEY, "zoë", now=1000)[0]
        for value in (
            basic(f"zoë:{MARK}"),
            basic(f"{MARK}:x"),
            basic(f"{MARK}:{token}"),
            basic(MARK),
            basic(f"zoë:{MARK}\x00"),
            f"Bearer {MARK}".encode(),
            f"Bearer {MARK}.{MARK}.{MARK}".encode(),
            f'Digest username="{MARK}", x'.encode(),
            digestOf('nonce="x"', MARK).replace(b"dora", MARK.encode()),
            f"{MARK} {MARK}".encode(),
            MARK.encode(),
            f"Basic {MARK}".encode(),
        ):
            request = asking(value)
            found += [authenticator.identify(request), request]
        found.append(authenticator.check(b"zoe", MARK.encode(), arrivalOf()))
        found.append(authenticator.check(MARK.encode(), b"\xff", arrivalOf()))
        self.threads.run()
        return [self.successResultOf(each) if isinstance(each, Deferred) else each for each in found]

    def test_ordinary(self) -> None:
        """
        Neither in refusals nor in what is kept.
        """
        self.make(tokens=True, digests=True, guesses=0)
        found = self.everything()
        self.assertNowhere(*found)
        self.assertEqual(len([each for each in found if isinstance(each, Refusal)]), 14)

    def test_failing(self) -> None:
        """
        Nor where a checker of somebody's fails, in whatever way, and says the password.
        """

        def raising(credentials: Any) -> Any:
            password = credentials.password
            raise RuntimeError(f"can't do {password!r} of {credentials.username!r}")

        def late(credentials: Any) -> Any:
            waiting: Deferred[Any] = Deferred()
            waiting.addCallback(raising)
            self.reactor.callLater(0, waiting.callback, credentials)
            return waiting

        for answer in (
            raising,
            late,
            lambda credentials: fail(KeyError(credentials.password)),
            lambda credentials: fail(UnauthorizedLogin(credentials.password)),
            lambda credentials: [credentials.password, credentials.username],
            lambda credentials: Failure(ValueError(credentials.password)),
        ):
            self.make(users=(), others=[Checker(answer)], guesses=0)
            found: Any = [
                self.authenticator.identify(asking(basic(pair))) for pair in (f"jo:{MARK}", f"{MARK}:{MARK}")
            ]
            found.append(self.authenticator.check(b"jo", MARK.encode(), arrivalOf()))
            self.reactor.flush()
            found = [self.successResultOf(each) if isinstance(each, Deferred) else each for each in found]
            self.assertNowhere(*found)
            self.assertEqual({type(each) for each in found}, {Refusal})

    def test_hashing(self) -> None:
        """
        Nor where hashing fails, in a thread.
        """
        self.make(guesses=0)
        ask = Hashing.ask

        def failing(hashing: Hashing, function: Any, password: bytes) -> Any:
            def verify(password: bytes) -> bool:
                raise ValueError(f"can't hash {password!r}")

            return ask(hashing, verify, password)

        self.patch(Hashing, "ask", failing)
        found = self.authenticator.identify(asking(basic(f"zoë:{MARK}")))
        self.assertRefused(found, "proxy_internal_error")
        self.assertNowhere(found)
        self.assertIn("credentials could not be checked: ValueError", self.text.getvalue())
