"""
Tests for L{connectproxy.testing.running}: a proxy in a thread.  Integration.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from textwrap import dedent
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.python import threadable
from twisted.trial.unittest import SynchronousTestCase

from connectproxy import ConfigurationError
from connectproxy.testing import runningProxy
from connectproxy.testing.running import ReactorThread
from tests.integration.raw import connect, head, listening, readAnswer
from tests.loopback import descriptors


def threads() -> list[str]:
    """
    The threads of the process, but for those of reactors' own pools.
    """
    return [each.name for each in threading.enumerate() if each.name == "connectproxy.testing"]


class ThreadTests(SynchronousTestCase):
    """
    A reactor in a thread.
    """

    def start(self) -> ReactorThread:
        """
        @return: one that runs.
        """
        thread = ReactorThread()
        thread.start()
        self.addCleanup(thread.stop)
        return thread

    def test_call(self) -> None:
        """
        A call is made in the thread, and its result comes back, be it at once or later.
        """
        thread = self.start()
        self.assertEqual(thread.call(lambda: threading.current_thread().name), "connectproxy.testing")
        self.assertEqual(thread.call(max, 3, 5), 5)

        def later() -> Deferred[str]:
            result: Deferred[str] = Deferred()
            thread.reactor.callLater(0, result.callback, "later")
            return result

        self.assertEqual(thread.call(later), "later")

    def test_failure(self) -> None:
        """
        So do errors.
        """
        thread = self.start()
        with self.assertRaises(ZeroDivisionError):
            thread.call(lambda: 1 / 0)

    def test_timeout(self) -> None:
        """
        What takes too long is cancelled, and fails.
        """
        thread = self.start()
        cancelled = threading.Event()

        def never() -> Deferred[Any]:
            return Deferred(lambda _: cancelled.set())

        with self.assertRaises(AssertionError) as caught:
            thread.call(never, timeout=0.01)
        self.assertIn("has had no result after 0.01 s", str(caught.exception))
        self.assertTrue(cancelled.wait(30))

    def test_processWide(self) -> None:
        """
        What Twisted keeps for the whole process is as it was, while it runs and afterwards;
        its end is the end of the thread, and a second one does not matter.
        """
        before = threadable.ioThread
        thread = self.start()
        self.assertEqual(threadable.ioThread, before)
        self.assertEqual(len(threads()), 1)
        thread.stop()
        self.assertEqual((threads(), threadable.ioThread), ([], before))

    def test_descriptors(self) -> None:
        """
        No descriptor is left open by it.
        """
        self.start().stop()  # the first port of a process makes Twisted keep one in reserve
        gc.collect()
        before = descriptors()
        for _ in range(3):
            with runningProxy():
                pass
        gc.collect()
        self.assertEqual(len(descriptors()), len(before))

    def test_anywhere(self) -> None:
        """
        Where there is no epoll, select will do.
        """
        with mock.patch.dict(sys.modules, {"twisted.internet.epollreactor": None}):
            thread = self.start()
        self.assertIsInstance(thread.reactor, SelectReactor)
        self.assertEqual(thread.call(lambda: 1), 1)


class RunningTests(SynchronousTestCase):
    """
    A proxy for a C{with}.
    """

    def test_tunnel(self) -> None:
        """
        A client that blocks gets through, and the events can be waited for.
        """
        with runningProxy() as proxy, listening() as origin:
            self.assertEqual((proxy.host, proxy.url), ("127.0.0.1", f"http://127.0.0.1:{proxy.port}"))
            target = f"127.0.0.1:{origin.getsockname()[1]}"
            with connect(proxy.port) as client:
                client.sendall(head(target))
                self.assertEqual(readAnswer(client).status, 200)
                origin.accept()[0].close()
            (event,) = proxy.waitForEvents(1)
            self.assertEqual((event["target"], event["decision"]), (target, "allow"))
            self.assertEqual(proxy.events, [event])
        self.assertEqual(threads(), [])

    def test_events(self) -> None:
        """
        To wait for too many fails, with those that there are.
        """
        with runningProxy(allow={"ports": [1]}) as proxy:
            with connect(proxy.port) as client:
                client.sendall(head("127.0.0.1:2"))
                self.assertEqual(readAnswer(client).status, 403)
            proxy.waitForEvents(1)
            with self.assertRaises(AssertionError) as caught:
                proxy.waitForEvents(2, timeout=0.01)
            self.assertIn("there are not 2 events after 0.01 s, but [{'timestamp':", str(caught.exception))

    def test_wrong(self) -> None:
        """
        Wrong options raise, and no thread is left; nor is one after an error of the test's.
        """
        with self.assertRaises(ConfigurationError), runningProxy(nothing={}):
            self.fail("it runs")
        with self.assertRaises(KeyError), runningProxy():
            raise KeyError
        self.assertEqual(threads(), [])

    def test_globalReactor(self) -> None:
        """
        Twisted's global reactor is not made by it.
        """
        script = dedent(
            """
            import sys
            from connectproxy.testing import runningProxy
            with runningProxy() as proxy:
                assert proxy.port
            print("twisted.internet.reactor" in sys.modules)
            """
        )
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        self.assertEqual(done.stdout, "False\n")
