"""
Tests for L{connectproxy.auth.connection}.
"""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Networks
from connectproxy.auth import connection
from connectproxy.auth.connection import Identities, Identity, compilePattern
from connectproxy.auth.realm import ProxyRealm
from connectproxy.interfaces import ProxyUser
from connectproxy.tls.identity import ClientCertificate
from connectproxy.wire.proxyheader import ClientTLS, TLVType
from tests.auth.case import arrivalOf

FINGERPRINT = "ab" * 32

CERTIFICATE = ClientCertificate(
    "CN=ci-7,O=Example",
    ("seven.ci.example.com", "other.example.com"),
    ("ci@example.com",),
    ("spiffe://example.com/ci/seven",),
    FINGERPRINT,
)


def tls(name: str, client: int = 7, verify: int = 0) -> tuple[int, bytes]:
    """
    What a balancer tells of a client's certificate.
    """
    return ClientTLS(
        client, verify, ((TLVType.SSL_VERSION, b"TLSv1.3"), (TLVType.SSL_CN, name.encode()))
    ).encode()


class PatternTests(SynchronousTestCase):
    """
    What C{*} stands for.
    """

    def match(self, kind: str, pattern: str, name: str) -> Any:
        """
        What the first C{*} stood for; true without one; L{None} if it does not match.
        """
        found = compilePattern(kind, pattern)(name)
        return found and (found[1] if found.re.groups else True)

    def test_plain(self) -> None:
        """
        Without a star the whole is compared, and nothing in it has a meaning.
        """
        self.assertTrue(self.match("dns", "a.b", "a.b"))
        for name in ("axb", "a.bc", "xa.b", "a.b\n", ""):
            self.assertIs(self.match("dns", "a.b", name), None)

    def test_star(self) -> None:
        """
        A star is one character or more.
        """
        self.assertEqual(self.match("dns", "*.ci.example", "a.b.ci.example"), "a.b")
        self.assertEqual(self.match("email", "*@example.com", "ci@example.com"), "ci")
        self.assertEqual(self.match("dns", "a*b*c", "a1b2b3c"), "1")
        self.assertEqual(self.match("dns", "*", "x"), "x")
        for pattern, name in (("a*", "a"), ("*a", "a"), ("a*b", "ab"), ("a**b", "axb"), ("*a*", "a")):
            self.assertIs(self.match("dns", pattern, name), None)

    def test_uri(self) -> None:
        """
        In a URI a star is no slash, so that it is one part of a SPIFFE ID.
        """
        pattern = "spiffe://example.com/ci/*"
        self.assertEqual(self.match("uri", pattern, "spiffe://example.com/ci/seven"), "seven")
        for name in (
            "spiffe://example.com/ci/",
            "spiffe://example.com/ci/a/b",
            "spiffe://example.com/ci",
            "spiffe://example.com.evil/ci/a",
            "http://spiffe://example.com/ci/a",
        ):
            self.assertIs(self.match("uri", pattern, name), None)
        self.assertEqual(self.match("uri", "spiffe://*/ci/*", "spiffe://a.example/ci/x"), "a.example")
        self.assertIs(self.match("uri", "spiffe://*/ci/*", "spiffe://a/b/ci/x"), None)

    def test_subject(self) -> None:
        """
        In a subject what is escaped stays one thing: nobody gets to be of another
        organization by a comma in a name.
        """
        pattern = "CN=ci-*,O=Example"
        self.assertEqual(self.match("subject", pattern, "CN=ci-7,O=Example"), "7")
        self.assertEqual(self.match("subject", pattern, "CN=ci-7\\,8,O=Example"), "7\\,8")
        self.assertIs(self.match("subject", pattern, "CN=ci-7\\,O=Example"), None)
        self.assertIs(self.match("subject", pattern, "CN=ci-7\\\\\\,O=Example"), None)
        self.assertEqual(self.match("subject", pattern, "CN=ci-7\\\\,O=Example"), "7\\\\")

    def test_manyStars(self) -> None:
        """
        Many stars are no work without end.
        """
        began = time.process_time()
        for kind in ("dns", "uri", "subject"):
            self.assertIs(self.match(kind, "*a" * 20 + "b", "a" * 1024), None)
        self.assertLess(time.process_time() - began, 1.0)


