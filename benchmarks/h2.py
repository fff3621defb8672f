"""
The command C{python -m benchmarks.h2}: tunnels of HTTP/2 within TLS, beside CONNECT
within TLS at the same proxy, and beside other proxies that speak both.

A connection is one L{Session<benchmarks.h2client.Session>}, its tunnels are streams.
The modes are

  - C{bulk-N-down}, C{bulk-N-up}: N tunnels on one connection, as fast as they can;
  - C{open-N}: N at a time: open a tunnel, send 64 octets, hear them back, end it;
  - C{ping-N}: N tunnels, 64 octets there and back, one message on its way in each;
  - C{stalled-N}: the same, beside one tunnel more on the same connection whose client
    and one whose origin do not read, both with all that goes into them.

What is measured, how, and what the figures mean is as in C{python -m benchmarks}.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import PATIENCE, Bench, Figures
from benchmarks.child import StartFailed, running
from benchmarks.h2client import Session, Stream
from benchmarks.modes import parseMode
from benchmarks.origin import ADDRESSES
from benchmarks.peers import BUILT_IN, Peer
from benchmarks.secure import CERTIFICATE
from benchmarks.traffic import MESSAGE
from benchmarks.tunnel import TLS

__all__ = ["DEFAULT", "PEERS", "main", "measure"]

_GIB = 2**30
_CHUNK = bytes(16384)

DEFAULT = ("bulk-1-down", "bulk-16-down", "bulk-1-up", "bulk-16-up", "open-100", "ping-16", "stalled-16")


def _nghttpx(port: int, folder: Path, _dialect: str) -> list[str]:
    certificate = str(folder / CERTIFICATE)
    squid = BUILT_IN["squid"]
    program = squid.find([])
    with socket.create_server(("127.0.0.1", 0)) as probe:
        behind = probe.getsockname()[1]
    inner = folder / "squid"
    inner.mkdir()
    folder.chmod(0o755)
    arguments = " ".join([program or "squid", *squid.arguments(behind, inner, "connect")])
    front = (
        f"nghttpx --http2-proxy -f127.0.0.1,{port} -b127.0.0.1,{behind} --workers=1 --errorlog-file=/dev/null"
    )
    # One session with both, so that both are ended and both are counted.
    return ["-c", f"{arguments} & exec {front} {certificate} {certificate}"]


PEERS: dict[str, Peer] = {
    "connectproxy": BUILT_IN["connectproxy"],
    "nghttpx+squid": Peer(
        "nghttpx+squid", "sh", _nghttpx, "apt-get install nghttp2-proxy squid", dialects=(TLS,)
    ),
}


class _Load:
    """
    What the modes have in common: a session with tunnels that are open.
    """

    def __init__(self, bench: Bench) -> None:
        assert bench.proxy is not None
        self.bench = bench
        self.session = Session(bench.loop, bench.proxy)
        self._until(lambda: self.session.ready, "no SETTINGS")

    def _until(self, done: Callable[[], bool], fault: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done() and not self.session.failed and not self.bench.faults:
            if time.monotonic() > end:
                self.bench.faults[fault] += 1
            self.bench.loop.run(0.005)
        if self.session.failed:
            self.bench.faults[self.session.failed] += 1

    def tunnels(self, count: int, service: str | tuple[str, int]) -> list[Stream]:
        """Open tunnels to a service of the origin's, or to an address."""
        open_: list[Stream] = []
        streams = []
        for _ in range(count):
            target = self.bench.origin.target(service) if isinstance(service, str) else service
            stream = self.session.open(target)
            stream.opened = lambda stream=stream: open_.append(stream)  # type: ignore[misc]
            stream.lost = self.fault
            streams.append(stream)
        self._until(lambda: len(open_) == count, "open: no answer")
        return streams

    def fault(self, reason: str) -> None:
        """A tunnel has ended that should not have."""
        self.bench.faults[f"tunnel: {reason}"] += 1

    def end(self) -> None:
        """Close, and wait until the origin has seen it."""
        self.session.close()
        self.bench.settle([])


def bulk(bench: Bench, count: int, way: str) -> Figures:
    """Bytes through tunnels of one connection, counted where they arrive."""
    load = _Load(bench)
    arrived = [0]
    for stream in load.tunnels(count, "source" if way == "down" else "sink"):
        if way == "down":

            def heard(octets: memoryview, stream: Stream = stream) -> None:
                arrived[0] += len(octets)
                stream.took(len(octets))

            stream.heard = heard
        else:

            def room(stream: Stream = stream) -> None:
                while not stream.session.full and stream.send(_CHUNK):
                    pass

            stream.room = room
            room()

    def total() -> int:
        return arrived[0] + bench.origin.arrived

    bench.loop.run(bench.warmUp)
    before = total()
    took, figures = bench.window()
    gib = (total() - before) / _GIB
    load.end()
    return {"gib_per_s": gib / took.wall, "cpu_s_per_gib": took.proxy / gib if gib else 0.0, **figures}


