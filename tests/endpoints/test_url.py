"""
Tests for L{connectproxy.endpoints.url}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.endpoints import ProxyURL, parseProxyURL


class URLTests(SynchronousTestCase):
    """
    L{parseProxyURL}.
    """

    def test_forms(self) -> None:
        """
        Everything that a variable of the environment has been seen with.
        """
        for text, expected in (
            ("http://proxy.example:3128", ("http", "proxy.example", 3128, None)),
            ("HTTP://Proxy.Example.:3128/", ("http", "proxy.example", 3128, None)),
            ("proxy.example:3128", ("http", "proxy.example", 3128, None)),
            ("ann:x@proxy.example:3128", ("http", "proxy.example", 3128, ("ann", "x"))),
            ("http://proxy.example", ("http", "proxy.example", 80, None)),
            ("https://proxy.example:", ("https", "proxy.example", 443, None)),
            ("socks5h://[::1]", ("socks5h", "::1", 1080, None)),
            ("socks5://127.0.0.1:9050", ("socks5", "127.0.0.1", 9050, None)),
            ("socks4://ann@proxy.example", ("socks4", "proxy.example", 1080, ("ann", ""))),
            ("socks4a://proxy.example", ("socks4a", "proxy.example", 1080, None)),
            (
                "http://a%3Ab:%40%2F%25%C3%A9@proxy.example:1",
                ("http", "proxy.example", 1, ("a:b", "@/%\xe9")),
            ),
            ("http://ann:a:b@proxy.example:1", ("http", "proxy.example", 1, ("ann", "a:b"))),
            ("http://@proxy.example:1", ("http", "proxy.example", 1, None)),
            ("http://:@proxy.example:1", ("http", "proxy.example", 1, None)),
        ):
            self.assertEqual(parseProxyURL(text), expected, text)

    def test_shown(self) -> None:
        """
        It is shown without credentials.
        """
        url = parseProxyURL("http://ann:secret@[::1]:3128")
        self.assertEqual((str(url), repr(url)), ("http://[::1]:3128", "<ProxyURL http://[::1]:3128>"))
        self.assertEqual(url.place, "[::1]:3128")
        self.assertEqual(parseProxyURL("a:1").place, "a:1")
        self.assertTrue(url.forwards)
        self.assertFalse(parseProxyURL("socks5://a").forwards)

    def test_wrong(self) -> None:
        """
        Anything else is said, without what could be secret.
        """
        for text in (
            "", "http://", "ftp://ann:secret@proxy.example", "http://ann:secret@proxy.example/path", "http://a:0",
            "http://a:65536", "http://a:secret:b", "http://ann:se/cret@a:1", "http://[::1", "http://[secret]:1",
            "http://a b:1", "http://ann:secret@\x00:1", "http://127.1:secret",
        ):  # fmt: skip
            with self.assertRaises(ValueError) as caught:
                parseProxyURL(text)
            if "[secret]" not in text:
                self.assertNotIn("secret", str(caught.exception))

    @given(some.text(max_size=40))
    def test_anything(self, text: str) -> None:
        """
        It is a URL or it is not; what is one reads back.
        """
        try:
            url = parseProxyURL(text)
        except ValueError:
            return
        self.assertIsInstance(url, ProxyURL)
        self.assertEqual(parseProxyURL(str(url)), url._replace(credentials=None))
