"""
The relay that moves bytes by C{splice(2)}: from socket to pipe to socket inside
the kernel, never through Python.

It serves tunnels between two plain sockets on Linux and declines all others.
Both Twisted transports stay paused and keep their sockets; this relay polls the
sockets in an epoll set of its own, and that set's descriptor is the only thing
that the reactor watches.  So the reactor's work is done once for a batch of
events and not once for each, and every reactor that can watch a descriptor will
do.

Flow control is the pipe: a side is read only while nothing that it sent waits
for the other, and what has been read is written at once.  What the other side
does not take stays in the pipe until it is writable.  Where there is a limit of rate
(L{connectproxy.shaping}), no more is read than is allowed, and a side that has to wait
for its turn is not polled for reading.

Three rules keep it correct:

  - A pipe that may hold bytes never goes back to the pool: the next tunnel would
    deliver another's.  What goes into a pipe is counted before anything is taken
    out, and the pool asks the kernel once more (C{FIONREAD}).
  - EPOLLHUP and EPOLLERR can't be masked.  They come when both directions of a
    socket are over or it is broken, and either ends the tunnel.
  - EAGAIN from a C{splice} into a pipe can mean that there is nothing to read or
    that the pipe is full.  Here the pipe is always empty then; but urgent data,
    which splice never passes, stop it as well, with EAGAIN or even with an end of
    stream.  So where splice moves nothing C{recv} is asked, which goes on behind
    the mark.
"""

from __future__ import annotations

import os
import select
import socket

from twisted.internet.interfaces import IReactorFDSet, IReactorTime, IReadDescriptor, IUNIXTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.interfaces import IRelay, Terms
from connectproxy.leg import Leg, adopt
from connectproxy.pipes import PIPE_SIZE, Pipe, PipePool
from connectproxy.relay import Timeouts
from connectproxy.sockets import plainSocket, unsent
from connectproxy.spliced import FLAGS, IN, OUT, PARKED, End, SplicedTunnel, isSupported
from connectproxy.wheel import Wheel

__all__ = ["SpliceRelay"]

BATCH = 256
"""Events that are served before the reactor gets its turn."""

TURNS = 4
"""Reads of a whole pipe in a row from one side before the next has its turn.  One
cost a third more CPU per octet with sixteen busy tunnels."""

COPY_SIZE = 65536
"""Octets read at once where there is no pipe to be had."""

HUP, ERR = getattr(select, "EPOLLHUP", 16), getattr(select, "EPOLLERR", 8)

_ORDINARY = Terms()


