"""
Tests for L{connectproxy.web.proxies}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.endpoints import parseProxyURL
from connectproxy.web import Proxies


def shown(proxies: Proxies, scheme: str = "http", host: str = "origin.example", port: int = 80) -> str:
    """
    The proxies for an origin, in one string.
    """
    return " ".join(map(str, proxies.chainFor(scheme, host, port)))


class ProxiesTests(SynchronousTestCase):
    """
    L{Proxies}.
    """

    def test_schemes(self) -> None:
        """
        Each has its own, and what is no scheme of the web has none.
        """
        proxies = Proxies("http://a:1", ["socks5h://b:2", parseProxyURL("https://c:3")])
        for scheme, expected in (
            ("http", "http://a:1"),
            ("ws", "http://a:1"),
            ("https", "socks5h://b:2 https://c:3"),
            ("wss", "socks5h://b:2 https://c:3"),
            ("ftp", ""),
        ):
            self.assertEqual(shown(proxies, scheme), expected)

    def test_exceptions(self) -> None:
        """
        Some are reached without.
        """
        proxies = Proxies("http://a:1", exceptions="origin.example:81")
        self.assertEqual(shown(proxies), "http://a:1")
        self.assertEqual(shown(proxies, port=81), "")
        self.assertEqual(shown(proxies, "https"), "")

    def test_shown(self) -> None:
        """
        It is shown without credentials.
        """
        self.assertNotIn("secret", repr(Proxies("http://a:secret@b:1")))

    def test_wrong(self) -> None:
        """
        What is no URL is said at once.
        """
        for wrong in ("", (), "ftp://a"):
            with self.assertRaises(ValueError):
                Proxies(https=wrong)


class EnvironmentTests(SynchronousTestCase):
    """
    L{Proxies.fromEnvironment}.
    """

    def assertChosen(self, http: str, https: str, **variables: str) -> None:
        proxies = Proxies.fromEnvironment(variables)
        self.assertEqual((shown(proxies), shown(proxies, "https")), (http, https), variables)

    def test_variables(self) -> None:
        """
        By the scheme, or for all; in lower case or capitals, of which the lower goes before.
        """
        a, b, c = "http://a:1", "http://b:1", "http://c:1"
        self.assertChosen("", "")
        self.assertChosen(a, "", http_proxy="a:1")
        self.assertChosen(a, "", HTTP_PROXY=a)
        self.assertChosen("", a, https_proxy=a)
        self.assertChosen("", a, HTTPS_PROXY=a)
        self.assertChosen(a, a, all_proxy=a)
        self.assertChosen(a, a, ALL_PROXY=a)
        self.assertChosen(a, b, http_proxy=a, HTTP_PROXY=c, all_proxy=b, ALL_PROXY=c)
        self.assertChosen(c, b, https_proxy=b, HTTPS_PROXY=a, ALL_PROXY=c)

    def test_empty(self) -> None:
        """
        An empty one is as good as none.
        """
        self.assertChosen(
            "http://b:1", "http://c:1", http_proxy="", HTTP_PROXY="b:1", all_proxy="", ALL_PROXY="c:1"
        )

    def test_cgi(self) -> None:
        """
        In a CGI program C{HTTP_PROXY} is what a client has said, and nothing to go by.
        """
        self.assertChosen("", "", HTTP_PROXY="a:1", REQUEST_METHOD="GET")
        self.assertChosen("http://b:1", "", HTTP_PROXY="a:1", http_proxy="b:1", REQUEST_METHOD="")

    def test_exceptions(self) -> None:
        """
        In lower case or capitals.
        """
        self.assertChosen("", "", all_proxy="a:1", no_proxy="origin.example")
        self.assertChosen("", "", all_proxy="a:1", no_proxy="", NO_PROXY="*")
        self.assertChosen("http://a:1", "http://a:1", all_proxy="a:1", no_proxy="b", NO_PROXY="*")

    def test_wrong(self) -> None:
        """
        What is no URL is named, and not shown.
        """
        with self.assertRaises(ValueError) as caught:
            Proxies.fromEnvironment({"https_proxy": "ftp://ann:secret@b"})
        self.assertIn("https_proxy in the environment: 'ftp' is no scheme", str(caught.exception))
        self.assertNotIn("secret", str(caught.exception))

    def test_process(self) -> None:
        """
        By default it is that of the process.
        """
        self.patch(os, "environ", {"http_proxy": "http://a:1"})
        self.assertEqual(shown(Proxies.fromEnvironment()), "http://a:1")
