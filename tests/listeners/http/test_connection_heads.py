"""
Tests for L{connectproxy.listeners.http}: heads that are refused, as it is seen on the wire.
"""

from __future__ import annotations

from tests.fakes import addressOf
from tests.listeners.http.test_connection import DESCRIPTION, ListenerCase


class RefusedHeadTests(ListenerCase):
    """
    Heads that do not; each answer is seen on the wire.
    """

    def refuseTarget(self, *targets: bytes) -> None:
        """
        Each of these is no destination.
        """
        for target in targets:
            self.refusalOf(b"CONNECT %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % target)

    def refuseFields(self, *sections: bytes, kindName: str = "http_request_error") -> None:
        """
        Each of these is no header section.
        """
        for section in sections:
            self.refusalOf(b"CONNECT a.example:443 HTTP/1.1\r\n%b\r\n" % section, kindName)

    def test_ports(self) -> None:
        """
        The port must be there and be one (conformance 1).
        """
        ports = (b"", b":", b":0", b":65536", b":+80", b":0x50", b":\xb2", b":99999999")
        self.refuseTarget(*(b"host.example" + port for port in ports))
        self.refuseTarget(b"host.example: 80")

    def test_targets(self) -> None:
        """
        The target is host and port and nothing else (conformance 2).
        """
        self.refuseTarget(
            b"https://host.example:443",
            b"host.example:443/path",
            b"host.example:443?q",
            b"user@host.example:443",
        )

    def test_brackets(self) -> None:
        """
        IPv6 in brackets only, without a zone, and no later version (conformance 3).
        """
        self.refuseTarget(b"2001:db8::1:443", b"[v1.x]:443", b"[fe80::1%25eth0]:443", b"[fe80::1%eth0]:443")

    def test_hosts(self) -> None:
        """
        Names are plain ASCII, of the length that names can have (conformance 4).
        """
        self.refuseTarget(
            b"h\xc3\xb6st.example:443",
            b"h%C3%B6st.example:443",
            b"a..example:443",
            b"a" * 64 + b".example:443",
        )

    def test_numbers(self) -> None:
        """
        What a resolver would take for an address must be one (conformance 5).
        """
        self.refuseTarget(b"127.1:443", b"2130706433:443", b"0x7f000001:443", b"017700000001:443")

    def test_content(self) -> None:
        """
        A CONNECT has no content (conformance 9).
        """
        self.refuseFields(
            b"Host: a\r\nContent-Length: 5\r\n",
            b"Host: a\r\nTransfer-Encoding: chunked\r\n",
            b"Host: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n",
        )

    def test_host(self) -> None:
        """
        One valid Host (conformance 12).
        """
        self.refuseFields(b"", b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n", b"Host: a/b\r\n")

    def test_grammar(self) -> None:
        """
        Line ends, controls and white space as the grammar has them, or not at all
        (conformance 19, 20 and 21).
        """
        self.refuseFields(
            b"Host: a\nX: y\r\n",
            b"Host: a\rX: y\r\n",
            b"Host: a\r\nX: y\x00\r\n",
            b"Host : a\r\n",
            b"Host: a\r\n folded\r\n",
            b" Host: a\r\n",
        )
        self.refusalOf(b"CONNECT  a.example:443 HTTP/1.1\r\n\r\n")
        self.refusalOf(b"\x16\x03\x01\x02\x00")

    def test_tooLong(self) -> None:
        """
        Too much of anything has its own status, and is refused as soon as it is too much
        (conformance 22).
        """
        self.refusalOf(b"CONNECT " + b"a" * 9000, "http_request_line_too_long")
        self.refuseFields(
            b"Host: a\r\n" + b"X: y\r\n" * 101,
            b"Host: a\r\nX: " + b"y" * 20000,
            kindName="http_request_fields_too_large",
        )

    def test_versions(self) -> None:
        """
        Other versions are refused by name.
        """
        self.refusalOf(b"CONNECT a.example:443 HTTP/2.0\r\n\r\n", "http_version_not_supported")

    def test_methods(self) -> None:
        """
        The authority form is for CONNECT alone, and methods are told apart by their case.
        """
        for method in (b"GET", b"POST", b"OPTIONS", b"connect", b"BREW"):
            answer = self.refusalOf(b"%b a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n" % method)
            self.assertIn(f"the target of {method.decode()} is no http URL", answer.body)

    def test_recorded(self) -> None:
        """
        What is recorded of a refused head: who asked, where and when, in which version,
        and the method and target as far as they are known.
        """
        client = self.connect()
        self.reactor.advance(0.5)
        self.send(client, b"GET https://a.example/ HTTP/1.0\r\n\r\n")
        ((refusal, *others),) = self.board.rejections
        self.assertEqual(refusal.kind, "http_scheme_not_supported")
        self.assertEqual(
            others,
            [addressOf("192.0.2.7", 51000), DESCRIPTION, "http/1.0", 1000.0, "GET", "https://a.example/"],
        )

    def test_secretsAreKept(self) -> None:
        """
        A target's userinfo and query, which can be secrets, are neither recorded nor
        answered; nor is anything unescaped.
        """
        for octets in (
            b"GET https://user:secret@a.example/x?token=secret HTTP/1.1\r\nHost: a\r\n\r\n",
            b"CONNECT user:secret@a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"CONNECT a.example:443/?token=secret HTTP/1.1\r\nHost: a\r\n\r\n",
            b"CONNECT secret@\r\n",
            b"GET /\x1b[31m?secret\r\n",
        ):
            client = self.ask(octets)
            refusal, _, _, _, _, method, target = self.board.rejections[-1]
            for text in (client.received.decode("ascii"), refusal.detail, method, target):
                self.assertNotIn("secret", text)
                self.assertNotIn("\x1b", text)

    def test_unknown(self) -> None:
        """
        What can't be read is recorded escaped as far as there is anything, or not at all.
        """
        for octets, method in ((b"\x05\x01\x00", r"\x05\x01\x00"), (b"\r\n" * 5, None)):
            self.ask(octets)
            self.assertEqual(self.board.rejections[-1][-2:], (method, None))
