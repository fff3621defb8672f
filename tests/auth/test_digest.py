"""
Tests for L{connectproxy.auth.digest}.
"""

from __future__ import annotations

from connectproxy.auth import digest as module
from connectproxy.auth.digest import DigestScheme
from tests.auth.digestcase import REALM, TARGET, USER, DigestCase


class VerifyTests(DigestCase):
    """
    Who it is.
    """

    def test_right(self) -> None:
        """
        The right password, with and without C{-sess} and a hashed name (conformance 68).
        """
        for algorithm in ("SHA-256", "SHA-256-sess"):
            for hashed in (False, True):
                self.assertEqual(
                    self.verify(self.answer(self.nonce(), algorithm=algorithm, hashed=hashed)), USER
                )

    def test_wrong(self) -> None:
        """
        A wrong password, a user that there is not, a hash that nobody has, and another
        method: all the same, and no reason to try again with another nonce.
        """
        nonce = self.nonce()
        for credentials in (
            self.answer(nonce, password=b"other"),
            self.answer(nonce, user=b"other"),
            self.answer(nonce, user=b"other", hashed=True),
            self.answer(nonce, method=b"GET"),
            self.answer(nonce)._replace(response=b"0" * 64),
            self.answer(nonce)._replace(nc=b"00000002"),
            self.answer(nonce)._replace(nonce=self.nonce()),
        ):
            self.assertRefused(self.verify(credentials), "the user or the password is wrong")
        self.assertEqual(self.verify(self.answer(nonce)), USER)  # no count was used up by them

    def test_nobodysSecret(self) -> None:
        """
        What a user that there is not is compared with lets nobody in.
        """
        nobody = self.scheme._nobody.secret
        made = self.answer(self.nonce(), user=b"")
        self.assertRefused(self.verify(made._replace(response=made.expected(nobody, b"CONNECT"))), "wrong")

    def test_comparison(self) -> None:
        """
        Proofs and signatures are compared in a time that does not tell where they differ,
        and also for a user that there is not.
        """
        asked = []

        def compare(a: bytes, b: bytes) -> bool:
            asked.append((len(a), len(b)))
            return a == b

        self.patch(module, "compare_digest", compare)
        self.verify(self.answer(self.nonce()))
        self.verify(self.answer(self.nonce(), user=b"other"))
        self.assertEqual(asked, [(64, 64), (16, 16), (64, 64)])

    def test_md5(self) -> None:
        """
        MD5 is asked for and taken only if that is wanted, and after SHA-256 (conformance 68).
        """
        self.assertRefused(self.verify(self.answer(self.nonce(), algorithm="MD5")), "algorithm")
        scheme = DigestScheme(self.clock, REALM, md5=True)
        first, second = scheme.challenges()
        self.assertIn("algorithm=SHA-256,", first)
        self.assertIn("algorithm=MD5,", second)
        for algorithm in ("MD5", "MD5-sess", "SHA-256"):
            made = self.answer(self.nonce(scheme), algorithm=algorithm)
            self.assertEqual(self.verify(made, scheme=scheme), USER)

    def test_otherAlgorithm(self) -> None:
        """
        One that is known, but that nobody has a hash for.
        """
        made = self.answer(self.nonce())._replace(algorithm="SHA-512-256")
        self.assertRefused(self.verify(made), "algorithm")

    def test_realm(self) -> None:
        """
        An answer to somebody else's challenge.
        """
        self.assertRefused(self.verify(self.answer(self.nonce(), realm=b"other")), "realm")

    def test_information(self) -> None:
        """
        What an answer says (RFC 7616 section 3.5; conformance 68).
        """
        made = self.answer(self.nonce())
        known = self.lookup(made.user, "SHA-256", False)
        assert known is not None
        found = self.scheme.information(made, known)
        self.assertIn(made.expected(known.secret, b"").decode("ascii"), found)

    def test_secrets(self) -> None:
        """
        A hash that is as good as a password does not show (conformance 69).
        """
        known = self.lookup(USER.encode(), "SHA-256", False)
        assert known is not None
        self.assertNotIn(known.secret.decode("ascii"), f"{known} {known!r}")


class TargetTests(DigestCase):
    """
    What the C{uri} may be (conformance 68).
    """

    def assertSame(self, uri: bytes, target: bytes, method: str = "GET") -> None:
        """
        A C{uri} is taken for a target.
        """
        made = self.answer(self.nonce(), uri=uri, method=method.encode())
        self.assertEqual(self.verify(made, method, target), USER, (uri, target))

    def assertOther(self, uri: bytes, target: bytes, method: str = "GET") -> None:
        """
        It is not.
        """
        made = self.answer(self.nonce(), uri=uri, method=method.encode())
        self.assertRefused(
            self.verify(made, method, target), "uri of the Digest credentials is not the target"
        )

    def test_connect(self) -> None:
        """
        The authority form, as it was sent or in its normal form.
        """
        for uri in (TARGET, b"EXAMPLE.com:443", b"example.com.:443", b"example.com:0443"):
            self.assertSame(uri, TARGET, "CONNECT")
        self.assertSame(b"[::1]:443", b"[0:0::1]:443", "CONNECT")
        for uri in (
            b"example.com:80",
            b"example.org:443",
            b"example.com",
            b"/",
            b"*",
            b"https://example.com:443/",
        ):
            self.assertOther(uri, TARGET, "CONNECT")

    def test_notValid(self) -> None:
        """
        Two targets that are none are not the same for that, but for the octets.
        """
        self.assertOther(b"example.org", b"example.com", "CONNECT")
        self.assertOther(b"http://", b"http://:80/")
        self.assertOther(b"ftp://a/", b"ftp://b/")
        self.assertOther(b"", b"")
        self.assertOther(b"/", b"")

    def test_absolute(self) -> None:
        """
        The absolute form, in any spelling of what does not matter; and the path alone, which
        is what curl hashes.
        """
        target = b"http://example.com/a?b=c"
        for uri in (target, b"HTTP://EXAMPLE.com:80/a?b=c", b"http://example.com.:80/a?b=c", b"/a?b=c"):
            self.assertSame(uri, target)
        for uri in (
            b"http://example.com/a",
            b"http://example.com:8080/a?b=c",
            b"http://example.org/a?b=c",
            b"http://example.com/A?b=c",
            b"https://example.com/a?b=c",
            b"/a",
            b"/",
            b"a?b=c",
            b"example.com:80",
        ):
            self.assertOther(uri, target)
        self.assertSame(b"http://example.com/", b"http://example.com")
        self.assertSame(b"/", b"http://example.com")

    def test_wholeServer(self) -> None:
        """
        OPTIONS for a server as a whole (RFC 9112 section 3.2.4).
        """
        self.assertSame(b"*", b"http://example.com", "OPTIONS")
        self.assertSame(b"http://example.com:80", b"http://example.com", "OPTIONS")
        self.assertOther(b"/", b"http://example.com", "OPTIONS")

    def test_extendedConnect(self) -> None:
        """
        A websocket over HTTP/2 asks by CONNECT for an URI (RFC 8441 section 4).
        """
        self.assertSame(b"http://example.com/chat", b"http://example.com/chat", "CONNECT")
        self.assertSame(b"/chat", b"http://example.com/chat", "CONNECT")
        self.assertOther(b"example.com:80", b"http://example.com/chat", "CONNECT")
