"""
Tests for L{connectproxy.endpoints.failures}; what endpoints make of them is theirs.
"""

from __future__ import annotations

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.endpoints.failures import (
    ProxyAuthenticationError,
    ProxyConnectError,
    ProxyTimeoutError,
    errorFor,
    lostRefusal,
)
from connectproxy.errors import KINDS, Refusal
from connectproxy.wire.response import ResponseHead


class ErrorTests(SynchronousTestCase):
    """
    L{ProxyConnectError} and its kinds.
    """

    def test_classes(self) -> None:
        """
        Each is for those who look for failures to connect; those that are about time, for
        those who look for that.
        """
        for kind in KINDS:
            error = errorFor(Refusal(kind, "so it is"))
            self.assertIsInstance(error, ProxyConnectError)
            self.assertIsInstance(error, ConnectError)
            self.assertEqual(isinstance(error, ConnectTimeout), isinstance(error, ProxyTimeoutError))
            self.assertEqual((error.kind, str(error)), (kind, "so it is"))
        self.assertIsInstance(errorFor(Refusal("next_hop_authentication_failed")), ProxyAuthenticationError)

    def test_repr(self) -> None:
        """
        It can be looked at.
        """
        error = errorFor(Refusal("next_hop_timeout", "it took long"))
        self.assertEqual(repr(error), "<ProxyTimeoutError next_hop_timeout: it took long>")

    def test_response(self) -> None:
        """
        Of an answer it has all of the head.
        """
        head = ResponseHead(502, b"Bad \x1b", 1, ((b"via", b"a"), (b"via", b"b")))
        error = ProxyConnectError(Refusal("next_hop_failed", members="a; error=dns_error"), head, 3)
        self.assertEqual((error.status, error.reason, error.reply), (502, "Bad \\x1b", 3))
        self.assertEqual(error.headers.getRawHeaders("Via"), ["a", "b"])
        self.assertEqual(error.proxyStatus, "a; error=dns_error")


class LostTests(SynchronousTestCase):
    """
    L{lostRefusal}.
    """

    def test_kinds(self) -> None:
        """
        A certificate that is wrong, in either of Twisted's ways, TLS that is, or just an end.
        """
        for reason, kind in (
            (VerificationError(errors=[]), "tls_certificate_error"),
            (CertificateError("x"), "tls_certificate_error"),
            (SSL.Error([("SSL routines", "", "certificate verify failed")]), "tls_certificate_error"),
            (SSL.Error([("SSL routines", "", "wrong version number")]), "tls_protocol_error"),
            (SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")]), "tls_alert_received"),
            (ConnectionDone(), "next_hop_gone"),
        ):
            refusal = lostRefusal(Failure(reason), "the next hop corp")
            self.assertEqual(refusal.kind, kind)
            self.assertIn("the next hop corp", refusal.detail)