class _Cycle:
    """Open, one message there and back, end; over and over."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self.rounds = 0
        self.begin()

    def begin(self) -> None:
        """Begin the next."""
        session = self._load.session
        self._stream = stream = session.open(self._load.bench.origin.target("echo"))
        self._missing = len(MESSAGE)
        stream.opened = self._opened
        stream.heard = self._heard
        stream.lost = self._load.fault

    def _opened(self) -> None:
        self._stream.send(MESSAGE)

    def _heard(self, octets: memoryview) -> None:
        self._missing -= len(octets)
        if not self._missing:
            self.rounds += 1
            self._stream.reset()
            self.begin()


def openings(bench: Bench, count: int) -> Figures:
    """Tunnels opened, used for one message and ended, so many at a time, on one connection."""
    load = _Load(bench)
    cycles = [_Cycle(load) for _ in range(count)]
    bench.loop.run(bench.warmUp)
    before = sum(each.rounds for each in cycles)
    took, figures = bench.window()
    rounds = sum(each.rounds for each in cycles) - before
    load.end()
    return {"per_s": rounds / took.wall, "cpu_ms_per_1000": took.proxy * 1e6 / max(1, rounds), **figures}


class _Pinger:
    """A message there and back, over and over."""

    def __init__(self, stream: Stream, times: list[int]) -> None:
        self._stream = stream
        self._times = times
        self._missing = len(MESSAGE)
        stream.heard = self._heard
        self._since = time.perf_counter_ns()
        stream.send(MESSAGE)

    def _heard(self, octets: memoryview) -> None:
        self._missing -= len(octets)
        self._stream.took(len(octets))
        if not self._missing:
            now = time.perf_counter_ns()
            self._times.append(now - self._since)
            self._missing = len(MESSAGE)
            self._since = now
            if not self._stream.send(MESSAGE):
                self._stream.lost("no room for a message")


def ping(bench: Bench, count: int, stalled: bool = False) -> Figures:
    """Messages there and back on tunnels of one connection."""
    load = _Load(bench)
    deaf = socket.create_server((ADDRESSES[0], 0), backlog=1)  # never accepts, and so never reads
    if stalled:
        # One that is sent to and gives no credit, and one that sends where nobody reads.
        load.tunnels(1, "source")
        (talking,) = load.tunnels(1, deaf.getsockname())
        end = time.monotonic() + PATIENCE
        while (talking.send(_CHUNK) or load.session.full) and time.monotonic() < end:
            bench.loop.run(0.002)
        bench.loop.run(bench.warmUp)
    times: list[int] = []
    pingers = [_Pinger(stream, times) for stream in load.tunnels(count, "echo")]
    bench.loop.run(bench.warmUp)
    times.clear()
    took, figures = bench.window()
    number = len(times)
    times.sort()
    if not pingers or not number:
        bench.faults["tunnel: moved nothing"] += 1
        return figures
    load.end()
    deaf.close()
    return {
        "messages_per_s": number / took.wall,
        "cpu_us_per_message": took.proxy * 1e6 / number,
        "p50_us": times[number // 2] / 1e3,
        "p99_us": times[number * 99 // 100] / 1e3,
        **figures,
    }


def measure(bench: Bench, name: str) -> Figures:
    """
    Measure one mode once.

    @raise ValueError: there is no such mode.
    """
    match name.split("-"):
        case ["bulk", count, ("down" | "up") as way]:
            return bulk(bench, int(count), way)
        case ["open", count]:
            return openings(bench, int(count))
        case ["ping", count]:
            return ping(bench, int(count))
        case ["stalled", count]:
            return ping(bench, int(count), stalled=True)
    raise ValueError(f"no mode {name!r}; there are: bulk-N-down, bulk-N-up, open-N, ping-N, stalled-N")


def main(arguments: list[str]) -> int:
    """
    Measure, and print a line for each.

    @return: the exit code: 1 if anything had errors.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.h2", description="Measure tunnels of HTTP/2.")
    parser.add_argument("--modes", default=",".join(DEFAULT))
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--cores", default="", metavar="PROXY,LOAD")
    options = parser.parse_args(arguments)
    permitted = sorted(os.sched_getaffinity(0))
    cores = (permitted[0], permitted[-1])
    if options.cores:
        first, _, second = options.cores.partition(",")
        cores = int(first), int(second)
    os.sched_setaffinity(0, {cores[1]})
    found: dict[tuple[str, str, str], list[Figures]] = defaultdict(list)
    faulty = False
    for _ in range(options.rounds):
        for name in options.modes.split(","):
            for peer in [PEERS[each] for each in options.peers.split(",")]:
                program = peer.find([])
                if program is None:
                    print(f"{peer.name} is not installed: {peer.remedy}", file=sys.stderr)
                    continue
                for way in ("h2", "tls"):
                    try:
                        with running(peer, program, cores, options.seconds, TLS) as bench:
                            if way == "h2":
                                figures = measure(bench, name)
                            else:
                                plain = name.replace("stalled", "ping")
                                figures = parseMode(f"tls-{plain}").measure(bench)
                            faults = dict(bench.faults)
                    except StartFailed as problem:
                        figures, faults = {}, {str(problem): 1}
                    if faults:
                        faulty = True
                        print(f"{name} {peer.name} {way}: ERRORS {faults}", flush=True)
                    else:
                        found[name, peer.name, way].append(figures)
    for (name, peer_, way), rounds in found.items():
        middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        shown = ", ".join(f"{key} {value:.4g}" for key, value in middle.items() if key != "seconds")
        print(f"{name} {peer_} {way}: {shown}", flush=True)
    return int(faulty)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
