"""
Tests for L{connectproxy.limits.admission}.
"""

from __future__ import annotations

import resource
import sys
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.limits import admission
from connectproxy.limits.admission import LOOK_AGAIN, Admission, openFiles
from connectproxy.wheel import GRAIN, Wheel


class Port:
    """
    A listening port that can be paused.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")


class System:
    """
    What L{admission} asks of the system: the next descriptor, if there is any.

    @ivar next: its number, or L{None} if there is none.
    """

    devnull = "/dev/null"
    O_RDONLY = 0

    def __init__(self) -> None:
        self.next: int | None = 3
        self.taken: list[int] = []

    def open(self, path: str, flags: int) -> int:
        if self.next is None:
            raise OSError(24, "Too many open files")
        self.taken.append(self.next)
        return self.next

    def close(self, descriptor: int) -> None:
        self.taken.remove(descriptor)


class ShareTests(SynchronousTestCase):
    """
    How many tunnels one client may have.
    """

    def test_eachClientHasItsOwn(self) -> None:
        """
        A client that has as many as it may gets no more until one is over, and others are not
        concerned; conformance 43.
        """
        admission = Admission(Wheel(Clock()), perClient=2)
        self.assertEqual([admission.enter("a") for _ in range(3)], [True, True, False])
        self.assertTrue(admission.enter("b"))
        admission.leave("a")
        self.assertEqual([admission.enter("a"), admission.enter("a")], [True, False])

    def test_nothingIsKept(self) -> None:
        """
        A client without tunnels is forgotten: there may be many in the course of time.
        """
        admission = Admission(Wheel(Clock()), perClient=2)
        for client in range(100):
            admission.enter(client)
            admission.leave(client)
        self.assertEqual(admission._shares, {})


class CountTests(SynchronousTestCase):
    """
    How many tunnels there may be.
    """

    def test_unlimited(self) -> None:
        """
        With 0 there are never too many.
        """
        admission = Admission(Wheel(Clock()))
        self.assertEqual((admission.tunnels, admission.connections), (0, 0))
        self.assertIs(admission.paused, False)
        admission.tunnels = 1_000_000
        self.assertFalse(admission.full)

    def test_full(self) -> None:
        """
        It is full with exactly as many as are allowed, and no longer when one ends.
        """
        for limit in (1, 2):
            admission = Admission(Wheel(Clock()), limit)
            seen = []
            for admission.tunnels in (0, limit - 1, limit, limit + 1, limit - 1):
                seen.append(admission.full)
            self.assertEqual(seen, [False, False, True, True, False])


class DescriptorTests(SynchronousTestCase):
    """
    With 64 descriptors, of which the last eight are kept back.
    """

    def setUp(self) -> None:
        """
        No descriptor of this process is touched.
        """
        self.system = System()
        self.patch(admission, "os", self.system)
        self.clock = Clock()
        self.wheel = Wheel(self.clock)
        self.admission = Admission(self.wheel, descriptors=64)
        self.ports = [Port(), Port()]
        for port in self.ports:
            self.admission.watch(port)

    def tearDown(self) -> None:
        """
        Every look at the descriptors has given back what it took.
        """
        self.assertEqual(self.system.taken, [])

    def calls(self) -> list[list[str]]:
        """
        What was asked of the ports.
        """
        return [port.calls for port in self.ports]

    def look(self) -> None:
        """
        Let the time pass until the next look.
        """
        self.clock.advance(LOOK_AGAIN + GRAIN)

    def test_plenty(self) -> None:
        """
        Below the ceiling, and for connections without a descriptor of their own,
        nothing happens but counting.
        """
        for descriptor in (-1, 3, 55):
            self.admission.opened(descriptor)
        self.assertEqual(self.admission.connections, 3)
        self.assertEqual(self.calls(), [[], []])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ceiling(self) -> None:
        """
        At the ceiling every port is paused; the connection that showed it is served.
        """
        self.admission.opened(56)
        self.assertEqual(self.calls(), [["pause"], ["pause"]])
        self.assertTrue(self.admission.paused)
        self.assertEqual(self.admission.connections, 1)

    def test_reserve(self) -> None:
        """
        An eighth is kept back, but no more than 256: a turn of the reactor accepts no
        more than that.
        """
        for descriptors, ceiling in ((1024, 896), (1_000_000, 999_744), (8, 7)):
            admission = Admission(self.wheel, descriptors=descriptors)
            admission.watch(Port())
            admission.opened(ceiling - 1)
            self.assertFalse(admission.paused)
            admission.opened(ceiling)
            self.assertTrue(admission.paused)
            admission.forget()

    def test_saidOnce(self) -> None:
        """
        It is said once, with the numbers and what to do, however many connections more
        the kernel has handed over.
        """
        self.admission.connections = 40
        with capturedLogs() as events:
            for descriptor in (56, 57, 58):
                self.admission.opened(descriptor)
        (event,) = events
        self.assertEqual((event["log_level"], event["limit"], event["open"]), (LogLevel.warn, 64, 41))
        self.assertIn("ulimit -n", event["log_format"])
        self.assertEqual(self.calls(), [["pause"], ["pause"]])

    def test_told(self) -> None:
        """
        Who has failed to get a descriptor says so, and it is the same.
        """
        self.admission.exhausted()
        self.assertEqual(self.calls(), [["pause"], ["pause"]])

    def test_resumes(self) -> None:
        """
        As soon as a look finds room the ports go on, and it is said.
        """
        self.admission.exhausted()
        with capturedLogs() as events:
            self.look()
        self.assertEqual(self.calls(), [["pause", "resume"], ["pause", "resume"]])
        self.assertIs(self.admission.paused, False)
        (event,) = events
        self.assertEqual((event["log_level"], event["open"]), (LogLevel.info, 0))
        self.assertEqual(len(self.wheel), 0)

    def test_looksAgain(self) -> None:
        """
        While there is none to be had, or only those that are kept back, it is looked
        again every second, in silence.
        """
        self.assertEqual(LOOK_AGAIN, 1.0)
        self.admission.exhausted()
        with capturedLogs() as events:
            for self.system.next in (None, 56, 63):
                self.look()
                self.assertTrue(self.admission.paused)
            self.assertEqual(events, [])
            self.system.next = 55
            self.look()
        self.assertFalse(self.admission.paused)

    def test_again(self) -> None:
        """
        It can happen again, and is said again.
        """
        self.admission.exhausted()
        self.look()
        with capturedLogs() as events:
            self.admission.exhausted()
        self.assertEqual(len(events), 1)
        self.assertEqual(self.calls(), [["pause", "resume", "pause"]] * 2)

    def test_forget(self) -> None:
        """
        Ports that are being closed are left alone, and nothing is left to do.
        """
        self.admission.exhausted()
        self.admission.forget()
        self.assertIs(self.admission.paused, False)
        self.assertEqual(len(self.wheel), 0)
        self.look()
        self.admission.opened(63)
        self.assertEqual(self.calls(), [["pause"], ["pause"]])

    def test_portsThatCannotPause(self) -> None:
        """
        One that has no way to be paused is left alone, and where there is no other
        nothing is promised.
        """
        admission = Admission(self.wheel, descriptors=64)
        admission.watch(SimpleNamespace())
        with capturedLogs() as events:
            admission.opened(63)
        self.assertFalse(admission.paused)
        self.assertEqual(events, [])


class OpenFilesTests(SynchronousTestCase):
    """
    What the process is allowed.
    """

    def limit(self, soft: int) -> int:
        """
        What is read of a soft limit.
        """
        with mock.patch.object(resource, "getrlimit", lambda which: (soft, -1)):
            return openFiles()

    def test_soft(self) -> None:
        """
        The soft limit is what counts.
        """
        self.assertEqual(self.limit(1024), 1024)
        self.assertEqual(openFiles(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    def test_infinite(self) -> None:
        """
        No limit is a large number.
        """
        self.assertEqual(self.limit(resource.RLIM_INFINITY), 1 << 20)

    def test_elsewhere(self) -> None:
        """
        So it is where there are no such limits.
        """
        nothing: Any = None
        with mock.patch.dict(sys.modules, {"resource": nothing}):
            self.assertEqual(openFiles(), 1 << 20)

    def test_default(self) -> None:
        """
        Without a number an admission goes by the process's limit.
        """
        with mock.patch.object(resource, "getrlimit", lambda which: (80, -1)):
            admission = Admission(Wheel(Clock()))
        admission.watch(Port())
        admission.opened(69)
        self.assertFalse(admission.paused)
        admission.opened(70)
        self.assertTrue(admission.paused)
