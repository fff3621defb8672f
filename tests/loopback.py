"""
Real sockets for tests that need them: connected over the loopback interface, inside
trial's reactor, without a wait for the clock.

What is waited for is asked once in every turn of the reactor; that a thing never comes is
trial's own timeout's to say.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

__all__ = ["REACTOR", "LoopbackTestCase", "descriptors"]

REACTOR: Any = reactor


def descriptors() -> dict[str, str]:
    """
    The descriptors of this process that are open, with what they lead to; but not the one
    that Twisted keeps in reserve from the first listening port on.
    """
    found = {}
    for each in os.listdir("/proc/self/fd"):
        try:
            found[each] = os.readlink(f"/proc/self/fd/{each}")
        except FileNotFoundError:
            pass  # the one by which they were listed
    return {each: target for each, target in found.items() if target != os.devnull}


class _Given(Factory):
    """
    Gives one connection one protocol.
    """

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._given = protocol

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._given


class _Asking:
    """
    Asks once in every turn of the reactor whether a condition holds.  Nothing of it is left
    for the garbage collector, since there are tests of just that.
    """

    def __init__(self, condition: Callable[[], Any]) -> None:
        self.answer: Deferred[None] = Deferred(lambda _: self._call.cancel())
        self._condition = condition
        self._call = REACTOR.callLater(0, self._ask)

    def _ask(self) -> None:
        try:
            holds = self._condition()
        except Exception:  # noqa: BLE001  it goes to the test
            self.answer.errback()
            return
        if holds:
            del self._condition, self._call
            self.answer.callback(None)
        else:
            self._call = REACTOR.callLater(0, self._ask)


class LoopbackTestCase(TestCase):
    """
    A test with connections of its own.

    @ivar adopted: every transport that was made here; what is open at the end is reset.
    """

    timeout = 120

    def setUp(self) -> None:
        self.adopted: list[Any] = []
        self.addCleanup(lambda: Deferred.fromCoroutine(self.closeAll()))

    def sockets(self, buffers: int | None = None) -> tuple[socket.socket, socket.socket]:
        """
        Two sockets that are connected to each other: the one that dialled first.

        @param buffers: octets for each of the four buffers, which the kernel doubles; by
            default it sizes them itself.
        """
        with socket.socket() as listener:
            first = socket.socket()
            if buffers is not None:
                for each in (listener, first):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            first.connect(listener.getsockname())
            second, _ = listener.accept()
        first.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        second.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return first, second

    def adopt(self, sock: socket.socket, protocol: Any) -> Any:
        """
        Make a connected socket a transport of the reactor's.

        @return: the transport.
        """
        with sock:  # the reactor takes a duplicate
            REACTOR.adoptStreamConnection(sock.fileno(), sock.family, _Given(protocol))
        self.adopted.append(protocol.transport)
        return protocol.transport

    def pair(self, first: Any, second: Any, buffers: int | None = None) -> tuple[Any, Any]:
        """
        Two transports that are connected to each other.
        """
        one, two = self.sockets(buffers)
        return self.adopt(one, first), self.adopt(two, second)

    def until(self, condition: Callable[[], Any]) -> Deferred[None]:
        """
        @return: a Deferred that fires when the condition holds.
        """
        return _Asking(condition).answer

    def turns(self, number: int = 30) -> Deferred[None]:
        """
        @return: a Deferred that fires after some turns of the reactor.  The loopback
            interface delivers within the system call, so that in these happens whatever
            is going to happen without another cause.
        """
        left = iter(range(number))
        return self.until(lambda: next(left, None) is None)

    async def closeAll(self) -> None:
        """
        Reset whatever is open.
        """
        for transport in self.adopted:
            if transport.connected:
                transport.abortConnection()
        await self.until(lambda: not any(each.connected for each in self.adopted))
