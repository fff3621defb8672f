"""
Who asks: all ways to find it out, put together.

Credentials go before what the connection says of a client; wrong ones are refused even
where nobody would have had to give any, since a client that gives some wants to be
somebody.  A refusal is a 407 with the challenges of every scheme that can work here (RFC
9110 section 11.7.1), Digest first and Bearer last: a client that looks at the first one
only, and there are some, then finds one that it knows.

Left out: C{Proxy-Authentication-Info} after Digest (RFC 9110 section 11.7.3), which is
the answer's, and answers know no schemes; clients do without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.credentials import ICredentials
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.auth.cache import Successes
from connectproxy.auth.checkers import Broken, whereRaised
from connectproxy.auth.checks import GIVEN_UP, Check
from connectproxy.auth.connection import Identities
from connectproxy.auth.credentials import Digested, Signed, UserPassword
from connectproxy.auth.hashing import Busy, Hashing, Wasted
from connectproxy.auth.refusals import BROKEN, BUSY, CLEAR, STRANGER, WRONG, Challenges, tooMany
from connectproxy.auth.schemes import Unproved
from connectproxy.auth.throttle import Throttle, sourceOf
from connectproxy.auth.tokens import looksLikeToken
from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, IAuthenticator, Identified, IProxyUser, ProxyUser, TunnelRequest
from connectproxy.wire.authorization import Basic, Bearer, normalForm, parseCredentials

__all__ = ["Authenticator"]

MOST = 1024
"""How many different credentials may be under way: of those that somebody else checks, too."""

MOST_OF_ONE = 32
"""
Of these, how many may be from one source: as many as are hashed in a second or two, so that who floods
the queue with wrong ones does not keep all others waiting.
"""

_NO_ARRIVAL = Arrival(UNIXAddress(None), "", 0.0)
"""For requests of whose connection nothing is known."""

_FIELD = b"proxy-authorization"


@implementer(IAuthenticator)
class Authenticator:
    """
    Finds out who asks.

    @ivar files: the files that it was made from.
    """

    _log = Logger()

    def __init__(
        self,
        portal: Portal,
        challenges: Challenges,
        identities: Identities,
        cache: Successes,
        throttle: Throttle,
        hashing: Hashing,
        *,
        requireTLS: bool = False,
        files: Sequence[str] = (),
    ) -> None:
        """
        @param portal: gives avatars that provide L{IProxyUser}, for
            C{IUsernamePassword}, L{connectproxy.auth.credentials.ISigned} and
            L{connectproxy.auth.credentials.IDigested} as far as there are checkers.
        @param challenges: what asks for them.
        @param requireTLS: credentials that come in clear text are refused.
        """
        self._portal = portal
        self._challenges = challenges
        self._identities = identities
        self._cache = cache
        self._throttle = throttle
        self._hashing = hashing
        self._requireTLS = requireTLS
        self._checks: dict[bytes, Check] = {}
        self.files = tuple(files)

    def close(self) -> None:
        """
        Give up what is under way, and let go of the threads.  One whose place another one
        has taken need not be closed: who still asks it has an answer, and it goes with
        them.
        """
        for each in list(self._checks.values()):
            each.cancel()
        self._hashing.close()

    def asks(self, arrival: Arrival) -> str:
        """
        See L{IAuthenticator.asks}.
        """
        return arrival.authentication or "required"

    def known(self, arrival: Arrival) -> ProxyUser | None:
        """
        See L{IAuthenticator.known}.
        """
        return self._identities.known(arrival)

    def unsafe(self, arrival: Arrival) -> Refusal | None:
        """
        See L{IAuthenticator.unsafe}.
        """
        return CLEAR if self._requireTLS and arrival.tls is None else None

    def identify(self, request: TunnelRequest) -> Identified | Deferred[Identified]:
        """
        See L{IAuthenticator.identify}.  Where nobody is asked, the connection still says
        who it is.
        """
        arrival = request.arrival or _NO_ARRIVAL
        asked = arrival.authentication
        if asked == "off":
            return self._identities.known(arrival)
        value = None
        for name, each in request.fields:
            if name == _FIELD:
                if value is not None:
                    return self._wrong("there are several Proxy-Authorization fields; there must be one")
                value = each
        if value is None:
            return self._identities.known(arrival) or self._nobody(arrival, asked)
        if self._requireTLS and arrival.tls is None:
            return CLEAR
        cache = self._cache
        key = cache.key(value)
        return cache.get(key) or self._look(key, value, request, arrival)

    def check(self, user: bytes, password: bytes, arrival: Arrival) -> Identified | Deferred[Identified]:
        """
        See L{IAuthenticator.check}.
        """
        if self._requireTLS and arrival.tls is None:
            return CLEAR
        key = self._cache.key(b"%d:%b%b" % (len(user), user, password))
        found = self._cache.get(key)
        if found is not None:
            return found
        name, secret = normalForm(user), normalForm(password)
        if name is None or secret is None:
            return self._wrong(WRONG)
        return self._password(key, name, secret, "password", arrival)

    def _nobody(self, arrival: Arrival, asked: str) -> Refusal | None:
        """
        A client has said nothing, which is how most begin: no guess.
        """
        if asked == "optional":
            return None
        if not self._challenges:
            return STRANGER
        if self._requireTLS and arrival.tls is None:
            return CLEAR  # who is asked for credentials sends them
        return self._wrong("the request has no Proxy-Authorization")

    def _wrong(self, words: str, *, stale: bool = False, token: bool = False) -> Refusal:
        """
        Ask a client for other credentials.
        """
        fields = self._challenges.fields(stale=stale, error=words if token else "")
        if not fields:
            return STRANGER  # a 407 says what it asks for
        return Refusal(
            "proxy_authentication_required", words, message=self._challenges.remedy(), fields=fields
        )

    def _look(
        self, key: bytes, value: bytes, request: TunnelRequest, arrival: Arrival
    ) -> Identified | Deferred[Identified]:
        """
        Look at credentials that were not right a moment ago.
        """
        found = parseCredentials([value])
        if isinstance(found, str):
            return self._wrong(found)
        if isinstance(found, Basic):
            return self._password(key, found.user, found.password, "basic", arrival)
        if isinstance(found, Bearer):
            if not self._challenges.bearer:
                return self._wrong("no tokens are taken here")
            return self._token(key, found.token, b"", arrival)
        if not self._challenges.digest:
            return self._wrong("Digest is not taken here")
        source = sourceOf(arrival.client)
        wait = self._throttle.wait(source, found.user)
        if wait:
            return tooMany(wait)
        # Not kept: what has been used once is no use again.
        return self._now(
            Digested(found, request.method, _target(request)), found.user, source, "digest", None
        )

    def _token(self, key: bytes, token: bytes, user: bytes, arrival: Arrival) -> Identified:
        """
        Check a token, which is done at once; nobody has to be kept from guessing one, so
        that a good one is good whatever else came from its source.
        """
        return self._now(Signed(token, user), b"", sourceOf(arrival.client), "token", key)

    def _now(self, credentials: Any, user: bytes, source: Any, means: str, key: bytes | None) -> Identified:
        """
        Ask the Portal what it can tell at once.
        """
        check = Check(user, means)
        check.sources.add(source)
        self._ask(check, credentials, key)
        return check.answer

    def _password(
        self, key: bytes, user: bytes, password: bytes, means: str, arrival: Arrival
    ) -> Identified | Deferred[Identified]:
        """
        Check a name and a password; the latter may be a token, for clients that know
        nothing else.
        """
        if self._challenges.bearer and looksLikeToken(password):
            return self._token(key, password, user, arrival)
        if not self._challenges.passwords:
            return self._wrong(
                "the password is no token" if self._challenges.bearer else "no password is taken here"
            )
        source = sourceOf(arrival.client)
        wait = self._throttle.wait(source, user)
        if wait:
            return tooMany(wait)
        check = self._checks.get(key)
        if check is None:
            if len(self._checks) >= MOST:
                return BUSY
            if sum(source in each.sources for each in self._checks.values()) >= MOST_OF_ONE:
                return BUSY
            check = Check(user, means)
            check.sources.add(source)
            self._checks[key] = check
            self._ask(check, UserPassword(user, password), key)
            if check.over:
                return check.answer
        else:
            check.sources.add(source)
        return check.wait()

    def _ask(self, check: Check, credentials: ICredentials, key: bytes | None) -> None:
        """
        Ask the Portal.
        """
        asked: Deferred[Any] = self._portal.login(credentials, None, IProxyUser)
        asked.addCallback(self._right, check, credentials, key)
        asked.addErrback(self._failed, check, key)
        check.begin(asked)

    def _right(self, found: Any, check: Check, credentials: Any, key: bytes | None) -> ProxyUser:
        """
        Credentials are right.
        """
        user: ProxyUser = found[1]._replace(means=check.means)
        if key is not None:
            self._checks.pop(key, None)
            self._cache.put(key, user, getattr(credentials, "lasts", None))
        if check.user:
            for source in check.sources:
                self._throttle.right(source, check.user)
        return user

    def _failed(self, failure: Failure, check: Check, key: bytes | None) -> Refusal:
        """
        Credentials are not right, or that can't be found out.
        """
        if key is not None:
            self._checks.pop(key, None)
        error: Any = failure.value
        if isinstance(error, Busy):
            return BUSY
        if isinstance(error, Wasted):
            # As good as a guess, or it would cost nothing to have hashes made and go away.
            for source in check.sources:
                self._throttle.wrong(source, b"")
            return GIVEN_UP
        if isinstance(error, CancelledError):
            return GIVEN_UP
        if isinstance(error, LoginFailed):
            return self._guessed(error, check)
        if not isinstance(error, Broken):
            # Not the failure itself: what it says, and its frames, may have a password.
            self._log.error("credentials could not be checked: {why}", why=whereRaised(error))
        return BROKEN

    def _guessed(self, error: LoginFailed, check: Check) -> Refusal:
        """
        Credentials are not right: count that, unless it was no guess.
        """
        told = error if isinstance(error, Unproved) else Unproved(WRONG)
        wait = 0
        if told.guess:
            for source in check.sources:
                self._throttle.wrong(source, check.user)
        if check.means == "token":  # it was not asked before
            wait = max(self._throttle.wait(source, b"") for source in check.sources)
        return (
            tooMany(wait)
            if wait
            else self._wrong(told.reason, stale=told.stale, token=check.means == "token")
        )


def _target(request: TunnelRequest) -> bytes:
    """
    The target of a request, as the client has sent it.
    """
    return request.target or str(request.destination).encode("ascii")
