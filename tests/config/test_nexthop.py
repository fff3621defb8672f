"""
Tests for L{connectproxy.config.nexthop}.
"""

from __future__ import annotations

import base64
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import UpstreamURL
from connectproxy.config.forms import Unfit
from connectproxy.config.nexthop import Exceptions, Pins, Probe, URLForm, Ways, Weights, parseURL

KEY = "sha256//" + base64.b64encode(bytes(range(32))).decode()


class URLTests(SynchronousTestCase):
    """
    L{parseURL}.
    """

    def test_schemes(self) -> None:
        """
        What is spoken, whether within TLS, and where, with the port that others take.
        """
        for text, scheme, secure, where in (
            ("http://proxy.example:8000", "http", False, "proxy.example:8000"),
            ("http://proxy.example", "http", False, "proxy.example:3128"),
            ("HTTP://Proxy.Example/", "http", False, "proxy.example:3128"),
            ("https://proxy.example", "http", True, "proxy.example:443"),
            ("http+tls://proxy.example", "http", True, "proxy.example:443"),
            ("h2://proxy.example", "h2", True, "proxy.example:443"),
            ("h2c://proxy.example", "h2c", False, "proxy.example:8080"),
            ("socks5h://[2001:db8::1]:9050", "socks5h", False, "[2001:db8::1]:9050"),
            ("socks5+tls://192.0.2.1", "socks5", True, "192.0.2.1:1080"),
            ("toy://192.0.2.1:7", "toy", False, "192.0.2.1:7"),
        ):
            url = parseURL(text)
            self.assertEqual((url.scheme, url.secure, str(url.destination)), (scheme, secure, where), text)
            self.assertEqual((url.path, url.text), ("", text))

    def test_sockets(self) -> None:
        """
        A UNIX socket has a name in place of a host.
        """
        url = parseURL("http+unix:///run/proxy.sock")
        self.assertEqual((url.scheme, url.destination, url.path), ("http", None, "/run/proxy.sock"))
        self.assertTrue(parseURL("socks5h+tls+unix:///run/x").secure)
        for text in ("http+unix://host/run/x", "http+unix:///", "http+unix:"):
            self.assertRaises(Unfit, parseURL, text)

    def test_bare(self) -> None:
        """
        A scheme alone is for what is reached by an endpoint; one of others may need no host.
        """
        self.assertEqual(parseURL("endpoint:").scheme, "endpoint")
        self.assertFalse(parseURL("http:").foreign)
        self.assertTrue(parseURL("toy:").foreign)

    def test_wrong(self) -> None:
        """
        What is no URL is refused, with what would be right.
        """
        for text in (
            "", "proxy.example", "http//x", "http://x/path", "http://x:0", "http://x:99999", "http://[x]:1",
            "http://x y", "http://127.1:80", "http://x:80\n", "+tls://x", "toy://x",
        ):  # fmt: skip
            self.assertRaises(Unfit, parseURL, text)

    def test_noSecrets(self) -> None:
        """
        A URL has no password, and what is said about that does not show it.
        """
        for text in (
            "http://user:secret@proxy.example", "http://secret@x", "socks5://u:secret@[::1]:80", "u:secret@h:1",
            "//u:secret@h:1", "http://u:s/secret@h:1", "http://u:secret@x@h:1", "http://u:secret@h\n", "secret@h",
        ):  # fmt: skip
            for read in (parseURL, Ways().fromTOML):
                unfit = self.assertRaises(Unfit, read, text)
                self.assertNotIn("secret", str(unfit))
                self.assertIn("credentials", str(unfit))

    def test_form(self) -> None:
        """
        Nothing is no URL; what is no string is refused.
        """
        self.assertIsNone(URLForm().fromTOML(""))
        self.assertIsInstance(URLForm().fromTOML("http://x"), UpstreamURL)
        self.assertRaises(Unfit, URLForm().fromTOML, 7)


class FormTests(SynchronousTestCase):
    """
    The other forms.
    """

    def test_ways(self) -> None:
        """
        A name, or URLs; the option may be given several times.
        """
        self.assertEqual(Ways().fromTOML("corp"), ("corp",))
        found: Any = Ways().fromTexts(["http://a.example", "socks5h://b.example"])
        self.assertEqual([url.scheme for url in found], ["http", "socks5h"])
        for wrong in (7, "", ["a\n"], "a:b:c"):
            self.assertRaises(Unfit, Ways().fromTOML, wrong)

    def test_pins(self) -> None:
        """
        SHA-256 in base64, as curl takes it.
        """
        self.assertEqual(Pins().fromTOML(KEY), (bytes(range(32)),))
        for wrong in ("sha1//AAAA", "sha256//AAAA", KEY[8:], 7, "sha256//" + "!" * 44):
            self.assertRaises(Unfit, Pins().fromTOML, wrong)

    def test_weights(self) -> None:
        """
        Numbers from 1 to 1000.
        """
        self.assertEqual(dict(Weights().fromTOML({"a": 3})), {"a": 3})
        for wrong in (7, {"a": 0}, {"a": 1001}, {"a": True}, {"a": "3"}):
            self.assertRaises(Unfit, Weights().fromTOML, wrong)

    def test_exceptions(self) -> None:
        """
        Names and networks in their normal forms; an option has commas between them.
        """
        self.assertEqual(
            Exceptions().fromTexts(["localhost, .Corp.Example", "10.0.0.0/8,::1,"]),
            ("localhost", ".corp.example", "10.0.0.0/8", "::1/128"),
        )
        for wrong in (7, ["a b"], ["10.0.0.0/99"]):
            self.assertRaises(Unfit, Exceptions().fromTOML, wrong)

    def test_probe(self) -> None:
        """
        Nothing, a connection, or a destination.
        """
        self.assertEqual([Probe().fromTOML(word) for word in ("", "connect")], ["", "connect"])
        self.assertEqual(str(Probe().fromTOML("example.com:443")), "example.com:443")
        for wrong in (7, "example.com", "example.com:x", "a b:1"):
            self.assertRaises(Unfit, Probe().fromTOML, wrong)
