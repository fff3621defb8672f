"""
The proxy's own pages by HTTP/1.
"""

from __future__ import annotations

import html.parser
import re

from connectproxy.interfaces import Arrival
from tests.fakes import FakeAuthenticator, Peer, addressOf, pipePair
from tests.listeners.http.forwarding import ForwardCase, Response, get

_WAYS = re.compile(r'return "([^"]*)"')


class PageTests(ForwardCase):
    """
    Requests in origin form.
    """

    def page(self, target: bytes = b"/", *fields: bytes, method: bytes = b"GET") -> Response:
        """
        What a browser gets.
        """
        lines = b"".join(field + b"\r\n" for field in fields or (b"Host: proxy.example:3128",))
        client = self.ask(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, lines))
        self.client = client
        return self.response(client, method.decode())

    def test_page(self) -> None:
        """
        There is a page that says what this is and how to use it, at the address that the
        client has reached it by.
        """
        response = self.page()
        self.assertEqual((response.status, response.whole), (200, True))
        self.assertEqual(response.fields[b"content-type"], b"text/html; charset=utf-8")
        text = response.body.decode()
        for words in (
            "curl -x http://proxy.example:3128 https://example.com/",
            "export http_proxy=http://proxy.example:3128",
            "http://proxy.example:3128/proxy.pac",
            "<h1>connectproxy</h1>",
        ):
            self.assertIn(words, text)
        self.assertNotIn(b"connection", response.fields)
        parser = html.parser.HTMLParser()
        parser.feed(text)
        parser.close()

    def test_ownTime(self) -> None:
        """
        On a connection that is kept each page has a time of its own in its event, which does
        not begin when the client connected.
        """
        self.page()
        self.reactor.advance(7)
        self.send(self.client, b"GET /proxy.pac HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
        self.assertEqual([event["total_ms"] for event in self.board.ledger.events], [0.0, 0.0])

    def test_pac(self) -> None:
        """
        There is a PAC file that sends everything through the proxy, by HTTP or else by SOCKS.
        """
        response = self.page(b"/proxy.pac?x=y")
        self.assertEqual(response.fields[b"content-type"], b"application/x-ns-proxy-autoconfig")
        ways = _WAYS.findall(response.body.decode())
        self.assertEqual(ways, ["DIRECT", "PROXY proxy.example:3128; SOCKS5 proxy.example:3128"])

    def test_secure(self) -> None:
        """
        Who has come by TLS is told to come so again.
        """
        receiver = self.port.factory
        client = Peer()
        arrival = Arrival(addressOf("192.0.2.7", 5), "tls", 1.0, "TLSv1.3")
        pipePair(self.reactor, client, receiver.receive(arrival, "http/1.1"))
        for target, words in (
            (b"/proxy.pac", '"HTTPS proxy.example:443"'),
            (b"/", "curl -x https://proxy.example:443 "),
        ):
            client.received.clear()
            self.send(client, b"GET %b HTTP/1.1\r\nHost: proxy.example\r\n\r\n" % target)
            self.assertIn(words, self.response(client).body.decode())

    def test_head(self) -> None:
        """
        HEAD gets the same without the body.
        """
        for target in (b"/", b"/proxy.pac"):
            whole, bare = self.page(target), self.page(target, method=b"HEAD")
            self.assertEqual((bare.status, bare.body), (200, b""))
            self.assertEqual(bare.fields[b"content-length"], whole.fields[b"content-length"])

    def test_others(self) -> None:
        """
        There is nothing else, and nothing can be changed.
        """
        self.assertEqual(self.page(b"/other").status, 404)
        response = self.page(method=b"DELETE")
        self.assertEqual((response.status, response.fields[b"allow"]), (405, b"GET, HEAD"))
        self.assertIn(b"<strong>405 Method Not Allowed</strong>", response.body)

    def test_post(self) -> None:
        """
        A body that nobody reads ends the connection.
        """
        self.assertEqual(self.page(b"/", b"Host: a", b"Content-Length: 3", method=b"POST").status, 405)
        self.assertTrue(self.client.ended)

    def test_recorded(self) -> None:
        """
        It is recorded, without the query.
        """
        self.page(b"/other?token=secret")
        event = self.event()
        self.assertEqual((event["method"], event["status"]), ("GET", 404))
        self.assertNotIn("secret", str(event))

    def test_nobodyIsAsked(self) -> None:
        """
        A browser gets the PAC file before it knows that it has to say who it is.
        """
        known = FakeAuthenticator()
        self.board.regime = self.board.regime._replace(authenticator=known)
        self.assertEqual(self.page(b"/proxy.pac").status, 200)
        self.assertEqual(known.asked, [])

    def test_hosts(self) -> None:
        """
        The address is the one of the Host field, if it could be dialled; else the one that the
        connection came in by.
        """
        for host, shown in (
            (b"proxy.example", "proxy.example:80"),
            (b"[2001:DB8::1]:3128", "[2001:db8::1]:3128"),
            (b"192.0.2.5:8080", "192.0.2.5:8080"),
            (b"", "127.0.0.1:8080"),
            (b"proxy.example:0", "127.0.0.1:8080"),
            (b"a..b", "127.0.0.1:8080"),
        ):
            self.assertIn(f"curl -x http://{shown} ", self.page(b"/", b"Host: " + host).body.decode(), host)

    def test_old(self) -> None:
        """
        A client of HTTP/1.0 need not name the proxy.
        """
        client = self.ask(b"GET / HTTP/1.0\r\n\r\n")
        self.assertIn(b"curl -x http://127.0.0.1:8080 ", self.response(client).body)

    def test_absolute(self) -> None:
        """
        A URL is for an origin, be it one that names the proxy.
        """
        self.ask(get(target=b"http://127.0.0.1:8080/"))
        self.assertEqual(str(self.upstream.dials[0].request.destination), "127.0.0.1:8080")


class GetTests(ForwardCase):
    """
    Origin form, over again.
    """

    def test_hostIsNeeded(self) -> None:
        """
        The rules for Host hold for the page as well (conformance 12).
        """
        client = self.ask(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(self.response(client).status, 400)
        self.assertTrue(client.ended)

    def test_keepsGoing(self) -> None:
        """
        The page and the PAC file come over one connection.
        """
        client = self.ask(get(target=b"/"))
        client.received.clear()
        self.send(client, get(target=b"/proxy.pac"))
        self.assertIn(b"FindProxyForURL", self.response(client).body)