class IdentitiesTests(SynchronousTestCase):
    """
    The tables.
    """

    def make(self, *identities: Identity, **members: list[str]) -> Identities:
        """
        Make them.
        """
        self.identities = Identities(identities, ProxyRealm(members))
        return self.identities

    def known(self, **fields: Any) -> Any:
        """
        The name that a connection gives, or L{None}.
        """
        user = self.identities.known(arrivalOf(**fields))
        return None if user is None else user.name

    def test_none(self) -> None:
        """
        Without tables nobody is known.
        """
        self.assertFalse(self.make())
        self.assertIs(self.known(certificate=CERTIFICATE), None)
        self.assertTrue(self.make(Identity("x", networks=Networks.parse("0.0.0.0/0"))))

    def test_certificate(self) -> None:
        """
        Every kind of name in a certificate can be what a client is known by.
        """
        for pattern, user, name in (
            ("subject:CN=*,O=Example", "*", "ci-7"),
            ("dns:other.*", "x-*", "x-example.com"),
            ("dns:Seven.CI.example.com", "ci", "ci"),
            ("email:*@example.com", "*", "ci"),
            ("uri:spiffe://example.com/ci/*", "*.ci", "seven.ci"),
            (f"fingerprint:{FINGERPRINT}", "ci", "ci"),
        ):
            self.make(Identity(user, certificate=[pattern]))
            self.assertEqual(self.known(certificate=CERTIFICATE), name)
            self.assertIs(self.known(), None)
            other = ClientCertificate("", (), (), (), "00" * 32)
            self.assertIs(self.known(certificate=other), None)

    def test_avatar(self) -> None:
        """
        What is known of the user comes along: groups of both sides, limits, and by what.
        """
        self.make(
            Identity(
                "seven",
                frozenset({"ci"}),
                ("slow",),
                certificate=["dns:*"],
                networks=Networks.parse("192.0.2.0/24"),
            ),
            people=["seven"],
        )
        self.assertEqual(
            self.identities.known(arrivalOf(certificate=CERTIFICATE)),
            ProxyUser("seven", frozenset({"ci", "people"}), ("slow",), "certificate"),
        )
        self.assertIs(self.known(host="198.51.100.1", certificate=CERTIFICATE), None)

    def test_networks(self) -> None:
        """
        An address is looked for in the networks, in whichever form it comes.
        """
        self.make(Identity("lab", networks=Networks.parse("192.0.2.0/24 2001:db8::/32 fe80::/10")))
        for host in ("192.0.2.9", "2001:db8::9", "::ffff:192.0.2.9", "fe80::1%eth0"):
            self.assertEqual(self.known(host=host), "lab")
        self.assertIs(self.known(host="198.51.100.1"), None)
        self.assertIs(self.identities.known(arrivalOf()._replace(client=UNIXAddress(b"/x"))), None)
        self.assertEqual(self.identities.known(arrivalOf()).means, "network")  # type: ignore[union-attr]

    def test_first(self) -> None:
        """
        The first that matches decides; within a key any pattern will do.
        """
        self.make(
            Identity("one", certificate=["dns:nothing", "dns:seven.*"]),
            Identity("two", networks=Networks.parse("192.0.2.0/24")),
        )
        self.assertEqual((self.known(certificate=CERTIFICATE), self.known()), ("one", "two"))

    def test_header(self) -> None:
        """
        So can be what a trusted balancer tells in its header.
        """
        self.make(
            Identity("cn-*", header=["ssl_cn:*"]),
            Identity("to-*", header=["authority:*.Example.com"]),
            Identity("id-*", header=["unique_id:u*"]),
            Identity("e0-*", header=["0xE0:*"]),
        )
        for tlvs, name in (
            ((tls("seven"),), "cn-seven"),
            (((TLVType.AUTHORITY, b"A.example.COM"),), "to-a"),
            (((TLVType.UNIQUE_ID, b"u9"),), "id-9"),
            (((0xE0, "zoe\u0308".encode()),), "e0-zoë"),
        ):
            self.assertEqual(self.known(tlvs=tlvs), name)
        self.assertEqual(self.identities.known(arrivalOf(tlvs=(tls("x"),))).means, "proxy_header")  # type: ignore[union-attr]

    def test_unverified(self) -> None:
        """
        A name in a certificate that the balancer has not found good is nobody's.
        """
        self.make(Identity("*", header=["ssl_cn:*"]))
        for tlv in (tls("seven", verify=1), tls("seven", client=1), tls("seven", client=0), tls("")):
            self.assertIs(self.known(tlvs=(tlv,)), None)
        for value in (b"", b"\x07\0\0\0\0"):
            self.assertIs(self.known(tlvs=((TLVType.SSL, value), (TLVType.SSL_CN, b"seven"))), None)

    def test_strangeHeader(self) -> None:
        """
        What is no text, or can't be printed, is no name.
        """
        self.make(Identity("*", header=["0xE0:*", "authority:*", "unique_id:*"]))
        for value in (b"", b"\xff", b"a\x00b", b"\xe2\x80\xae", b"x" * 256):
            for kind in (0xE0, TLVType.AUTHORITY, TLVType.UNIQUE_ID):
                self.assertIs(self.known(tlvs=((kind, value),)), None)
        self.assertEqual(self.known(tlvs=((0xE0, b"\xff"), (0xE0, b"second"))), "second")

    def test_notTheHeader(self) -> None:
        """
        Where no table looks at headers they change nothing.
        """
        self.make(Identity("lab", networks=Networks.parse("192.0.2.0/24")))
        self.assertEqual(self.known(tlvs=(tls("seven"),)), "lab")

    def test_both(self) -> None:
        """
        Between the keys of a table all have to match; a star stands for what is in the
        certificate then.
        """
        self.make(Identity("*", certificate=["dns:*.ci.example.com"], header=["authority:proxy.*"]))
        authority = ((TLVType.AUTHORITY, b"proxy.example"),)
        self.assertEqual(self.known(certificate=CERTIFICATE, tlvs=authority), "seven")
        self.assertIs(self.known(certificate=CERTIFICATE), None)
        self.assertIs(self.known(tlvs=authority), None)

    def test_noName(self) -> None:
        """
        What would make no name that fits makes none.
        """
        self.make(Identity("x" * 250 + "*", certificate=["dns:*"]))
        self.assertIs(self.known(certificate=CERTIFICATE), None)

    def test_kept(self) -> None:
        """
        Answers are kept by certificate and address, and not many; none with a header, which
        may be another one each time.
        """
        self.make(
            Identity("lab", networks=Networks.parse("192.0.2.0/24"), header=()),
            Identity("h", header=["0xE0:a"]),
        )
        with (
            patch.object(connection, "MOST", 2),
            patch.object(Identities, "_find", wraps=self.identities._find) as find,
        ):
            for host in ("192.0.2.1", "192.0.2.1", "198.51.100.1", "198.51.100.1", "192.0.2.3", "192.0.2.1"):
                self.assertEqual(self.known(host=host), "lab" if host.startswith("192") else None)
            self.assertEqual(find.call_count, 4)
            for _ in range(3):
                self.assertEqual(self.known(host="198.51.100.1", tlvs=((0xE0, b"a"),)), "h")
            self.assertEqual(find.call_count, 7)
        self.assertEqual(len(self.identities._known), 2)
