"""
Tests for L{connectproxy.events}.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.events import (
    FIELD_LIMIT,
    describeClient,
    describeRequest,
    headerField,
    milliseconds,
    showAddress,
)
from connectproxy.interfaces import Arrival, ProxyUser
from connectproxy.ledger import FIELDS
from tests.fakes import addressOf, makeRequest


class ShownTests(SynchronousTestCase):
    """
    Single values.
    """

    def test_addresses(self) -> None:
        """
        Every kind of address is one string; one of a kind that nobody knows says so.
        """
        for address, shown in (
            (IPv4Address("TCP", "192.0.2.1", 80), "192.0.2.1:80"),
            (IPv6Address("TCP", "2001:db8::1", 80), "[2001:db8::1]:80"),
            (UNIXAddress(b"/secret/path"), "unix"),
            (object(), "unknown"),
        ):
            self.assertEqual(showAddress(address), shown)  # type: ignore[arg-type]

    def test_field(self) -> None:
        """
        The first field of a name counts, cut, as octets that are no text may be.
        """
        fields = ((b"a", b"1"), (b"b", b"\xff" * (FIELD_LIMIT + 1)), (b"b", b"2"))
        self.assertEqual(headerField(fields, b"b"), "\xff" * FIELD_LIMIT)
        self.assertIsNone(headerField(fields, b"c"))

    def test_milliseconds(self) -> None:
        """
        Microseconds are the least that is shown.
        """
        self.assertEqual(milliseconds(1.23456789), 1234.567)


class ClientTests(SynchronousTestCase):
    """
    L{describeClient}.
    """

    def test_known(self) -> None:
        """
        Who asked, by whatever it was proved, and how it came here.
        """
        arrival = Arrival(addressOf("192.0.2.7", 1), "tcp:1", 0.0, "TLSv1.3", None, addressOf("10.0.0.1", 2))
        user = ProxyUser("ann", frozenset({"b", "a"}), (), "token")
        told = describeClient(makeRequest(identity=user, arrival=arrival))
        self.assertEqual(
            {name: told[name] for name in ("user", "groups", "means", "tls", "sender", "client")},
            {
                "user": "ann",
                "groups": ["a", "b"],
                "means": "token",
                "tls": "TLSv1.3",
                "sender": "10.0.0.1:2",
                "client": "192.0.2.7:51000",
            },
        )
        self.assertLess(set(told), set(FIELDS))

    def test_unknown(self) -> None:
        """
        Nobody is null, and not an empty name.
        """
        told = describeClient(makeRequest())
        self.assertEqual((told["user"], told["groups"], told["means"], told["tls"]), (None, (), None, None))


class RequestTests(SynchronousTestCase):
    """
    L{describeRequest}.
    """

    def test_host(self) -> None:
        """
        The Host field is worth a word only where it names something else.
        """
        for host, told in (
            (b"EXAMPLE.com:443", None),
            (b"example.com", None),
            (b"other.example", "other.example"),
        ):
            event = describeRequest(makeRequest(fields=((b"host", host), (b"user-agent", b"x"))))
            self.assertEqual(
                event, {"target": "example.com:443", "host": told, "user_agent": "x", "alpn": None}
            )
