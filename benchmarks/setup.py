"""
The command C{python -m benchmarks.setup}: what it costs to know who asks, and to ask the
rules, each time that a tunnel is opened.

Several proxies run beside each other, and take turns in having tunnels opened, used for one
message and closed, 64 at a time: one that asks nobody and has the built-in guards alone; one
that asks for a name and a password, by Basic, which it has in a file hashed with scrypt and
knows again once they were right; one that asks nobody and has so many rules; and one with
both, whose rules are by user, group, network, name and time.  Each line has, for one of
them, the processor time of the proxy for a tunnel, and how much more that is than the
first one's within the same round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.child import StartFailed, running
from benchmarks.modes import openings
from benchmarks.peers import BUILT_IN, Peer
from benchmarks.tunnel import BASIC, CONNECT
from connectproxy.auth.hashes import makeHash

__all__ = ["SORTS", "main", "makeConfig", "proxy"]

SORTS = ("plain", "identity", "rules", "both")

_AT_ONCE = 64

_CONFIG = """\
[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1"

[allow]
networks = ["127.0.0.0/8"]
ports = "any"

[access_log]
file = "{folder}/access.log"
"""

_IDENTITY = """
[auth]
users = "{folder}/users"
cache = 86400

[[group]]
name = "load"
users = ["bench"]
"""

_RULES = (
    'users = ["user-{0}"]\ndestinations = [".team-{0}.example"]\n',
    'groups = ["load"]\ndestinations = ["api-*.service-{0}.example"]\n',
    'clients = ["10.{0}.0.0/16"]\n',
    'networks = ["172.16.{0}.0/24"]\nports = [443, "2000-2010"]\n',
    'methods = ["GET"]\nschemes = ["http"]\ndestinations = ["web-{0}.example"]\n',
    'days = ["mon", "tue"]\nhours = ["08:00-18:00"]\ndestinations = ["office-{0}.example"]\n',
)
"""Conditions of every sort; none of them holds for the load's tunnels."""

_LAST = '\n[[rule]]\nname = "load"\naction = "allow"\nnetworks = ["127.0.0.0/8"]\n'


def makeConfig(sort: str, rules: int, port: int, folder: Path) -> str:
    """
    The configuration of one proxy.

    @param sort: one of L{SORTS}.
    @param rules: how many, the one that holds in the end included; at least 1.
    @param folder: where its files are.
    """
    text = _CONFIG.format(port=port, folder=folder)
    if sort in ("identity", "both"):
        text += _IDENTITY.format(folder=folder)
    elif sort == "rules":
        text += '\n[[group]]\nname = "load"\nusers = ["bench"]\n'
    if sort in ("rules", "both"):
        text += '\n[policy]\ndefault = "deny"\n'
        for number in range(rules - 1):
            action = "deny" if number % 4 == 3 else "allow"
            text += f'\n[[rule]]\nname = "rule-{number}"\naction = "{action}"\n'
            text += _RULES[number % len(_RULES)].format(number % 256)
        text += _LAST + ('users = ["bench"]\n' if sort == "both" else "")
    return text


def proxy(sort: str, rules: int) -> Peer:
    """
    connectproxy with identity or policy, both or none.

    @param sort: one of L{SORTS}.
    """

    def arguments(port: int, folder: Path, _dialect: str) -> list[str]:
        if sort in ("identity", "both"):
            (folder / "users").write_text(f"bench:{makeHash('scrypt', b'benchmarks')}\n")
        path = folder / "proxy.toml"
        path.write_text(makeConfig(sort, rules, port, folder))
        return ["-n", "--pidfile=", "connectproxy", "--config", str(path)]

    return replace(BUILT_IN["connectproxy"], arguments=arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Measure, and print a line for each sort.

    @return: the exit code: 1 if anything had errors.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.setup",
        description="Measure what identity and policy add to opening a tunnel.",
    )
    parser.add_argument("--sorts", default=",".join(SORTS), help="which, plain first (%(default)s)")
    parser.add_argument("--rules", type=int, default=100, help="how many rules (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="medians of so many rounds (%(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each window is (%(default)s)")
    parser.add_argument("--cores", default="", metavar="PROXY,LOAD")
    options = parser.parse_args(arguments)
    sorts = options.sorts.split(",")
    unknown = [sort for sort in sorts if sort not in SORTS]
    if unknown or sorts[0] != SORTS[0] or options.rules < 1 or options.rounds < 1:
        parser.error(f"--sorts takes some of {','.join(SORTS)}, the first one first; counts are 1 at least")
    permitted = sorted(os.sched_getaffinity(0))
    cores = (permitted[0], permitted[-1])
    if options.cores:
        first, _, second = options.cores.partition(",")
        cores = int(first), int(second)
    os.sched_setaffinity(0, {cores[1]})
    program = BUILT_IN["connectproxy"].find([])
    if program is None:
        print(f"connectproxy is not installed: {BUILT_IN['connectproxy'].remedy}", file=sys.stderr)
        return 1
    costs: dict[str, list[float]] = defaultdict(list)
    faults: dict[str, int] = {}
    try:
        with ExitStack() as stack:
            benches = {}
            for sort in sorts:
                dialect = BASIC if sort in ("identity", "both") else CONNECT
                peer = proxy(sort, options.rules)
                benches[sort] = stack.enter_context(running(peer, program, cores, options.seconds, dialect))
            for number in range(options.rounds):
                turn = number % len(sorts)
                for sort in [*sorts[turn:], *sorts[:turn]]:
                    # Processor milliseconds of a thousand are microseconds of one.
                    costs[sort].append(openings(benches[sort], _AT_ONCE)["cpu_ms_per_1000"])
            for bench in benches.values():
                faults |= bench.faults
    except StartFailed as problem:
        faults[str(problem)] = 1
    if faults:
        print(f"ERRORS {faults}", flush=True)
        return 1
    base = costs[sorts[0]]
    for sort in sorts:
        more = [cost - other for cost, other in zip(costs[sort], base, strict=True)]
        print(
            f"{sort}: {statistics.median(costs[sort]):.1f} us per tunnel, {statistics.median(more):+.1f} us"
            f" ({min(more):+.1f} to {max(more):+.1f})",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
