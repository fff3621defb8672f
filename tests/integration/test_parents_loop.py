"""
Proxies that lead to each other.
"""

from __future__ import annotations

import atexit
import functools
import json
import tempfile

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import head
from tests.integration.running import LOCAL, Proxy

pytestmark = pytest.mark.integration


@functools.cache
def pair() -> tuple[Proxy, ...]:
    """
    Each has a UNIX socket, which the other leads to.
    """
    directory = tempfile.TemporaryDirectory(prefix="connectproxy-")
    atexit.register(directory.cleanup)

    def led(names: str) -> Proxy:
        here, there = (f"{directory.name}/{name}" for name in names)
        options = ("--upstream", f"http+unix://{there}", "--upstream-addresses", "unseen")
        proxy = Proxy(*LOCAL, *options, listen=("tcp:0:interface=127.0.0.1", f"unix:{here}"))
        atexit.register(proxy.discard)
        return proxy

    return tuple(map(led, ("ab", "ba")))


class LoopTests(ProxyTestCase):
    """
    Two proxies that lead to each other.
    """

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.pair = pair()
        self.proxy = self.pair[0]
        for each in self.pair:
            self.addCleanup(each.check)

    def assertLoop(self, request: bytes, hops: int) -> None:
        """
        It is found out by whoever is asked twice; nothing piles up.
        """
        for each in self.pair:
            each.mark()
        answer = self.ask(request)
        self.assertEqual(answer.status, 502, answer)
        self.assertEqual(answer.fields["proxy-status"].count("error=proxy_loop_detected"), hops, answer)
        self.assertTrue(answer.body)
        for proxy, count in zip(self.pair, (2, 1), strict=True):
            proxy.waitForEvents(count)
            events = proxy.events()
            self.assertEqual(len(events), count, json.dumps(events, indent=1))
        self.assertIn("proxy_loop_detected", {each["error"] for each in self.pair[0].events()})

    def test_connect(self) -> None:
        """
        By a tunnel: each says what it has been told.
        """
        self.assertLoop(head("origin.example:443"), 3)

    def test_get(self) -> None:
        """
        By a message: the answer of whoever finds out is the answer.
        """
        self.assertLoop(
            b"GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\nConnection: close\r\n\r\n", 1
        )
