"""
Tests for L{connectproxy.testing.fixtures}, by a pytest of their own.  Integration.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

EXAMPLE = """
    import socket
    import pytest
    from connectproxy.testing import Read, Reset, Say

    pytest_plugins = ["connectproxy.testing.fixtures"]
    ports = set()

    def ask(proxy, server):
        sock = socket.create_connection((proxy.host, proxy.port), 30)
        sock.sendall(f"CONNECT {server.host}:{server.port} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\nping".encode())
        return sock

    def answer(proxy, server):
        with ask(proxy, server) as sock:
            return sock.recv(13)

    def test_allowed(proxy, startFaults):
        server = startFaults([Read(4), Say(b"pong"), Reset()])
        assert answer(proxy, server) == b"HTTP/1.1 200 "
        assert proxy.waitForEvents()[0]["decision"] == "allow"
        ports.add(proxy.port)

    def test_own(proxy, startProxy):
        other = startProxy(allow={"ports": [1]})
        assert (proxy.events, other.events) == ([], [])
        assert other.url != proxy.url

    class TestDenied:
        @pytest.fixture
        def proxyOptions(self):
            return {"allow": {"ports": [1]}}

        def test_denied(self, proxy, startFaults):
            assert answer(proxy, startFaults()) == b"HTTP/1.1 403 "
            assert proxy.waitForEvents()[0]["rule"] == "allow-ports"

    def test_stopped(reactorThread):
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 30)
        assert ports and reactorThread.call(lambda: len(reactorThread.reactor.getReaders())) <= 2

    def test_fails(proxy):
        assert proxy.url == ""
"""


class FixturesTests(SynchronousTestCase):
    """
    Tests of somebody else's.
    """

    def test_example(self) -> None:
        """
        Each test has a proxy of its own, as it wants it, and nothing of it is left afterwards;
        a test that fails does not keep pytest from its end.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "test_example.py").write_text(dedent(EXAMPLE))
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
        run = subprocess.run(
            [*command, "--rootdir", ".", "test_example.py"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertIn("1 failed, 4 passed", run.stdout, run.stdout + run.stderr)
        self.assertIn("test_fails", run.stdout)

    def test_here(self) -> None:
        """
        The fixtures do the same where they are called by hand.
        """
        from connectproxy.testing import Say, fixtures

        threads = fixtures.reactorThread.__wrapped__()
        thread = next(threads)
        self.addCleanup(lambda: self.assertEqual(list(threads), []))
        starting = fixtures.startProxy.__wrapped__(thread)
        proxy = fixtures.proxy.__wrapped__(next(starting), fixtures.proxyOptions.__wrapped__())
        self.assertGreater(proxy.port, 0)
        faults = fixtures.startFaults.__wrapped__(thread)
        self.assertGreater(next(faults)([Say(b"x")]).port, 0)
        self.assertEqual([*starting, *faults], [])
