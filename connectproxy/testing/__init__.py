"""
For tests: of a policy, and of whatever speaks through a proxy.

  - L{Decisions}: what a policy decides, asked in Python, without a reactor and without the
    network.
  - L{ProxyFixture}, L{ProxyMixin}: a proxy in the reactor of a test of trial's;
    L{runningProxy} one for tests without a reactor.  For pytest there are fixtures:
    C{pytest_plugins = ["connectproxy.testing.fixtures"]}, see
    L{connectproxy.testing.fixtures}.
  - L{FaultyServer}: a server, or something in front of one, that goes wrong as a script
    says.
  - L{FakeReactor}, L{pipePair}, L{Peer}: connections in memory, with back-pressure and
    half-close, whose every turn the test makes.

With pytest, over a file of cases such as C{connectproxy policy test} reads::

    import pytest
    from connectproxy.testing import Decisions, readCases

    decisions = Decisions.load("proxy.toml")

    @pytest.mark.parametrize("case", readCases("cases.toml"), ids=str)
    def test_policy(case):
        decisions.verify(case)

or case by case::

    def test_mirror():
        answer = decisions.ask("mirror.example:443", user="ci", addresses=["8.8.8.8"])
        assert (answer.decision, answer.rule) == ("allow", "mirror")

What is here is public, and does not change without notice; see docs/testing.md.
"""

from connectproxy.cases import Case, readCases
from connectproxy.rehearsal import Answer
from connectproxy.testing.decisions import Decisions
from connectproxy.testing.faults import Close, Forward, HalfClose, Read, Reset, Say, Stall
from connectproxy.testing.faulty import FaultyServer
from connectproxy.testing.fixture import ProxyFixture, ProxyMixin
from connectproxy.testing.memory import FakeAttempt, FakePort, FakeReactor, pipePair
from connectproxy.testing.pipe import FakePipe, Peer
from connectproxy.testing.running import RunningProxy, runningProxy
from connectproxy.testing.scripted import FaultyConnection

__all__ = [
    "Answer",
    "Case",
    "Close",
    "Decisions",
    "FakeAttempt",
    "FakePipe",
    "FakePort",
    "FakeReactor",
    "FaultyConnection",
    "FaultyServer",
    "Forward",
    "HalfClose",
    "Peer",
    "ProxyFixture",
    "ProxyMixin",
    "Read",
    "Reset",
    "RunningProxy",
    "Say",
    "Stall",
    "pipePair",
    "readCases",
    "runningProxy",
]
