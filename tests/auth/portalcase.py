"""
A whole authenticator, all parts of which are in the hands of the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.authenticator import Authenticator
from connectproxy.auth.cache import Successes
from connectproxy.auth.checkers import FirstOf
from connectproxy.auth.connection import Identities, Identity
from connectproxy.auth.digest import DigestScheme
from connectproxy.auth.digestfile import DigestUsers
from connectproxy.auth.hashes import parseHash
from connectproxy.auth.hashing import Hashing
from connectproxy.auth.htpasswd import HashedUsers
from connectproxy.auth.realm import ProxyRealm
from connectproxy.auth.refusals import Challenges
from connectproxy.auth.schemes import DigestedUsers, SignedUsers
from connectproxy.auth.throttle import Throttle
from connectproxy.auth.tokens import Key, TokenChecker
from connectproxy.errors import Refusal
from tests.auth.case import SCRYPT, SECRET, Checker, Threads
from tests.fakes import FakeReactor

__all__ = ["KEY", "REALM", "PortalCase", "digestOf"]

KEY = Key(b"k" * 32)
REALM = "proxy"


def digestOf(
    challenge: str, password: str = SECRET, target: str = "example.com:443", count: int = 1
) -> bytes:
    """
    What a client answers to a challenge of Digest, for the user C{dora} and CONNECT.
    """
    nonce = challenge.split('nonce="')[1].split('"')[0]

    def h(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    proof = h(f"{h(f'dora:{REALM}:{password}')}:{nonce}:{count:08x}:c:auth:{h(f'CONNECT:{target}')}")
    return (
        f'Digest username="dora", realm="{REALM}", nonce="{nonce}", uri="{target}", algorithm=SHA-256,'
        f' response="{proof}", qop=auth, nc={count:08x}, cnonce="c"'
    ).encode()


class PortalCase(SynchronousTestCase):
    """
    Makes authenticators.

    @ivar reactor: its time is the test's.
    @ivar threads: in which hashes are made when the test says.
    """

    def setUp(self) -> None:
        """
        No authenticator yet.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(1000)
        self.threads = Threads()

    def make(
        self,
        *,
        users: Sequence[str] = ("zoë",),
        others: Sequence[Checker] = (),
        tokens: bool = False,
        digests: bool = False,
        identities: Sequence[Identity] = (),
        guesses: int = 10,
        cache: float = 60,
        requireTLS: bool = False,
    ) -> Authenticator:
        """
        Make one.

        @param users: who has L{SECRET} as a password.
        @param others: somebody's checkers.
        @param tokens: tokens are taken.
        @param digests: C{dora} has a digest.
        """
        reactor = self.reactor
        realm = ProxyRealm({"people": ["zoë", "dora"]})
        hashing = Hashing(reactor, threads=2, waiting=4, executor=self.threads)
        scheme = DigestScheme(reactor, REALM) if digests else None
        checkers: list[Any] = []
        if users or others:
            hashed = HashedUsers({each.encode(): parseHash(SCRYPT) for each in users}, hashing)
            checkers.append(FirstOf([hashed], [("somebody", each) for each in others], hashed.reject))
        if tokens:
            checkers.append(SignedUsers(TokenChecker([KEY], now=reactor.seconds)))
        if scheme is not None:
            dora = DigestUsers(REALM)
            dora.add(b"dora", "SHA-256", hashlib.sha256(f"dora:{REALM}:{SECRET}".encode()).digest())
            checkers.append(DigestedUsers(scheme, dora.find))
        self.authenticator = Authenticator(
            Portal(realm, checkers),
            Challenges(REALM, scheme, bool(users or others), tokens),
            Identities(identities, realm),
            Successes(reactor, cache),
            Throttle(reactor, guesses, 60.0),
            hashing,
            requireTLS=requireTLS,
            files=["a", "b"],
        )
        return self.authenticator

    def result(self, found: Any) -> Any:
        """
        What has been found, when all hashes have been made.
        """
        if isinstance(found, Deferred):
            self.threads.run()
            return self.successResultOf(found)
        return found

    def assertAsked(self, found: Any, detail: str, schemes: str = "Basic") -> None:
        """
        Somebody is asked for credentials, and told what was wrong.
        """
        found = self.result(found)
        self.assertIsInstance(found, Refusal)
        self.assertEqual((found.kind, found.detail), ("proxy_authentication_required", detail))
        self.assertEqual({name for name, _ in found.fields}, {"Proxy-Authenticate"})
        self.assertEqual(" ".join(value.partition(" ")[0] for _, value in found.fields), schemes)

    def assertRefused(self, found: Any, kind: str, wait: str | None = None) -> None:
        """
        Somebody is refused for another reason, and perhaps told how long to wait.
        """
        found = self.result(found)
        self.assertIsInstance(found, Refusal)
        self.assertEqual(found.kind, kind)
        self.assertEqual(dict(found.fields).get("Retry-After"), wait)
        self.assertNotIn("Proxy-Authenticate", dict(found.fields))
