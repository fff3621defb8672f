"""
Next hops that fail within TLS, or speak no HTTP/2.
"""

from __future__ import annotations

import pytest

from connectproxy.certificates import makeAuthority, makeServer
from connectproxy.testing import Close, Read, Reset, Say, Stall
from tests.integration.badcase import ASKED, OK, BadCase
from tests.integration.badparent import Endless, Secure, context
from tests.integration.origins import authority
from tests.integration.raw import nameOf, readExactly, readToEnd
from tests.integration.running import waitFor

pytestmark = pytest.mark.integration


class TLSTests(BadCase):
    """
    Hops within TLS.
    """

    def good(self) -> Secure:
        """
        TLS as it should be.
        """
        made = authority()
        return Secure(context(str(made.chain), str(made.key)))

    def test_certificates(self) -> None:
        """
        Another name, another key than the one pinned, another authority; nothing is said to one of
        those.
        """
        self.stage.tls.play((self.good(), ASKED))
        self.assertTold("https-other", "tls_certificate_error")
        self.assertTold("https-pinned", "tls_certificate_error")
        issued = makeServer(makeAuthority("others"), ["localhost"])
        directory = self.temporary()
        (directory / "other.pem").write_bytes(issued.certificatePEM + issued.keyPEM)
        file = str(directory / "other.pem")
        self.stage.tls.play((Secure(context(file, file)), ASKED))
        self.assertTold("https", "tls_certificate_error")
        self.assertTold("h2", "tls_certificate_error")
        self.assertNotIn(b"CONNECT", b"".join(self.stage.tls.heard))

    def test_ours(self) -> None:
        """
        It wants a certificate of the proxy's, which has none.
        """
        made = authority()
        wants = context(str(made.chain), str(made.key), str(made.certificate))
        self.stage.tls.play((Secure(wants), ASKED, Say(OK)))
        _, answer = self.opened("https")
        self.assertEqual(answer.status, 502)
        waitFor(self.proxy.events, "the event")
        self.assertEqual(self.proxy.events()[0]["error"], "tls_alert_received")

    def test_phases(self) -> None:
        """
        It closes or resets before the handshake, within it, or before the answer.
        """
        for step, kinds in (
            (Close(), ("next_hop_gone",)),
            (Reset(), ("next_hop_gone", "connection_terminated")),
        ):
            for before in ((), (Read(5),), (Read(5), Say(b"\x16\x03\x03")), (self.good(), ASKED)):
                self.stage.tls.play((*before, step))
                client, answer = self.opened("https")
                self.assertEqual(answer.status, 502)
                event = self.proxy.event(nameOf(client))
                self.assertIn(event["error"], (*kinds, "tls_protocol_error"))
                self.assertIn("next hop https ", event["reason"])

    def test_stalls(self) -> None:
        """
        It says nothing before the handshake, within it, or before the answer.
        """
        for before in ((), (Read(5), Say(b"\x16\x03\x03")), (self.good(), ASKED)):
            self.stage.tls.play((*before, Stall()))
            self.assertTold("https-quick", "next_hop_silent")

    def test_clear(self) -> None:
        """
        It speaks no TLS, or another protocol within it than the one that is wanted.
        """
        self.stage.tls.play((Read(5), Say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Close()))
        self.assertTold("https", "tls_protocol_error")
        self.stage.tls.play((self.good(), Read(1), Say(OK)))
        self.assertTold("h2", "next_hop_protocol_error")

    def test_alert(self) -> None:
        """
        It ends the handshake by an alert.
        """
        self.stage.tls.play((Read(5), Say(b"\x15\x03\x03\x00\x02\x02\x28"), Close()))
        self.assertTold("https", "tls_alert_received")

    def test_ended(self) -> None:
        """
        A tunnel within TLS that ends without a close_notify is not taken for a whole one.
        """
        self.stage.tls.play((self.good(), ASKED, Say(OK + b"hello"), Read(b"there")))
        client, answer = self.opened("https")
        self.assertEqual(answer.status, 200)
        self.assertEqual(readExactly(client, 5), b"hello")
        client.sendall(b"there")
        name = nameOf(client)
        waitFor(lambda: self.stage.tls._open, "the end of the script")
        self.stage.tls.play(())
        octets, how = readToEnd(client)
        self.assertEqual(octets, b"")
        client.close()
        self.assertIn(self.proxy.event(name)["end"], ("truncated", "reset"), how)


class HTTP2Tests(BadCase):
    """
    Hops that should speak HTTP/2.
    """

    def test_others(self) -> None:
        """
        It speaks something else, closes, or says nothing.
        """
        for steps, errors in (
            ((Read(24), Say(b"HTTP/1.1 400 Bad Request\r\n\r\n")), ("next_hop_protocol_error",)),
            ((Read(24), Say(b"\x00" * 100)), ("next_hop_protocol_error",)),
            ((Read(24), Close()), ("next_hop_gone",)),
            ((Read(24), Reset()), ("next_hop_gone",)),
            ((Read(24), Stall()), ("next_hop_silent",)),
            ((Read(24), Say(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), Stall()), ("next_hop_silent",)),
            ((Read(24), Say(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), Endless(b"\x00\x00\x08\x06\x00" + bytes(12))),
             ("next_hop_protocol_error", "next_hop_gone", "next_hop_silent")),
        ):  # fmt: skip
            self.stage.http.play(steps)
            client, answer = self.opened("h2c-quick")
            self.assertIn(answer.status, (502, 504))
            event = self.proxy.event(nameOf(client))
            self.assertIn(event["error"], errors, event)
            self.assertEqual(event["upstream"], "h2c-quick")
            self.assertIn("next hop h2c-quick ", event["reason"])
        self.stage.http.play((Close(),))
