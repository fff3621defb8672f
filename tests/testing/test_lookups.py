"""
Tests for L{connectproxy.testing.lookups}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.testing import FakeReactor
from connectproxy.testing.pipe import addressOf


class LookupTests(SynchronousTestCase):
    """
    Questions and calls that wait for the test.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def test_names(self) -> None:
        """
        A name is answered from the script, or when the test says so, and only with the
        families asked for.
        """
        told: list[Any] = []

        class Receiver:
            resolutionBegan = staticmethod(lambda lookup: verifyObject(IHostResolution, lookup))
            addressResolved = staticmethod(told.append)
            resolutionComplete = staticmethod(lambda: told.append("done"))

        resolver = self.reactor.nameResolver
        self.assertTrue(verifyObject(IHostnameResolver, resolver))
        resolver.answers["known.example"] = ["192.0.2.1", "2001:db8::1"]
        resolver.resolveHostName(Receiver(), "known.example.", 0, [type(addressOf("::", 0))], "TCP")
        self.assertEqual(told, [addressOf("2001:db8::1", 0), "done"])
        resolver.resolveHostName(Receiver(), "other.example.")
        (lookup,) = resolver.pending
        lookup.answer("192.0.2.1")
        self.assertEqual(told[2:], [addressOf("192.0.2.1", 0), "done"])
        self.assertEqual(resolver.pending, [])

    def test_threads(self) -> None:
        """
        Calls are made at once, or when the test says so; errors come back as results.
        """
        results: list[Any] = []
        threads = self.reactor.getThreadPool()
        threads.callInThreadWithCallback(lambda *result: results.append(result), len, "ab")
        self.assertEqual(results, [(True, 2)])
        threads.held = True
        threads.callInThreadWithCallback(lambda *result: results.append(result), len, 3)
        self.assertEqual(len(results), 1)
        threads.run()
        self.assertTrue(results[1][1].check(TypeError))

    def test_cancelled(self) -> None:
        """
        That a question was given up is kept, and a call without anybody who waits is made all
        the same.
        """
        resolver, told = self.reactor.nameResolver, list[Any]()

        class Receiver:
            resolutionBegan = staticmethod(told.append)

        resolver.resolveHostName(Receiver(), "other.example")
        told[0].cancel()
        self.assertTrue(resolver.lookups[0].cancelled)
        self.reactor.getThreadPool().callInThread(told.append, 1)
        self.assertEqual(told[1:], [1])
