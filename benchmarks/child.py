"""
One proxy's life as a child process: start, first tunnel, stop.

It knows how to run a L{Peer} and when it works; what is measured meanwhile is
up to L{benchmarks.modes}.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.loop import Loop
from benchmarks.meter import Cores, Meter
from benchmarks.origin import Origin
from benchmarks.peers import DIRECT, Peer
from benchmarks.secure import writeCertificate
from benchmarks.traffic import Cycle
from benchmarks.tunnel import CONNECT, GET, TLS

__all__ = ["StartFailed", "running"]

# Seconds for a proxy to carry its first message, and to stop when asked.
_START = 20.0
_STOP = 5.0
# Seconds that a port stays in TIME_WAIT on Linux, and some.
_TIME_WAIT = 75.0
# Seconds between attempts at the first tunnel: the resolution of start_s.
_RETRY = 0.001


class StartFailed(Exception):
    """The proxy did not carry a message; the text holds the last it said."""


def _freePort() -> int:
    """
    A port of 127.0.0.1 that was free a moment ago.

    A proxy that calls origins from that address alone can leave all of its ports in
    TIME_WAIT; then this waits for one.

    @raise OSError: there was none all that time.
    """
    end = time.monotonic() + _TIME_WAIT
    while True:
        try:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port: int = probe.getsockname()[1]
                return port
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(1)


@contextmanager
def running(
    peer: Peer, program: str, cores: Cores, seconds: float, dialect: str = CONNECT
) -> Iterator[Bench]:
    """
    Run a proxy, with a fresh loop and origin, and stop it at the end.

    @param program: where the peer's program is.
    @param cores: the first is what to bind it to; the second is where this
        process is.
    @param seconds: how long windows are to last.
    @param dialect: how it is going to be spoken to.
    @raise StartFailed: it can't be run, or ended, or carried nothing in time.
    """
    loop = Loop()
    origin = Origin(loop)
    try:
        if peer.name == DIRECT:
            yield Bench(loop, origin, None, Meter(None, cores), seconds)
            return
        with tempfile.TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            port = peer.port or _freePort()
            begun = time.monotonic()
            if dialect == TLS:
                writeCertificate(folder)
            child = _spawn([program, *peer.arguments(port, folder, dialect)], folder, cores[0])
            try:
                bench = Bench(loop, origin, ("127.0.0.1", port), Meter(child.pid, cores), seconds)
                # Every proxy of the sort takes CONNECT as well; whether it does so in clear is another matter.
                bench.dialect = CONNECT if dialect == GET else dialect
                _firstTunnel(bench, child, folder, begun + _START)
                bench.startSeconds = time.monotonic() - begun
                bench.dialect = dialect
                yield bench
            finally:
                _stop(child)
    finally:
        origin.close()
        loop.close()


def _spawn(command: list[str], folder: Path, core: int) -> subprocess.Popen[bytes]:
    """
    Start it in a session of its own and in its own folder.

    Its folder, so that it imports what is installed and not what lies beside
    this package; its session, so that it can be ended with all its children.
    """

    mine = os.sched_getaffinity(0)
    with open(folder / "output", "wb") as output:
        try:
            # Inherited from the first instruction on, and by its children.
            os.sched_setaffinity(0, {core})
            return subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as problem:
            raise StartFailed(f"{command[0]}: {problem}") from problem
        finally:
            os.sched_setaffinity(0, mine)


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    """
    The code a child has ended with, or L{None}; negative for a signal.

    It is left for C{wait}: until then nobody else can have its number, nor that
    of its session, so both can safely be sent a signal.
    """
    state = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if state is None:
        return None
    return state.si_status if state.si_code == os.CLD_EXITED else -state.si_status


def _firstTunnel(bench: Bench, child: subprocess.Popen[bytes], folder: Path, deadline: float) -> None:
    """Try until a message has come back, then forget that there were faults."""
    while True:
        bench.faults.clear()
        cycle = Cycle(bench, bench.loop.stop)
        cycle.going = False
        cycle.begin()
        if cycle.busy:
            bench.loop.run(max(_RETRY, deadline - time.monotonic()))
        if cycle.rounds:
            return
        if _ended(child) is not None or time.monotonic() > deadline:
            raise StartFailed(_lastWords(bench, child, folder))
        time.sleep(_RETRY)


def _lastWords(bench: Bench, child: subprocess.Popen[bytes], folder: Path) -> str:
    code = _ended(child)
    state = "carried no message" if code is None else f"ended with code {code}"
    said = (folder / "output").read_text("utf-8", "replace").strip().splitlines()[-3:]
    return "; ".join([state, *bench.faults, *said])


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and end whatever is left of its session."""
    os.kill(child.pid, signal.SIGTERM)
    end = time.monotonic() + _STOP
    while _ended(child) is None and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
