"""
What is measured: one function for each family, and the names modes go by.

A mode's name is its family, how many tunnels at once, and for bulk the
direction: C{bulk-16-down}, C{open-64}, C{ping-100}, C{idle-5000}, C{get-16},
C{start}.  In front of a family may stand how the proxy is spoken to:
C{socks5-open-64}, C{tls-bulk-1-up}.  Any count will do.  This module drives tunnels and reads a L{Meter}; it knows
neither which proxy it measures nor how figures are printed.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

from benchmarks.bench import PATIENCE, Bench, Figures
from benchmarks.meter import Reading
from benchmarks.traffic import Cycle, Flow, Getter, Once, Pinger
from benchmarks.tunnel import CONNECT, GET, SOCKS5, TLS

__all__ = ["DEFAULT", "Mode", "Skip", "parseMode"]

_GIB = 2**30
# Tunnels opened and closed before memory is first read, so that what a proxy
# sets up once is not charged to the tunnels.
_REHEARSAL = 100
# Descriptors this process and a proxy need beside their tunnels.
_SPARE = 200

DEFAULT = (
    *(f"bulk-{count}-{way}" for way in ("down", "up", "both") for count in (1, 16, 64)),
    *("open-1", "open-64", "ping-1", "ping-100", "idle-1000", "idle-5000", "start"),
    *("get-1", "get-16", "socks5-open-64"),
    *("tls-open-16", "tls-ping-100", "tls-bulk-1-down", "tls-bulk-16-down", "tls-bulk-16-up"),
)


class Skip(Exception):
    """This machine does not allow the measurement; the text says what would."""


def bulk(bench: Bench, count: int, way: str) -> Figures:
    """
    Bytes through C{count} tunnels, counted where they arrive; C{both} is the sum of both ways.
    """
    service = {"down": "source", "up": "sink", "both": "both"}[way]
    tunnels = bench.openTunnels(count, service)
    flows = [Flow(bench, tunnel, way) for tunnel in tunnels]
    bench.loop.run(bench.warmUp)

    def arrived() -> int:
        return bench.origin.arrived + sum(flow.arrived for flow in flows)

    before, moved = arrived(), [flow.arrived + flow.sent for flow in flows]
    took, figures = bench.window()
    gib = (arrived() - before) / _GIB
    idle = sum(flow.arrived + flow.sent == then for flow, then in zip(flows, moved, strict=True))
    if idle:
        bench.faults["tunnel: moved nothing"] += idle
    bench.settle(tunnels, reset=True)
    return {"gib_per_s": gib / took.wall, "cpu_s_per_gib": _per(took.proxy, gib), **figures}


def openings(bench: Bench, count: int) -> Figures:
    """Tunnels opened, used for one message and closed, C{count} at a time."""
    cycles = [Cycle(bench, bench.loop.stop) for _ in range(count)]
    for each in cycles:
        each.begin()
    bench.loop.run(bench.warmUp)
    before = sum(each.rounds for each in cycles)
    took, figures = bench.window()
    rounds = sum(each.rounds for each in cycles) - before
    if not rounds:
        bench.faults["cycle: none completed"] += 1
    for each in cycles:
        each.going = False
    while any(each.busy for each in cycles):
        if not bench.loop.run(PATIENCE):
            bench.faults["cycle: stuck"] += sum(each.busy for each in cycles)
            break
    bench.settle([])
    return {"per_s": rounds / took.wall, "cpu_ms_per_1000": _per(took.proxy * 1e6, rounds), **figures}


def ping(bench: Bench, count: int) -> Figures:
    """Messages of 64 octets there and back on C{count} tunnels, one on its way in each."""
    number, took, figures = _back(bench, count, Pinger, "echo")
    return {
        "messages_per_s": number / took.wall,
        "cpu_us_per_message": _per(took.proxy * 1e6, number),
        **figures,
    }


def get(bench: Bench, count: int) -> Figures:
    """A page of 1 KiB asked for by a forwarded GET on C{count} connections that are kept."""
    number, took, figures = _back(bench, count, Getter, "http")
    return {
        "requests_per_s": number / took.wall,
        "cpu_us_per_request": _per(took.proxy * 1e6, number),
        **figures,
    }


def _back(
    bench: Bench, count: int, kind: type[Pinger | Getter], service: str
) -> tuple[int, Reading, Figures]:
    """
    Have something go there and back on each of C{count} connections.

    @return: how often it has come back within the window, and what that took.
    """
    tunnels = bench.openTunnels(count, service)
    times: list[int] = []
    pingers = [kind(bench, tunnel, times) for tunnel in tunnels]
    bench.loop.run(bench.warmUp)
    times.clear()
    before = [pinger.rounds for pinger in pingers]
    took, figures = bench.window()
    idle = sum(pinger.rounds == then for pinger, then in zip(pingers, before, strict=True))
    if idle:
        bench.faults["tunnel: moved nothing"] += idle
    times.sort()
    number = len(times)
    bench.settle(tunnels)
    figures["p50_us"] = times[number // 2] / 1e3 if times else 0.0
    figures["p99_us"] = times[number * 99 // 100] / 1e3 if times else 0.0
    return number, took, figures


def idle(bench: Bench, count: int) -> Figures:
    """
    User memory of C{count} tunnels that have carried one message and carry no more.

    @raise Skip: the limit of descriptors is too low: each tunnel has two here
        and two in the proxy.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    need = 2 * count + _SPARE
    if limit != resource.RLIM_INFINITY and limit < need:
        raise Skip(f"needs {need} descriptors, the limit is {limit} (ulimit -Hn)")
    bench.settle(bench.openTunnels(min(count, _REHEARSAL), "echo"))
    bench.loop.run(bench.warmUp)
    before = bench.meter.memory()
    tunnels = bench.openTunnels(count, "echo")
    uses = [Once(bench, tunnel) for tunnel in tunnels]
    silent, end = len(uses), time.monotonic() + PATIENCE
    while silent and not bench.faults and time.monotonic() < end:
        bench.loop.run(0.02)
        still = sum(not use.heard for use in uses)
        if still < silent:
            # Slow is not stuck: patience begins anew with each one that comes back.
            silent, end = still, time.monotonic() + PATIENCE
    if silent:
        bench.faults["tunnel: no echo"] += silent
    _, figures = bench.window()
    grown = bench.meter.memory() - before
    bench.settle(tunnels)
    return {"kib_per_tunnel": _per(grown / 1024, len(tunnels)), **figures}


