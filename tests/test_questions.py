"""
Tests for L{connectproxy.questions}.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.questions import KEYS, Unclear, readQuestion
from tests.installed import install


class QuestionTests(SynchronousTestCase):
    """
    L{readQuestion}.
    """

    def wrong(self, **said: Any) -> list[tuple[str, str, str]]:
        """
        What is wrong with a question.
        """
        with self.assertRaises(Unclear) as caught:
            readQuestion({"dest": "a.example:443", **said})
        return list(caught.exception.complaints)

    def test_defaults(self) -> None:
        """
        A destination is enough; what is None is not said.
        """
        question = readQuestion({"dest": "A.example.:443", **dict.fromkeys(set(KEYS) - {"dest"})})
        assert isinstance(question.destination, Destination)
        self.assertEqual((question.dest, str(question.destination)), ("A.example.:443", "a.example:443"))
        self.assertEqual(question[2:4], (None, frozenset()))
        self.assertEqual(question.client, IPv4Address("TCP", "127.0.0.1", 50000))
        self.assertEqual(question[5:], ("", "http/1.1", "CONNECT", None, None, None))

    def test_all(self) -> None:
        """
        Every key is read; names in their normal form, addresses too.
        """
        question = readQuestion(
            {
                "dest": "a.example:80", "user": "e\u0301", "groups": ["x", "x"], "client": "2001:DB8::1",
                "listener": "main", "protocol": "h2", "method": "GET", "scheme": "http",
                "addresses": ["::ffff:192.0.2.1", "2001:db8::2"], "server_name": "", "at": "2026-11-23T09:30+01:00",
            }
        )  # fmt: skip
        self.assertEqual((question.user, question.groups), ("é", {"x"}))
        self.assertEqual(question.client, IPv6Address("TCP", "2001:db8::1", 50000))
        self.assertEqual((question.listener, question.protocol, question.method), ("main", "h2", "GET"))
        self.assertEqual(question.addresses, (ip_address("192.0.2.1"), ip_address("2001:db8::2")))
        self.assertEqual(question.serverName, "")
        self.assertEqual(question.at, datetime(2026, 11, 23, 8, 30, tzinfo=UTC).timestamp())

    def test_unix(self) -> None:
        """
        A client may have no address.
        """
        self.assertEqual(readQuestion({"dest": "a:1", "client": "unix"}).client, UNIXAddress(None))

    def test_destination(self) -> None:
        """
        What the proxy would refuse is no mistake of the question, but its answer.
        """
        for dest in ("127.1:443", "a.example", "http://a.example/", "[::1%1]:1", "ä.example:1", "\udc80:1"):
            self.assertIsInstance(readQuestion({"dest": dest}).destination, Refusal, dest)

    def test_shapes(self) -> None:
        """
        Scheme, method and protocol stand in for each other.
        """
        for said, protocol, method in (
            ({"scheme": "udp"}, "socks5", "UDP"),
            ({"method": "UDP"}, "socks5", "UDP"),
            ({"scheme": "http"}, "http/1.1", "GET"),
            ({"scheme": "http", "method": "POST"}, "http/1.1", "POST"),
            ({"protocol": "socks4a"}, "socks4a", "CONNECT"),
        ):
            question = readQuestion({"dest": "a.example:443", **said})
            self.assertEqual((question.protocol, question.method), (protocol, method), said)

    def test_shapesThatDoNotFit(self) -> None:
        """
        And have to fit together.
        """
        for said, key, words in (
            ({"scheme": "tcp", "method": "GET"}, "method", "GET is of the scheme http"),
            ({"scheme": "ftp"}, "scheme", "is no scheme"),
            ({"method": "get"}, "method", "another method than GET"),
            ({"protocol": "http/2"}, "protocol", "is no protocol"),
            ({"protocol": "h2", "scheme": "udp"}, "protocol", "carries no datagrams"),
            ({"protocol": "socks5", "method": "GET"}, "protocol", "forwards no requests"),
        ):
            ((found, what, advice),) = self.wrong(**said)
            self.assertEqual(found, key)
            self.assertIn(words, what)
            self.assertTrue(advice)
        self.assertEqual(
            self.wrong(protocol="xyz")[0][2], "give one of http/1.1, http/1.0, h2, socks5, socks4, socks4a"
        )

    def test_installed(self) -> None:
        """
        It can be one that somebody else's listener speaks.
        """
        install(self, {"connectproxy.listeners": {"toy": "nowhere:kind"}})
        question = readQuestion({"dest": "a.example:443", "protocol": "toy"})
        self.assertEqual(question.protocol, "toy")

    def test_wrong(self) -> None:
        """
        Whatever else can be wrong is told with its key and what would be right.
        """
        for key, value, words in (
            ("dest", "", "there is no destination"),
            ("dest", 443, "443 is not a string"),
            ("user", ["ci"], "an array is not a string"),
            ("user", "a\x00b", "is not a name"),
            ("groups", "builders", "is not an array of strings"),
            ("client", "10.0.0.7:1", "is not an address"),
            ("addresses", ["db"], "is not an address"),
            ("addresses", [1], "is not an array of strings"),
            ("at", "today", "is not a time"),
            ("at", 5, "is not a time"),
            ("at", "2026-11-23T09:30", "has no offset"),
            ("at", datetime(2026, 11, 23), "has no offset"),  # noqa: DTZ001 - that is the mistake
            ("servername", "x", "there is no such key"),
            ("xyz", "x", "there is no such key"),
        ):
            complaints = self.wrong(**{key: value})
            self.assertTrue(
                any(key == found and words in what for found, what, _ in complaints), (key, value)
            )
            self.assertTrue(all(advice for _, _, advice in complaints))

    def test_advice(self) -> None:
        """
        A key that is nearly right is named.
        """
        self.assertEqual(self.wrong(servername="x")[0][2], "do you mean server_name?")

    def test_groupsOfNobody(self) -> None:
        """
        Groups are somebody's.
        """
        ((key, _, advice),) = self.wrong(groups=["x"])
        self.assertEqual((key, advice), ("groups", "say user as well"))

    def test_addressesOfAnAddress(self) -> None:
        """
        An address is not looked up.
        """
        ((key, _, advice),) = self.wrong(dest="192.0.2.1:443", addresses=["192.0.2.2"])
        self.assertEqual((key, advice), ("addresses", "leave it out"))

    def test_allAtOnce(self) -> None:
        """
        All mistakes are told together, in one string too.
        """
        complaints = self.wrong(client="x", at="y", xyz="z")
        self.assertEqual({key for key, _, _ in complaints}, {"client", "at", "xyz"})
        with self.assertRaises(ValueError) as caught:
            readQuestion({"dest": "", "client": "x"})
        self.assertIn("dest: there is no destination; ", str(caught.exception))
        self.assertIn("client: ", str(caught.exception))
