"""
Makes one TCP connection out of several addresses (RFC 8305 sections 4 and 5).

The families are interleaved, IPv6 first.  The next address is tried when the
last has failed or after 250 ms; the first connection that is made wins, and the
others are aborted before an octet has been sent on them.  Addresses may come
while the race is on.

Each address is judged at the moment it is dialled, and what is judged is what is
dialled.  Connections go through C{connectTCP} with a factory, the reactor's or one
of the same contract (L{connectproxy.dial}): an endpoint would leave a wrapper of its own on every read.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.python.failure import Failure

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Attempt, Established, IPAddress, TunnelRequest, Verdict
from connectproxy.leg import adopt
from connectproxy.sockets import EXHAUSTED, writeNow

__all__ = ["ATTEMPT_DELAY", "WORDS", "Race", "failureKind"]

ATTEMPT_DELAY = 0.25
"""Seconds between the starts of two attempts (RFC 8305 section 8)."""

ADDRESSES = 16
"""How many addresses are tried.  A name can have hundreds."""

_ERRNOS: Mapping[int, str] = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_terminated",
    errno.ETIMEDOUT: "connection_timeout",
    errno.ENETUNREACH: "destination_ip_unroutable",
    errno.EHOSTUNREACH: "destination_ip_unroutable",
    **dict.fromkeys(EXHAUSTED, "proxy_exhausted"),
}

WORDS: Mapping[str, str] = {
    "proxy_exhausted": "was not dialled: the proxy has no descriptor left",
    "connection_refused": "refused the connection",
    "connection_terminated": "ended the connection while it was being made",
    "connection_timeout": "did not answer in time",
    "destination_ip_unroutable": "can't be reached from here: there is no route",
    "destination_unavailable": "could not be connected to",
}
"""What a client is told, in the order in which one failure of several counts."""


def failureKind(reason: Failure, version: int) -> str:
    """
    Which kind of refusal a failure of C{connectTCP} makes.

    @param version: of the address that was dialled, 4 or 6.
    @return: the name of a row in L{connectproxy.errors.KINDS}.
    """
    if reason.check(ConnectTimeout):
        return "connection_timeout"
    number = getattr(reason.value, "osError", None) or 0
    if number == errno.EADDRNOTAVAIL and version == 6:
        # What a machine without IPv6 (a container, mostly) says to every such address.
        return "destination_ip_unroutable"
    return _ERRNOS.get(number, "destination_unavailable")


class _Runner(ClientFactory):
    """
    One attempt: the factory of its connector and, between the connection and the
    hand-over, its protocol.
    """

    noisy = False
    result = ""
    seconds = 0.0

    def __init__(self, race: Race, address: IPAddress) -> None:
        self.race: Any = race
        self.host = str(address)
        self.peer: Any = None
        self.connector: Any = None
        self.started = race.reactor.seconds()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        Connected.  Who comes second gets no protocol, which closes his
        connection.
        """
        if self.race.done:
            return None
        self.peer = addr
        self.finish("connected")
        self.race.stop()
        return self

    def makeConnection(self, transport: Any) -> None:
        """
        Hand the transport to what the caller wants on it.
        """
        race = self.race
        transport.setTcpNoDelay(True)
        if race.introduce is not None:
            writeNow(transport, race.introduce(race.request, self.host))
        protocol: Any = race.factory.buildProtocol(self.peer)
        adopt(transport, protocol)
        race.won(self, protocol)

    def dataReceived(self, data: bytes) -> None:
        """
        Part of L{IProtocol}: nothing is read before the hand-over.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Part of L{IProtocol}.
        """

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """
        Not connected: on to the next address.
        """
        if not self.result:
            self.finish(failureKind(reason, 6 if ":" in self.host else 4))
            self.race.advance()

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        """
        The connection that was made is closed.  The connector and its transport
        know each other; without this they would wait for the collector.
        """
        connector.transport = None

    def finish(self, result: str) -> None:
        """
        Note how it went.
        """
        self.result = result
        self.seconds = self.race.reactor.seconds() - self.started

    def abort(self) -> None:
        """
        Lose the race.
        """
        self.finish("aborted")
        if self.connector is not None:  # or dialling has failed on our side
            self.connector.disconnect()


