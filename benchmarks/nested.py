"""
Tunnels of other sorts than those that the modes open: within another one, and such as nobody
reads from.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from benchmarks.bench import PATIENCE, Bench, rest
from benchmarks.loop import READ, WRITE
from benchmarks.origin import ADDRESSES, CHUNK
from benchmarks.tunnel import Tunnel

__all__ = ["Nested", "stalled"]

_FILLING = 0.5
"""Seconds for all that is between the ends of a stalled tunnel to fill up."""


def _tunnel(bench: Bench, target: tuple[str, int]) -> Tunnel | None:
    """
    Open a tunnel to what is no service of the origin's, and watch it for nothing.
    """
    made: list[Tunnel] = []

    def opened(tunnel: Tunnel, _early: bytes) -> None:
        bench.loop.calls[tunnel.fd] = rest
        bench.loop.change(tunnel.fd, 0)
        made.append(tunnel)
        bench.loop.stop()

    def failed(reason: str) -> None:
        bench.faults[f"open: {reason}"] += 1
        bench.loop.stop()

    Tunnel(bench.loop, bench.proxy, target, opened, failed, bench.dialect)
    if not bench.loop.run(PATIENCE):
        bench.faults["open: no answer"] += 1
    return made[0] if made else None


class Nested(Bench):
    """
    A proxy through which a parent is asked for tunnels.

    @ivar parent: the address and the port of that one.
    """

    parent = ("", 0)

    def openTunnels(self, count: int, service: str) -> list[Tunnel]:
        """
        Open tunnels within tunnels.  Waits for each: nothing that has to answer is in this
        process, and no origin's octets come before its loop runs.
        """
        tunnels = []
        for _ in range(count):
            tunnel = _tunnel(self, self.parent)
            if tunnel is None:
                break
            host, port = self.origin.target(service)
            sock = tunnel.sock
            assert isinstance(sock, socket.socket)
            sock.settimeout(PATIENCE)
            try:
                sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode("ascii"))
                answer = sock.recv(65536)
            except OSError as problem:
                answer = str(problem).encode()
            sock.setblocking(False)
            if not answer.endswith(b"\r\n\r\n") or answer[9:12] != b"200":
                self.faults[f"nested: answer {answer[:40]!r}"] += 1
            self.loop.change(tunnel.fd, READ)
            tunnels.append(tunnel)
        return tunnels


@contextmanager
def stalled(bench: Bench) -> Iterator[None]:
    """
    Have two tunnels more, one whose client and one whose origin does not read, with all that
    goes into them.
    """
    loop = bench.loop

    def fill(sock: socket.socket) -> Callable[[], None]:
        def call() -> None:
            with suppress(BlockingIOError):
                sock.send(CHUNK)

        return call

    with ExitStack() as stack:
        for deaf in ("client", "origin"):
            port = stack.enter_context(socket.create_server((ADDRESSES[0], 0), backlog=1))
            tunnel = _tunnel(bench, port.getsockname())
            if tunnel is None:
                break
            stack.callback(tunnel.close, reset=True)
            if deaf == "client":
                end = stack.enter_context(port.accept()[0])
                end.setblocking(False)
                stack.callback(loop.forget, end.fileno())
                loop.watch(end.fileno(), WRITE, fill(end))
            else:  # whoever is never accepted is never read from
                loop.calls[tunnel.fd] = fill(tunnel.sock)  # type: ignore[arg-type]
                loop.change(tunnel.fd, WRITE)
        loop.run(_FILLING)
        yield
