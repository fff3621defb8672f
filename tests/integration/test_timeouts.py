"""
Deadlines of tunnels, in both relays.
"""

from __future__ import annotations

import socket

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import nameOf, readToEnd

pytestmark = pytest.mark.integration


class TimeoutMixin(ProxyTestCase):
    """
    What both relays do.
    """

    def assertEnded(self, client: socket.socket, origin: socket.socket, end: str) -> None:
        """
        Both ends are closed in order, and the event says why.
        """
        name = nameOf(client)
        self.assertEqual(readToEnd(client), (b"", "eof"))
        self.assertEqual(readToEnd(origin), (b"", "eof"))
        client.close()
        origin.close()
        event = self.proxy.event(name)
        self.assertEqual((event["event"], event["ended_by"], event["end"]), ("tunnel", "proxy", end))

    def test_idle(self) -> None:
        """
        A tunnel that carries nothing is closed: conformance 16.
        """
        client, origin = self.tunnel()
        self.assertPings(client, origin)
        self.assertEnded(client, origin, "idle_timeout")

    def test_halfOpen(self) -> None:
        """
        So is one of which only one direction is left, if that carries nothing: conformance 14.
        """
        client, origin = self.tunnel()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(origin.recv(1), b"")
        self.assertEnded(client, origin, "half_open_timeout")

    def test_lifetime(self) -> None:
        """
        One that lasts too long is closed although it is busy.
        """
        client, origin = self.tunnel()
        name = nameOf(client)
        client.settimeout(0.05)
        while True:
            try:
                origin.send(b"x")
                if not client.recv(100):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        self.assertEqual(self.proxy.event(name)["end"], "lifetime_exceeded")


class SplicedTimeoutTests(TimeoutMixin):
    """
    Through the relay that splices.
    """

    config = "[timeouts]\nidle = 1\nhalf_open = 0.5\nlifetime = 2\n"


class WiredTimeoutTests(TimeoutMixin):
    """
    Through the relay that wires transports.
    """

    config = SplicedTimeoutTests.config + "[relay]\nsplice = false\n"


# The mixin is no case of its own.
del TimeoutMixin
