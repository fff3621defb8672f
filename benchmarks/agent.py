"""
The command C{python -m benchmarks.agent}: what a request of Twisted's C{Agent} costs its own
process through a proxy, beside the same request without.

An origin and a connectproxy run as processes of their own; the requests are made here, 16 at
a time, for a page of 1 KiB.  Each line has the processor time of this process for one of
them: on connections that are used once, and on those that are kept.  C{tunnel} is an
C{Agent} whose endpoints are L{connectproxy.web.ProxyAgentEndpointFactory}'s, C{forwarded} a
L{connectproxy.web.ProxyingAgent}, whose requests for C{http} go in absolute-form.
C{exchange} is how much more a connection costs that is opened by CONNECT and closed again,
than one that is just opened and closed.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import react
from twisted.web.client import Agent, HTTPConnectionPool, readBody

from connectproxy.endpoints import ProxyChain
from connectproxy.web import ProxyAgentEndpointFactory, ProxyingAgent

__all__ = ["WAYS", "main"]

WAYS = ("direct", "tunnel", "forwarded", "kept direct", "kept tunnel", "kept forwarded")

_AT_ONCE = 16
_START = 30.0
"""Seconds for a child to begin to listen."""

_ORIGIN = """
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

PAGE = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: 1024\\r\\n%b\\r\\n" + bytes(1024)

class Origin(Protocol):
    def dataReceived(self, data):
        last = b"onnection: close" in data
        self.transport.write(PAGE % (b"Connection: close\\r\\n" if last else b""))
        if last:
            self.transport.loseConnection()

Factory.noisy = False
port = reactor.listenTCP(0, Factory.forProtocol(Origin), interface="127.0.0.1", backlog=512)
print("listens at 127.0.0.1:%d" % port.getHost().port, flush=True)
reactor.run()
"""

_TWISTD = "from twisted.scripts.twistd import run; run()"


@contextmanager
def _child(name: str, core: int, *arguments: str) -> Iterator[int]:
    """
    Run a program of Python's.

    @return: the port that it listens at.
    """
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        said = Path(folder) / "said"
        with open(said, "wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-c", *arguments], cwd=folder, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            os.sched_setaffinity(child.pid, {core})
            end = time.monotonic() + _START
            while "listens at 127.0.0.1:" not in said.read_text():
                if child.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the {name} does not start: {said.read_text()[-500:]}")
                time.sleep(0.02)
            yield int(said.read_text().partition("listens at 127.0.0.1:")[2].split()[0].rstrip(",;"))
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait()


async def _cost(ask: Callable[[], Any], count: int) -> float:
    """
    Ask so many times, 16 at a time.

    @return: the processor time of each, in microseconds.
    """
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            await ask()

    begun = time.process_time()
    done = [Deferred.fromCoroutine(worker()) for _ in range(_AT_ONCE)]
    await DeferredList(done, fireOnOneErrback=True, consumeErrors=True)
    return (time.process_time() - begun) / count * 1e6


def _request(agent: Any, url: bytes) -> Callable[[], Any]:
    """
    What makes one request.
    """

    async def ask() -> None:
        response = await agent.request(b"GET", url)
        if response.code != 200 or len(await readBody(response)) != 1024:
            raise RuntimeError(f"answered with {response.code}")

    return ask


class _Closing(Protocol):
    """
    Closes what it is connected by.
    """

    def connectionMade(self) -> None:
        """At once."""
        self.transport.abortConnection()  # type: ignore[union-attr]


def _opening(endpoint: Any) -> Callable[[], Any]:
    """
    What opens one connection, and closes it.
    """
    factory = Factory.forProtocol(_Closing)
    factory.noisy = False
    return lambda: endpoint.connect(factory)


async def _measure(reactor: Any, options: argparse.Namespace, origin: int, proxy: str) -> None:
    """
    Measure, and print.
    """
    url = f"http://127.0.0.1:{origin}/page".encode()
    asks: dict[str, Callable[[], Any]] = {}
    pools = []
    for prefix in ("", "kept "):
        # A pool knows connections by their origin, so that what goes by tunnels has its own.
        pool, tunnels = (HTTPConnectionPool(reactor, persistent=bool(prefix)) for _ in range(2))
        pool.maxPersistentPerHost = tunnels.maxPersistentPerHost = _AT_ONCE
        pools += [pool, tunnels]
        factory = ProxyAgentEndpointFactory(reactor, proxy)
        asks[f"{prefix}direct"] = _request(Agent(reactor, pool=pool), url)
        asks[f"{prefix}tunnel"] = _request(Agent.usingEndpointFactory(reactor, factory, tunnels), url)
        asks[f"{prefix}forwarded"] = _request(ProxyingAgent(reactor, proxy, pool=pool), url)
    asks["open"] = _opening(HostnameEndpoint(reactor, "127.0.0.1", origin))
    asks["open by CONNECT"] = _opening(ProxyChain(reactor, proxy).endpoint("127.0.0.1", origin))
    costs: dict[str, list[float]] = defaultdict(list)
    names = list(asks)
    for name in names:
        await _cost(asks[name], _AT_ONCE * 4)
    for number in range(options.rounds):
        turn = number % len(names)
        for name in [*names[turn:], *names[:turn]]:
            costs[name].append(await _cost(asks[name], options.requests))
    for pool in pools:
        await pool.closeCachedConnections()
    _report(costs)


def _report(costs: dict[str, list[float]]) -> None:
    """
    Print a line for each.
    """
    more = [by - plain for by, plain in zip(costs["open by CONNECT"], costs["open"], strict=True)]
    exchange = statistics.median(more)
    for name in WAYS:
        base = costs["kept direct" if name.startswith("kept") else "direct"]
        ratios = [cost / other for cost, other in zip(costs[name], base, strict=True)]
        line = f"{name}: {statistics.median(costs[name]):.1f} us per request, {statistics.median(ratios):.2f} times"
        print(f"{line} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
    beyond = [
        (cost - each) / other
        for cost, each, other in zip(costs["tunnel"], more, costs["direct"], strict=True)
    ]
    print(
        f"exchange: {exchange:.1f} us; tunnel without it: {statistics.median(beyond):.2f} times", flush=True
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Measure, and print a line for each way.

    @return: the exit code: 1 if anything had errors.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.agent",
        description="Measure what an Agent's request costs its process through a proxy, and without.",
    )
    parser.add_argument("--rounds", type=int, default=7, help="medians of so many rounds (%(default)s)")
    parser.add_argument("--requests", type=int, default=1500, help="in each round (%(default)s)")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.requests < 1:
        parser.error("rounds and requests are 1 at least")
    # readBody has one for every response that comes in two pieces, whoever asks.
    warnings.simplefilter("ignore", DeprecationWarning)
    permitted = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {permitted[-1]})
    listen = (
        "--listen",
        "tcp:0:interface=127.0.0.1",
        "--allow-network",
        "127.0.0.0/8",
        "--allow-ports",
        "any",
    )
    proxy = (_TWISTD, "-n", "--pidfile=", "connectproxy", *listen, "--access-log", "none")
    try:
        with _child("origin", permitted[0], _ORIGIN) as origin, _child("proxy", permitted[0], *proxy) as port:
            react(
                lambda reactor: ensureDeferred(_measure(reactor, options, origin, f"http://127.0.0.1:{port}"))
            )
    except RuntimeError as problem:
        print(f"ERRORS {problem}", file=sys.stderr)
        return 1
    except SystemExit as ended:
        return int(bool(ended.code))
    return 0


if __name__ == "__main__":
    sys.exit(main())