def start(bench: Bench) -> Figures:
    """From starting the process to the first message echoed, which has happened already."""
    spent = bench.meter.begin().proxy
    return {"start_s": bench.startSeconds, "cpu_s": spent}


def _per(amount: float, number: float) -> float:
    """A quotient, or 0 where nothing was done (which is a fault, and told as one)."""
    return amount / number if number else 0.0


@dataclass(frozen=True, slots=True)
class Mode:
    """
    One thing to measure.

    @ivar name: what it goes by.
    @ivar family: C{bulk}, C{open}, C{ping}, C{idle}, C{get} or C{start}.
    @ivar count: tunnels at once; 0 where that says nothing.
    @ivar way: C{down}, C{up} or C{both}; empty outside bulk.
    @ivar dialect: how the proxy is spoken to; one of L{benchmarks.tunnel.DIALECTS}.
    """

    name: str
    family: str
    count: int = 0
    way: str = ""
    dialect: str = CONNECT

    def measure(self, bench: Bench) -> Figures:
        """
        Measure it once.

        @raise Skip: this machine does not allow it.
        """
        if self.family == "bulk":
            return bulk(bench, self.count, self.way)
        if self.family == "start":
            return start(bench)
        return {"open": openings, "ping": ping, "idle": idle, "get": get}[self.family](bench, self.count)


def parseMode(name: str) -> Mode:
    """
    Find out what a name asks for.

    @raise ValueError: it asks for nothing that can be measured.
    """
    first, _, rest = name.partition("-")
    dialect = first if first in (SOCKS5, TLS) else CONNECT
    match (name if dialect == CONNECT else rest).split("-"):
        case ["start"] if dialect == CONNECT:
            return Mode(name, "start")
        case ["get", count] if _positive(count) and dialect == CONNECT:
            return Mode(name, "get", int(count), dialect=GET)
        case [("open" | "ping" | "idle") as family, count] if _positive(count):
            return Mode(name, family, int(count), dialect=dialect)
        case ["bulk", count, ("down" | "up" | "both") as way] if _positive(count):
            return Mode(name, "bulk", int(count), way, dialect)
    known = (
        "bulk-N-down, bulk-N-up, bulk-N-both, open-N, ping-N, idle-N, get-N, start; or socks5- or tls- before"
    )
    raise ValueError(f"no mode {name!r}; there are: {known}")


def _positive(count: str) -> bool:
    return count.isascii() and count.isdigit() and int(count) > 0
