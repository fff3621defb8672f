"""
The command C{python -m benchmarks.parent}: what it costs to go through another proxy, beside
going straight.

Several proxies run beside each other and take turns.  One reaches origins itself; the others
reach them through a parent, which is this proxy once more or any other one, and whose own
processor time does not count.  The ways are

  - C{direct}: without a parent;
  - C{nested}: the same, but the load has a parent at the far end of its tunnel, and asks that
    for another: the proxy's sockets lead where they do with C{address}, and it was not the
    proxy who has asked;
  - C{address}, C{name}: through an HTTP parent, known by its address or by C{localhost};
  - C{socks}: through a SOCKS 5 parent;
  - C{h2}: through this proxy by HTTP/2 within TLS, all tunnels on one connection.

The modes are

  - C{open}: tunnels opened, used for one message and closed, 64 at a time: processor time of
    the proxy for a thousand;
  - C{down}, C{up}: 16 tunnels that carry as much as they can: processor time of it for a GiB;
  - C{siblings}: the median and the 99th percentile of the time there and back of a message on
    100 tunnels, and the same beside two more, one whose client and one whose origin does not
    read.

Each line has a median over rounds, and how it relates to direct and to nested within the same
round; of C{siblings}, to those beside which none is stalled.  What octets through a parent may
cost is measured by C{nested}: how fast a reader takes them, and in which pieces, is part of a
sender's processor time, and the parent reads otherwise than the origin does.  The access logs are looked at afterwards:
every tunnel has to have gone the way that is meant, by the relay that belongs to it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.chain import URLS, WAYS, connections, ownProxy, parentOf, strayed
from benchmarks.child import StartFailed, running
from benchmarks.modes import bulk, openings, ping
from benchmarks.nested import Nested, stalled
from benchmarks.peers import Peer
from benchmarks.tunnel import CONNECT

__all__ = ["MODES", "main"]

MODES = {"open": "ms per 1,000", "down": "s per GiB", "up": "s per GiB", "siblings": "us"}
"""What is measured, and in what."""

_AT_ONCE = 64
_BULK = 16
_SIBLINGS = 100
_TIMES = ("p50_us", "p99_us")


def measured(mode: str, way: str) -> bool:
    """
    Whether a mode has a way: what is opened within a tunnel says nothing of what it costs to
    open one.
    """
    return way != "nested" or mode in ("down", "up")


class _Run:
    """
    One run of the command, with all proxies that take part in it.

    @ivar costs: what was measured, by mode and way, a figure for each round; C{stalled} is a
        mode of its own here.
    @ivar others: which share of the proxy's core was used by others.
    """

    def __init__(self, options: argparse.Namespace, folder: Path, cores: tuple[int, int, int]) -> None:
        """
        @param folder: where all events go.
        @param cores: those of the proxy, the load and the parent.
        """
        self._options = options
        self._folder = folder
        self._cores = cores
        self._parents: dict[str, int] = {}
        self.costs: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.others: list[float] = []

    def log(self, name: str) -> Path:
        """Where the events of a way's proxy go, or those of a parent."""
        return self._folder / f"{name}.log"

    def measure(self) -> Counter[str]:
        """
        Start everything, and go through the rounds.

        @return: what went wrong.
        @raise StartFailed: one of the proxies does not work.
        """
        options = self._options
        ways: list[str] = options.ways
        faults: Counter[str] = Counter()
        with ExitStack() as stack:
            benches = {way: self._start(way, stack) for way in ways}
            for number in range(options.rounds):
                turn = number % len(ways)
                for mode in options.modes:
                    for way in [*ways[turn:], *ways[:turn]]:
                        if measured(mode, way):
                            self._once(mode, way, benches[way], number)
            for bench in benches.values():
                faults.update(bench.faults)
        for way in ways:
            faults.update(strayed(way, self.log(way)))
        return faults

    def _start(self, way: str, stack: ExitStack) -> Bench:
        """
        Run the proxy of one way, after its parent.
        """
        certificate = self.log(way).with_suffix(".pem") if way == "h2" else None
        port = self._parent(way, stack, certificate) if way != "direct" else 0
        url = f"{URLS[way]}:{port}" if way in URLS else ""
        bench = self._running(ownProxy(self.log(way), url, certificate), self._cores[0], CONNECT, stack)
        if way == "nested":
            bench = Nested(**vars(bench))
            bench.parent = "127.0.0.1", port
        return bench

    def _parent(self, way: str, stack: ExitStack, certificate: Path | None) -> int:
        """
        The port of a parent: one for HTTP/2, and one for all others.
        """
        name = "parent" if certificate is None else "h2-parent"
        if name not in self._parents:
            log = self.log(name)
            peer = (
                parentOf(self._options.parent, log) if certificate is None else ownProxy(log, "", certificate)
            )
            bench = self._running(peer, self._cores[2], WAYS[way], stack)
            assert bench.proxy is not None
            self._parents[name] = bench.proxy[1]
        return self._parents[name]

    def _running(self, peer: Peer, core: int, dialect: str, stack: ExitStack) -> Bench:
        """
        Run one proxy.
        """
        program = peer.find([])
        if program is None:
            raise StartFailed(f"{peer.name} is not installed: {peer.remedy}")
        cores = core, self._cores[1]
        return stack.enter_context(running(peer, program, cores, self._options.seconds, dialect))

    def _once(self, mode: str, way: str, bench: Bench, number: int) -> None:
        """
        Measure one mode once.
        """
        costs = self.costs
        if mode == "open":
            figures = openings(bench, _AT_ONCE)
            costs[mode, way].append(figures["cpu_ms_per_1000"])
        elif mode == "siblings":
            # Those that have none stalled beside them and those that have take turns in going first.
            for beside in (number % 2, 1 - number % 2):
                with stalled(bench) if beside else ExitStack():
                    figures = ping(bench, _SIBLINGS)
                for key in _TIMES:
                    costs[f"{key} beside" if beside else key, way].append(figures[key])
        else:
            figures = bulk(bench, _BULK, mode)
            costs[mode, way].append(figures["cpu_s_per_gib"])
        self.others.append(figures["beside_proxy"])

    def median(self, mode: str, way: str) -> str:
        """The median over rounds."""
        return f"{statistics.median(self.costs[mode, way]):.4g}"

    def ratio(self, mine: tuple[str, str], other: tuple[str, str]) -> tuple[float, str]:
        """
        How figures relate to others of the same rounds.

        @param mine: a mode and a way, and likewise the other ones.
        @return: the median, and in words that with least and most.
        """
        ratios = [one / base for one, base in zip(self.costs[mine], self.costs[other], strict=True)]
        middle = statistics.median(ratios)
        return middle, f"{middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _line(run: _Run, mode: str, way: str, options: argparse.Namespace) -> tuple[str, bool]:
    """
    What is to be said of one mode and way.

    @return: that, and whether an HTTP parent makes it cost more than it may.
    """
    if mode == "siblings":
        shown = []
        for key in _TIMES:
            beside = f"{key} beside"
            words = run.ratio((beside, way), (key, way))[1]
            shown.append(
                f"{key[:3]} {run.median(key, way)} us, beside stalled ones {run.median(beside, way)} us, {words}"
            )
        return f"{mode} {way}: {'; '.join(shown)}", False
    line = f"{mode} {way}: {run.median(mode, way)} {MODES[mode]}"
    if way == "direct":
        return line, False
    ratio, words = run.ratio((mode, way), (mode, "direct"))
    line += f", {words} of direct"
    if mode != "open" and way != "nested" and "nested" in options.ways:
        ratio, words = run.ratio((mode, way), (mode, "nested"))
        line += f", {words} of nested"
    most = options.open_most if mode == "open" else options.bulk_most
    if way in ("address", "name") and ratio > most:
        return f"{line}: MORE THAN {most:g}", True
    return line, False


