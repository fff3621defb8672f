"""
Tests for L{connectproxy.listeners.auto.port}.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.address import Networks
from connectproxy.config import configure
from connectproxy.discovery import Unloadable, kinds
from connectproxy.interfaces import Established, IDialect, IListenerKind
from connectproxy.leg import Leg
from connectproxy.listeners.auto import AutoFactory, PortOptions, Reception, kind
from tests.fakes import FakeReactor, Peer, RecordingSwitchboard, addressOf
from tests.installed import install
from tests.listeners.auto.autocase import OPENINGS, AutoCase
from tests.listeners.auto.tlspeer import authority, certified

EVERY = ("http/1.1", "h2", "socks5", "socks4")


LISTENER = """
from zope.interface import implementer
from connectproxy.interfaces import IDialect

@implementer(IDialect)
class Kind:
    kindName = "http2"
    protocolNames = ("toy", "socks")
    alpn = {}

    def recognise(self, octets):
        return "toy" if octets.startswith(b"!") else None

    def buildReceiver(self, switchboard):
        return self

    def stop(self):
        pass

kind = Kind()
"""


class OptionTests(SynchronousTestCase):
    """
    The keys of a C{[[listen]]} table.
    """

    def parse(self, **mapping: Any) -> PortOptions:
        """
        Parse some.
        """
        return kind.parseOptions(mapping, "[[listen]] 1")

    def test_defaults(self) -> None:
        """
        A port speaks everything, in clear, and believes nobody.
        """
        for options in (self.parse(), kind.parseOptions(configure().listeners[0].options, "")):
            self.assertEqual(set(options.protocols), set(EVERY))
            self.assertEqual((options.tls, options.requireTLS, options.senders), (None, False, None))

    def test_everyProtocol(self) -> None:
        """
        What dialects there are is found, and is what the schema lets people name.
        """
        names = [name for each in kind.dialects().values() for name in each.protocolNames]
        self.assertEqual(sorted(names), sorted(configure().listeners[0].options["protocols"]))
        self.assertNotIn("auto", kind.dialects())

    def test_protocols(self) -> None:
        """
        Some can be left out.
        """
        self.assertEqual(self.parse(protocols=["socks5"]).protocols, ("socks5",))

    def test_installed(self) -> None:
        """
        Protocols of listeners that others have installed are served beside ours, each of
        their listeners once; they take nothing from ours, whatever they are called.
        """
        points = {"toy": "toys_listener:kind", "socks": "toys_listener:kind"}
        install(self, {"connectproxy.listeners": points}, {"toys_listener": LISTENER})
        options = self.parse(protocols=["h2", "socks", "toy"])
        self.assertEqual(options.protocols, ("h2", "socks", "toy"))
        found = kind.dialects(options.protocols)
        self.assertEqual(list(found), [*kind.dialects(), "http2 for socks"])
        factory = AutoFactory(RecordingSwitchboard(FakeReactor()), "", options, found)
        self.assertEqual(list(factory.receivers), ["h2", "toy", "socks"])
        self.assertEqual((factory.openings[ord("!")], factory.openings[5]), ("toy", None))

    def test_unloadable(self) -> None:
        """
        One that can't be loaded, or that is none, is told with where it is named.
        """
        install(self, {"connectproxy.listeners": {"toy": "toys_nothing:kind", "odd": "sys:path"}})
        for name, words in (
            (
                "toy",
                "the entry point toy = toys_nothing:kind of toys 1.0 can't be loaded: ModuleNotFoundError",
            ),
            ("odd", "the entry point odd = sys:path of toys 1.0 leads to what does not provide IDialect"),
            ("none", "no listener speaks 'none'"),
        ):
            with self.assertRaises(Unloadable) as caught:
                kind.parseOptions({"protocols": ["h2", name]}, "[[listen]] 3")
            self.assertTrue(str(caught.exception).startswith(f"[[listen]] 3: {words}"), caught.exception)

    def test_tls(self) -> None:
        """
        A certificate makes TLS; the key may be in the same file; HTTP/2 is the first that
        ALPN offers.
        """
        issued = certified()
        for more in ({}, {"tls_key": [issued.file]}):
            tls = self.parse(tls_certificate=[issued.file], **more).tls
            assert tls is not None
            self.assertEqual(tls.names, ("proxy.example",))
            self.assertEqual(tls.options.protocols, (b"h2", b"http/1.1"))
            self.assertEqual(tls.options.certificates, ((issued.file, issued.file),))

    def test_alpn(self) -> None:
        """
        Only what is served is offered.
        """
        for protocols, offered in (
            (("http/1.1", "socks5"), (b"http/1.1",)),
            (("h2",), (b"h2",)),
            (("socks5",), ()),
        ):
            tls = self.parse(tls_certificate=[certified().file], protocols=protocols).tls
            assert tls is not None
            self.assertEqual(tls.options.protocols, offered)

    def test_required(self) -> None:
        """
        Where clients must show certificates they must speak TLS, or it would be enough not
        to.
        """
        for asked, required in (("none", False), ("optional", False), ("required", True)):
            ca = "" if asked == "none" else authority().file
            options = self.parse(tls_certificate=[certified().file], client_certificates=asked, client_ca=ca)
            self.assertEqual(options.requireTLS, required)
            assert options.tls is not None
            self.assertEqual(options.tls.options.clientCertificates, asked)
        self.assertTrue(self.parse(tls_certificate=[certified().file], require_tls=True).requireTLS)

    def test_senders(self) -> None:
        """
        No senders are none, and not an empty list to be searched for each connection.
        """
        self.assertIsNone(self.parse(proxy_protocol_from=Networks()).senders)
        some = Networks.parse("10.0.0.0/8")
        self.assertIs(self.parse(proxy_protocol_from=some).senders, some)

    def test_authentication(self) -> None:
        """
        A port may say whether clients say who they are, and what it is called.
        """
        for said in ("", "required", "optional", "off"):
            self.assertEqual(self.parse(authentication=said).authentication, said)
        self.assertEqual((self.parse().authentication, self.parse().name), ("", ""))
        self.assertEqual(self.parse(name="office").name, "office")

    def test_unusable(self) -> None:
        """
        A certificate that can't be used is told of with the table that names it.
        """
        error = self.assertRaises(ValueError, self.parse, tls_certificate=["/nonexistent/proxy.pem"])
        self.assertIn("[[listen]] 1: /nonexistent/proxy.pem", str(error))
        error = self.assertRaises(
            ValueError, self.parse, tls_certificate=[certified().file], tls_key=[authority().file]
        )
        self.assertIn("[[listen]] 1: ", str(error))


class ListenTests(SynchronousTestCase):
    """
    Listening.
    """

    def setUp(self) -> None:
        """
        A switchboard that leads nowhere.
        """
        self.reactor = FakeReactor()
        self.board = RecordingSwitchboard(self.reactor)

    def listen(self, description: str = "tcp:8080", **mapping: Any) -> Any:
        """
        Have a port listen.
        """
        return kind.listen(self.reactor, description, kind.parseOptions(mapping, ""), self.board)

    def test_listen(self) -> None:
        """
        A port is opened as its description says, and every protocol is spoken there by its
        own dialect.
        """
        port = self.successResultOf(self.listen("tcp:8081:interface=127.0.0.1"))
        self.assertEqual((port.getHost().host, port.getHost().port), ("127.0.0.1", 8081))
        self.assertEqual(port.factory.description, "tcp:8081:interface=127.0.0.1")
        self.assertFalse(port.factory.noDelay)
        client: Any = port.connect()
        client.transport.write(b"\x05\x01\x00")
        self.reactor.flush()
        self.assertEqual(bytes(client.received), b"\x05\x00")
        client = port.connect()
        client.transport.write(b"CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n\r\n")
        self.reactor.flush()
        (inbound,) = self.board.placed
        self.assertEqual(inbound.request.listener, "tcp:8081:interface=127.0.0.1")
        self.assertEqual(inbound.request.arrival.client, client.transport.getHost())

    def test_balance(self) -> None:
        """
        With every dialect each connection is told to be opened and closed exactly once,
        whenever its client goes: silent, in its first octets, behind them.
        """
        port = self.successResultOf(self.listen())
        openings = (
            b"",
            b"P",
            b"\r",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET ",
            b"\x05",
            b"\x05\x01",
            b"\x04",
            b"\xff",
            b"\x16",
        )
        for octets in openings:
            for abort in (True, False):
                client: Any = port.connect(Peer())
                if octets:
                    client.transport.write(octets)
                self.reactor.flush()
                (client.transport.abortConnection if abort else client.transport.loseConnection)()
                self.reactor.flush()
                self.assertEqual(self.board.opened, self.board.closed, octets)
                self.assertEqual(len(self.board.wheel), 0, octets)

    def test_stop(self) -> None:
        """
        When the port is closed all who have asked nothing are closed, whatever they speak.
        """
        port = self.successResultOf(self.listen())
        clients: list[Any] = []
        for octets in (b"", b"P", b"GET ", b"\x05", b"\x04", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            clients.append(port.connect(Peer()))
            if octets:
                clients[-1].transport.write(octets)
            self.reactor.flush()
        port.stopListening()
        self.reactor.flush()
        for client in clients:
            self.assertTrue(client.ended or client.lost)
            client.transport.loseConnection()
        self.reactor.flush()
        for _ in range(100):
            self.reactor.advance(1.0)
            self.reactor.flush()
        self.assertEqual((self.board.opened, self.board.closed), (len(clients), len(clients)))
        self.assertEqual(len(self.board.wheel), 0)

    def test_noDelayOnce(self) -> None:
        """
        What the port has set is not set once more by who takes the connection: that is a
        system call for each.
        """
        port = self.successResultOf(self.listen())
        port.factory.noDelay = True
        client: Any = port.connect()
        client.transport.write(b"CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n\r\n")
        self.reactor.flush()
        self.board.placed[0].accept(Established(Leg(), "198.51.100.1:443"))
        client = port.connect()
        client.transport.write(b"\x05\x01\x00\x05\x01\x00\x01\xc6\x33\x64\x01\x01\xbb")
        self.reactor.flush()
        self.board.placed[1].accept(Established(Leg(), "198.51.100.1:443"))
        for inbound in self.board.placed:
            options = inbound.transport.socket.options
            self.assertNotIn((socket.IPPROTO_TCP, socket.TCP_NODELAY), options)

    def test_noDelay(self) -> None:
        """
        Where the system passes TCP_NODELAY on from the port it is set there, once for all.
        """
        from twisted.internet import reactor

        opening = kind.listen(reactor, "tcp:0:interface=127.0.0.1", kind.parseOptions({}, ""), self.board)
        port = self.successResultOf(opening)
        self.addCleanup(port.stopListening)
        value = port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        self.assertEqual(bool(value), sys.platform.startswith("linux"))
        self.assertEqual(port.factory.noDelay, bool(value))


class FactoryTests(AutoCase):
    """
    What belongs to a port.
    """

    def test_order(self) -> None:
        """
        Of two dialects that begin alike the more particular one is meant, in whatever
        order they are found.
        """
        names = list(self.dialects)
        for order in (names, names[::-1]):
            dialects = {name: self.dialects[name] for name in order}
            factory = AutoFactory(self.board, "", self.factory.options, dialects)
            for octets, protocol in OPENINGS:
                self.assertEqual(factory.recognise(octets), protocol)
            self.assertEqual(factory.acceptableProtocols(), [b"h2", b"http/1.1"])

    def test_openings(self) -> None:
        """
        The table for the first octet says what the dialects say.
        """
        for first in range(256):
            expected = self.factory.recognise(bytes([first]))
            self.assertEqual(self.factory.openings[first], expected)
        self.assertEqual(self.factory.openings[ord("C")], "http/1.1")
        self.assertEqual(self.factory.openings[ord("P")], "")
        self.assertIsNone(self.factory.openings[0])

    def test_noDelay(self) -> None:
        """
        Where the port can't set TCP_NODELAY for all connections it is set for each.
        """
        client = self.connect()
        key = (socket.IPPROTO_TCP, socket.TCP_NODELAY)
        self.assertTrue(client.transport.socket.other.options[key])
        self.factory.noDelay = True
        client = self.connect()
        self.assertNotIn(key, client.transport.socket.other.options)

    def test_kind(self) -> None:
        """
        It is a kind of listener, the only one that is no dialect itself.
        """
        verifyObject(IListenerKind, kind)
        self.assertIs(kinds("connectproxy.listeners", IListenerKind)["auto"], kind)
        self.assertFalse(IDialect.providedBy(kind))

    def test_protocol(self) -> None:
        """
        What it builds is a protocol.
        """
        built = self.factory.buildProtocol(addressOf("192.0.2.1", 1))
        self.assertIsInstance(built, Reception)
        self.assertIsInstance(built, Protocol)
