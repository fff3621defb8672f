"""
A connection to a next hop, until it takes requests, or has come to nothing.

Nothing is asked before the next hop has said by its SETTINGS that it speaks HTTP/2, and how
many streams it takes: that costs the first request a round trip, and saves all of them from
going, with their credentials, to whatever answers there.  Over TLS it has to have chosen it
by ALPN (RFC 9113 section 3.2), in clear it is known before (section 3.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress, IHandshakeListener, IProtocolFactory
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal, Refused
from connectproxy.http2.connection import Connection
from connectproxy.http2.credit import CONNECTION, FIRST
from connectproxy.http2.incoming import LIST
from connectproxy.http2.sending import Sender
from connectproxy.interfaces import Established, TunnelRequest
from connectproxy.race import WORDS
from connectproxy.tls import handshakeRefusal
from connectproxy.upstreams.http2.incoming import FromHop
from connectproxy.wire.hopstatus import named
from connectproxy.wire.http2 import PREFACE, Setting, formatSettings, formatWindowUpdate

if TYPE_CHECKING:
    from connectproxy.upstreams.http2.pool import Pool

__all__ = ["GREETING", "Opening"]

GREETING = (
    PREFACE
    + formatSettings({Setting.ENABLE_PUSH: 0, Setting.MAX_HEADER_LIST_SIZE: LIST})
    + formatWindowUpdate(0, CONNECTION - FIRST)
)
"""What the next hop is told before anything else."""


@implementer(IHandshakeListener, IProtocolFactory)
class Opening(Connection):
    """
    One connection on its way to be one, and the factory of itself.

    @ivar pool: what it belongs to.
    @ivar ready: it takes requests, or did.
    @ivar established: how it was connected; L{None} until it is.
    @ivar heard: when the last octets came, in seconds of the clock.
    """

    incoming: FromHop
    ready = False
    established: Established | None = None
    heard = 0.0
    _connecting: Any = None
    _begun = False
    _over = False
    _peer: Any = None
    _missed: Any = None

    def __init__(self, pool: Pool) -> None:
        Connection.__init__(self, pool.clock, pool.wheel)
        self.pool: Any = pool
        self.called = named(pool.name)
        self._since = self.now()

    def getPeer(self) -> IAddress:
        """
        See L{Connection.getPeer}: the next hop's address.
        """
        address: IAddress = self._peer
        return address

    # Connecting.

    def open(self, request: TunnelRequest) -> None:
        """
        Connect to the next hop.

        @param request: the one that wants it first.
        """
        self.watch()
        self._connecting = self.pool.hop.reach(request, self)
        self._connecting.addCallbacks(self._reached, self._unreached)

    def doStart(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def doStop(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def buildProtocol(self, addr: IAddress | None) -> Opening:
        """
        The hop has been connected to.
        """
        self._peer = addr
        return self

    def _reached(self, established: Established) -> None:
        """
        The connection is there; more may have happened on it already.
        """
        self.established = established
        self._check()

    def _unreached(self, failure: Failure) -> None:
        """
        There is none.
        """
        self._missed = failure.value
        if not self._over:
            self._over = self.closing = True
            self.wheel.remove(self)
            self.pool.failed(self, failure)
            self.pool.gone(self)

    # Beginning to speak.

    def connectionMade(self) -> None:
        """
        Begin, unless there is TLS to begin before.
        """
        if self.pool.hop.tls is None:
            self._begin()

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}: begin, if the next hop agrees to.
        """
        if self.transport.negotiatedProtocol == b"h2":
            self._begin()
        else:
            words = "does not speak HTTP/2, as ALPN says; it may be one for https"
            self.closing = True
            self.fall(Refusal("next_hop_protocol_error", f"{self.called} {words}"))
            self.transport.abortConnection()

    def _begin(self) -> None:
        """
        Say what holds here.
        """
        self._begun = True
        self.heard = self.now()
        self.incoming = FromHop(self, self.heard)
        self.sender = Sender(self, self.transport)
        self.sender.control(GREETING)

    def settled(self) -> None:
        """
        The next hop has said how many streams it takes.
        """
        if self.ready:
            self.pool.serve()
        else:
            self._check()

    def _check(self) -> None:
        """
        Let requests come, as soon as they can.
        """
        if self.established is not None and self._begun and self.incoming.greeted and not self._over:
            self.ready = True
            self.opened()

    def opened(self) -> None:
        """
        Requests can come.
        """
        raise NotImplementedError

    # Coming to nothing.

    def fall(self, refusal: Refusal) -> None:
        """
        It has come to nothing before it took a request.
        """
        if not self._over:
            self._over = True
            self.pool.failed(self, Failure(self._refused(refusal)))

    def _refused(self, refusal: Refusal) -> Refused:
        """
        A refusal, with what has been tried to get here.
        """
        established = self.established
        if established is None:
            return Refused(refusal, hop=self.pool.name)
        return Refused(refusal, established.tried, established.resolved, self.pool.name)

    def delay(self) -> Refusal:
        """
        Why it takes no requests yet.
        """
        if self.established is not None:
            words = "took the connection and did not begin HTTP/2 in time"
            return Refusal("next_hop_silent", f"{self.called} {words}")
        return Refusal("connection_timeout", f"{self.called} {WORDS['connection_timeout']}")

    def overdue(self) -> None:
        """
        The deadline of connecting has come.
        """
        self.pool.failed(self, Failure(self.abandon()))

    def abandon(self) -> Refused:
        """
        Give up what has not come to take requests.

        @return: what has not been done in time.
        """
        refused = self._refused(self.delay())
        self._over = self.closing = True
        self.wheel.remove(self)
        self.pool.retire(self)
        if self.established is not None:
            self.transport.abortConnection()
            return refused
        self._connecting.cancel()
        self.pool.gone(self)
        return self._missed if isinstance(self._missed, Refused) else refused

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        self.wheel.remove(self)
        if not self.ready:
            refusal = None if self.pool.hop.tls is None else handshakeRefusal(reason, self.called)
            words = f"{self.called} closed the connection before it had begun HTTP/2"
            self.fall(refusal or Refusal("next_hop_gone", words))
        self.closing = self._over = True
        self.pool.retire(self)
        if self._begun:
            self.loseStreams()
        self.pool.gone(self)
