"""
Tests for L{connectproxy.wire.authorization.client}: what is shown, and what is learned.
"""

from __future__ import annotations

import gc
from base64 import b64decode
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config.secret import Secret
from connectproxy.wire.authorization import Basic, Bearer, Digest, client, parseCredentials, secretHash
from connectproxy.wire.authorization import digestChallenge as challenge
from connectproxy.wire.authorization.client import NONCES, Authorizer, unmet
from tests.wire.feeding import examples

RFC = (
    b'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s,'
    b' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",'
    b' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
"""RFC 7616 section 3.9.1."""


def asked(nonce: str = "n", **more: Any) -> bytes:
    """
    A challenge.
    """
    return challenge("corp", nonce, **more).encode("ascii")


class ShownCase(SynchronousTestCase):
    """
    What the cases below assert.
    """

    def digest(self, value: str | None, password: str = "secret", method: str = "CONNECT") -> Digest:
        """
        What a next hop reads, having found it right.
        """
        assert value is not None
        read = parseCredentials([value.encode("ascii")])
        assert isinstance(read, Digest), read
        secret = secretHash(read.base, b"ann", read.realm, password.encode())
        self.assertEqual(read.response, read.expected(secret, method.encode()))
        return read


class BasicTests(ShownCase):
    """
    Basic and Bearer, which are shown at once.
    """

    def test_basic(self) -> None:
        """
        The pair goes with every request, in UTF-8 and normal form C (RFC 7617 section 2.1), as a
        server of ours reads it.
        """
        for user, password in (
            ("ann", "secret"),
            ("ann", "a:b:c"),
            ("a\u0308nn", "p\u00e4ss"),
            ("", ""),
            ("ann", ""),
        ):
            shown = Authorizer(user, password)
            value = shown.field("CONNECT", "host.example:443")
            assert value is not None
            read = parseCredentials([value.encode("ascii")])
            assert isinstance(read, Basic), read
            expected = user.replace("a\u0308", "\u00e4").encode(), password.encode()
            self.assertEqual((read.user, read.password), expected)
            self.assertEqual(shown.field("GET", "/"), value)
        self.assertEqual(b64decode(value.partition(" ")[2]), b"ann:")

    def test_bearer(self) -> None:
        """
        So does a token.
        """
        value = Authorizer.bearer("abc.DEF-_~+/==").field("CONNECT", "host.example:443")
        self.assertEqual(value, "Bearer abc.DEF-_~+/==")
        assert value is not None
        self.assertEqual(parseCredentials([value.encode("ascii")]), Bearer(b"abc.DEF-_~+/=="))

    def test_rejected(self) -> None:
        """
        There is nothing to learn from a challenge: what has been shown is what there is.
        """
        for shown in (Authorizer("ann", "secret"), Authorizer.bearer("abc")):
            value = shown.field("CONNECT", "a:1")
            for values in ([b'Basic realm="a"'], [b'Bearer realm="a"'], [asked()], []):
                self.assertFalse(shown.challenged(values, value))
                self.assertFalse(shown.challenged(values))
            self.assertEqual(shown.field("CONNECT", "a:1"), value)

    def test_unfit(self) -> None:
        """
        What can't be shown is our operator's mistake, and not repeated.
        """
        for build in (
            lambda: Authorizer("a:nn", "hidden"),
            lambda: Authorizer("ann", "hidden\n"),
            lambda: Authorizer("a\x00hidden", "b"),
            lambda: Authorizer("ann", "hidden", "negotiate"),
            lambda: Authorizer("ann", "hidden", "Basic"),
            lambda: Authorizer.bearer("hidden token"),
            lambda: Authorizer.bearer("hidden\u00e9"),
            lambda: Authorizer.bearer(""),
        ):
            error = self.assertRaises(ValueError, build)
            self.assertNotIn("hidden", str(error))


class DigestTests(ShownCase):
    """
    Digest, which needs a nonce.
    """

    def learned(self, *values: bytes, user: str = "ann", password: str = "secret") -> Authorizer:
        """
        One that has been asked.
        """
        shown = Authorizer(user, password, "digest")
        self.assertIs(shown.field("CONNECT", "a:1"), None)
        self.assertTrue(shown.challenged(values or [asked()]))
        return shown

    def test_rfc(self) -> None:
        """
        The example of RFC 7616 section 3.9.1, with both algorithms.
        """
        cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
        for algorithm, response in (
            (b"SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            (b"MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ):
            with mock.patch.object(client, "token_urlsafe", lambda size: cnonce):
                shown = self.learned(RFC % algorithm, user="Mufasa", password="Circle of Life")
            self.assertEqual(
                shown.field("GET", "/dir/index.html"),
                'Digest username="Mufasa", realm="http-auth@example.org",'
                ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html",'
                f' response="{response}", algorithm={algorithm.decode()},'
                ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", qop=auth, nc=00000001,'
                f' cnonce="{cnonce}"',
            )

    def test_counts(self) -> None:
        """
        A nonce that has been accepted goes on being used, and each answer has the next count.
        """
        shown = self.learned(asked("n", opaque="o"))
        for count in (1, 2, 3):
            read = self.digest(shown.field("CONNECT", f"host{count}.example:443"))
            self.assertEqual((read.nc, read.nonce, read.opaque), (b"%08x" % count, b"n", b"o"))
            self.assertEqual((read.uri, read.hashed), (b"host%d.example:443" % count, False))

    def test_algorithms(self) -> None:
        """
        The first that is known, and MD5 only where there is nothing else; without an algorithm it is MD5,
        of which nothing is said then; sessions are keyed by nonce and cnonce (section 3.4.2).
        """
        md5, sha = asked("m", algorithm="MD5"), asked("s")
        session = asked("x", algorithm="SHA-256-sess")
        for values, nonce, algorithm in (
            ([md5, sha], b"s", "SHA-256"),
            ([sha, md5], b"s", "SHA-256"),
            ([md5 + b", " + sha], b"s", "SHA-256"),
            ([md5], b"m", "MD5"),
            ([asked("t", algorithm="TOKEN"), md5], b"m", "MD5"),
            ([session, sha], b"x", "SHA-256-sess"),
            ([asked("y", algorithm="md5-SESS")], b"y", "MD5-sess"),
            ([b'Basic realm="a"', sha], b"s", "SHA-256"),
        ):
            shown = self.learned(*values)
            for _ in range(2):
                read = self.digest(shown.field("CONNECT", "a:1"))
                self.assertEqual((read.nonce, read.algorithm), (nonce, algorithm), values)
        value = self.learned(b'Digest realm="a", nonce="n", qop=auth').field("CONNECT", "a:1")
        self.assertNotIn("algorithm", value or "algorithm")
        self.assertEqual(self.digest(value).algorithm, "MD5")

    def test_session(self) -> None:
        """
        All answers to one challenge have one cnonce, so that who has kept the session's key agrees with
        who computes it each time; another challenge has another.
        """
        shown = self.learned(asked("x", algorithm="MD5-sess"))
        first, second = (self.digest(shown.field("CONNECT", "a:1")) for _ in range(2))
        self.assertEqual(first.cnonce, second.cnonce)
        shown.challenged([asked("y")])
        self.assertNotEqual(self.digest(shown.field("CONNECT", "a:1")).cnonce, first.cnonce)

    def test_names(self) -> None:
        """
        A name beyond ASCII goes as RFC 8187 writes it (section 3.4), and is hashed in UTF-8, normal form
        C; one with quotes is quoted.
        """
        for user, written in (
            ("J\u00e4s\u00f8n", "username*=UTF-8''J%C3%A4s%C3%B8n"),
            ('a"b\\', r'username="a\"b\\"'),
        ):
            value = self.learned(user=user).field("CONNECT", "a:1")
            assert value is not None
            self.assertTrue(value.startswith(f"Digest {written}, realm="), value)
            read = parseCredentials([value.encode("ascii")])
            assert isinstance(read, Digest)
            secret = secretHash("SHA-256", user.encode(), b"corp", b"secret")
            self.assertEqual((read.user, read.response), (user.encode(), read.expected(secret, b"CONNECT")))

    def test_unfit(self) -> None:
        """
        A challenge that can't be met teaches nothing, and nothing is shown.
        """
        for value in (
            b"",
            b'Basic realm="a"',
            asked(algorithm="SHA-512-257"),
            b'Digest realm="a", nonce="n"',
            b'Digest realm="a", nonce="n", qop="auth-int"',
            b'Digest realm="a", qop="auth"',
            b'Digest nonce="n", qop="auth"',
            b'Digest realm="a", nonce="", qop="auth"',
            b'Digest realm="a", nonce="n m", qop="auth"',
            b'Digest realm="a\xe9", nonce="n", qop="auth"',
            b'Digest realm="a", nonce="n", qop="auth", opaque="\t"',
            b'Digest realm="a", nonce="n", qop="auth", qop="auth"',
        ):
            shown = Authorizer("ann", "secret", "digest")
            self.assertFalse(shown.challenged([value]), value)
            self.assertIs(shown.field("CONNECT", "a:1"), None, value)

    def test_stale(self) -> None:
        """
        A nonce that is too old is replaced, and the request made again (section 3.3).
        """
        shown = self.learned()
        value = shown.field("CONNECT", "a:1")
        self.assertTrue(shown.challenged([asked("new", stale=True)], value))
        self.assertEqual(self.digest(shown.field("CONNECT", "a:1")).nonce, b"new")

    def test_rejected(self) -> None:
        """
        Who rejects the first answer to its own challenge means the credentials: there is no use in
        asking again.  The next request is spared one round, for it has a nonce.
        """
        shown = self.learned(asked("one"))
        value = shown.field("CONNECT", "a:1")
        self.assertFalse(shown.challenged([asked("two")], value))
        value = shown.field("CONNECT", "a:1")
        self.assertEqual(self.digest(value).nonce, b"two")
        self.assertFalse(shown.challenged([asked("three")], value))

    def test_forgotten(self) -> None:
        """
        A nonce that had been used before may be forgotten by a next hop that was restarted and does not
        say that it is stale.
        """
        shown = self.learned(asked("one"))
        for _ in range(2):
            value = shown.field("CONNECT", "a:1")
        self.assertTrue(shown.challenged([asked("two")], value))
        self.assertEqual(self.digest(shown.field("CONNECT", "a:1")).nonce, b"two")

    def test_atOnce(self) -> None:
        """
        Requests that are challenged at the same time have a nonce each, so that they need not arrive in
        the order of their counts.
        """
        shown = Authorizer("ann", "secret", "digest")
        for number in range(5):
            self.assertTrue(shown.challenged([asked(f"n{number}")]))
        shows = [self.digest(shown.field("CONNECT", "a:1")) for _ in range(6)]
        self.assertEqual([each.nonce for each in shows], [b"n4", b"n3", b"n2", b"n1", b"n0", b"n0"])
        self.assertEqual([each.nc for each in shows], [b"00000001"] * 5 + [b"00000002"])

    def test_bounded(self) -> None:
        """
        A next hop can't have us keep more and more.
        """
        shown = Authorizer("ann", "secret", "digest")
        for number in range(NONCES * 3):
            shown.challenged([challenge(f"realm {number}", f"n{number}").encode("ascii")])
        self.assertEqual(len(shown._fresh), NONCES)
        self.assertEqual(self.digest(shown.field("CONNECT", "a:1")).nonce, b"n%d" % (NONCES * 3 - 1))
        for _ in range(NONCES):
            shown.field("CONNECT", "a:1")
        self.assertEqual((len(shown._fresh), len(shown._secrets)), (0, 1))

    def test_oneNonceForEver(self) -> None:
        """
        A next hop that always gives the same nonce has its counts go on; to reject what was said with
        it is to reject the credentials, but not where nothing was said or with another one.
        """
        shown = self.learned()
        self.assertTrue(shown.challenged([asked()]))
        value = shown.field("CONNECT", "a:1")
        self.assertTrue(shown.challenged([asked()]))
        self.assertEqual(self.digest(shown.field("CONNECT", "a:1")).nc, b"00000002")
        self.assertFalse(shown.challenged([asked()], value))
        self.assertFalse(shown.challenged([asked(stale=True)], value))
        other = self.learned(asked("other")).field("CONNECT", "a:1")
        self.assertTrue(shown.challenged([asked()], other))
        self.assertEqual(self.digest(shown.field("CONNECT", "a:1")).nc, b"00000003")

    def test_lastCount(self) -> None:
        """
        When there is no count left the nonce is given up (eight digits).
        """
        shown = self.learned()
        shown.field("CONNECT", "a:1")
        shown._current.count = 0xFFFFFFFE  # type: ignore[union-attr]
        self.assertEqual(self.digest(shown.field("CONNECT", "a:1")).nc, b"ffffffff")
        self.assertIs(shown.field("CONNECT", "a:1"), None)
        self.assertTrue(shown.challenged([asked("n")]))
        self.assertEqual(self.digest(shown.field("CONNECT", "a:1")).nc, b"00000001")

    @examples
    @given(
        st.lists(
            st.binary(max_size=60) | st.text('realm=",nocequp\\authDigest \t').map(str.encode), max_size=3
        )
    )
    def test_anything(self, values: list[bytes]) -> None:
        """
        Whatever a next hop asks, it is answered in printable ASCII or not at all.
        """
        for front in ([], [b"Digest realm=a, nonce=n, qop=auth, "]):
            shown = Authorizer("ann", "secret", "digest")
            learned = shown.challenged([b"".join([*front, *values])])
            value = shown.field("CONNECT", "a:1")
            self.assertEqual(value is not None, learned)
            if value is not None:
                self.assertRegex(value, r"\A[ -~]+\Z")
                self.digest(value)
            self.assertRegex(unmet(shown, values), r"\A[ -~]+\Z")


class OptionsTests(SynchronousTestCase):
    """
    What the options of an upstream come to.
    """

    def of(self, credentials: str = "", token: str = "", authentication: str = "") -> Authorizer | None:
        """
        Build one.
        """
        said = {"credentials": Secret(credentials), "token": Secret(token), "authentication": authentication}
        return Authorizer.of(said)

    def test_schemes(self) -> None:
        """
        A pair is shown by Basic unless Digest is wanted, and a token by Bearer; nothing by nothing.
        """
        for said, scheme in (
            (("ann:secret",), "Basic"),
            (("ann:secret", "", "basic"), "Basic"),
            (("ann:secret", "", "digest"), "Digest"),
            (("", "abc"), "Bearer"),
            (("", "abc", "bearer"), "Bearer"),
        ):
            found = self.of(*said)
            assert found is not None
            self.assertEqual(found.scheme, scheme)
        self.assertIs(self.of(), None)

    def test_secret(self) -> None:
        """
        What is shown is the secret, and not the stars that hide it elsewhere.
        """
        basic, bearer = self.of("ann:s:ecret"), self.of("", "abc")
        assert basic is not None
        assert bearer is not None
        self.assertEqual(basic.field("CONNECT", "a:1"), "Basic YW5uOnM6ZWNyZXQ=")
        self.assertEqual(bearer.field("CONNECT", "a:1"), "Bearer abc")

    def test_contradictions(self) -> None:
        """
        What does not fit together is said, without a word of what it is.
        """
        for said in (
            ("ann:hidden", "hidden"),
            ("ann:hidden", "", "bearer"),
            ("", "hidden", "basic"),
            ("", "hidden", "digest"),
            ("", "", "basic"),
            ("", "", "bearer"),
            ("", "not hidden", ""),
        ):
            error = self.assertRaises(ValueError, self.of, *said)
            self.assertNotIn("hidden", str(error))
            self.assertRegex(str(error), r"\A[a-z][ -~]+[^.]\Z")


class ShownTests(SynchronousTestCase):
    """
    That no secret is shown to people.
    """

    def test_repr(self) -> None:
        """
        Only the scheme is.
        """
        for shown in (
            Authorizer("hidden", "hidden"), Authorizer("hidden", "hidden", "digest"), Authorizer.bearer("hidden"),
        ):  # fmt: skip
            shown.challenged([asked()])
            shown.field("CONNECT", "a:1")
            for text in (repr(shown), str(shown), f"{shown}"):
                self.assertEqual(text, f"<Authorizer {shown.scheme}>")
            for other in gc.get_referents(shown):
                if type(other).__module__.startswith("connectproxy"):
                    self.assertNotIn("hidden", repr(other))


class UnmetTests(SynchronousTestCase):
    """
    L{unmet}: why there is no answer to a challenge.
    """

    basic = Authorizer("ann", "hidden")
    digest = Authorizer("ann", "hidden", "digest")

    def test_words(self) -> None:
        """
        No challenge, nothing to show, another scheme, another form of it, and what is wrong.
        """
        for shown, values, words in (
            (None, [], "wants credentials and does not say by which scheme"),
            (self.basic, [b"=garbage"], "wants credentials and does not say by which scheme"),
            (None, [b'Basic realm="a"'], "wants credentials (Basic), and none are configured for it"),
            (self.basic, [b"Negotiate", b"NTLM"], "wants credentials by Negotiate, NTLM, and is shown them by Basic"),
            (self.digest, [b"Negotiate, basic realm=a"], "wants credentials by Negotiate, basic, and is shown them by Digest"),
            (self.digest, [b"DIGEST realm=a"], "wants Digest in a form that is not served here, which is qop=auth with an algorithm of RFC 7616"),
            (self.digest, [asked()], "rejects the credentials that it is shown by Digest"),
            (self.basic, [b"bAsIc realm=a"], "rejects the credentials that it is shown by Basic"),
        ):  # fmt: skip
            self.assertEqual(unmet(shown, values), words)

    def test_bounded(self) -> None:
        """
        Not all of what a next hop says is repeated, and nothing twice.
        """
        words = unmet(None, [b"x" * 1000, b"a, b, c, d, e, f", b"a"])
        self.assertEqual(
            words, f"wants credentials ({'x' * 20}, a, b, c, d, ...), and none are configured for it"
        )
