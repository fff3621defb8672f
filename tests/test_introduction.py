"""
Tests for L{connectproxy.introduction}; what a destination gets is in
L{tests.upstreams.test_direct_introduced}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.introduction import INTRODUCTIONS
from tests.fakes import makeRequest


class IntroductionTests(SynchronousTestCase):
    """
    L{INTRODUCTIONS}.
    """

    def test_headers(self) -> None:
        """
        Each version has its own; none has none.
        """
        self.assertIsNone(INTRODUCTIONS["none"])
        one: Any = INTRODUCTIONS["v1"]
        two: Any = INTRODUCTIONS["v2"]
        self.assertEqual(
            one(makeRequest(), "198.51.100.1"), b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\n"
        )
        self.assertTrue(two(makeRequest(), "198.51.100.1").startswith(b"\r\n\r\n\0\r\nQUIT\n\x21"))

    def test_noAddress(self) -> None:
        """
        A client without an address is one that nothing is known of.
        """
        one: Any = INTRODUCTIONS["v1"]
        self.assertTrue(
            one(makeRequest(client=UNIXAddress("x")), "198.51.100.1").startswith(b"PROXY UNKNOWN")
        )
