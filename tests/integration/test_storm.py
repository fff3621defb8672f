"""
A storm of resets under load: no octet ever arrives in another tunnel.
"""

from __future__ import annotations

import random
import select
import socket
from typing import ClassVar

import pytest

from tests.integration.case import ProxyTestCase, SplicedCase, WiredCase
from tests.integration.raw import head, nameOf, reset
from tests.integration.running import waitFor

pytestmark = pytest.mark.integration

TUNNELS = 400
"""How many tunnels there are in all."""

AT_ONCE = 40
"""How many of them at a time."""

TAG = 16
"""Octets of a tag; a stream is nothing but its tag, again and again."""

BLOCK = 64 * 1024


class End:
    """
    One end of a tunnel: sends its own tag and expects the other end's.

    @ivar deaf: it reads nothing, so that octets are under way when it is reset.
    @ivar sent: octets sent.
    @ivar received: octets received.
    """

    def __init__(self, sock: socket.socket, own: bytes, others: bytes, *, deaf: bool) -> None:
        self.sock = sock
        self.deaf = deaf
        self.sent = self.received = 0
        self._out, self._in = (tag * (BLOCK // TAG + 1) for tag in (own, others))
        sock.setblocking(False)

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self) -> int:
        """
        @return: how much was sent.
        """
        start = self.sent % TAG
        n = self.sock.send(self._out[start : start + BLOCK])
        self.sent += n
        return n

    def receive(self) -> int:
        """
        @return: how much came; 0 at the end.
        """
        octets = self.sock.recv(BLOCK)
        start = self.received % TAG
        assert octets == self._in[start : start + len(octets)], (self._in[:TAG], self.received, octets[:TAG])
        self.received += len(octets)
        return len(octets)


class StormMixin(ProxyTestCase):
    """
    What both relays must stand.
    """

    relay: ClassVar[str] = ""

    def test_everyOctetIsItsTunnels(self) -> None:
        """
        Tunnels under load are reset by either end, in the middle of it, while new ones open
        and take over what the old ones have used.
        """
        chance = random.Random(9110)
        self._listener = self.origin(backlog=AT_ONCE)
        self._ends: dict[End, tuple[End, int]] = {}  # the other end, and after how many octets to reset
        self._names: list[str] = []
        self._received = 0
        while len(self._names) < TUNNELS or self._ends:
            while len(self._names) < TUNNELS and len(self._ends) < 2 * AT_ONCE:
                self._open(chance)
            self._turn()
        events = waitFor(lambda: (found := self.proxy.events())[TUNNELS - 1 :] and found, "all events")
        self.assertEqual(sorted(each["client"] for each in events), sorted(self._names))
        for each in events:
            self.assertEqual((each["event"], each["end"], each["relay"]), ("tunnel", "reset", self.relay))
        self.assertGreater(self._received, TUNNELS * BLOCK)
        self.assertPings(*self.tunnel())

    def _open(self, chance: random.Random) -> None:
        number = len(self._names)
        sock = self.connect()
        self._names.append(nameOf(sock))
        sock.sendall(head(f"127.0.0.1:{self._listener.getsockname()[1]}"))
        answer = sock.recv(1000)
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(1)
        self.assertEqual(answer[:13], b"HTTP/1.1 200 ")
        up, down = b"up%014d" % number, b"down%012d" % number
        client = End(sock, up, down, deaf=chance.random() < 0.3)
        origin = End(self.accept(self._listener), down, up, deaf=not client.deaf and chance.random() < 0.3)
        limit = chance.randrange(8 * BLOCK)
        self._ends[client] = origin, limit
        self._ends[origin] = client, chance.choice((limit, 2 * limit))

    def _turn(self) -> None:
        readable, writable, _ = select.select(
            [each for each in self._ends if not each.deaf], list(self._ends), [], 1.0
        )
        if not readable and not writable:
            # Everybody waits for a deaf one: that is when a reset hits full buffers.
            self._end(next(iter(self._ends)))
        for end, act in [(each, End.receive) for each in readable] + [(each, End.send) for each in writable]:
            if end not in self._ends:
                continue
            other, limit = self._ends[end]
            try:
                over = act(end) == 0 or end.received > limit
            except BlockingIOError:
                continue
            except ConnectionError:
                over = True
            if over or (other.deaf and end.received + end.sent > limit + BLOCK):
                self._end(end)

    def _end(self, end: End) -> None:
        """
        Reset this end, and let go of the other, which has no octets but its own to read.
        """
        other, _ = self._ends.pop(end)
        del self._ends[other]
        self._received += end.received + other.received
        reset(end.sock)
        other.sock.setblocking(True)
        other.sock.settimeout(60)
        try:
            while other.receive():
                pass
        except ConnectionError:
            pass
        other.sock.close()


class SplicedStormTests(SplicedCase, StormMixin):
    """
    The relay that splices, whose pipes go from tunnel to tunnel.
    """


class WiredStormTests(WiredCase, StormMixin):
    """
    The relay that wires transports.
    """


# The mixin is no case of its own.
del StormMixin
