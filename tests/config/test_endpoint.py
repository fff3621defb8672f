"""
Tests for L{connectproxy.config.endpoint}.

Twisted itself is the oracle: its (private) tokenizer for the notation, and
C{serverFromString} for every string that is accepted.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import endpoints
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config.endpoint import BACKLOG, EndpointForm, _split, parseEndpoint
from connectproxy.config.forms import Unfit

NOTATION = st.text(st.sampled_from("ab1:=\\."), max_size=12)
"""Strings of the characters that mean something."""


class NotationTests(SynchronousTestCase):
    """
    Endpoint strings are taken apart as Twisted does it.
    """

    @given(NOTATION)
    def test_splitsAsTwistedDoes(self, text: str) -> None:
        """
        Positional and named arguments are the same as Twisted's; where it fails, or
        where a name is given twice, of which it takes the last, the text is unfit.
        """
        try:
            expected = endpoints._parse(text)
        except RuntimeError:  # a backslash at the end runs into StopIteration
            self.assertRaises(Unfit, _split, text)
            return
        try:
            found = _split(text)
        except Unfit as unfit:
            self.assertTrue(not expected[0] or "twice" in str(unfit), text)
        else:
            self.assertEqual(found, expected)

    @given(NOTATION.map("tcp:".__add__) | NOTATION | st.text())
    def test_whatIsAcceptedTwistedTakes(self, text: str) -> None:
        """
        An endpoint string that comes out is one that Twisted can make an endpoint of.
        """
        try:
            endpoint = parseEndpoint(text)
        except Unfit:
            return
        self.assertTrue(endpoints.serverFromString(MemoryReactorClock(), endpoint.text))


class ShortNotationTests(SynchronousTestCase):
    """
    What is shorter than an endpoint string.
    """

    def test_becomesAnEndpointString(self) -> None:
        """
        Ports, and hosts with ports.
        """
        for text, expected in (
            ("8080", "tcp:8080:interface=127.0.0.1"),
            (" 8080 ", "tcp:8080:interface=127.0.0.1"),
            ("127.0.0.1:8080", "tcp:8080:interface=127.0.0.1"),
            ("0.0.0.0:80", "tcp:80:interface=0.0.0.0"),
            ("[::1]:8080", r"tcp:8080:interface=\:\:1"),
            ("[fe80::1%eth0]:8080", r"tcp:8080:interface=fe80\:\:1%eth0"),
            ("localhost:8080", "tcp:8080:interface=localhost"),
            ("proxy.example:8080", "tcp:8080:interface=proxy.example"),
        ):
            self.assertEqual(parseEndpoint(text).text, f"{expected}:backlog={BACKLOG}")

    def test_listensThere(self) -> None:
        """
        Twisted makes of it a port with the address, the number and the backlog.
        """
        reactor = MemoryReactorClock()
        endpoint = endpoints.serverFromString(reactor, parseEndpoint("[::1]:8080").text)
        self.successResultOf(endpoint.listen(Factory()))
        ((port, _, backlog, interface),) = reactor.tcpServers
        self.assertEqual((port, backlog, interface), (8080, 1024, "::1"))

    def test_numbersInAFile(self) -> None:
        """
        A port may stand in a file without quotes.
        """
        self.assertEqual(EndpointForm().fromTOML(8080), parseEndpoint("8080"))
        for value in (True, 80.5, ["8080"], {}, -1, 70000, 10**5000):
            self.assertRaises(Unfit, EndpointForm().fromTOML, value)


class EndpointStringTests(SynchronousTestCase):
    """
    Twisted's endpoint strings.
    """

    def test_backlogIsAdded(self) -> None:
        """
        Where there is none: Twisted's own is too small.
        """
        for text in ("tcp:8080", "tcp6:8080", "unix:/tmp/socket", "ssl:443:privateKey=a.pem"):
            self.assertEqual(parseEndpoint(text).text, f"{text}:backlog={BACKLOG}")

    def test_backlogIsKept(self) -> None:
        """
        By name and by place.
        """
        for text in ("tcp:8080:backlog=5", "tcp:8080::5", "tcp6:8080:5", "unix:/tmp/socket:660:5"):
            self.assertEqual(parseEndpoint(text).text, text)

    def test_freePort(self) -> None:
        """
        0 stands for any port that is free.
        """
        self.assertEqual(parseEndpoint("tcp:0").text, f"tcp:0:backlog={BACKLOG}")

    def test_kindsOfPlugins(self) -> None:
        """
        What a plugin brings is taken as it is; its case does not matter, as for Twisted.
        """
        for text in ("systemd:domain=INET:index=0", r"haproxy:tcp\:8080", "stdio:", "TCP6:8080"):
            self.assertEqual(parseEndpoint(text), (text, False))

    def test_refuses(self) -> None:
        """
        What Twisted would refuse later, or misread, is unfit; the message has a part of
        what is wrong in it.
        """
        for text, expected in (
            ("", "not an endpoint"),
            ("  ", "not an endpoint"),
            ("tcp:8\x000", "not an endpoint"),
            ("tcp", "needs its port"),
            ("tcp:", "needs its port"),
            ("tcp:interface=127.0.0.1", "needs its port"),
            ("tcp:http", '"http"'),
            ("tcp:65536", '"65536"'),
            ("tcp:-1", '"-1"'),
            ("65536", '"65536"'),
            ("\u0668\u0660", "port"),
            ("127.0.0.1:65536", '"65536"'),
            ("tcp:80:backlog=0", '"0"'),
            ("tcp:80:backlog=many", '"many"'),
            ("tcp:80:interfcae=::1", "do you mean interface?"),
            ("tcp:80:colour=red", "it has port, interface, backlog"),
            ("tcp:80:interface=::1", "\\:"),
            ("tcp:80:a:1:b", "at most 3"),
            ("tcp:80:port=80", "twice"),
            ("tcp:80:backlog=1:backlog=2", "twice"),
            ("unix:/a:mode=999", '"999"'),
            ("unix:/a:lockfile=yes", '"yes"'),
            ("unix:", "needs its address"),
            ("tcp:80\\", "backslash"),
            ("a=b", "no kind"),
            ("[::zz]:80", "IPv6"),
            ("[127.0.0.1]:80", "IPv6"),
            (":8080", "neither a port nor host:port"),
            ("*:8080", "neither a port nor host:port"),
            ("127.0.0.1", "neither a port nor host:port"),
            ("myhost:8080", "tcp:8080:interface=NAME"),
            ("TCP:8080", '"TCP"'),
            ("http://127.0.0.1:8080", "neither a port nor host:port"),
        ):
            unfit = self.assertRaises(Unfit, parseEndpoint, text)
            self.assertIn(expected, str(unfit), text)


class ReachTests(SynchronousTestCase):
    """
    Who could reach an endpoint.
    """

    def test_thisMachineOnly(self) -> None:
        """
        Loopback addresses, localhost and UNIX sockets.
        """
        for text in (
            "8080",
            "127.0.0.1:8080",
            "127.9.8.7:8080",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:8080",
            "localhost:8080",
            "LOCALHOST:8080",
            "tcp:8080:127.0.0.1",
            "tcp:interface=localhost:port=8080",
            r"tcp6:8080:interface=\:\:1",
            "ssl:443:interface=127.0.0.1",
            "unix:/tmp/socket",
        ):
            self.assertTrue(parseEndpoint(text).local, text)

    def test_others(self) -> None:
        """
        No interface, other addresses, names, notations that only some resolvers read as
        loopback, and kinds whose address nobody knows.
        """
        for text in (
            "tcp:8080",
            "tcp:8080:",
            "tcp:8080:interface=",
            "tcp6:8080",
            "ssl:443",
            "0.0.0.0:8080",
            "[::]:8080",
            "[::ffff:0.0.0.0]:8080",
            "192.168.1.1:8080",
            "127.1:8080",
            "localhost.example:8080",
            "127.0.0.1.example:8080",
            "tcp:8080:interface=0x7f000001",
            "systemd:domain=INET:index=0",
            r"haproxy:tcp\:8080\:interface=127.0.0.1",
        ):
            self.assertFalse(parseEndpoint(text).local, text)
