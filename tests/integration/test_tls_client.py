"""
TLS towards a next hop, at servers of OpenSSL's own.
"""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory

from connectproxy.certificates import Issued
from connectproxy.tls import ClientOptions, ClientTLS, handshakeRefusal
from tests.integration.running import environment
from tests.loopback import REACTOR, LoopbackTestCase
from tests.tls.case import TLSCase, Within, authority, client, issued
from tests.tls.clientcase import Eager, expired, pin, selfSigned

pytestmark = pytest.mark.integration


class OpenSSLTests(LoopbackTestCase):
    """
    C{openssl s_server}, which answers every line by its reverse.
    """

    write = TLSCase.write
    pair = TLSCase.pair  # type: ignore[assignment]

    def serve(self, shown: Issued, *options: str) -> int:
        """
        Start a server.

        @return: its port.
        """
        certificate, key = self.pair(shown)  # type: ignore[call-arg,arg-type]
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-rev"]
        process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        for line in process.stdout:
            found = re.match(rb"ACCEPT 127\.0\.0\.1:([0-9]+)", line)
            if found is not None:
                return int(found[1])
        raise AssertionError("openssl s_server did not start")

    def reach(self, port: int, within: Within, **options: Any) -> None:
        """
        Connect to a server.
        """
        usual = {"ca": self.write(authority().certificatePEM), "serverName": "localhost"}  # type: ignore[misc]
        tls = ClientTLS(ClientOptions(**{**usual, **options}))
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: tls.secure(within)  # type: ignore[method-assign,assignment,return-value]
        self.adopted.append(REACTOR.connectTCP("127.0.0.1", port, factory).transport)

    def test_spoken(self) -> Deferred[None]:
        """
        Both versions, with a certificate of ours, with ALPN and a pin.
        """
        mine = client("proxy")
        ca = self.write(authority().certificatePEM)  # type: ignore[misc]

        async def test() -> None:
            for version in ("-tls1_2", "-tls1_3"):
                demanding = ("-Verify", "1", "-verify_return_error", "-CAfile", ca, "-alpn", "h2,http/1.1")
                port = self.serve(issued("localhost"), version, *demanding)
                within = Within()
                whole = self.write(mine.certificatePEM + mine.keyPEM)  # type: ignore[misc]
                self.reach(port, within, certificate=whole, pins=(pin(issued("localhost")),))
                await self.until(lambda of=within: "complete" in of.happened)  # type: ignore[misc]
                self.assertEqual(within.transport.negotiatedProtocol, b"http/1.1")
                within.transport.write(b"hello\n")
                await self.until(lambda of=within: b"\n" in of.received)  # type: ignore[misc]
                self.assertEqual(within.received, b"olleh\n")
                within.transport.loseConnection()
                await self.until(lambda of=within: of.lost)  # type: ignore[misc]

        return Deferred.fromCoroutine(test())

    def test_refused(self) -> Deferred[None]:
        """
        What is wrong with a server, or with us, is told.
        """
        good = issued("localhost")
        ca = self.write(authority().certificatePEM)  # type: ignore[misc]

        async def test() -> None:
            for shown, flags, kind, words in (
                (expired("localhost"), (), "tls_certificate_error", "has expired on"),
                (selfSigned("localhost"), (), "tls_certificate_error", "signed by itself"),
                (issued("other.example"), (), "tls_certificate_error", "is for other.example"),
                (good, ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "tls_alert_received", "protocol_version"),
                (
                    good,
                    ("-tls1_2", "-cipher", "AES128-SHA256"),
                    "tls_alert_received",
                    "handshake_failure",
                ),
                (
                    good,
                    ("-Verify", "1", "-verify_return_error", "-CAfile", ca),
                    "tls_alert_received",
                    "certificate_required",
                ),
                (good, ("-alpn", "spdy/1"), "tls_alert_received", "no_application_protocol"),
            ):
                within = Eager()
                self.reach(self.serve(shown, *flags), within)
                await self.until(lambda of=within: of.lost)  # type: ignore[misc]
                assert within.lost is not None
                found = handshakeRefusal(within.lost, "the next hop corp")
                assert found is not None, (flags, within.lost)
                self.assertEqual(found.kind, kind)
                self.assertIn(words, found.detail)

        return Deferred.fromCoroutine(test())
