"""
Attacks on messages of HTTP/1 on their way: an origin's response that claims another's place,
a client that leaves at any moment, and one that changes who it is.
"""

from __future__ import annotations

import base64
import re
import socket

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import nameOf, readExactly, readToEnd, reset
from tests.integration.running import LOCAL, waitFor

pytestmark = pytest.mark.integration

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


class HandCase(ProxyTestCase):
    """
    An origin in the test's hand.
    """

    def setUp(self) -> None:
        """
        Have one.
        """
        super().setUp()
        self.far = self.origin()

    def request(self, *fields: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
        """
        A request for it.
        """
        lines = b"".join(field + b"\r\n" for field in fields)
        where = b"http://127.0.0.1:%d/" % self.far.getsockname()[1]
        return b"%b %b HTTP/1.1\r\nHost: a\r\n%b\r\n%b" % (method, where, lines, body)

    def readHead(self, sock: socket.socket) -> bytes:
        """
        Read up to the end of a head, and nothing behind it.
        """
        octets = b""
        while not octets.endswith(b"\r\n\r\n"):
            octets += readExactly(sock, 1)
        return octets

    def readLine(self, sock: socket.socket) -> bytes:
        """
        Read a line, which ends with CRLF.
        """
        octets = b""
        while not octets.endswith(b"\r\n"):
            octets += readExactly(sock, 1)
        return octets[:-2]


class ResponseTests(HandCase):
    """
    What stands behind a response.
    """

    def test_behind(self) -> None:
        """
        Whatever comes behind a response, or as the content of one that has none, is no part of
        the next (RFC 9112 section 6.3): that is asked for on a new connection.
        """
        none = b"HTTP/1.1 %b\r\nContent-Length: 4\r\n\r\n"
        for method, response in (
            (b"GET", OK + b"\r\n"),
            (b"GET", OK + b"\0"),
            (b"GET", OK + b"HTTP/1.1 100 Continue\r\n\r\n"),
            (b"GET", OK + OK.replace(b"good", b"evil")),
            (b"GET", none % b"204 No Content" + OK.replace(b"good", b"evil")),
            (b"GET", none % b"304 Not Modified" + b"evil"),
            (b"HEAD", none % b"200 OK" + b"evil"),
            (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"),
        ):
            client = self.connect()
            client.sendall(self.request(method=method) + self.request())
            for octets in (response, OK):
                origin = self.accept(self.far)
                self.readHead(origin)
                origin.sendall(octets)
            said = b""
            while not said.endswith(b"good") or said.count(b"HTTP/1.1 ") < 2:
                more = client.recv(65536)
                self.assertTrue(more, said)
                said += more
            self.assertEqual(said.count(b"HTTP/1.1 "), 2, said)
            self.assertNotIn(b"evil", said)
            client.close()

    def test_unasked(self) -> None:
        """
        What an origin says between two requests ends its connection.
        """
        client = self.connect()
        client.sendall(self.request())
        origin = self.accept(self.far)
        self.readHead(origin)
        origin.sendall(OK)
        self.readHead(client)
        readExactly(client, 4)
        origin.sendall(OK.replace(b"good", b"evil"))
        self.assertEqual(readToEnd(origin)[1], "reset")
        client.sendall(self.request())
        origin = self.accept(self.far)
        self.readHead(origin)
        origin.sendall(OK)
        self.readHead(client)
        self.assertEqual(readExactly(client, 4), b"good")


class RequestTests(HandCase):
    """
    What a client does.
    """

    def test_bodies(self) -> None:
        """
        Requests with bodies stay apart, however they are cut: what looks like a request in a
        body is none.
        """
        hidden = self.request()
        chunked = b"%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(hidden), hidden)
        octets = (
            self.request(b"Content-Length: %d" % len(hidden), method=b"POST", body=hidden)
            + self.request(b"Transfer-Encoding: chunked", method=b"PUT", body=chunked)
            + self.request(b"Content-Length: %d" % len(hidden), body=hidden)
        )
        for cut in (1, 7, len(octets)):
            client = self.connect()
            for at in range(0, len(octets), cut):
                client.sendall(octets[at : at + cut])
            origin = self.accept(self.far)
            for method in (b"POST", b"PUT", b"GET"):
                head = self.readHead(origin)
                self.assertTrue(head.startswith(method + b" / HTTP/1.1\r\n"), head)
                if method == b"PUT":
                    self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", head)
                    # In what pieces it came, it goes on, but without what else was said of them.
                    body = b""
                    while size := int(self.readLine(origin), 16):
                        body += readExactly(origin, size)
                        self.assertEqual(self.readLine(origin), b"")
                    self.assertEqual((body, self.readLine(origin)), (hidden, b"x: y"))
                    self.assertEqual(self.readLine(origin), b"")
                else:
                    self.assertEqual(readExactly(origin, len(hidden)), hidden)
                origin.sendall(OK)
            for _ in range(3):
                self.readHead(client)
                readExactly(client, 4)
            client.close()

    def test_vanishes(self) -> None:
        """
        A client that resets its connection, in whatever moment, resets the origin's, and there
        is one event.
        """
        head = b"HTTP/1.1 200 OK\r\n"
        for said, kind in (
            (b"", "client_gone"),
            (b"HTTP/1.1 103 Early Hints\r\n\r\n", "client_gone"),
            (head + b"Content-Length: 9\r\n\r\nabc", "reset"),
            (head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "reset"),
            (head + b"\r\nabc", "reset"),
        ):
            for body in (b"", b"abc", b"abcdefghi"):
                client = self.connect()
                name = nameOf(client)
                client.sendall(
                    self.request(b"Content-Length: 9", method=b"POST", body=body) if body else self.request()
                )
                origin = self.accept(self.far)
                self.readHead(origin)
                readExactly(origin, len(body))
                if said:
                    origin.sendall(said)
                    readExactly(client, 12)
                reset(client)
                self.assertEqual(readToEnd(origin)[1], "reset")
                self.assertEqual(self.proxy.event(name)["end"], kind)
        self.assertEqual(len(self.proxy.events()), 15)


class IdentityTests(HandCase):
    """
    A connection on which somebody else asks.
    """

    arguments = (*LOCAL, "--auth", "ann:secret:word")

    def test_changes(self) -> None:
        """
        Each request is asked who it is from, behind ones that were right as well, and what says
        so goes no further and into no log.
        """
        right = b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:secret:word")
        wrong = b"Proxy-Authorization: Basic " + base64.b64encode(b"bob:secret:word")
        client = self.connect()
        origin = None
        for fields, status in (
            ((right,), 200), ((right,), 200), ((), 407), ((right,), 200), ((wrong,), 407), ((right, right), 407),
            ((b"proxy-authorization: Bearer x",), 407), ((right,), 200),
        ):  # fmt: skip
            client.sendall(self.request(*fields))
            if status == 200:
                origin = origin or self.accept(self.far)
                self.assertNotIn(b"uthoriz", self.readHead(origin))
                origin.sendall(OK)
            head = self.readHead(client)
            self.assertTrue(head.startswith(b"HTTP/1.1 %d " % status), head)
            found = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
            assert found is not None
            readExactly(client, int(found[1]))
        waitFor(lambda: len(self.proxy.events()) == 8, "the events")
        self.assertEqual([each["user"] for each in self.proxy.events() if each["status"] == 200], ["ann"] * 4)
        written = self.proxy.log() + self.proxy.access.read_text()
        for secret in ("secret:word", *(each[-16:].decode() for each in (right, wrong))):
            self.assertNotIn(secret, written)