class Race:
    """
    The attempts to reach one destination.

    @ivar done: it has been won, lost or stopped.
    @ivar resolved: when the first addresses came, in seconds of the clock.
    @ivar request: what the client asks for.
    """

    def __init__(
        self,
        reactor: Any,
        request: TunnelRequest,
        factory: IProtocolFactory,
        judge: Callable[[TunnelRequest, IPAddress], Verdict | None],
        result: Deferred[Established],
        connectTCP: Any = None,
        introduce: Callable[[TunnelRequest, str], bytes] | None = None,
    ) -> None:
        """
        @param reactor: provides the time, and C{connectTCP}.
        @param factory: builds the protocol for the connection that wins.
        @param judge: gives the denial of an address, or L{None}.
        @param result: fires with L{Established} or fails with L{Refused}.
        @param connectTCP: stands in for the reactor's.
        @param introduce: gives the octets that go before all others on the
            connection that wins, from the request and the address dialled.
        """
        self.reactor = reactor
        self.connectTCP = connectTCP or reactor.connectTCP
        self.factory = factory
        self.done = False
        self.resolved = 0.0
        self.introduce = introduce
        self.request = request
        self._judge = judge
        self._result = result
        self._waiting: dict[int, deque[IPAddress]] = {6: deque(), 4: deque()}
        self._runners: list[_Runner] = []
        self._tried: list[Any] = []  # runners, and attempts that were not made
        self._denial: Verdict | None = None
        self._offered = 0
        self._version = 6
        self._complete = False
        self._timer: IDelayedCall | None = None

    def offer(self, addresses: Iterable[IPAddress], *, complete: bool) -> None:
        """
        Add addresses, in the order in which to try them.

        @param complete: no more will come.
        """
        for address in addresses:
            if self._offered < ADDRESSES:
                self._offered += 1
                self._waiting[address.version].append(address)
        self._complete = complete
        if self._timer is not None:
            return
        if all(each.result for each in self._runners):
            self.advance()
        elif self._waiting[4] or self._waiting[6]:
            self._timer = self.reactor.callLater(ATTEMPT_DELAY, self.advance)

    def advance(self) -> None:
        """
        Try the next address, or give up if there is none and none is under way.
        """
        if self._timer is not None:
            if self._timer.active():
                self._timer.cancel()
            self._timer = None
        while not self.done:
            address = self._pick()
            if address is None:
                break
            try:
                denial = self._judge(self.request, address)
                if denial is None:
                    self._dial(address)
                    return
            except Exception:  # noqa: BLE001 - a rule with a bug fails the requests that it is asked about
                self.stop()
                self._result.errback(Failure())
                return
            self._denial = self._denial or denial
            self._tried.append(Attempt(str(address), denial.kind, 0.0))
        if not self.done and self._complete and all(each.result for each in self._runners):
            self.fail(self._refusal())

    def won(self, winner: _Runner, protocol: Any) -> None:
        """
        A connection is made and handed over.
        """
        host = winner.host
        port = self.request.destination.port
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        established = Established(protocol, address, self.tried(), self.resolved, address)
        winner.race = winner.connector = None  # the transport keeps its factory; that is all it keeps
        self._result.callback(established)

    def fail(self, refusal: Refusal) -> None:
        """
        Give up, and say why.
        """
        self.stop()
        self._result.errback(Refused(refusal, self.tried(), self.resolved))

    def stop(self) -> None:
        """
        Abort what is under way.
        """
        self.done = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for each in self._runners:
            if not each.result:
                each.abort()

    def tried(self) -> tuple[Attempt, ...]:
        """
        Every attempt, in the order they were begun.
        """
        return tuple(
            each if isinstance(each, Attempt) else Attempt(each.host, each.result, each.seconds)
            for each in self._tried
        )

    def _pick(self) -> IPAddress | None:
        """
        The next address: of the other family than the last one, if there is any.
        """
        for version in (self._version, 10 - self._version):
            if self._waiting[version]:
                self._version = 10 - version
                return self._waiting[version].popleft()
        return None

    def _dial(self, address: IPAddress) -> None:
        """
        Begin an attempt, and see to the next if this one takes its time.
        """
        runner = _Runner(self, address)
        self._runners.append(runner)
        self._tried.append(runner)
        port = self.request.destination.port
        # No timeout here: whoever keeps the deadline of the whole cancels.
        runner.connector = self.connectTCP(runner.host, port, runner, timeout=None)
        if self._waiting[4] or self._waiting[6]:
            self._timer = self.reactor.callLater(ATTEMPT_DELAY, self.advance)

    def _refusal(self) -> Refusal:
        """
        Why there is no connection.
        """
        destination = self.request.destination
        results = {each.result for each in self._runners}
        for kind, words in WORDS.items():
            if kind in results:
                more = f" ({len(self._runners)} addresses tried)" if len(self._runners) > 1 else ""
                return Refusal(kind, f"{destination} {words}{more}")
        if self._denial is not None:
            return self._denial.refusal()
        return Refusal("dns_error", f"the name {destination.host} has no address")

    def timeout(self) -> Refusal:
        """
        Why there is no connection yet.
        """
        destination = self.request.destination
        if all(each.result for each in self._runners):  # nothing is under way but a look-up
            return Refusal("dns_timeout", f"the look-up of {destination.host} took too long")
        return Refusal("connection_timeout", f"{destination} {WORDS['connection_timeout']}")
