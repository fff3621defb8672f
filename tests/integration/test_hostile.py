"""
What arrives at the port and is no decent request.
"""

from __future__ import annotations

import socket
import ssl
import time

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.raw import head, nameOf, readAnswer, readExactly, readToEnd
from tests.integration.running import waitFor

pytestmark = pytest.mark.integration


def clientHello() -> bytes:
    """
    What a client sends that takes the port for one with TLS.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="proxy.example")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class PieceTests(ProxyTestCase):
    """
    A request is the same however it is cut.
    """

    def test_byteByByte(self) -> None:
        """
        A head may come one octet at a time.
        """
        origin = self.origin()
        client = self.connect()
        for octet in head(f"127.0.0.1:{origin.getsockname()[1]}"):
            client.send(bytes([octet]))
        self.assertEqual(readAnswer(client).status, 200)
        self.assertPings(client, self.accept(origin))

    def test_everySplit(self) -> None:
        """
        A head may come in two pieces, cut anywhere, and what follows it with either.
        """
        origin = self.origin()
        octets = head(f"127.0.0.1:{origin.getsockname()[1]}") + b"early"
        for at in range(1, len(octets)):
            client = self.connect()
            client.sendall(octets[:at])
            client.sendall(octets[at:])
            self.assertEqual(readAnswer(client).status, 200, at)
            self.assertEqual(readExactly(self.accept(origin), 5), b"early", at)

    def test_earlyOctets(self) -> None:
        """
        What comes with the request reaches the origin first: conformance 8 and 11.
        """
        early = bytes(range(256)) * 64
        client, origin = self.tunnel(early=early)
        client.sendall(b"and the rest")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(readToEnd(origin), (early + b"and the rest", "eof"))

    def test_emptyLinesAndOldClients(self) -> None:
        """
        Empty lines before the request do no harm, and HTTP/1.0 without a Host is served:
        conformance 12, 19 and 25.
        """
        origin = self.origin()
        client = self.connect()
        client.sendall(b"\r\n\r\nCONNECT 127.0.0.1:%d HTTP/1.0\r\n\r\n" % origin.getsockname()[1])
        answer = readAnswer(client)
        self.assertEqual((answer.status, answer.fields), (200, {}))  # conformance 7: no framing
        self.assertPings(client, self.accept(origin))

    def test_hostDiffers(self) -> None:
        """
        The target alone says where to: conformance 13.
        """
        origin = self.origin()
        client = self.connect()
        client.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: elsewhere\r\n\r\n" % origin.getsockname()[1])
        self.assertEqual(readAnswer(client).status, 200)
        self.assertPings(client, self.accept(origin))


class RefusedHeadTests(ProxyTestCase):
    """
    What can't be a request is answered, clearly and once.
    """

    def test_otherProtocols(self) -> None:
        """
        Who speaks something that looks like HTTP at first is told what it was taken for.
        """
        for octets, words in {
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n": "the client sent a PROXY header, which is taken only once",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11": "PROXY",
            b"SSH-2.0-OpenSSH_9.2\r\n": "line 1 is not a method, a target",
        }.items():
            self.assertRefused(self.ask(octets), 400, "http_request_error", words)

    def test_nothingThatIsServed(self) -> None:
        """
        What nothing here speaks is closed without a word, and the event says what it was.
        """
        for octets, words in {
            clientHello(): "the client began TLS, for which there is no certificate",
            b"\x00\xff\x00": "nothing begins with \\x00\\xff\\x00",
            b"\x80\x2e\x01": "nothing begins with \\x80.\\x01",
        }.items():
            client = self.connect()
            name = nameOf(client)
            client.sendall(octets)
            self.assertEqual(readToEnd(client)[0], b"")
            event = self.proxy.event(name)
            self.assertEqual((event["event"], event["error"]), ("refusal", "protocol_not_served"))
            self.assertIn(words, event["reason"])

    def test_otherVersions(self) -> None:
        """
        What may come one day is no HTTP/1.
        """
        self.assertEqual(self.ask(b"CONNECT a.example:443 HTTP/3.0\r\n\r\n").status, 505)

    def test_malformed(self) -> None:
        """
        Each of these is refused with 400: conformance 1 to 3, 5, 9, 12, 20 and 21.
        """
        host = "Host: a.example\r\n"
        for request in (
            *(
                f"CONNECT {target} HTTP/1.1\r\n{host}\r\n"
                for target in (
                    *("a.example", "a.example:", "a.example:0", "a.example:65536", "a.example:+443"),
                    *(
                        "a.example:0x1bb",
                        ":443",
                        "user@a.example:443",
                        "https://a.example:443",
                        "a.example:443/",
                    ),
                    *("2001:db8::1:443", "[2001:db8::1]", "[v1.x]:443", "[fe80::1%25eth0]:443", "[::1:443"),
                    *("127.1:443", "2130706433:443", "0x7f000001:443", "017700000001:443", "127.0.0.1.:443"),
                    *(
                        "a%2eexample:443",
                        "a..example:443",
                        "b\xfccher.example:443",
                        "a.example:443?x",
                        "*:443",
                    ),
                )
            ),
            "CONNECT a.example:443 HTTP/1.1\r\n\r\n",
            f"CONNECT a.example:443 HTTP/1.1\r\n{host}{host}\r\n",
            f"CONNECT a.example:443 HTTP/1.1\r\n{host}Content-Length: 5\r\n\r\nhello",
            f"CONNECT a.example:443 HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "CONNECT a.example:443 HTTP/1.1\r\nHost : a.example\r\n\r\n",
            f"CONNECT a.example:443 HTTP/1.1\r\n {host}\r\n",
            f"CONNECT a.example:443 HTTP/1.1\r\n{host} folded\r\n\r\n",
            f"CONNECT a.example:443 HTTP/1.1\r\n{host}X: a\0b\r\n\r\n",
            f"CONNECT a.example:443 HTTP/1.1\r\n{host}X: a\rb\r\n\r\n",
            "CONNECT a.example:443 HTTP/1.1\nHost: a.example\n\n",
            "CONNECT  a.example:443 HTTP/1.1\r\n\r\n",
            "CONNECT a.example:443\r\n\r\n",
        ):
            answer = self.ask(request.encode("latin-1"))
            self.assertEqual(answer.status, 400, request)
            self.assertRefused(answer, 400, "http_request_error")

    def test_otherSchemes(self) -> None:
        """
        A URL with another scheme than http is answered 501, by whatever method, with advice
        in the body; the answer to HEAD has none.
        """
        for method in ("GET", "POST", "OPTIONS", "BREW"):
            answer = self.ask(f"{method} https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
            self.assertRefused(answer, 501, "proxy_internal_response", "CONNECT")
        answer = self.ask(b"HEAD https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.assertEqual((answer.status, answer.body), (501, ""))

    def test_oversized(self) -> None:
        """
        The request line, one field, all fields and their number are limited: conformance 22.
        """
        start = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n"
        field = b"X: " + b"y" * 15000 + b"\r\n"
        for request, status in (
            (b"CONNECT " + b"a" * 9000 + b":443 HTTP/1.1\r\n\r\n", 414),
            (b"a" * 9000, 414),
            (start + b"X: " + b"y" * 20000 + b"\r\n\r\n", 431),
            (start + b"X: " + b"y" * 20000, 431),
            (start + field * 5 + b"\r\n", 431),
            (start + b"X: y\r\n" * 200 + b"\r\n", 431),
        ):
            self.assertRefused(self.ask(request), status, "http_request_error")

    def test_longAllowed(self) -> None:
        """
        A request line of 8000 octets is read: conformance 22.
        """
        answer = self.ask(b"CONNECT " + b"a" * 7980 + b":443 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertRefused(answer, 400, "http_request_error")


class BehindRefusalTests(ProxyTestCase):
    """
    After a refusal nothing on the connection is a request: conformance 10 and 11.
    """

    def test_pipelined(self) -> None:
        """
        A second request behind one that is refused gets no answer and has no effect.
        """
        origin = self.origin()
        second = head(f"127.0.0.1:{origin.getsockname()[1]}")
        client = self.connect()
        name = nameOf(client)
        client.sendall(head("127.0.0.1:0") + second)
        client.sendall(second)
        answer = readAnswer(client)
        self.assertRefused(answer, 400, "http_request_error")
        self.assertNotIn("Proxy-Status", answer.body)
        self.proxy.event(name)
        self.assertEqual([each["target"] for each in self.proxy.events()], ["127.0.0.1:0"])
        origin.setblocking(False)
        self.assertRaises(BlockingIOError, origin.accept)

    def test_garbage(self) -> None:
        """
        A client that goes on and on gets its answer, and is cut off.
        """
        client = self.connect()
        client.sendall(head("a.example:22x") + b"x" * 100000)
        self.assertEqual(readAnswer(client).status, 400)
        with self.assertRaises(ConnectionError):
            for _ in range(1000):
                client.sendall(b"x" * 65536)


class SlowTests(ProxyTestCase):
    """
    Time is limited too.
    """

    config = "[timeouts]\nhead = 0.5\nlinger = 0.5\n"

    def test_dribbled(self) -> None:
        """
        A head that does not get finished is answered, however busily it is sent:
        conformance 22.
        """
        client = self.connect()
        name = nameOf(client)
        client.sendall(b"CONNECT a.example:443 HTTP/1.1\r\nX: ")

        def answered() -> bool:
            client.settimeout(0.02)
            try:
                client.send(b"y")
                return bool(client.recv(1, socket.MSG_PEEK))
            except TimeoutError:
                return False

        waitFor(answered, "the answer")
        self.assertRefused(
            readAnswer(client), 408, "http_request_error", "there was no whole head after 0.5 s"
        )
        event = self.proxy.event(name)
        self.assertEqual((event["error"], event["phase"]), ("http_request_timeout", "arrived"))

    def test_silent(self) -> None:
        """
        Who says nothing at all is disconnected without a word, and no event tells of it.
        """
        client = self.connect()
        self.assertEqual(readToEnd(client), (b"", "eof"))
        self.assertEqual(self.ask("a.example:22x").status, 400)
        self.assertEqual([each["target"] for each in self.proxy.events()], ["a.example:22x"])

    def test_lingering(self) -> None:
        """
        A refused client that does not close is waited for, but not for long.
        """
        client = self.connect()
        client.sendall(head("a.example:22x"))
        self.assertEqual(readAnswer(client).status, 400)

        def cutOff() -> bool:
            try:
                client.send(b"x")
            except ConnectionError:
                return True
            time.sleep(0.02)
            return False

        waitFor(cutOff, "the end")
