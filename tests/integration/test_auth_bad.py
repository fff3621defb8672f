"""
Credentials that are wrong, empty, too long, malformed, replayed or only half there, by every
scheme and protocol: whoever has them is nobody, and nobody else is harmed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from connectproxy.auth.tokenfiles import readKeys
from connectproxy.auth.tokens import mint
from tests.integration.identified import OTHERS, KnownCase, basic
from tests.integration.program import PASSWORD, USER
from tests.integration.raw import Answer, nameOf, readAnswer, readExactly, readToEnd
from tests.integration.running import waitFor
from tests.integration.streams import Session

pytestmark = pytest.mark.integration

RIGHT = basic(USER, PASSWORD)


def packed(octets: bytes) -> str:
    """
    Octets as the credentials of Basic.
    """
    return "Basic " + base64.b64encode(octets).decode()


def part(words: dict[str, Any]) -> str:
    """
    A part of a token.
    """
    return base64.urlsafe_b64encode(json.dumps(words).encode()).decode().rstrip("=")


class BadCase(KnownCase):
    """
    Tests at a proxy where anybody may guess as often as he likes.
    """

    more = {"auth": "guesses = 0"}

    def ask1(self, *values: str | bytes, target: str = "127.0.0.1:1025") -> Answer:
        """
        Ask for a tunnel with as many fields; where to nobody listens.
        """
        with self.connect() as client:
            self.name = nameOf(client)
            fields = b"".join(
                b"Proxy-Authorization: %b\r\n" % (each.encode() if isinstance(each, str) else each)
                for each in values
            )
            client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n".encode() + fields + b"\r\n")
            return readAnswer(client)

    def assertNobody(self, name: str, *errors: str) -> None:
        """
        The event of a connection names nobody.
        """
        event = self.proxy.event(name)
        self.assertEqual(
            (event["user"], event["means"], event["groups"], event["address"]), (None, None, [], None)
        )
        self.assertIn(event["error"], errors or ("proxy_authentication_required",))

    def bad(self) -> Iterable[str | bytes]:
        """
        Values that are no good.
        """
        token = self.house.token
        start, claims, signature = token.split(".")
        says = {"sub": USER, "iat": 1, "exp": 9999999999, "jti": "x", "aud": "connectproxy"}
        return (
            # Basic
            basic(USER, "guessed"), basic("nobody", PASSWORD), basic(USER, ""), basic("", ""), basic("", PASSWORD),
            basic(USER, PASSWORD + " "), basic(USER.upper(), PASSWORD), basic(USER, PASSWORD.upper()),
            basic(USER, "pass"), basic(USER + ":pass", "word2"), "Basic", "Basic ", "Basic :", "Basic ann:pass:word",
            packed(b"ann"), packed(b"ann:pass:word\0"), packed(b"ann\0:pass:word"), packed(b"\0"),
            packed(b"ann:\xff\xfe"), packed(b"\xc0\xafann:pass:word"), packed(b"ann:pass:word\r\n"),
            RIGHT + "=", RIGHT[:-1], RIGHT + "," + RIGHT, RIGHT + " x", f"Basic realm={RIGHT[6:]}",
            packed(b"ann:" + b"x" * 8000), packed(b"x" * 8000 + b":"),
            basic("bob", OTHERS["carl"][1]), b"Basic \xff\xfe\xfd", "Basic " + "A" * 8000,
            # Bearer
            "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Bearer " + "a" * 9000, f"Bearer {token}x",
            f"Bearer {start}.{claims}.", f"Bearer {start}.{claims}", f"Bearer {claims}.{start}.{signature}",
            f"Bearer {self.house.forged}", f"Bearer {self.house.revoked}", f"Bearer {token} {token}",
            f"Bearer {start}.{part(says)}.{signature}",
            f"Bearer {part({'alg': 'none', 'typ': 'JWT'})}.{part(says)}.",
            f"Bearer {part({'alg': 'none', 'typ': 'JWT'})}.{part(says)}.AAAA",
            f"Bearer {part({'alg': 'HS256', 'typ': 'JWT', 'x': 'y' * 2000})}.{claims}.{signature}",
            f"Bearer {part({'alg': 'HS512', 'typ': 'JWT'})}.{claims}.{signature}",
            basic("bob", token), basic("token", self.house.revoked), basic("", self.house.forged),
            # Digest
            "Digest", "Digest ", "Digest username", 'Digest username="ann', "Digest " + "a=b," * 2000,
            'Digest username="ann", realm="connectproxy", nonce="x", uri="127.0.0.1:1025", response="x"',
            # Nobody's
            "", "Negotiate abc", "NTLM TlRMTVNTUAABAAAA", "Basic" * 1000, RIGHT[6:], ",", "=", '"',
        )  # fmt: skip


class SchemeTests(BadCase):
    """
    Every scheme.
    """

    def test_http1(self) -> None:
        """
        By HTTP/1 each is a 407 that closes (conformance 65 to 67), whose body has nothing of
        what came; the next client's right ones are right.
        """
        for value in self.bad():
            answer = self.ask1(value)
            self.assertEqual(answer.status, 407, (value, answer))
            self.assertIn("Basic", answer.fields["proxy-authenticate"])
            self.assertNotIn("pass:word", answer.body)
            said = value.partition(" ")[2] if isinstance(value, str) else ""
            if len(said) > 8:
                self.assertNotIn(said, answer.body)
            self.assertNobody(self.name)
        self.assertEqual(self.ask1(RIGHT).status, 502)
        self.assertEqual(self.proxy.event(self.name)["user"], USER)

    def test_several(self) -> None:
        """
        Two fields are wrong, whatever is in them (conformance 66).
        """
        for values in ((RIGHT, RIGHT), (RIGHT, ""), ("", RIGHT), (f"Bearer {self.house.token}", RIGHT)):
            answer = self.ask1(*values)
            self.assertIn(answer.status, (400, 407), values)
            self.assertNobody(self.name, "proxy_authentication_required", "http_request_error")

    def test_http2(self) -> None:
        """
        By HTTP/2 each is a 407 on its stream, and the connection goes on.
        """
        session = self.closing(Session(self.proxy.port))
        values = [each for each in self.bad() if isinstance(each, str) and each == each.strip()]
        for value in (*values, RIGHT):
            target = ((":method", "CONNECT"), (":authority", "127.0.0.1:1025"))
            number = session.ask(*target, ("proxy-authorization", value))
            stream = session.streams[number]
            session.until(lambda stream=stream: stream.status or stream.over)
            self.assertEqual(stream.status, 502 if value == RIGHT else 407, value)
        self.assertFalse(session.closed)

    def test_oversized(self) -> None:
        """
        What is too long for a head is told so, and nothing is looked at.
        """
        for scheme in ("Basic ", "Bearer ", 'Digest username="'):
            self.assertEqual(self.ask1(scheme + "A" * 70000).status, 431)
            self.assertNobody(self.name, "http_request_fields_too_large")

    def test_octets(self) -> None:
        """
        A NUL or an end of line in the field itself is no request (RFC 9110 section 5.5).
        """
        for value in (
            b"Basic \0",
            b"Bas\0ic " + RIGHT[6:].encode(),
            b"Basic \r" + RIGHT[6:].encode(),
            b"\x01",
        ):
            self.assertEqual(self.ask1(value).status, 400, value)
            self.assertNobody(self.name, "http_request_error")


class DigestTests(BadCase):
    """
    Digest, whose nonces are used once for each count (conformance 68).
    """

    target = "127.0.0.1:1025"

    def nonce(self) -> str:
        """
        Have one made.
        """
        found = re.search('nonce="([^"]+)"', self.ask1().fields["proxy-authenticate"])
        assert found is not None
        return found[1]

    def digest(self, nonce: str, count: int = 1, **more: str) -> str:
        """
        The value of a field, computed as RFC 7616 section 3.4.1 says it.

        @param more: what is said otherwise.
        """

        def hashed(text: str) -> str:
            return hashlib.sha256(text.encode()).hexdigest()

        words = {"username": USER, "realm": "connectproxy", "nonce": nonce, "uri": self.target}
        words |= {
            "nc": f"{count:08x}",
            "cnonce": "abc",
            "qop": "auth",
            "password": PASSWORD,
            "method": "CONNECT",
        }
        words |= more
        secret = hashed("{username}:{realm}:{password}".format(**words))
        asked = hashed("{method}:{uri}".format(**words))
        response = more.get("response") or hashed(f"{secret}:{nonce}:{words['nc']}:abc:auth:{asked}")
        return (
            'Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm=SHA-256,'
            ' response="{response}", qop={qop}, nc={nc}, cnonce="{cnonce}"'
        ).format(**words | {"response": response})

    def assertAsked(self, value: str, *, stale: bool) -> None:
        """
        Somebody is asked again.
        """
        answer = self.ask1(value, target=self.target)
        self.assertEqual(answer.status, 407, value)
        self.assertEqual("stale=true" in answer.fields["proxy-authenticate"], stale, (value, answer))
        self.assertNobody(self.name)

    def test_counts(self) -> None:
        """
        Each count is good once; they may be left out, and come late; a replay is asked for a
        new nonce, which is no guess.
        """
        nonce = self.nonce()
        for count in (1, 2, 5, 4):
            self.assertEqual(self.ask1(self.digest(nonce, count), target=self.target).status, 502)
            self.assertEqual(self.proxy.event(self.name)["means"], "digest")
        for count in (1, 2, 4, 5):
            self.assertAsked(self.digest(nonce, count), stale=True)
        self.assertEqual(self.ask1(self.digest(nonce, 6), target=self.target).status, 502)

    def test_elsewhere(self) -> None:
        """
        What was made for one target, or one method, is no use for another.
        """
        for more in ({"uri": "127.0.0.1:1026"}, {"uri": "/"}, {"uri": "*"}, {"method": "GET"}):
            self.assertAsked(self.digest(self.nonce(), **more), stale=False)

    def test_wrong(self) -> None:
        """
        A wrong password, user or realm; a nonce of somebody else; a count that is none.
        """
        nonce = self.nonce()
        for more in (
            {"password": "guessed"}, {"username": "nobody"}, {"realm": "x"}, {"nc": "0"}, {"nc": "zzzzzzzz"},
            {"qop": "auth-int"}, {"response": "0" * 64}, {"response": "x"}, {"username": "a" * 5000},
            {"cnonce": ""},
        ):  # fmt: skip
            self.assertAsked(self.digest(nonce, **more), stale=False)
        for foreign in ("x", nonce[:-4] + "AAAA", "A" * len(nonce), "a" * 4000):
            self.assertAsked(self.digest(foreign), stale=True)
        self.assertEqual(self.ask1(self.digest(nonce), target=self.target).status, 502)

    def test_old(self) -> None:
        """
        A nonce that has become too old is asked to be replaced by a fresh one.
        """
        self.own(auth="guesses = 0\nnonce_lifetime = 1")
        nonce, counts = self.nonce(), iter(range(1, 1 << 20))

        def old() -> bool:
            answer = self.ask1(self.digest(nonce, next(counts)), target=self.target)
            return answer.status == 407 and "stale=true" in answer.fields["proxy-authenticate"]

        waitFor(old, "the end of a nonce")
        self.assertEqual(self.ask1(self.digest(self.nonce()), target=self.target).status, 502)


class TokenTests(BadCase):
    """
    Tokens that are good for a while.
    """

    def test_expired(self) -> None:
        """
        One that has expired is told so, though it was good and is remembered.
        """
        keys = readKeys([str(self.house.folder / "token.key")], [], [])
        token = mint(keys[0], USER, seconds=3)[0]
        answers = [self.ask1(f"Bearer {token}")]
        self.assertEqual(answers[0].status, 502)

        def over() -> bool:
            answers.append(self.ask1(f"Bearer {token}"))
            return answers[-1].status == 407

        waitFor(over, "the end of a token")
        self.assertIn("the token has expired", answers[-1].body)
        self.assertIn('error="invalid_token"', answers[-1].fields["proxy-authenticate"])


class SocksTests(BadCase):
    """
    SOCKS 5 (RFC 1929).
    """

    def said(self, octets: bytes) -> bytes:
        """
        Offer a password and nothing else, and read all that comes.
        """
        with self.connect() as client:
            self.name = nameOf(client)
            client.sendall(b"\x05\x01\x02")
            self.assertEqual(readExactly(client, 2), b"\x05\x02")
            client.sendall(octets)
            return readToEnd(client)[0]

    def test_wrong(self) -> None:
        """
        Each is a status that is not 0, and the end.
        """
        long = b"x" * 255
        for user, password in (
            (b"ann", b"guessed"), (b"nobody", b"pass:word"), (b"ann", b"pass:word\0"), (b"ann\0", b"pass:word"),
            (b"ann", b" "), (b"ann", b"\xff\xfe"), (b"\xff", b"x"), (long, long), (b"ann", long), (b"*", b"*"),
            (b"ann:pass", b"word"), (b"token", b"eyJ.a.b"), (b"bob", self.house.token.encode()),
            (b"ann", self.house.forged.encode()), (b"token", self.house.revoked.encode()),
        ):  # fmt: skip
            said = self.said(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
            self.assertEqual((said[:1], len(said)), (b"\x01", 2), (user, password))
            self.assertNotEqual(said[1], 0)
            self.assertNobody(self.name, "proxy_authentication_required", "socks_request_error")

    def test_malformed(self) -> None:
        """
        No name, no password or another version: closed, after a status at most.
        """
        for octets in (
            b"\x01\0\x01x",
            b"\x01\x03ann\0",
            b"\x05\x03ann\x01x",
            b"\0\0\0\0",
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            said = self.said(octets)
            self.assertNotIn(said[1:2], (b"\0",), octets)
            self.assertLessEqual(len(said), 2)
            self.assertNobody(self.name, "proxy_authentication_required", "socks_request_error")


class SilenceTests(BadCase):
    """
    Credentials that begin and do not go on.
    """

    more = {"auth": "guesses = 0", "more": "[timeouts]\nhead = 0.5"}

    def test_halves(self) -> None:
        """
        By every scheme they end when the time for a head is over; what had come is in no answer.
        """
        request = "CONNECT 127.0.0.1:1025 HTTP/1.1\r\nHost: 127.0.0.1:1025\r\n"
        token = f"Bearer {self.house.token}"
        begun = (
            f"{request}Proxy-Authorization: {RIGHT}".encode(), f"{request}Proxy-Authorization: {RIGHT}\r\n".encode(),
            f"{request}Proxy-Authorization: {token[:60]}".encode(), f"{request}Proxy-Auth".encode(),
            f'{request}Proxy-Authorization: Digest username="ann'.encode(),
            b"\x05\x01", b"\x05\x01\x02", b"\x05\x01\x02\x01", b"\x05\x01\x02\x01\x03an", b"\x05\x01\x02\x01\x03ann\x09pass",
            b"\x05\x01\x02\x01\x03ann\x09pass:word",
        )  # fmt: skip
        clients = [self.connect() for _ in begun]
        for client, octets in zip(clients, begun, strict=True):
            client.sendall(octets)
        for client, octets in zip(clients, begun, strict=True):
            name = nameOf(client)
            said, _ = readToEnd(client)
            event = self.proxy.event(name)
            self.assertEqual((event["error"], event["address"]), ("http_request_timeout", None), octets)
            timedOut = b"\x05\x02\x01\0\x05\x01\0\x01" + bytes(6)  # who was right and then asked for nothing
            silent = (b"", b"\x05\xff", b"\x05\x02", b"\x05\x02\x01\x01", timedOut)
            self.assertIn(said if said[:1] == b"\x05" else said[:12], (*silent, b"HTTP/1.1 408"), octets)
            self.assertNotIn(RIGHT[6:].encode(), said)
