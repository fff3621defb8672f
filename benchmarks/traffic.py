"""
What a client sends through tunnels: one class for each kind of use, one object for each tunnel.

They count and note faults; they measure nothing and know no windows.  All of
them are called for every message or chunk, so they do no more than they must.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.bench import Bench, rest
from benchmarks.loop import READ, WRITE
from benchmarks.origin import CHUNK, discard
from benchmarks.tunnel import Tunnel

__all__ = ["MESSAGE", "Cycle", "Flow", "Getter", "Once", "Pinger"]

MESSAGE = bytes(64)


class Cycle:
    """
    Open, one message there and back, close; over and over.

    @ivar rounds: how many have been completed.
    @ivar going: whether to begin another after this one.
    @ivar busy: whether one is under way.
    @ivar done: called when none is under way any more.
    """

    __slots__ = ("_bench", "_got", "_tunnel", "busy", "done", "going", "rounds")

    def __init__(self, bench: Bench, done: Callable[[], None]) -> None:
        self._bench = bench
        self._got = 0
        self._tunnel: Tunnel | None = None
        self.busy = False
        self.going = True
        self.rounds = 0
        self.done = done

    def begin(self) -> None:
        """Begin the first, or the next."""
        self.busy = True
        self._got = 0
        bench = self._bench
        target = bench.origin.target("echo")
        Tunnel(bench.loop, bench.proxy, target, self._opened, self._failed, bench.dialect)

    def _opened(self, tunnel: Tunnel, _early: bytes) -> None:
        self._tunnel = tunnel
        try:
            tunnel.sock.send(MESSAGE)
        except OSError as problem:
            self._failed(str(problem))
            return
        tunnel.loop.calls[tunnel.fd] = self._heard

    def _heard(self) -> None:
        assert self._tunnel is not None
        try:
            got = len(self._tunnel.sock.recv(len(MESSAGE)))
        except BlockingIOError:
            return
        except OSError as problem:
            self._failed(str(problem))
            return
        if not got:
            self._failed("closed before the message came back")
            return
        self._got += got
        if self._got == len(MESSAGE):
            self._tunnel.close()
            self._tunnel = None
            self.rounds += 1
            if self.going:
                self.begin()
            else:
                self._end()

    def _failed(self, reason: str) -> None:
        # Not begun again: a fault voids the measurement, and a proxy that is
        # gone would be called without end.
        self._bench.faults[f"cycle: {reason}"] += 1
        if self._tunnel is not None:
            self._tunnel.close()
            self._tunnel = None
        self._end()

    def _end(self) -> None:
        self.busy = False
        self.done()


class Pinger:
    """
    One tunnel on which a message goes there and back, over and over.

    @ivar rounds: how often it has come back.
    """

    __slots__ = ("_bench", "_missing", "_since", "_sock", "_times", "rounds")

    def __init__(self, bench: Bench, tunnel: Tunnel, times: list[int]) -> None:
        self._bench = bench
        self._sock = tunnel.sock
        self._times = times
        self._missing = len(MESSAGE)
        self.rounds = 0
        tunnel.loop.calls[tunnel.fd] = self.heard
        self._since = time.perf_counter_ns()
        self._sock.send(MESSAGE)

    def heard(self) -> None:
        """Take what is there; when the message is complete, send the next."""
        try:
            got = len(self._sock.recv(len(MESSAGE)))
        except BlockingIOError:
            return
        except OSError:
            got = 0
        if not got:
            _lost(self._bench, self._sock.fileno())
            return
        self._missing -= got
        if self._missing:
            return
        now = time.perf_counter_ns()
        self._times.append(now - self._since)
        self.rounds += 1
        self._missing = len(MESSAGE)
        self._since = now
        try:
            self._sock.send(MESSAGE)
        except OSError:
            _lost(self._bench, self._sock.fileno())


class Getter:
    """
    One connection on which a page is asked for, over and over.

    @ivar rounds: how many have come whole.
    """

    __slots__ = ("_bench", "_got", "_request", "_since", "_size", "_sock", "_times", "rounds")

    def __init__(self, bench: Bench, tunnel: Tunnel, times: list[int]) -> None:
        host, port = bench.origin.target("http")
        name = f"{host}:{port}".encode("ascii")
        target = b"http://%b" % name if bench.proxy else b""
        self._request = (
            b"GET %b/page HTTP/1.1\r\nHost: %b\r\nUser-Agent: benchmark\r\nAccept: */*\r\n\r\n"
            % (
                target,
                name,
            )
        )
        self._bench = bench
        self._sock = tunnel.sock
        self._times = times
        self._got = b""
        self._size = 0
        self.rounds = 0
        tunnel.loop.calls[tunnel.fd] = self.heard
        self._since = time.perf_counter_ns()
        self._sock.send(self._request)

    def heard(self) -> None:
        """Take what is there; when the page is complete, ask for the next."""
        try:
            got = self._sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got:
            _lost(self._bench, self._sock.fileno())
            return
        self._got += got
        if not self._size:
            head, end, _ = self._got.partition(b"\r\n\r\n")
            if not end:
                return
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if not head.startswith(b"HTTP/1.1 200 ") or length != b"1024":
                self._bench.faults[f"answer {head[:40]!r}"] += 1
                _lost(self._bench, self._sock.fileno())
                return
            self._size = len(head) + 4 + 1024
        if len(self._got) < self._size:
            return
        now = time.perf_counter_ns()
        self._times.append(now - self._since)
        self.rounds += 1
        self._got = b""
        self._size = 0
        self._since = now
        try:
            self._sock.send(self._request)
        except OSError:
            _lost(self._bench, self._sock.fileno())


class Flow:
    """
    One tunnel through which bytes run as fast as they can.

    @ivar arrived: octets that have come to the client.
    @ivar sent: octets the client could send.
    """

    __slots__ = ("_bench", "_tunnel", "arrived", "sent")

    def __init__(self, bench: Bench, tunnel: Tunnel, way: str) -> None:
        self._bench = bench
        self._tunnel = tunnel
        self.arrived = 0
        self.sent = 0
        tunnel.loop.calls[tunnel.fd] = {"down": self.drain, "up": self.fill, "both": self.both}[way]
        if way != "down":
            tunnel.loop.change(tunnel.fd, READ | WRITE if way == "both" else WRITE)

    def drain(self) -> None:
        """Take and drop what is there."""
        try:
            got = discard(self._tunnel.sock)
        except BlockingIOError:
            return
        except OSError:
            got = 0
        if got:
            self.arrived += got
        else:
            _lost(self._bench, self._tunnel.fd)

    def fill(self) -> None:
        """Send as much as fits."""
        try:
            self.sent += self._tunnel.sock.send(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            _lost(self._bench, self._tunnel.fd)

    def both(self) -> None:
        """Both, whichever of them it was that became possible."""
        self.drain()
        self.fill()


class Once:
    """
    One message there and back, then silence.

    @ivar heard: whether it has come back.
    """

    __slots__ = ("_bench", "_tunnel", "heard")

    def __init__(self, bench: Bench, tunnel: Tunnel) -> None:
        self._bench = bench
        self._tunnel = tunnel
        self.heard = False
        tunnel.loop.calls[tunnel.fd] = self._hear
        tunnel.sock.send(MESSAGE)

    def _hear(self) -> None:
        try:
            got = self._tunnel.sock.recv(len(MESSAGE))
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if got and not self.heard:
            self.heard = True
        else:
            _lost(self._bench, self._tunnel.fd)


def _lost(bench: Bench, fd: int) -> None:
    """
    A tunnel ended that should have stayed.

    What is called for its descriptor does nothing from here on; a hang-up is
    told again and again, but this run is void anyway.
    """
    bench.faults["tunnel: closed too early"] += 1
    bench.loop.calls[fd] = rest
