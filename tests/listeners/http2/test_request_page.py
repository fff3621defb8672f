"""
The proxy's own pages by HTTP/2; conformance 47.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from connectproxy.interfaces import Arrival
from connectproxy.listeners import http2
from connectproxy.wire.http2 import ErrorCode
from tests.fakes import FakeAuthenticator, addressOf
from tests.listeners.http2.case import HTTP2Case
from tests.listeners.http2.client import Client
from tests.listeners.http2.test_request import http

OWN = "127.0.0.1:8080"


class PageCase(HTTP2Case):
    """
    A port with an address of its own.
    """

    def setUp(self) -> None:
        HTTP2Case.setUp(self)
        listening = http2.kind.listen(self.reactor, "tcp:8080:interface=127.0.0.1", {}, self.board)
        self.port = self.successResultOf(listening)

    def secure(self, serverName: bytes | None = b"proxy.example", *, handle: bool = True) -> Any:
        """
        A client that has come by TLS.

        @param serverName: the name in its handshake.
        @param handle: whether there is a way to know that.
        """
        client = Client()
        arrival = Arrival(addressOf("192.0.2.7", 5), "tls", 1.0, "TLSv1.3")
        protocol = self.port.factory.receive(arrival, "h2")
        here = self.port.getHost()
        pipe = self.reactor.pipe(client, protocol, 1 << 16, addressOf("192.0.2.7", 5), here, begin=False)
        known = SimpleNamespace(get_servername=lambda: serverName) if handle else None
        pipe.second.getHandle = lambda: known  # type: ignore[method-assign]
        for transport in (pipe.first, pipe.second):
            transport.startReading()
            transport.protocol.makeConnection(transport)
        self.flush()
        return client

    def ask(self, client: Any, *asked: str, end: bool = True, **more: str) -> Any:
        """
        What a client is answered.
        """
        number = client.ask(http(*asked, **more), end=end)
        self.flush()
        return client.heard(number)


class ClearTests(PageCase):
    """
    In clear.
    """

    def test_page(self) -> None:
        """
        A request for what the client has connected to is answered with the page, whoever has
        to say who they are elsewhere; it is recorded, without the query (conformance 47).
        """
        known = FakeAuthenticator()
        self.board.regime = self.board.regime._replace(authenticator=known)
        heard = self.ask(self.client(), "GET", "/?token=secret", OWN)
        self.assertEqual((heard.status, heard.ended, heard.reset), (200, True, None))
        self.assertEqual(heard.fields["content-type"], "text/html; charset=utf-8")
        self.assertEqual(int(heard.fields["content-length"]), len(heard.octets))
        self.assertIn("date", heard.fields)
        self.assertIn(b"curl -x http://127.0.0.1:8080 ", heard.octets)
        self.assertEqual(known.asked, [])
        (event,) = self.events
        self.assertEqual(
            (event["event"], event["protocol"], event["method"], event["target"], event["status"]),
            ("request", "h2", "GET", "http://127.0.0.1:8080/", 200),
        )
        self.assertEqual(self.dials, [])

    def test_ownTime(self) -> None:
        """
        Each has a time of its own in its event, which does not begin when the client connected.
        """
        client = self.client()
        for _ in range(2):
            self.reactor.advance(7)
            self.ask(client, "GET", "/", OWN)
        self.assertEqual([event["total_ms"] for event in self.events], [0.0, 0.0])

    def test_pac(self) -> None:
        """
        So is one for the PAC file, by a name for the address as well.
        """
        client = self.client()
        heard = self.ask(client, "GET", "/proxy.pac", "localhost:8080")
        self.assertEqual(heard.fields["content-type"], "application/x-ns-proxy-autoconfig")
        self.assertIn(b'"PROXY localhost:8080; SOCKS5 localhost:8080"', heard.octets)
        bare = self.ask(client, "HEAD", "/proxy.pac", "localhost:8080")
        self.assertEqual((bare.status, bare.octets, bare.ended), (200, b"", True))
        self.assertEqual(bare.fields, heard.fields)

    def test_others(self) -> None:
        """
        There is nothing else, and nothing can be changed; a body is not waited for.
        """
        client = self.client()
        self.assertEqual(self.ask(client, "GET", "/other", OWN).status, 404)
        self.assertEqual(self.ask(client, "TRACE", "/", OWN).status, 405)
        heard = self.ask(client, "POST", "/", OWN, end=False)
        self.assertEqual((heard.status, heard.fields["allow"]), (405, "GET, HEAD"))
        self.assertIn(b"<strong>405 Method Not Allowed</strong>", heard.octets)
        self.assertEqual((heard.ended, heard.reset), (True, ErrorCode.NO_ERROR))
        heard = self.ask(client, "OPTIONS", "*", OWN)
        self.assertEqual((heard.status, heard.octets), (200, b""))
        self.assertIn("CONNECT", heard.fields["allow"])
        self.assertEqual(self.dials, [])

    def test_malformed(self) -> None:
        """
        What is malformed is so for whomever it is.
        """
        client = self.raw()
        client.ask(1, [*http("POST", authority=OWN), ("content-length", "5")], end=True)
        self.flush()
        self.assertEqual(client.resets, [(1, ErrorCode.PROTOCOL_ERROR)])

    def test_origins(self) -> None:
        """
        All else is an origin's, whoever that turns out to be.
        """
        for authority in ("a.example:8080", "127.0.0.2:8080", "127.0.0.1:8081", "127.0.0.1", "localhost"):
            self.ask(self.client(), "GET", "/", authority)
            asked = str(self.dials[-1].request.destination)
            self.assertEqual(asked.removesuffix(":80"), authority)
        self.assertEqual(len(self.dials), 5)

    def test_secureByName(self) -> None:
        """
        Who has not come by TLS asks nobody here by C{https}.
        """
        self.assertEqual(self.ask(self.client(), "GET", "/", OWN, "https").status, 501)

    def test_websocket(self) -> None:
        """
        There is no websocket here: one is opened where the policy allows it.
        """
        client = self.client()
        client.h2.config.validate_outbound_headers = False
        client.ask([*http("CONNECT", authority=OWN), (":protocol", "websocket")])
        self.flush()
        self.assertEqual(str(self.dials[0].request.destination), OWN)


class SecureTests(PageCase):
    """
    Within TLS.
    """

    def test_pac(self) -> None:
        """
        The client is told to come by TLS again, by the name that it knows, which is the one in
        its handshake (conformance 47).
        """
        client = self.secure()
        heard = self.ask(client, "GET", "/proxy.pac", "proxy.example:8080", "https")
        self.assertEqual(heard.status, 200)
        self.assertIn(b'"HTTPS proxy.example:8080"', heard.octets)
        self.assertIn(b"curl -x https://127.0.0.1:8080 ", self.ask(client, "GET", "/", OWN, "https").octets)
        self.assertEqual(self.events[0]["target"], "https://proxy.example:8080/proxy.pac")

    def test_usualPort(self) -> None:
        """
        The port of an authority without one is 443.
        """
        listening = http2.kind.listen(self.reactor, "tcp:443:interface=127.0.0.1", {}, self.board)
        self.port = self.successResultOf(listening)
        heard = self.ask(self.secure(), "GET", "/", "proxy.example", "https")
        self.assertIn(b"curl -x https://proxy.example:443 ", heard.octets)

    def test_others(self) -> None:
        """
        For another's C{https} the answer is still what to do, and for one that is no host.
        """
        for authority in ("a.example:8080", "proxy.example:443", "proxy.example", "127.0.0.2:8080", "a..b"):
            self.assertEqual(self.ask(self.secure(), "GET", "/", authority, "https").status, 501, authority)

    def test_nameless(self) -> None:
        """
        A client need not name anybody in its handshake, and TLS need not tell.
        """
        for client in (self.secure(None), self.secure(handle=False)):
            for authority, status in (("proxy.example:8080", 501), ("localhost:8080", 200), (OWN, 200)):
                heard = self.ask(client, "GET", "/", authority, "https")
                self.assertEqual(heard.status, status, authority)

    def test_plain(self) -> None:
        """
        C{http} within TLS is an origin's: it is not how the client has come.
        """
        self.ask(self.secure(), "GET", "/", OWN)
        self.assertEqual(str(self.dials[0].request.destination), OWN)
