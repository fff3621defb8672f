"""
Users by RFC 7616's Digest: the nonces, and what is checked of a request's credentials.

Owns how long a nonce is good and which of its counts have been used; whose hash is whose,
L{connectproxy.auth.digestfile} reads, and the grammar is L{connectproxy.wire.authorization}'s.

A nonce is a time with a signature, so that answering a client without credentials leaves
nothing behind; there is an entry in a table from the first right answer to it on.  Which
of several processes has made it, it does not say: at another one it counts as too old,
and the client tries again at once.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from hmac import compare_digest
from secrets import token_bytes
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from connectproxy.address import parseAuthority
from connectproxy.errors import Refusal
from connectproxy.wire.authorization import Digest, authenticationInformation, digestChallenge, secretHash
from connectproxy.wire.http1 import RequestHead
from connectproxy.wire.target import parseTarget

__all__ = ["DigestScheme", "Known", "Lookup", "Unverified"]

NONCES = 16384
"""How many nonces there are counts of; an entry has some 400 octets."""

WINDOW = 256
"""
How far behind the highest count another one may come: requests of one client reach the
proxy by several connections, in any order.
"""

_NONCE = re.compile(rb"[A-Za-z0-9_-]{32}")
_TIME = 8
_SIGNATURE = 16

_WRONG = "the user or the password is wrong"


class Known(NamedTuple):
    """
    A user as a table has it.

    @ivar user: the name.
    @ivar secret: H(user:realm:password), in hexadecimal digits of lower case.
    """

    user: str
    secret: bytes

    def __repr__(self) -> str:
        """The hash is as good as the password, for this realm."""
        return f"Known({self.user!r}, ...)"


Lookup = Callable[[bytes, str, bool], Known | None]
"""
What finds a user: by the name in UTF-8 or, where the third argument is true, the name's
hash; and the algorithm, without C{-sess}.
"""


class Unverified(NamedTuple):
    """
    Why credentials are not taken.

    @ivar reason: in words, of which nothing is the client's.
    @ivar stale: who sent them knows the password, and only the nonce will not do; that
        was no guess, and C{stale=true} belongs into the challenge.
    """

    reason: str
    stale: bool = False


class DigestScheme:
    """
    Challenges clients, and verifies what they answer.
    """

    def __init__(
        self,
        clock: IReactorTime,
        realm: str,
        lifetime: float = 300.0,
        md5: bool = False,
        nonces: int = NONCES,
    ) -> None:
        """
        @param clock: tells how old a nonce is.
        @param realm: printable ASCII.
        @param lifetime: of a nonce, in seconds; more than 0.
        @param md5: whether MD5 is offered and taken as well.
        @param nonces: how many nonces the counts are kept of, 1 at least; when there
            are more, the oldest are too old.
        """
        self._clock = clock
        self._realm = realm
        self._lifetime = lifetime
        self._algorithms = ("SHA-256", "MD5") if md5 else ("SHA-256",)
        self._most = nonces
        self._key = token_bytes(32)
        self._latest = 0
        self._floor = 0
        self._counts: dict[int, list[int]] = {}
        self._oldest: list[int] = []
        # What a user that nobody knows is verified by, so that it takes as long.
        self._nobody = Known("", secretHash("SHA-256", b"", b"", token_bytes(32)))

    def challenges(self, stale: bool = False) -> tuple[str, ...]:
        """
        What to ask a client: values of C{Proxy-Authenticate}, with a new nonce, the best
        algorithm first (RFC 7616 section 3.7).

        @param stale: as L{Unverified.stale} says.
        """
        nonce = self._nonce()
        return tuple(
            digestChallenge(self._realm, nonce, algorithm, stale=stale) for algorithm in self._algorithms
        )

    def verify(self, credentials: Digest, method: str, target: bytes, lookup: Lookup) -> str | Unverified:
        """
        Judge credentials, once: their count is used up by it.

        @param method: of the request.
        @param target: of the request, as it was sent.
        @param lookup: finds the user; it answers at once.
        @return: the user's name, or why there is none.
        """
        algorithm = credentials.base
        if algorithm not in self._algorithms:
            return Unverified("the algorithm of the Digest credentials is none that is asked for")
        if credentials.realm != self._realm.encode("ascii"):
            return Unverified("the realm of the Digest credentials is another one")
        if not _same(credentials.uri, method, target):
            return Unverified("the uri of the Digest credentials is not the target of the request")
        found = lookup(credentials.user, algorithm, credentials.hashed)
        known = found or self._nobody
        right = compare_digest(
            credentials.expected(known.secret, method.encode("latin-1")), credentials.response
        )
        if found is None or not right:
            return Unverified(_WRONG)
        wrong = self._use(credentials)
        return known.user if wrong is None else Unverified(wrong, stale=True)

    def information(self, credentials: Digest, known: Known) -> str:
        """
        The C{Proxy-Authentication-Info} that an answer to right credentials may have.
        """
        return authenticationInformation(credentials, known.secret)

    def _nonce(self) -> str:
        """
        Make a nonce: eight octets of time in microseconds, never the same one, and sixteen
        of signature.
        """
        self._latest = max(int(self._clock.seconds() * 1e6), self._latest + 1)
        time = self._latest.to_bytes(_TIME, "big")
        return urlsafe_b64encode(time + self._sign(time)).decode("ascii")

    def _sign(self, time: bytes) -> bytes:
        return blake2b(time, digest_size=_SIGNATURE, key=self._key).digest()

    def _use(self, credentials: Digest) -> str | None:
        """
        Use up a nonce's count.

        @return: why it can't be.
        """
        if not _NONCE.fullmatch(credentials.nonce):
            return "the nonce is not one of this proxy"
        octets = urlsafe_b64decode(credentials.nonce)
        if not compare_digest(self._sign(octets[:_TIME]), octets[_TIME:]):
            return "the nonce is not one of this proxy"
        issued = int.from_bytes(octets[:_TIME], "big")
        last = int((self._clock.seconds() - self._lifetime) * 1e6)
        if issued <= max(last, self._floor):
            return "the nonce is too old"
        counts = self._counts.get(issued)
        if counts is None:
            if not self._room(last, issued):
                return "the nonce is too old"
            counts = self._counts[issued] = [0, 0]
            heappush(self._oldest, issued)
        return None if _mark(counts, int(credentials.nc, 16)) else "the count of the nonce has been used"

    def _room(self, last: int, issued: int) -> bool:
        """
        Forget nonces that are too old, and the oldest one where there are too many.  None
        that is forgotten is ever taken again, nor an older one, not even after the clock
        has been put back: L{_floor} sees to it.

        @param last: the time up to which nonces are too old.
        @param issued: of the nonce for which there is to be room.
        @return: whether there is: not for one that is older than all others.
        """
        oldest = self._oldest
        while oldest and oldest[0] <= last:
            self._forget()
        if len(oldest) < self._most:
            return True
        if issued < oldest[0]:
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        """Forget the oldest nonce."""
        self._floor = heappop(self._oldest)
        del self._counts[self._floor]


def _mark(counts: list[int], count: int) -> bool:
    """
    Note that a count has been used.

    @param counts: the highest one so far, and which of the L{WINDOW} up to it have come:
        of the highest the lowest bit.
    @return: whether it had not been.
    """
    highest, used = counts
    if count > highest:
        # Never shifted by what the client says: that would make a number of any size.
        ahead = count - highest
        counts[0] = count
        counts[1] = 1 if ahead >= WINDOW else ((used << ahead) | 1) & ((1 << WINDOW) - 1)
        return True
    bit = highest - count
    if bit >= WINDOW or used >> bit & 1:
        return False
    counts[1] = used | 1 << bit
    return True


def _same(uri: bytes, method: str, target: bytes) -> bool:
    """
    Whether the C{uri} that a client has hashed is the target of its request (RFC 7616
    section 3.4.6), as it stands or in the one form that both have.

    Of an absolute target the path will do: that is what curl hashes, who sends a proxy the
    whole.  The count of the nonce keeps it from being used for another host.
    """
    if not target:
        return False
    if uri == target:
        return True
    if method == "CONNECT" and b"://" not in target:
        asked = parseAuthority(target)
        return not isinstance(asked, Refusal) and asked == parseAuthority(uri)
    whole = parseTarget(RequestHead(method, target, 1, ()))
    if isinstance(whole, Refusal):
        return False
    if uri == whole.path:
        return True
    said = parseTarget(RequestHead(method, uri, 1, ()))
    return not isinstance(said, Refusal) and said[:2] == whole[:2]
