"""
A fake network for datagrams: what L{connectproxy.datagrams} asks of a socket, and nothing
arrives but by the test.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
from collections import deque
from typing import Any, NamedTuple

__all__ = ["FakeUDP", "Network", "Sent"]


class Sent(NamedTuple):
    """
    A datagram that has been sent.

    @ivar sender: the socket.
    @ivar to: the address and port that it was sent to.
    """

    sender: FakeUDP
    to: tuple[str, int]
    octets: bytes


class FakeUDP:
    """
    A UDP socket.

    @ivar inbox: what has arrived: octets with where they came from, or an errno.
    @ivar bound: its own address and port.
    @ivar connected: the only peer, or L{None}.
    @ivar failing: the errno with which it fails to send to an address, or to any for C{""}.
    @ivar closed: it is closed.
    """

    def __init__(self, network: Network, family: int) -> None:
        self._network = network
        self.family = family
        self.inbox: deque[tuple[bytes, tuple[Any, ...]] | int] = deque()
        self.bound: tuple[str, int] = ("", 0)
        self.connected: tuple[str, int] | None = None
        self.failing: dict[str, int] = {}
        self.options: dict[tuple[int, int], int] = {}
        self.blocking = True
        self.closed = False
        self.number = next(network.numbers)

    def fileno(self) -> int:
        return self.number

    def setblocking(self, flag: bool) -> None:
        self.blocking = flag

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value

    def bind(self, address: tuple[str, int]) -> None:
        self._network.fail("bind")
        self.bound = (address[0], self.number + 40000)

    def getsockname(self) -> tuple[Any, ...]:
        return self.bound if self.family == socket.AF_INET else (*self.bound, 0, 0)

    def connect(self, address: tuple[str, int]) -> None:
        self._network.fail("connect")
        self.connected = address

    def send(self, octets: bytes) -> None:
        assert self.connected is not None
        self._send(octets, self.connected)

    def sendto(self, octets: bytes, address: tuple[str, int]) -> None:
        assert self.connected is None, "it is connected"
        self._send(octets, address)

    def _send(self, octets: bytes, address: tuple[str, int]) -> None:
        number = self.failing.get(address[0]) or self.failing.get("")
        if number:
            raise OSError(number, os.strerror(number))
        self._network.sent.append(Sent(self, address, octets))

    def recvfrom(self, size: int) -> tuple[bytes, tuple[Any, ...]]:
        assert not self.blocking and not self.closed
        if not self.inbox:
            raise BlockingIOError(errno.EAGAIN, "nothing there")
        found = self.inbox.popleft()
        if isinstance(found, int):
            raise OSError(found, os.strerror(found))
        return found[0][:size], found[1]

    def close(self) -> None:
        self.closed = True

    @property
    def readable(self) -> bool:
        """Whether C{recvfrom} has something to say."""
        return bool(self.inbox) and not self.closed


class Network:
    """
    All sockets of a test.

    @ivar sockets: every one that was made.
    @ivar sent: every datagram that was sent.
    @ivar failing: the errno with which an operation fails: C{"socket"}, C{"bind"} or
        C{"connect"}.
    """

    def __init__(self) -> None:
        self.numbers = itertools.count(100)
        self.sockets: list[FakeUDP] = []
        self.sent: list[Sent] = []
        self.failing: dict[str, int] = {}

    def fail(self, operation: str) -> None:
        """
        Fail, if that is wanted.
        """
        number = self.failing.get(operation)
        if number:
            raise OSError(number, os.strerror(number))

    def socket(self, family: int, kind: int) -> FakeUDP:
        """
        Make a socket.
        """
        assert kind == socket.SOCK_DGRAM
        self.fail("socket")
        made = FakeUDP(self, family)
        self.sockets.append(made)
        return made

    def take(self) -> list[tuple[tuple[str, int], bytes]]:
        """
        What has been sent since the last time: where to, and what.
        """
        sent, self.sent = self.sent, []
        return [(each.to, each.octets) for each in sent]
