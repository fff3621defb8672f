"""
The command C{python -m benchmarks}: which proxies, which modes, in which order, and where the figures go.

Measurements interleave: each round measures each mode once with each proxy,
so that what is compared was measured within seconds of each other.  Each
measurement has a fresh process of the proxy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from benchmarks.bench import Bench
from benchmarks.child import StartFailed, running
from benchmarks.meter import Cores
from benchmarks.modes import DEFAULT, Mode, Skip, parseMode
from benchmarks.peers import BASE, BUILT_IN, DIRECT, Peer, parsePeer
from benchmarks.report import Record, fromJSON, oneLine, tables

__all__ = ["main"]

# A peer and where its program is.
Found = tuple[Peer, str]

_CLEAN, _FAULTY = 0, 1
# How often one measurement is tried at most, where a calm one is asked for.
_ATTEMPTS = 5


def _words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure proxies on this machine, beside each other.",
    )
    names = [name for name in BUILT_IN if name != DIRECT]
    add = parser.add_argument
    add(
        "--modes", type=_words, default=list(DEFAULT), help=f"any count will do; default: {','.join(DEFAULT)}"
    )
    add("--peers", type=_words, help=f"built-in peers, default: {','.join(names)}; also: {DIRECT} (no proxy)")
    add("--peer", action="append", default=[], type=parsePeer, metavar="NAME=PORT:COMMAND", help="one more")
    add("--bin", action="append", default=[], type=Path, metavar="DIR", help="look here for programs first")
    add("--reference", action="append", default=[], metavar="NAME", help="give ratios to this peer as well")
    add("--rounds", type=int, default=3, help="how often each measurement is repeated (3)")
    add("--seconds", type=float, default=3.0, help="how long each measurement lasts (3)")
    calm = f"repeat, up to {_ATTEMPTS} times, what others disturbed by more than this share of a core"
    add("--calm", type=float, metavar="PERCENT", help=calm)
    add("--cores", help="PROXY,LOAD: core numbers; default: the first and the last that are permitted")
    add("--json", type=Path, metavar="FILE", help="write each measurement as a line of JSON")
    add("--markdown", type=Path, metavar="FILE", help="write the tables here too")
    add("--read", type=Path, metavar="FILE", help="measure nothing; print the tables of such a JSON file")
    add("--list", action="store_true", help="say which peers are installed, and measure nothing")
    return parser


def _cores(text: str | None) -> Cores:
    """
    The cores for proxy and load; twice the same where there is only one.

    @raise ValueError: the text is not two cores this process may use.
    """
    permitted = sorted(os.sched_getaffinity(0))
    if text is None:
        return permitted[0], permitted[-1]
    names = dict(zip(map(str, permitted), permitted, strict=True))
    proxy, _, load = text.partition(",")
    if proxy not in names or load not in names:
        raise ValueError(f"--cores takes two numbers with a comma, out of {', '.join(names)}, not {text!r}")
    return names[proxy], names[load]


def _machine(options: argparse.Namespace) -> dict[str, str]:
    """What a reader of the figures has to know of where and how they were taken."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    proxy, load = options.cores
    return {
        "machine": f"{model}, {os.cpu_count()} cores, Linux {platform.release()}",
        "cores": f"{proxy} for the proxy, {load} for load and origin",
        "measured": f"{options.rounds} rounds, {options.seconds:g} seconds each",
    }


def _measure(peer: Peer, program: str, mode: Mode, number: int, cores: Cores, seconds: float) -> Record:
    """One proxy, one mode, once."""
    if mode.dialect not in peer.dialects:
        return Record(mode.name, peer.name, number, skipped=f"does not speak {mode.dialect}")
    if peer.name == DIRECT and mode.family in ("idle", "start"):
        return Record(mode.name, peer.name, number, skipped="there is no proxy to look at")
    bench: Bench | None = None
    try:
        with running(peer, program, cores, seconds, mode.dialect) as bench:
            figures = mode.measure(bench)
            figures |= {"start_s": bench.startSeconds, "left_open": bench.leftOpen}
            return Record(mode.name, peer.name, number, figures, dict(bench.faults))
    except Skip as reason:
        return Record(mode.name, peer.name, number, skipped=str(reason))
    except (StartFailed, OSError) as problem:
        faults = dict(bench.faults) if bench is not None else {}
        return Record(mode.name, peer.name, number, errors={str(problem): 1, **faults})


