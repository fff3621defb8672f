"""
What pytest needs to run the tests as trial does, and on all cores.

With pytest-xdist, which the extra C{test} brings, directories of tests are shared among as
many processes as there are cores; C{-n 0} has one do it all, and files and single tests are
run by one anyway.  What a test measures in seconds it measures in quiet: marked C{quiet}, it
has the machine to itself.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """
    Share the tests out, unless something is said of that, or there is nothing to be gained.
    """
    option: Any = config.option
    if (
        getattr(option, "numprocesses", 0) is None  # there is pytest-xdist, and nobody has said -n
        and option.dist == "no"
        and not hasattr(config, "workerinput")  # nor is this one of the processes
        and not option.collectonly
        and not getattr(option, "cov_source", None)  # pytest-cov has to be told before
        and all(Path(argument).is_dir() for argument in config.args)
    ):
        option.numprocesses = "auto"
        option.dist = "worksteal"


@pytest.fixture(scope="session", autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """
    Run in a temporary directory: C{TestCase.mktemp} writes to the one that it finds
    itself in, which would be the checkout.
    """
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("trial"))
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def _turns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int] | None]:
    """
    The files whose locks say who may run: first that of who is next, then that of all who do.

    @return: their descriptors; L{None} where there is nobody else.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield None
        return
    shared = tmp_path_factory.getbasetemp().parent  # of all processes of this run
    files = [os.open(shared / name, os.O_RDWR | os.O_CREAT, 0o600) for name in ("next", "running")]
    yield files[0], files[1]
    for file in files:
        os.close(file)


@pytest.fixture(autouse=True)
def _turn(request: pytest.FixtureRequest, _turns: tuple[int, int] | None) -> Iterator[None]:
    """
    Run beside others, or alone.
    """
    if _turns is None:
        yield
        return
    following, running = _turns
    alone = request.node.get_closest_marker("quiet") is not None
    # Who wants to be alone keeps the first while it waits, so that nobody gets in before it.
    fcntl.flock(following, fcntl.LOCK_EX)
    fcntl.flock(running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    fcntl.flock(following, fcntl.LOCK_UN)
    yield
    fcntl.flock(running, fcntl.LOCK_UN)
