"""
The command C{python -m benchmarks.policy}: what a decision of the policy costs, and what
building one holds up.

The rules are of every sort: by user, by group, by the client's network, by name, by
network and port, by time.  The names stand in a list file that one of them names.  Asked
is for what an early rule decides, for a name in the midst of the list, for what depends
on the address, for what no rule decides, and for one of the addresses that a destination
has.

A policy is built in a thread, as at a reload, while the main thread ticks: the figure is
the longest time that it was kept from doing so, once with the old policy let go of.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from itertools import cycle
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address

from connectproxy.address import parseAuthority
from connectproxy.config import configure
from connectproxy.interfaces import ProxyUser, TunnelRequest
from connectproxy.own import OwnPorts
from connectproxy.policy import Policy, buildPolicy

__all__ = ["main", "makeConfig", "questions"]

_TICK = 0.001
_CALLS = 2000


def makeConfig(rules: int, names: int, folder: Path) -> Any:
    """
    A configuration with so many rules, and a list of so many names.
    """
    listed = folder / f"names-{names}.txt"
    listed.write_text(
        "".join(f"{'.' if i % 3 else ''}host-{i}.zone-{i % 97}.example\n" for i in range(names))
    )
    sorts: list[Callable[[int], dict[str, Any]]] = [
        lambda i: {"users": [f"user-{i}"], "destinations": [f".team-{i}.example"]},
        lambda i: {"groups": [f"group-{i % 50}"], "destinations": [f"api-*.service-{i}.example"]},
        lambda i: {"clients": [f"10.{i // 256 % 256}.{i % 256}.0/24"], "destinations": [f"site-{i}.example"]},
        lambda i: {"networks": [f"172.16.{i % 256}.0/24"], "ports": [443, f"{1000 + i}-{1010 + i}"]},
        lambda i: {"methods": ["GET"], "schemes": ["http"], "destinations": [f"web-{i}.example"]},
        lambda i: {"days": ["mon", "tue"], "hours": ["08:00-18:00"], "destinations": [f"office-{i}.example"]},
    ]
    rows = [
        {"name": f"rule-{i}", "action": "deny" if i % 4 == 3 else "allow", **sorts[i % len(sorts)](i)}
        for i in range(rules - 1)
    ]
    rows.insert(
        len(rows) // 2, {"name": "listed", "action": "allow", "destinations": [f"@{listed}"], "users": ["*"]}
    )
    return configure(policy={"default": "deny"}, rule=rows)


def questions(policy: Policy, names: int) -> dict[str, Callable[[], Any]]:
    """
    What is asked, by what it is called.  Two requests take turns, since one that is asked about
    again at once is answered from memory.
    """
    client = IPv4Address("TCP", "10.0.2.7", 40000)
    user = ProxyUser("user-0", frozenset({"group-3", "staff"}))

    def request(host: str, port: int = 443) -> Iterator[TunnelRequest]:
        destination: Any = parseAuthority(f"{host}:{port}".encode())
        return cycle(
            [TunnelRequest(destination, client, "tcp:8080", "http/1.1", identity=user) for _ in range(2)]
        )

    middle = names // 2
    listed = request(f"host-{middle}.zone-{middle % 97}.example")
    early, unknown = request("x.team-0.example"), request("not.on.any.list.example")
    nothing = request("not.on.any.list.example", 80)
    address = ip_address("8.8.8.8")
    return {
        "early": lambda: policy.decideRequest(next(early)),
        "listed": lambda: policy.decideRequest(next(listed)),
        "look and see": lambda: policy.decideRequest(next(unknown)),
        "undecided": lambda: policy.decideRequest(next(nothing)),
        "address": lambda: policy.decideAddress(next(listed), address),
    }


def _cost(ask: Callable[[], Any], rounds: int) -> float:
    """
    The median over rounds of the microseconds of CPU that a question takes.
    """
    figures = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(_CALLS):
            ask()
        figures.append((time.process_time() - began) / _CALLS * 1e6)
    return statistics.median(figures)


def _longest(work: Callable[[], Any]) -> tuple[float, float]:
    """
    Do something in a thread while this one ticks.

    @return: how long it took, and the longest time between two ticks beyond the tick itself.
    """
    done = threading.Event()

    def run() -> None:
        try:
            work()
        finally:
            done.set()

    thread = threading.Thread(target=run)
    began = last = time.perf_counter()
    longest = 0.0
    thread.start()
    while not done.is_set():
        time.sleep(_TICK)
        now = time.perf_counter()
        longest = max(longest, now - last - _TICK)
        last = now
    thread.join()
    return time.perf_counter() - began, longest


def measure(rules: int, names: int, rounds: int, folder: Path) -> list[tuple[str, float, str]]:
    """
    Measure one size.

    @return: figures: what, how much, and the unit.
    """
    config = makeConfig(rules, names, folder)
    built: list[Policy] = []
    seconds, longest = _longest(lambda: built.append(buildPolicy(config, OwnPorts())))
    policy = built.pop()
    figures = [(name, _cost(ask, rounds), "us") for name, ask in questions(policy, names).items()]
    figures += [("build", seconds, "s"), ("longest stall", longest * 1000, "ms")]
    began = time.perf_counter()
    del policy
    figures.append(("letting go", (time.perf_counter() - began) * 1000, "ms"))
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Measure, and print a line for each size.

    @return: the exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.add_argument("--rules", type=int, default=1000, help="how many rules (%(default)s)")
    parser.add_argument(
        "--names", default="10000,100000", help="how many listed names, between commas (%(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=15, help="medians of so many rounds (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        for names in map(int, options.names.split(",")):
            gc.collect()
            figures = measure(options.rules, names, options.rounds, Path(folder))
            shown = ", ".join(f"{name} {value:.2f} {unit}" for name, value, unit in figures)
            print(f"{options.rules} rules, {names} names: {shown}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