def _report(run: _Run, options: argparse.Namespace) -> bool:
    """
    Print a line for each mode and way.

    @return: something costs more than it may.
    """
    tooMuch = False
    for mode in options.modes:
        for way in filter(partial(measured, mode), options.ways):
            line, more = _line(run, mode, way, options)
            tooMuch = tooMuch or more
            print(line, flush=True)
    if "h2" in options.ways:
        print(f"connections to the parent by h2: {connections(run.log('h2-parent'))}")
    least, middle, most = (100 * find(run.others) for find in (min, statistics.median, max))
    print(f"others on the proxy's core: {middle:.0f} % ({least:.0f} to {most:.0f})")
    return tooMuch


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    Read the options.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.parent",
        description="Measure what it costs to go through another proxy, beside going straight.",
    )
    parser.add_argument(
        "--ways",
        default="direct,nested,address,name",
        help=f"of {','.join(WAYS)}, direct first (%(default)s)",
    )
    parser.add_argument("--modes", default="open,down,up", help=f"of {','.join(MODES)} (%(default)s)")
    parser.add_argument(
        "--parent",
        default="connectproxy",
        help="another proxy: one that python -m benchmarks knows, or a command with {port} in it; not for h2",
    )
    parser.add_argument("--rounds", type=int, default=7, help="medians of so many rounds (%(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each window is (%(default)s)")
    parser.add_argument(
        "--open-most", type=float, default=1.7, metavar="RATIO",
        help="what opening through an HTTP parent may cost, of direct (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--bulk-most",
        type=float,
        default=1.05,
        metavar="RATIO",
        help="what octets may, likewise (%(default)s)",
    )
    parser.add_argument(
        "--cores",
        default="",
        metavar="PROXY,LOAD,PARENT",
        help="which cores; without a third, the parent is on the load's",
    )
    options = parser.parse_args(arguments)
    options.ways, options.modes = options.ways.split(","), options.modes.split(",")
    if not WAYS.keys() >= set(options.ways) or options.ways[0] != "direct":
        parser.error(f"--ways takes some of {','.join(WAYS)}, the first one first")
    if not MODES.keys() >= set(options.modes) or options.rounds < 1:
        parser.error(f"--modes takes some of {','.join(MODES)}, and rounds are 1 at least")
    try:
        dialects = parentOf(options.parent, Path()).dialects
    except ValueError as problem:
        parser.error(str(problem))
    for way in options.ways:
        if way not in ("direct", "h2") and WAYS[way] not in dialects:
            parser.error(f"{options.parent} does not speak what {way} needs")
    permitted = sorted(os.sched_getaffinity(0))
    # The parent has a core of its own, if there is one, or else shares the load's.
    cores = [permitted[0], permitted[-1], *permitted[1:-1][:1]]
    if options.cores:
        cores = [int(core) if core.isdecimal() else -1 for core in options.cores.split(",")]
    if len(cores) not in (2, 3) or not set(permitted) >= set(cores):
        parser.error(f"--cores takes two or three of {', '.join(map(str, permitted))}")
    options.cores = (cores[0], cores[1], cores[-1])
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Measure, and print a line for each mode and way.

    @return: the exit code: 1 if anything had errors, or costs more than it may.
    """
    options = _parsed(arguments)
    os.sched_setaffinity(0, {options.cores[1]})
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        run = _Run(options, Path(name), options.cores)
        try:
            faults = run.measure()
        except StartFailed as problem:
            faults = Counter({str(problem): 1})
        if faults:
            print(f"ERRORS {dict(faults)}", flush=True)
            return 1
        return int(_report(run, options))


if __name__ == "__main__":
    sys.exit(main())