@implementer(IRelay, IReadDescriptor)
class SpliceRelay:
    """
    Joins two plain sockets.

    To the reactor it is one readable descriptor.  For the sockets it stands in
    the reactor's place: it polls them, and it calls C{connectionLost} of their
    transports as a reactor does.
    """

    relayName = "splice"

    _log = Logger()

    def __init__(
        self, reactor: IReactorFDSet, clock: IReactorTime, wheel: Wheel, timeouts: Timeouts = Timeouts()
    ) -> None:
        """
        @param reactor: watches one descriptor, from the first tunnel on.
        @param clock: tells the time.
        @param wheel: keeps the deadlines, on the same clock.
        @param timeouts: for every tunnel.
        """
        self._reactor = reactor
        self.clock = clock
        self.wheel = wheel
        self.timeouts = timeouts
        self.pipes = PipePool()
        self._ends: dict[int, End] = {}
        self._now = clock.seconds()  # when the batch in hand was polled
        self._inHand: Pipe | None = None  # an empty pipe, out of the pool, for the next read
        self._epoll: select.epoll | None = None

    isSupported = staticmethod(isSupported)

    def canJoin(self, client: Leg, origin: Leg) -> bool:
        """
        See L{IRelay.canJoin}: both transports must be plain TCP sockets with
        nothing of theirs in user space.
        """
        for leg in (client, origin):
            if plainSocket(leg.transport) is None or unsent(leg.transport):
                return False
            if IUNIXTransport.providedBy(leg.transport):
                # Its peer's mere closing is a hang-up, which can't be masked and
                # can't be told from a reset; what it had sent would be lost.
                return False
        return self._epoll is not None or self._open()

    def _open(self) -> bool:
        """
        Make the epoll set, with the first tunnel.

        @return: whether there is one now.
        """
        try:
            self._epoll = select.epoll()
        except OSError:
            return False  # no descriptor is left; the other relay needs none
        self._reactor.addReader(self)
        return True

    def join(self, client: Leg, origin: Leg, terms: Terms | None = None) -> SplicedTunnel:
        """
        See L{IRelay.join}.
        """
        if self._epoll is None:
            self._open()
        assert self._epoll is not None
        pair = (plainSocket(client.transport), plainSocket(origin.transport))
        assert pair[0] is not None and pair[1] is not None
        timeouts, shapers = terms or _ORDINARY
        tunnel = SplicedTunnel(self, client, origin, (pair[0], pair[1]), timeouts or self.timeouts, shapers)
        self._now = tunnel.active
        for leg, end in ((client, tunnel.client), (origin, tunnel.origin)):
            leg.transport.pauseProducing()  # type: ignore[union-attr]
            adopt(leg.transport, end)
            self._ends[end.fd] = end
            end.mask = IN
        tunnel.watch()
        try:
            self._epoll.register(tunnel.client.fd, IN)
            self._epoll.register(tunnel.origin.fd, IN)
        except OSError as error:  # the user's share of watches is used up
            self._log.error("a tunnel can't be polled: {error}", error=str(error))
            tunnel.end("proxy", "aborted")
        for end in (tunnel.client, tunnel.origin):
            if end.early and not tunnel.kind:
                self._begin(end)
        return tunnel

    def _begin(self, end: End) -> None:
        """
        Pass on what came before the tunnel.  It may have to wait as well: or a new
        tunnel would always be good for some octets.
        """
        meter = end.meter
        if meter is not None:
            if not meter.allowance():
                end.rearm(self._epoll)
                return
            meter.spend(len(end.early))
        self._flush(end)

    def goOn(self, end: End) -> None:
        """
        A side whose rate is limited may be read again.
        """
        self._now = self.clock.seconds()
        if end.early:
            self._begin(end)
            return
        self._fill(end)
        if end.tunnel is not None:
            end.rearm(self._epoll)

    def forget(self, end: End) -> None:
        """
        A side is about to be closed: poll it no more, and drop what it holds.
        Closing the descriptor takes it out of the epoll set.
        """
        self._ends.pop(end.fd, None)
        if end.pipe is not None:
            if end.held:
                self.pipes.discard(end.pipe)
            else:
                self.pipes.give(end.pipe)
            end.pipe = None

    def stop(self) -> None:
        """
        Let go of the reactor and of every spare pipe.  There must be no tunnels.
        """
        if self._inHand is not None:
            self.pipes.give(self._inHand)
            self._inHand = None
        self.pipes.stop()
        if self._epoll is not None:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None

    # What the reactor calls.

    def fileno(self) -> int:
        """
        The descriptor that is readable when one of the sockets has an event.
        """
        return self._epoll.fileno() if self._epoll is not None else -1

    def logPrefix(self) -> str:
        """
        What log lines of a turn begin with.
        """
        return "splice"

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor gives the descriptor up, at its own end.
        """

    def doRead(self) -> None:
        """
        Serve a batch of events.
        """
        assert self._epoll is not None
        self._now = self.clock.seconds()
        ends = self._ends
        for fd, event in self._epoll.poll(0, BATCH):
            end = ends.get(fd)
            if end is None:
                continue  # its tunnel has ended earlier in this batch
            if event & OUT:
                self._flush(end.peer)
                if fd not in ends:
                    continue
            if event & IN and end.mask & IN:
                self._fill(end)
            elif event & ERR or (event & HUP and not end.peer.ended):
                end.tunnel.end(end.name, "reset")
            elif event & HUP and not end.mask & IN:
                # Its end of stream has come while its octets wait for a slow
                # peer, which had ended before: both directions are over, in
                # order.  Nothing can mask that, so take it out of the set.
                # (Unless the peer took them earlier in this batch: then it is
                # being read again, and the next poll says that it can be.)
                self._epoll.unregister(fd)
                end.mask = PARKED

    def _fill(self, end: End) -> None:
        """
        Read a side that has something, or its end, and write at once what was
        read.  Nothing of it waits when this is called.

        The pipe in hand is the side's from before the first octet goes in until
        it is known that all have come out.  A pipe that was filled whole, or with all
        that was allowed, is worth another turn: there is more.
        """
        meter, size = end.meter, PIPE_SIZE
        if meter is not None and (size := min(size, meter.allowance())) == 0:
            end.rearm(self._epoll)
            return
        pipe = self._inHand
        if pipe is None:
            try:
                pipe = self.pipes.take()
            except OSError:
                self._copy(end, size)
                return
        self._inHand = None
        end.pipe = pipe
        peer = end.peer
        turns = TURNS
        while True:
            try:
                end.held = n = os.splice(end.fd, pipe[1], size, None, None, FLAGS)
            except BlockingIOError:
                n = -1
                break
            except OSError:
                end.tunnel.end(end.name, "reset")
                return
            if not n:
                break
            end.tunnel.active = self._now
            if meter is not None:
                meter.spend(n)
            taken = 0
            try:
                taken = os.splice(pipe[0], peer.fd, n, None, None, FLAGS)
            except BlockingIOError:
                pass
            except OSError:
                end.tunnel.end(peer.name, "reset")
                return
            end.count += taken
            end.held = n - taken
            if end.held:
                end.rearm(self._epoll)
                return
            turns -= 1
            if n < size or not turns:
                break
            if meter is not None and (size := min(PIPE_SIZE, meter.allowance())) == 0:
                end.rearm(self._epoll)
                break
        end.pipe = None
        self._inHand = pipe
        if n <= 0:
            self._copy(end, size)

    def _copy(self, end: End, size: int) -> None:
        """
        Do without a pipe: for want of descriptors, or where splice moves nothing,
        which is at the end of the stream and at the mark of urgent data.

        @param size: how many octets are allowed.
        """
        try:
            data = end.sock.recv(min(size, COPY_SIZE))
        except BlockingIOError:
            return
        except OSError:
            end.tunnel.end(end.name, "reset")
            return
        if not data:
            self._ended(end)
            return
        if end.meter is not None:
            end.meter.spend(len(data))
        end.early = data
        self._flush(end)

    def _flush(self, end: End) -> None:
        """
        Write what waits from a side to the other, whose socket may take it.
        """
        peer = end.peer
        end.tunnel.active = self._now
        try:
            if end.early:
                n = peer.sock.send(end.early)
                end.early = end.early[n:]
                end.count += n
            if end.held and end.pipe is not None:
                n = os.splice(end.pipe[0], peer.fd, end.held, flags=FLAGS)
                end.held -= n
                end.count += n
                if not end.held:
                    pipe, end.pipe = end.pipe, None
                    self.pipes.give(pipe)
        except BlockingIOError:
            pass
        except OSError:
            end.tunnel.end(peer.name, "reset")
            return
        end.rearm(self._epoll)

    def _ended(self, end: End) -> None:
        """
        A side has sent its end of stream, and all that came before it is written.
        """
        end.ended = True
        if end.meter is not None:
            end.meter.stop()
        tunnel, peer = end.tunnel, end.peer
        if peer.ended:
            tunnel.end(tunnel.endedBy, "eof", orderly=True)
            return
        try:
            peer.sock.shutdown(socket.SHUT_WR)
        except OSError:
            tunnel.end(peer.name, "reset")
            return
        tunnel.halfClosed(end.name)
        end.rearm(self._epoll)
