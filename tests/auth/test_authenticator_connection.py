"""
Tests for L{connectproxy.auth.authenticator}: what a connection says, TLS, and checkers of
somebody's.
"""

from __future__ import annotations

from typing import Any

from connectproxy.address import Networks
from connectproxy.auth.connection import Identity
from connectproxy.interfaces import ProxyUser
from tests.auth.case import SECRET, Checker, arrivalOf, asking, basic
from tests.auth.portalcase import PortalCase

WRONG = "the user or the password is wrong"
MISSING = "the request has no Proxy-Authorization"
LAB = Identity("lab", networks=Networks.parse("192.0.2.0/24"))


class ConnectionTests(PortalCase):
    """
    Who is known by a connection.
    """

    def test_known(self) -> None:
        """
        Who says nothing is who the connection says; who says something, that.
        """
        self.make(identities=[LAB])
        self.assertEqual(self.authenticator.known(arrivalOf()), ProxyUser("lab", means="network"))
        self.assertIs(self.authenticator.known(arrivalOf("198.51.100.1")), None)
        self.assertEqual(self.authenticator.identify(asking()).name, "lab")  # type: ignore[union-attr]
        self.assertEqual(self.result(self.authenticator.identify(asking(basic(f"zoë:{SECRET}")))).name, "zoë")
        self.assertAsked(self.authenticator.identify(asking(basic("zoë:x"))), WRONG)

    def test_stranger(self) -> None:
        """
        Where there is nothing that a client could say it is not asked: a 407 without a
        challenge there must not be (conformance 65).
        """
        self.make(users=(), identities=[LAB])
        far = arrivalOf("198.51.100.1")
        self.assertRefused(self.authenticator.identify(asking(arrival=far)), "http_request_denied")
        for value in (basic(f"zoë:{SECRET}"), b"Bearer x", b"x"):
            self.assertRefused(self.authenticator.identify(asking(value)), "http_request_denied")
        self.assertRefused(self.authenticator.check(b"zoe", b"x", arrivalOf()), "http_request_denied")
        optional = arrivalOf("198.51.100.1", authentication="optional")
        self.assertIs(self.authenticator.identify(asking(arrival=optional)), None)


class ClearTests(PortalCase):
    """
    Credentials in clear text (conformance 70).
    """

    def setUp(self) -> None:
        """
        Which are not taken.
        """
        PortalCase.setUp(self)
        self.make(
            requireTLS=True,
            tokens=True,
            digests=True,
            identities=[Identity("lab", networks=Networks.parse("192.0.2.7"))],
        )

    def test_clear(self) -> None:
        """
        In clear text the right ones are refused as well, and nobody is asked for any: who is
        asked would send them.
        """
        for value in (basic(f"zoë:{SECRET}"), b"Bearer x", b"Digest x=y", b"nonsense"):
            self.assertRefused(self.authenticator.identify(asking(value)), "http_request_denied")
        far = arrivalOf("127.0.0.1")
        found: Any = self.authenticator.identify(asking(arrival=far))
        self.assertRefused(found, "http_request_denied")
        self.assertIn("https://", found.message)
        self.assertRefused(
            self.authenticator.check("zoë".encode(), SECRET.encode(), far), "http_request_denied"
        )
        self.assertRefused(self.authenticator.unsafe(far), "http_request_denied")
        self.assertIsNone(self.authenticator.unsafe(arrivalOf("127.0.0.1", tls="TLSv1.3")))
        self.assertEqual(self.threads.calls, [])

    def test_tls(self) -> None:
        """
        Within TLS they are taken; what was right there is not taken in clear text after it.
        """
        secure = arrivalOf("198.51.100.1", tls="TLSv1.3")
        self.assertEqual(
            self.result(self.authenticator.identify(asking(basic(f"zoë:{SECRET}"), arrival=secure))).name,
            "zoë",
        )
        self.assertAsked(self.authenticator.identify(asking(arrival=secure)), MISSING, "Digest Basic Bearer")
        self.assertRefused(self.authenticator.identify(asking(basic(f"zoë:{SECRET}"))), "http_request_denied")

    def test_others(self) -> None:
        """
        Who needs no credentials is not concerned.
        """
        self.assertEqual(self.authenticator.identify(asking()).name, "lab")  # type: ignore[union-attr]
        optional = arrivalOf("198.51.100.1", authentication="optional")
        self.assertIs(self.authenticator.identify(asking(arrival=optional)), None)


class OthersTests(PortalCase):
    """
    Somebody's checkers.
    """

    def test_asked(self) -> None:
        """
        They are asked for those whom nobody else knows.
        """
        checker = Checker(lambda credentials: credentials.username)
        self.make(others=[checker])
        self.assertEqual(
            self.result(self.authenticator.identify(asking(basic("jo:x")))), ProxyUser("jo", means="basic")
        )
        self.assertAsked(self.authenticator.identify(asking(basic("zoë:x"))), WRONG)
        self.assertEqual(checker.asked, 1)

    def test_failing(self) -> None:
        """
        One that can't do its work makes nobody wrong, and is no guess.
        """
        self.make(others=[Checker(RuntimeError(SECRET))], guesses=1)
        for _ in range(3):
            self.assertRefused(self.authenticator.identify(asking(basic("jo:x"))), "proxy_internal_error")
