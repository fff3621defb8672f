"""
The proxy as a part of an application.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import connect, head, readAnswer, readToEnd
from tests.integration.running import GUARD, ROOT, environment, waitFor

pytestmark = pytest.mark.integration


class EmbeddedTests(ProxyTestCase):
    """
    Several proxies in one process, on a reactor that the application has made.
    """

    def embed(self, reactor: str) -> None:
        """
        Run the application of L{tests.integration.embedded}, which says nothing if all is well.
        """
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "error",
                "-m",
                "tests.integration.embedded",
                f"twisted.internet.{reactor}",
            ],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=GUARD,
            check=False,
            text=True,
        )
        self.assertEqual((done.stdout, done.returncode), ("", 0))

    def test_epoll(self) -> None:
        """
        On the reactor that is the default on Linux: no signal handler, no global reactor, no
        word, and nothing left when they are stopped.
        """
        self.embed("epollreactor.EPollReactor")

    def test_poll(self) -> None:
        """
        The same on another reactor.
        """
        self.embed("pollreactor.PollReactor")

    def test_select(self) -> None:
        """
        The same on the oldest reactor.
        """
        self.embed("selectreactor.SelectReactor")

    def test_asyncio(self) -> None:
        """
        The same on asyncio's loop.
        """
        self.embed("asyncioreactor.AsyncioSelectorReactor")


class ExampleTests(ProxyTestCase):
    """
    C{examples/embed.py}.
    """

    def test_runs(self) -> None:
        """
        Both of its proxies serve, each by its own rules, and stop with it; they write nothing.
        """
        output = self.temporary() / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, ROOT / "examples" / "embed.py", "127.0.0.1:0", "127.0.0.1:0"],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        waitFor(lambda: output.read_text().count("\n") >= 2 or process.poll() is not None, "the start")
        said = output.read_text()
        self.assertRegex(said, r"\A(a proxy at 127\.0\.0\.1:\d+\n){2}\Z")
        public, inside = (self.closing(connect(int(each))) for each in re.findall(r":(\d+)", said))
        origin = self.origin()
        for each in (public, inside):
            each.sendall(head(f"127.0.0.1:{origin.getsockname()[1]}"))
        self.assertRefused(readAnswer(public), 403, "http_request_denied")
        self.assertEqual(readAnswer(inside).status, 200)
        end = self.accept(origin)
        self.assertPings(inside, end)
        process.send_signal(signal.SIGTERM)
        self.assertPings(inside, end)
        end.close()
        self.assertEqual(readToEnd(inside), (b"", "eof"))
        inside.close()
        public.close()
        self.assertEqual(process.wait(GUARD), 0)
        self.assertEqual(output.read_text(), said)
