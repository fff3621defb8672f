"""
Tests for L{connectproxy.web.exceptions}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.web.exceptions import Exceptions


class ExceptionsTests(SynchronousTestCase):
    """
    L{Exceptions}.
    """

    def assertMatches(self, text: str, *hosts: str, port: int = 443) -> None:
        for host in hosts:
            self.assertTrue(Exceptions(text).matches(host, port), (text, host))

    def assertMisses(self, text: str, *hosts: str, port: int = 443) -> None:
        for host in hosts:
            self.assertFalse(Exceptions(text).matches(host, port), (text, host))

    def test_nothing(self) -> None:
        """
        An empty list is of nothing, not even of this machine.
        """
        for text in ("", " ", ",", " , ,"):
            self.assertMisses(text, "localhost", "127.0.0.1", "example.com", "")

    def test_names(self) -> None:
        """
        A name stands for what is below it as well, with a dot in front or without; dots at the
        end and capitals don't matter.
        """
        for text in (
            "example.com",
            ".example.com",
            "Example.COM.",
            "a.example, .example.com",
            "a.example example.com",
        ):
            self.assertMatches(
                text, "example.com", "www.example.com", "a.b.example.com", "EXAMPLE.com", "example.com."
            )
            self.assertMisses(text, "notexample.com", "example.com.org", "com", "example")

    def test_everything(self) -> None:
        """
        A star by itself; among others it is none, nor is it a wildcard.
        """
        self.assertMatches("*", "example.com", "127.0.0.1", "::1")
        self.assertMatches(" * ", "example.com")
        self.assertMisses("*,a.example", "example.com")
        self.assertMisses("*.example.com", "www.example.com")

    def test_addresses(self) -> None:
        """
        Addresses and networks, of either family; a name is never held against them.
        """
        self.assertMatches("192.0.2.1", "192.0.2.1")
        self.assertMisses("192.0.2.1", "192.0.2.10", "1.192.0.2.1", "2.1")
        self.assertMatches("10.0.0.0/8", "10.1.2.3")
        self.assertMatches("10.1.2.3/8", "10.9.9.9")
        self.assertMisses("10.0.0.0/8", "11.0.0.1", "::a00:1", "ten.example", "10.example")
        for text in ("::1", "[::1]", "0:0::1"):
            self.assertMatches(text, "::1")
            self.assertMisses(text, "::2", "0.0.0.1")
        self.assertMatches("2001:db8::/32", "2001:db8:1::1")
        self.assertMisses("2001:db8::/32", "2001:db9::1")

    def test_ports(self) -> None:
        """
        With a port it is that one only.
        """
        for text, host in (
            ("example.com:8443", "www.example.com"),
            ("192.0.2.1:8443", "192.0.2.1"),
            ("[::1]:8443", "::1"),
        ):
            self.assertMatches(text, host, port=8443)
            self.assertMisses(text, host, port=443)
        self.assertMatches("example.com:8443,example.com", "example.com", port=1)

    def test_noEntries(self) -> None:
        """
        What is no entry is of nothing, and harms no other.
        """
        for text in ("[", "[::1", "a:b:c", "http://example.com", "example.com:port", "10.0.0.0/64", ":80"):
            self.assertMisses(text, "example.com", "10.0.0.1", "::1")
            self.assertMatches(f"{text},other.example", "other.example")

    def test_shown(self) -> None:
        """
        It is shown as it was given.
        """
        self.assertEqual(repr(Exceptions("a, b")), "<Exceptions 'a, b'>")

    @given(some.text(alphabet="ab.:*[]/01, \n", max_size=20), some.text(alphabet="ab.:01", max_size=10))
    def test_anything(self, text: str, host: str) -> None:
        """
        Any list can be read, and any host be held against it.
        """
        self.assertIn(Exceptions(text).matches(host, 80), (True, False))
