"""
Tests for L{connectproxy.endpoints.socks}.
"""

from __future__ import annotations

from connectproxy.endpoints import (
    ProxyAuthenticationError,
    ProxyConnectError,
    SOCKS4ClientEndpoint,
    SOCKS5ClientEndpoint,
)
from tests.endpoints.case import EndpointCase

OPEN5 = b"\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x50"
OPEN4 = b"\x00\x5a\x00\x50\xc0\x00\x02\x01"


class SOCKS5Tests(EndpointCase):
    """
    L{SOCKS5ClientEndpoint}.
    """

    def test_name(self) -> None:
        """
        A name is the proxy's to look up; what comes behind the reply is the application's.
        """
        results = self.connect(SOCKS5ClientEndpoint(self.proxy, "origin.example", 443))
        proxy = self.accept()
        self.assertEqual(proxy.received, b"\x05\x01\x00")
        self.say(proxy, b"\x05\x00")
        self.assertEqual(proxy.received[3:], b"\x05\x01\x00\x03\x0eorigin.example\x01\xbb")
        self.say(proxy, OPEN5 + b"early")
        self.assertEqual(results[0].heard, ["made", b"early"])

    def test_address(self) -> None:
        """
        An address goes as such.
        """
        self.connect(SOCKS5ClientEndpoint(self.proxy, "::1", 443))
        proxy = self.accept()
        self.say(proxy, b"\x05\x00")
        self.assertEqual(proxy.received[3:], b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x01\xbb")

    def test_credentials(self) -> None:
        """
        They are shown where they are asked for, and a rejection is a failure of its own.
        """
        endpoint = SOCKS5ClientEndpoint(self.proxy, "origin.example", 443, credentials=("ann", "secret"))
        results = self.connect(endpoint)
        proxy = self.accept()
        self.assertEqual(proxy.received, b"\x05\x02\x02\x00")
        self.say(proxy, b"\x05\x02")
        self.assertEqual(proxy.received[4:], b"\x01\x03ann\x06secret")
        self.say(proxy, b"\x01\x01")
        error = self.failed(results, ProxyAuthenticationError)
        self.assertNotIn("secret", str(error) + repr(error) + repr(endpoint))
        self.assertAtRest()

    def test_refused(self) -> None:
        """
        The reply is in the exception, with what it stands for.
        """
        results = self.connect(SOCKS5ClientEndpoint(self.proxy, "origin.example", 443, name="tor"))
        proxy = self.accept()
        self.say(proxy, b"\x05\x00")
        self.say(proxy, b"\x05\x05\x00\x01" + bytes(6))
        error = self.failed(results, ProxyConnectError)
        self.assertEqual((error.kind, error.reply, error.status), ("connection_refused", 5, None))
        self.assertIn("the next hop tor", str(error))
        self.assertEqual(list(error.headers.getAllRawHeaders()), [])
        self.assertAtRest()

    def test_wrong(self) -> None:
        """
        What can't be said is said at once, and not shown.
        """
        for credentials in (("", "secret"), ("ann", "secret" * 50)):
            with self.assertRaises(ValueError) as caught:
                SOCKS5ClientEndpoint(self.proxy, "origin.example", 443, credentials=credentials)
            self.assertNotIn("secret", str(caught.exception))


class SOCKS4Tests(EndpointCase):
    """
    L{SOCKS4ClientEndpoint}.
    """

    def test_name(self) -> None:
        """
        A name goes by 4A.
        """
        results = self.connect(SOCKS4ClientEndpoint(self.proxy, "origin.example", 443, user="ann"))
        proxy = self.accept()
        self.assertEqual(proxy.received, b"\x04\x01\x01\xbb\x00\x00\x00\x01ann\x00origin.example\x00")
        self.say(proxy, OPEN4 + b"early")
        self.assertEqual(results[0].heard, ["made", b"early"])

    def test_address(self) -> None:
        """
        An address goes as such.
        """
        results = self.connect(SOCKS4ClientEndpoint(self.proxy, "192.0.2.1", 80))
        proxy = self.accept()
        self.assertEqual(proxy.received, b"\x04\x01\x00\x50\xc0\x00\x02\x01\x00")
        self.say(proxy, b"\x00\x5b" + bytes(6))
        error = self.failed(results, ProxyConnectError)
        self.assertEqual(error.reply, 91)
        self.assertAtRest()

    def test_wrong(self) -> None:
        """
        SOCKS 4 has no IPv6, which is said at once.
        """
        with self.assertRaises(ValueError):
            SOCKS4ClientEndpoint(self.proxy, "::1", 80)
        with self.assertRaises(ValueError):
            SOCKS4ClientEndpoint(self.proxy, "192.0.2.1", 80).to("::1", 80)
        with self.assertRaises(ValueError):
            SOCKS4ClientEndpoint(self.proxy, "192.0.2.1", 80, user="a\0b")
