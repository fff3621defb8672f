"""
Tests for L{connectproxy.tls.blame}: handshakes that fail with a server, and words for each.
"""

from __future__ import annotations

import contextlib
import ssl
import warnings

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, UserError
from twisted.python.failure import Failure

from connectproxy.errors import KINDS
from connectproxy.leg import Truncated
from connectproxy.tls import handshakeRefusal
from connectproxy.tls.blame import _ALERTS, _WORDS
from connectproxy.tls.client import HandshakeLost
from connectproxy.tls.trust import Distrusted
from tests.fakes import FakeReactor, Peer, pipePair
from tests.tls.case import VERSIONS, TLSCase, Within, authority, client
from tests.tls.clientcase import Answerer, ClientCase, Eager, serverContext

WHO = "the next hop corp"


class Teller(Peer):
    """
    A server that answers with octets of its own.
    """

    def __init__(self, octets: bytes, *, close: bool = False) -> None:
        Peer.__init__(self)
        self.octets = octets
        self.close = close

    def dataReceived(self, data: bytes) -> None:
        if self.octets or self.close:
            octets, self.octets = self.octets, b""
            self.transport.write(octets)
            if self.close:
                self.transport.loseConnection()


class ServerTests(ClientCase):
    """
    Servers that can't be spoken to.
    """

    def told(self, octets: bytes, *, close: bool = False) -> tuple[str, str]:
        """
        What becomes of a server that answers with these.
        """
        return self.refusal(Teller(octets, close=close))

    def test_notTLS(self) -> None:
        """
        Servers of other protocols.
        """
        for octets in (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"220 mail.example ESMTP\r\n",
            b"SSH-2.0-x\r\n",
            bytes(100),
            b"\x16\x03\x03\xff\xff" + bytes(100),
        ):
            kind, detail = self.told(octets)
            self.assertEqual(kind, "tls_protocol_error")
            self.assertTrue(detail.startswith(f"{WHO} does not speak TLS on that port"), (octets, detail))

    def test_closed(self) -> None:
        """
        Servers that close in the middle, one of them by a close_notify.
        """
        closed = ("tls_protocol_error", f"{WHO} closed the connection in the middle of the TLS handshake")
        for octets in (b"", b"\x16", b"\x16\x03\x03\x00\x50\x02", b"\x05\xff"):
            self.assertEqual(self.told(octets, close=True), closed)
        self.assertEqual(self.told(b"\x15\x03\x03\x00\x02\x01\x00"), closed)

    def test_reset(self) -> None:
        """
        A reset in the middle is the same.
        """
        within, peer, reactor = Within(), Peer(), FakeReactor()
        pipe = pipePair(reactor, self.tls().secure(within), peer)
        reactor.flush()
        pipe.second.abortConnection()
        reactor.flush()
        assert within.lost is not None
        self.assertTrue(within.lost.check(HandshakeLost))

    def test_versions(self) -> None:
        """
        A server that is too old says so, or answers as it can.
        """
        context = serverContext()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that these are old is the point
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        self.assertEqual(
            self.refusal(Answerer(context)),
            (
                "tls_alert_received",
                f"{WHO} ended TLS with the alert protocol_version: it speaks neither TLS 1.2 nor 1.3",
            ),
        )
        hello = b"\x03\x02" + bytes(range(32)) + b"\x00\xc0\x13\x00"
        record = b"\x02" + len(hello).to_bytes(3) + hello
        kind, detail = self.told(b"\x16\x03\x02" + len(record).to_bytes(2) + record)
        self.assertEqual(kind, "tls_protocol_error")
        self.assertEqual(detail, f"{WHO} speaks TLS 1.1 or older; TLS 1.2 and 1.3 are spoken here")

    def test_ciphers(self) -> None:
        """
        A server that has only what is not safe any more.
        """
        context = serverContext(version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        kind, detail = self.refusal(Answerer(context))
        self.assertEqual(kind, "tls_alert_received")
        self.assertIn("alert handshake_failure: it finds no cipher suite in common", detail)

    def test_certificates(self) -> None:
        """
        A server that demands a certificate and gets none, or one of strangers.  By TLS 1.3 it
        says so only when the handshake is complete for a client.
        """
        shown = {
            "certificate": self.write(client("eve", "others").certificatePEM),
            "key": self.write(client("eve", "others").keyPEM),
        }
        for version, missing in zip(VERSIONS, ("handshake_failure", "certificate_required"), strict=True):
            context = serverContext(version=version, clients=authority())
            kind, detail = self.refusal(Answerer(context))
            self.assertEqual(kind, "tls_alert_received")
            self.assertIn(f"alert {missing}: ", detail)
            self.assertIn("a certificate of this proxy's", detail)
            kind, detail = self.refusal(Answerer(context), self.tls(**shown))
            self.assertEqual(kind, "tls_alert_received")
            self.assertIn("does not know the authority of this proxy's certificate", detail)

    def test_alerts(self) -> None:
        """
        Every alert that there is has a name, or is said to be unknown, also in the middle of
        an answer.
        """
        for number, name in (
            (10, "unexpected_message"),
            (20, "bad_record_mac"),
            (42, "bad_certificate"),
            (45, "certificate_expired"),
            (49, "access_denied"),
            (70, "protocol_version"),
            (80, "internal_error"),
            (110, "unsupported_extension"),
            (112, "unrecognized_name"),
            (116, "certificate_required"),
            (120, "no_application_protocol"),
        ):
            kind, detail = self.told(b"\x15\x03\x03\x00\x02\x02" + bytes([number]))
            self.assertEqual(kind, "tls_alert_received", number)
            self.assertRegex(detail, rf"^{WHO} ended TLS with the alert {name}(: it .*|: to it .*)?$")
        kind, detail = self.told(b"\x15\x03\x03\x00\x02\x02\xfe")
        self.assertEqual(kind, "tls_protocol_error")
        self.assertEqual(detail, f"TLS with {WHO} failed (OpenSSL: an unknown reason)")

    def test_broken(self) -> None:
        """
        A beginning of TLS that goes on with nonsense: nothing is sent, and there are words.
        """

        class Damaging(Peer):
            def __init__(self, position: int) -> None:
                Peer.__init__(self)
                self.position = position
                self.answerer = Answerer(serverContext(version=VERSIONS[position % 2]))

            def dataReceived(self, data: bytes) -> None:
                self.answerer.inward.write(data)
                with contextlib.suppress(ssl.SSLWantReadError):
                    self.answerer.tls.do_handshake()
                flight = bytearray(self.answerer.outward.read())
                flight[self.position % len(flight)] ^= 0xFF
                self.transport.write(bytes(flight))
                self.transport.loseConnection()

        for position in range(0, 256, 5):
            kind, detail = self.refusal(Damaging(position))
            self.assertTrue(kind.startswith("tls_"))
            self.assertIn(WHO, detail)


class WordsTests(TLSCase):
    """
    L{handshakeRefusal} and whatever else there is.
    """

    def test_others(self) -> None:
        """
        What is no failure of TLS.
        """
        for error in (ConnectionAborted(), ConnectionDone(), ConnectionLost(), Truncated(), UserError()):
            self.assertIsNone(handshakeRefusal(Failure(error), WHO))

    def test_without(self) -> None:
        """
        Errors without words.
        """
        for error in (SSL.SysCallError(-1, "Unexpected EOF"), SSL.ZeroReturnError(), SSL.Error([])):
            found = handshakeRefusal(Failure(error), WHO)
            assert found is not None
            self.assertEqual(found.kind, "tls_protocol_error")
            self.assertIn("closed the connection in the middle", found.detail)
        found = handshakeRefusal(Failure(SSL.Error([("SSL routines", "", "something new")])), WHO)
        assert found is not None
        self.assertEqual(found.detail, f"TLS with {WHO} failed (OpenSSL: something new)")

    def test_spellings(self) -> None:
        """
        OpenSSL's releases write the same thing in different ways.
        """
        for prefix in ("sslv3 alert ", "ssl/tls alert ", "tls alert ", "tlsv1 alert ", "TLSV1_ALERT_"):
            words = "BAD_CERTIFICATE" if prefix.isupper() else "bad certificate"
            found = handshakeRefusal(Failure(SSL.Error([("", "", prefix + words)])), WHO)
            assert found is not None
            self.assertEqual(found.kind, "tls_alert_received", prefix)
            self.assertIn("alert bad_certificate: it rejects", found.detail)
        found = handshakeRefusal(Failure(SSL.Error([("", "", "unknown alert type")])), WHO)
        assert found is not None
        self.assertEqual(found.kind, "tls_protocol_error")

    def test_tables(self) -> None:
        """
        Every row can be reached: none before it has it all.
        """
        for part, words in _WORDS:
            found = handshakeRefusal(Failure(SSL.Error([("", "", part)])), WHO)
            assert found is not None
            self.assertEqual(found.detail, f"{WHO} {words}")
        for alert, words in _ALERTS.items():
            prefix = "tlsv1 " if alert == "unrecognized name" else "tlsv1 alert "
            found = handshakeRefusal(Failure(SSL.Error([("", "", prefix + alert)])), WHO)
            assert found is not None
            self.assertEqual(
                found.detail, f"{WHO} ended TLS with the alert {alert.replace(' ', '_')}: {words}"
            )

    def test_within(self) -> None:
        """
        Who is at fault is told by the words, whatever the row.
        """
        found = handshakeRefusal(Failure(Distrusted("is bad")), WHO)
        self.assertEqual(found, ("tls_certificate_error", f"the certificate of {WHO} is bad", *found[2:]))  # type: ignore[index]

    @given(st.lists(st.tuples(st.text(), st.text(), st.text())))
    def test_anything(self, errors: list[tuple[str, str, str]]) -> None:
        """
        Nothing makes it fail, and the rows exist.
        """
        found = handshakeRefusal(Failure(SSL.Error(errors)), WHO)
        assert found is not None
        self.assertIn(found.kind, KINDS)


class EagerTests(ClientCase):
    """
    The tests' own protocol.
    """

    def test_says(self) -> None:
        """
        It does say something, where it is let: no test is content with silence.
        """
        self.assertEqual(bytes(self.reached(Eager())[2].received), b"one two three")