def _calmest(options: argparse.Namespace, found: Found, mode: Mode, number: int, place: str) -> Record:
    """
    Measure, and again while others disturb it, as far as that was asked for.

    @param place: what the lines of progress begin with.
    @return: of the attempts the one with the least disturbance; but the first
        that has errors, so that none is tried away.
    """
    best: Record | None = None
    for _ in range(1 if options.calm is None else _ATTEMPTS):
        record = _measure(*found, mode, number, options.cores, options.seconds)
        print(place, oneLine(record), file=sys.stderr, flush=True)
        if best is None or record.errors or record.disturbance < best.disturbance:
            best = record
        if record.errors or options.calm is None or best.disturbance * 100 <= options.calm:
            break
    assert best is not None
    return best


def _run(
    options: argparse.Namespace, modes: Sequence[Mode], found: Sequence[Found], lines: TextIO
) -> list[Record]:
    """All rounds; each record is written as soon as it is there."""
    os.sched_setaffinity(0, {options.cores[1]})
    records: list[Record] = []
    total = options.rounds * len(modes) * len(found)
    for number in range(1, options.rounds + 1):
        # Nobody is always first, or always next after the same neighbour.
        turn = (number - 1) % len(found)
        for mode in modes:
            for each in [*found[turn:], *found[:turn]]:
                place = f"[{len(records) + 1}/{total}] round {number}  {mode.name:<13} {each[0].name:<13}"
                record = _calmest(options, each, mode, number, place)
                records.append(record)
                print(record.toJSON(), file=lines, flush=True)
    return records


def _find(options: argparse.Namespace) -> tuple[list[Found], dict[str, str]]:
    """The peers to measure with their programs, and what to say about each that was asked for."""
    names = options.peers or [name for name in BUILT_IN if name != DIRECT]
    found: list[Found] = []
    said: dict[str, str] = {}
    for peer in [*(BUILT_IN[name] for name in names), *options.peer]:
        program = "" if peer.name == DIRECT else peer.find(options.bin)
        if program is None:
            said[peer.name] = f"not installed: {peer.remedy}"
            continue
        found.append((peer, program))
        said[peer.name] = peer.version(program) or "version unknown"
    return found, said


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Do what the command line asks for.

    @return: the exit code: 0, or 1 if a measurement had errors.  Wrong options
        end the process with 2.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    native = [peer.name for peer in BUILT_IN.values() if peer.native]
    references = [BASE, *options.reference]
    try:
        if options.read:
            with open(options.read, encoding="utf-8") as lines:
                print(tables(*fromJSON(lines), references, native), end="")
            return _CLEAN
        modes = [parseMode(name) for name in options.modes]
        options.cores = _cores(options.cores)
        unknown = [name for name in options.peers or () if name not in BUILT_IN]
        if unknown:
            raise ValueError(f"no peers called {', '.join(unknown)}; there are {', '.join(BUILT_IN)}")
        if not 0 < options.seconds <= 3600 or options.rounds < 1:
            raise ValueError("rounds and seconds must be positive, and seconds at most 3600")
    except (OSError, ValueError) as problem:
        parser.error(str(problem))
    found, said = _find(options)
    for name, what in said.items():
        print(f"{name}: {what}", file=sys.stderr)
    if options.list:
        return _CLEAN
    if not found:
        parser.error("none of the peers is installed")

    # Children inherit the limit, so everybody has the same.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    machine = _machine(options) | said
    with open(options.json or os.devnull, "w", encoding="utf-8") as lines:
        print(json.dumps({"machine": machine}), file=lines, flush=True)
        records = _run(options, modes, found, lines)
    text = tables(machine, records, references, native)
    print(text, end="")
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    return _FAULTY if any(record.errors for record in records) else _CLEAN


def _terminated(number: int, _frame: FrameType | None) -> None:
    """End by an exception, so that the proxy under measurement is ended as well."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
