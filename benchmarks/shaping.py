"""
The command C{python -m benchmarks.shaping}: how well a limit of octets per second is kept,
how evenly it is shared, and what that costs.

A proxy with one C{[[limit]]} that all tunnels share; tunnels that carry as much as they can.
Each line has, for one number of tunnels, one direction and one relay, what arrived divided by
what the limit allows in that time, from the first octet on, so that what a bucket holds at
first counts as well; the shares of the slowest and the fastest tunnel divided by an equal one,
without the beginning, when the first tunnel was alone; and the processor time.

The modes are C{N-down} and C{N-up}.  How tunnels that all start at once share the upward
direction is not told: only the origin sees what arrives, and it counts them together.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench, Figures
from benchmarks.child import StartFailed, running
from benchmarks.peers import BUILT_IN, Peer
from benchmarks.traffic import Flow

__all__ = ["DEFAULT", "RELAYS", "limited", "main", "measure"]

DEFAULT = ("1-down", "20-down", "1-up", "20-up")
RELAYS = ("splice", "wired")

_ALONE = 0.1
"""Of the seconds of a measurement, how many more it lasts before shares are counted."""

_MIB = 2**20
_GIB = 2**30

_CONFIG = """\
[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1"

[allow]
networks = ["127.0.0.0/8"]
ports = "any"

[relay]
splice = {splice}

[access_log]
file = "{folder}/access.log"

[[limit]]
name = "all"
per = "all"
bytes_per_second = {rate}
"""


def limited(rate: int, relay: str) -> Peer:
    """
    connectproxy with a limit.

    @param rate: octets per second, in each direction.
    @param relay: one of L{RELAYS}.
    """

    def arguments(port: int, folder: Path, _dialect: str) -> list[str]:
        path = folder / "proxy.toml"
        splice = "true" if relay == "splice" else "false"
        path.write_text(_CONFIG.format(port=port, folder=folder, rate=rate, splice=splice))
        return ["-n", "--pidfile=", "connectproxy", "--config", str(path)]

    return replace(BUILT_IN["connectproxy"], arguments=arguments)


def parseMode(name: str) -> tuple[int, str]:
    """
    How many tunnels a mode has, and in which direction octets go.

    @raise ValueError: there is no such mode.
    """
    count, _, way = name.partition("-")
    if not count.isdecimal() or not int(count) or way not in ("down", "up"):
        raise ValueError(f"no mode {name!r}; there are: N-down, N-up")
    return int(count), way


def measure(bench: Bench, name: str, rate: int) -> Figures:
    """
    Measure one mode once.

    @param rate: octets per second that are allowed.
    @raise ValueError: there is no such mode.
    """
    count, way = parseMode(name)
    tunnels = bench.openTunnels(count, "source" if way == "down" else "sink")
    before, begun = bench.origin.arrived, time.monotonic()
    flows = [Flow(bench, tunnel, way) for tunnel in tunnels]

    def moved() -> int:
        return bench.origin.arrived - before + sum(flow.arrived for flow in flows)

    bench.loop.run(bench.seconds * _ALONE)
    first, counts = moved(), [flow.arrived for flow in flows]
    took, figures = bench.window()
    total, seconds = moved(), time.monotonic() - begun
    later = max(1, total - first)
    shares = [1.0]
    if way == "down":
        shares = [
            (flow.arrived - count) * len(flows) / later for flow, count in zip(flows, counts, strict=True)
        ]
    if total == first:
        bench.faults["tunnel: moved nothing"] += 1
    bench.settle(tunnels, reset=True)
    return {
        "ratio": total / (rate * seconds),
        "least": min(shares, default=0.0),
        "most": max(shares, default=0.0),
        "cpu_s_per_gib": took.proxy * _GIB / later,
        **figures,
    }


def main(arguments: list[str]) -> int:
    """
    Measure, and print a line for each.

    @return: the exit code: 1 if anything had errors.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shaping", description="Measure how limits of rate are kept."
    )
    parser.add_argument("--modes", default=",".join(DEFAULT))
    parser.add_argument("--relays", default=",".join(RELAYS))
    parser.add_argument("--rate", type=float, default=10.0, metavar="MIB", help="MiB per second (10)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--cores", default="", metavar="PROXY,LOAD")
    options = parser.parse_args(arguments)
    permitted = sorted(os.sched_getaffinity(0))
    cores = (permitted[0], permitted[-1])
    if options.cores:
        first, _, second = options.cores.partition(",")
        cores = int(first), int(second)
    os.sched_setaffinity(0, {cores[1]})
    rate = int(options.rate * _MIB)
    for name in options.modes.split(","):
        parseMode(name)
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    faulty = False
    for _ in range(options.rounds):
        for name in options.modes.split(","):
            for relay in options.relays.split(","):
                peer = limited(rate, relay)
                program = peer.find([])
                if program is None:
                    print(f"{peer.name} is not installed: {peer.remedy}", file=sys.stderr)
                    return 1
                try:
                    with running(peer, program, cores, options.seconds) as bench:
                        figures = measure(bench, name, rate)
                        faults = dict(bench.faults)
                except StartFailed as problem:
                    figures, faults = {}, {str(problem): 1}
                if faults:
                    faulty = True
                    print(f"{name} {relay}: ERRORS {faults}", flush=True)
                else:
                    found[name, relay].append(figures)
    for (name, relay), rounds in found.items():
        middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        shown = ", ".join(f"{key} {value:.4g}" for key, value in middle.items() if key != "seconds")
        print(f"{name} {relay}: {shown}", flush=True)
    return int(faulty)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
