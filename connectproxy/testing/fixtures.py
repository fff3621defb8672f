"""
Fixtures for pytest.

A test module, or the C{conftest.py} at the root, names them::

    pytest_plugins = ["connectproxy.testing.fixtures"]

and tests have a proxy of their own by an argument::

    def test_example(proxy):
        ...
        assert proxy.waitForEvents(1)[0]["decision"] == "allow"

How it is configured is what the fixture C{proxyOptions} says, for a module, a class or all::

    @pytest.fixture
    def proxyOptions():
        return {"auth": {"basic": "ann:secret"}}

They all run in one reactor of their own, in one thread, which lasts as long as pytest does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from connectproxy.testing.faults import Step
from connectproxy.testing.faulty import FaultyServer
from connectproxy.testing.running import ReactorThread, RunningProxy

__all__ = ["proxy", "proxyOptions", "reactorThread", "startFaults", "startProxy"]


@pytest.fixture(scope="session")
def reactorThread() -> Iterator[ReactorThread]:
    """
    The reactor that all proxies and servers of these fixtures run in.
    """
    thread = ReactorThread()
    thread.start()
    yield thread
    thread.stop()


@pytest.fixture
def startProxy(reactorThread: ReactorThread) -> Iterator[Callable[..., RunningProxy]]:
    """
    Starts proxies, which are stopped when the test is over; its arguments are those of
    L{connectproxy.testing.ProxyFixture}, but for the reactor.
    """
    started: list[RunningProxy] = []

    def start(**options: Any) -> RunningProxy:
        started.append(RunningProxy(reactorThread, **options))
        return started[-1]

    yield start
    for each in reversed(started):
        each.stop()


@pytest.fixture
def proxyOptions() -> dict[str, Any]:
    """
    The configuration of L{proxy}: what it does not say is as in
    L{connectproxy.testing.fixture.DEFAULTS}.  To be overridden.
    """
    return {}


@pytest.fixture
def proxy(startProxy: Callable[..., RunningProxy], proxyOptions: dict[str, Any]) -> RunningProxy:
    """
    A proxy.
    """
    return startProxy(**proxyOptions)


@pytest.fixture
def startFaults(reactorThread: ReactorThread) -> Iterator[Callable[..., FaultyServer]]:
    """
    Starts servers that go wrong, which are stopped when the test is over; its arguments are
    those of L{connectproxy.testing.FaultyServer}, but for the reactor.
    """
    started: list[FaultyServer] = []

    def start(*scripts: Sequence[Step], target: tuple[str, int] | None = None) -> FaultyServer:
        server = FaultyServer(reactorThread.reactor, *scripts, target=target)
        started.append(reactorThread.call(server.start))
        return server

    yield start
    for each in reversed(started):
        reactorThread.call(each.stop)
