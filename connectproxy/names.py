"""
Looks names up: through the reactor's resolver, off the reactor's thread, each
name once at a time, with a bounded cache.

A name is absolute (RFC 8305 leaves search lists to the host; here there are
none): it is asked with its trailing dot, so that C{db} never becomes
C{db.corp.example}.  The system's resolver does not find a dotted name in the
hosts file, so that file is asked first, as C{nsswitch.conf} has it nearly
everywhere.

A look-up that has begun can't be stopped: it occupies a thread until the
system's resolver gives up.  So their number is bounded, and who gives up waiting
leaves the answer for the next one who asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from zope.interface import implementer

from connectproxy.interfaces import IPAddress

__all__ = ["FAMILIES", "Names", "TooManyLookups"]

FAMILIES: dict[int, type] = {6: IPv6Address, 4: IPv4Address}
"""Twisted's address class for each version of the protocol."""

TTL = 30.0
"""Seconds for which an answer is kept.  The system's resolver tells no lifetime;
half a minute is short against what operators set and long against a page load."""

NEGATIVE_TTL = 3.0
"""Seconds for which it is remembered that a name has no address."""

ENTRIES = 4096
"""Answers that are kept; the one unused for longest goes first."""

PENDING = 512
"""Look-ups under way at once, one for each name and family."""

PATIENCE = 30.0
"""Seconds after which a look-up that has not ended counts as lost.  The system's
resolver gives up sooner; but where asking it fails for want of descriptors, Twisted's
never answers, and the name would be dead for good."""


class TooManyLookups(Exception):
    """
    As many look-ups are under way as are allowed.
    """


class _Answer(NamedTuple):
    addresses: tuple[IPAddress, ...]
    expires: float


class _Question(NamedTuple):
    waiters: list[Deferred[tuple[IPAddress, ...]]]
    lost: float


@implementer(IResolutionReceiver)
class _Receiver:
    """
    Collects what the resolver finds.
    """

    def __init__(self, done: Callable[[tuple[IPAddress, ...]], None]) -> None:
        self._done = done
        self._found: list[IPAddress] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        Nothing to keep: what has begun is not cancelled.
        """

    def addressResolved(self, address: IAddress) -> None:
        """
        One address more.  A scope belongs to an interface of this machine, and
        no name of another's has any business with that.
        """
        found = ip_address(address.host.partition("%")[0])  # type: ignore[attr-defined]
        if found not in self._found:
            self._found.append(found)

    def resolutionComplete(self) -> None:
        """
        All have been told.
        """
        self._done(tuple(self._found))


def readHosts(path: str, name: str) -> tuple[IPAddress, ...]:
    """
    The addresses that a hosts file gives a name; to be called in a thread.

    @param name: without the trailing dot.
    """
    # Twisted's DNS library is slow to import, and the first name is soon enough.
    from twisted.names.hosts import searchFileForAll  # noqa: PLC0415

    return tuple(ip_address(each) for each in searchFileForAll(FilePath(path), name.encode("ascii")))


class Names:
    """
    The look-ups of one proxy.
    """

    def __init__(self, reactor: Any, hosts: str | None = None) -> None:
        """
        @param reactor: provides C{nameResolver}, threads and the time.
        @param hosts: the path of a hosts file that is asked first.
        """
        self._reactor = reactor
        self._hosts = hosts
        self._cache: OrderedDict[tuple[str, int], _Answer] = OrderedDict()
        self._pending: dict[tuple[str, int], _Question] = {}  # the oldest first

    def known(self, name: str, version: int) -> tuple[IPAddress, ...] | None:
        """
        What is in the cache.

        @param name: an absolute name, in lower case, with its trailing dot.
        @param version: 4 or 6.
        @return: the addresses, perhaps none, or L{None} if it is to be looked up.
        """
        key = (name, version)
        answer = self._cache.get(key)
        if answer is None:
            return None
        if answer.expires <= self._reactor.seconds():
            del self._cache[key]
            return None
        self._cache.move_to_end(key)
        return answer.addresses

    def lookup(self, name: str, version: int) -> Deferred[tuple[IPAddress, ...]]:
        """
        Look a name up.

        @param name: an absolute name, in lower case, with its trailing dot.
        @param version: 4 or 6.
        @return: a Deferred of the addresses in the resolver's order, of which
            there may be none.  It fails with L{TooManyLookups}.  Cancelled, it
            fails with C{CancelledError}; the look-up itself goes on.
        """
        key = (name, version)
        waiter: Deferred[tuple[IPAddress, ...]] = Deferred(lambda d: self._leave(key, d))
        known = self.known(name, version)
        if known is not None:
            waiter.callback(known)
            return waiter
        self._forget()
        if key in self._pending:
            self._pending[key].waiters.append(waiter)
        elif len(self._pending) >= PENDING:
            waiter.errback(Failure(TooManyLookups(f"{PENDING} look-ups are under way")))
        else:
            self._pending[key] = _Question([waiter], self._reactor.seconds() + PATIENCE)
            self._begin(key)
        return waiter

    def _forget(self) -> None:
        """
        Give up what counts as lost.  Who waited for it that long has gone, or is
        going to when his own time is over.
        """
        now = self._reactor.seconds()
        while self._pending:
            key, question = next(iter(self._pending.items()))
            if question.lost > now:
                break
            del self._pending[key]

    def _leave(self, key: tuple[str, int], waiter: Deferred[tuple[IPAddress, ...]]) -> None:
        """
        One who waited has given up.
        """
        question = self._pending.get(key)
        if question is not None and waiter in question.waiters:
            question.waiters.remove(waiter)

    def _begin(self, key: tuple[str, int]) -> None:
        """
        Ask the hosts file, then the resolver.
        """
        if self._hosts is None:
            self._resolve(key)
            return
        name, version = key
        reading = deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), readHosts, self._hosts, name.rstrip(".")
        )

        def read(found: tuple[IPAddress, ...]) -> None:
            if found:  # a name that the file knows in one family has no other there
                self._done(key, tuple(each for each in found if each.version == version))
            elif (question := self._pending.get(key)) is not None and not question.waiters:
                del self._pending[key]  # nobody wants to know any more, and threads are few
            else:
                self._resolve(key)

        reading.addCallbacks(read, lambda failure: self._resolve(key))

    def _resolve(self, key: tuple[str, int]) -> None:
        """
        Ask the reactor's resolver.
        """
        name, version = key
        receiver = _Receiver(lambda found: self._done(key, found))
        self._reactor.nameResolver.resolveHostName(receiver, name, 0, [FAMILIES[version]], "TCP")

    def _done(self, key: tuple[str, int], addresses: tuple[IPAddress, ...]) -> None:
        """
        Keep the answer and tell who waits.
        """
        ttl = TTL if addresses else NEGATIVE_TTL
        self._cache[key] = _Answer(addresses, self._reactor.seconds() + ttl)
        self._cache.move_to_end(key)
        while len(self._cache) > ENTRIES:
            self._cache.popitem(last=False)
        question = self._pending.pop(key, None)
        for waiter in question.waiters if question is not None else ():
            if not waiter.called:  # one that was told before it may have cancelled it
                waiter.callback(addresses)
