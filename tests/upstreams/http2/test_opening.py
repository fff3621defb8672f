"""
A connection until it takes requests: what has to have been said, and all that can come instead.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IHandshakeListener, IProtocolFactory
from zope.interface.verify import verifyObject

from connectproxy.interfaces import Established
from connectproxy.tls import ServerTLS, TLSOptions, TLSTransport
from connectproxy.upstreams.http2.opening import GREETING
from connectproxy.wire.http2 import PREFACE, ErrorCode, FrameReader, formatGoAway, formatSettings
from tests.fakes import SETTINGS, Peer
from tests.tls.case import authority, issued
from tests.upstreams.http2.case import HopCase, RawHop, Serving

PATIENCE = SETTINGS["timeouts.connect"]


class Counting(ServerTLS):
    """
    A server's TLS that counts its handshakes.
    """

    handshakes = 0

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        self.handshakes += 1
        return ServerTLS.serverConnectionForTLS(self, protocol)


class ClearTests(HopCase):
    """
    In clear, by prior knowledge (RFC 9113 section 3.3).
    """

    def test_greeting(self) -> None:
        """
        The preface goes first, then SETTINGS without pushes and a window; no request before the
        next hop's own SETTINGS have come, in however many pieces.
        """
        connecting = self.connect()
        hop = self.hop(RawHop())
        self.assertEqual(bytes(hop.received), GREETING)
        reader = FrameReader(b"")
        kinds = [frame[0] for frame in reader.receive(GREETING[len(PREFACE) :])]
        self.assertEqual((kinds, reader.fault), ([4, 8], None))
        for octet in formatSettings({3: 7}):
            self.assertEqual(bytes(hop.received), GREETING)
            hop.transport.write(bytes([octet]))
            self.flush()
        self.assertEqual(len(hop.frames(1)), 1)
        hop.answer(1)
        self.flush()
        self.successResultOf(connecting)

    def test_interfaces(self) -> None:
        """
        It is its own factory, and is told of a handshake; a name for it is looked up by the way.
        """
        self.connect()
        (connection,) = self.pool._open
        self.assertTrue(verifyObject(IProtocolFactory, connection))
        self.assertTrue(verifyObject(IHandshakeListener, connection))
        connection.doStart()
        connection.doStop()
        self.assertEqual(str(self.way.dials[0].request.destination), "192.0.2.1:3128")

    def test_notHTTP2(self) -> None:
        """
        A hop that answers the preface as HTTP/1 is told from one that talks nonsense; neither sees
        a request, or credentials.
        """
        for octets, words in (
            (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "answers as HTTP/1"),
            (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "breaks HTTP/2"),
            (formatGoAway(0, 0), "the first frame is no SETTINGS"),
            (formatSettings({4: 1 << 31}), "INITIAL_WINDOW_SIZE"),
        ):
            self.setUp()
            connecting = self.connect()
            hop = self.hop(RawHop())
            hop.transport.write(octets)
            hop.transport.loseConnection()
            self.flush()
            refused = self.refused(connecting, "next_hop_protocol_error")
            self.assertIn(words, refused.refusal.detail)
            self.assertEqual((refused.hop, [each.result for each in refused.tried]), ("corp", ["connected"]))
            self.assertEqual(hop.frames(1), [])
            self.assertIn(words, self.told[0])
            self.assertNothingLeft()

    def test_closes(self) -> None:
        """
        One that closes instead, or goes away at once, takes no requests.
        """
        connecting = self.connect()
        self.hop(Peer()).transport.loseConnection()
        self.flush()
        self.assertEqual(self.refused(connecting, "next_hop_gone").hop, "corp")
        self.assertNothingLeft()
        connecting = self.connect()
        hop = RawHop()
        dial = self.way.dials[-1]
        protocol = dial.factory.buildProtocol(None)
        self.reactor.pipe(protocol, hop, 65536, None, None)
        hop.greet()
        hop.transport.write(formatGoAway(0, 0))
        self.flush()
        self.assertEqual(self.refused(connecting, "next_hop_unavailable").hop, "corp")
        hop.transport.loseConnection()
        self.assertNothingLeft()

    def test_lostBeforeItIsKnown(self) -> None:
        """
        A way may tell of a connection when it is gone already; nothing comes of it.
        """
        connecting = self.connect()
        dial = self.way.dials[0]
        hop = Peer()
        self.reactor.pipe(dial.factory.buildProtocol(None), hop, 65536, None, None)
        hop.transport.loseConnection()
        self.flush()
        self.refused(connecting, "next_hop_gone")
        dial.result.callback(self.established())
        self.assertNothingLeft()
        connecting = self.connect()
        dial = self.way.dials[-1]
        self.reactor.pipe(dial.factory.buildProtocol(None), Peer(), 65536, None, None)
        connecting.cancel()
        self.refused(connecting, "connection_timeout")

    def established(self) -> Any:
        """
        What a way tells.
        """
        return Established(Peer(), "192.0.2.1:3128")  # type: ignore[arg-type]

    def test_settingsBeforeItIsKnown(self) -> None:
        """
        What comes before the way has told of the connection counts.
        """
        connecting = self.connect()
        dial = self.way.dials[0]
        hop = Serving()
        self.reactor.pipe(dial.factory.buildProtocol(None), hop, 65536, None, None)
        self.flush()
        self.assertEqual(hop.asked, {})
        dial.result.callback(self.established())
        self.flush()
        hop.answer(1)
        self.flush()
        self.assertEqual(self.successResultOf(connecting).address, "192.0.2.1:3128")

    def test_notReached(self) -> None:
        """
        What fails on the way fails the request, as the hop's fault.
        """
        connecting = self.connect()
        self.way.dials[0].fail("connection_refused", tried=("an attempt",))
        refused = self.refused(connecting, "connection_refused")
        self.assertEqual(
            (refused.hop, refused.tried, refused.refusal.detail),
            ("corp", ("an attempt",), "the next hop corp refused the connection"),
        )
        self.assertNothingLeft()

    def test_cancelled(self) -> None:
        """
        Cancelled in each phase, it closes what it has begun and says what was not done in time.
        """
        connecting = self.connect()
        connecting.cancel()
        self.assertTrue(self.way.dials[0].cancelled)
        refused = self.refused(connecting, "connection_timeout")
        self.assertEqual(refused.hop, "corp")
        self.assertNothingLeft()
        connecting = self.connect()
        hop = self.hop(RawHop())
        connecting.cancel()
        refused = self.refused(connecting, "next_hop_silent")
        self.assertEqual((refused.hop, len(refused.tried)), ("corp", 1))
        self.flush()
        self.assertTrue(hop.lost)
        self.assertNothingLeft()
        connecting.cancel()

    def test_takesTooLong(self) -> None:
        """
        A connection that is not made in time is given up, though somebody may have come late and
        still wait: or it would be waited for for ever.
        """
        self.connect().addErrback(lambda failure: None)
        self.pass_(PATIENCE - 1)
        late = self.connect()
        self.pass_(1.5)
        self.refused(late, "connection_timeout")
        self.assertTrue(self.way.dials[0].cancelled)
        self.assertNothingLeft()
        late = self.connect()
        hop = self.hop(RawHop())
        self.pass_(PATIENCE + 0.5)
        self.refused(late, "next_hop_silent")
        self.assertTrue(hop.lost)
        self.assertNothingLeft()


class SecureTests(HopCase):
    """
    Within TLS, by ALPN (RFC 9113 section 3.2).
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="connectproxy-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "ca.pem").write_bytes(authority().certificatePEM)
        made = issued("hop.example")
        (self.folder / "hop.pem").write_bytes(made.certificatePEM + made.keyPEM)
        self.keys = {
            "url": "h2://192.0.2.1:3128",
            "ca": str(self.folder / "ca.pem"),
            "server_name": "hop.example",
        }
        HopCase.setUp(self)

    def server(self, *protocols: bytes, name: str = "hop.pem") -> Counting:
        """
        A hop's TLS.
        """
        file = str(self.folder / name)
        return Counting(TLSOptions(((file, file),), protocols=protocols))

    def test_tunnels(self) -> None:
        """
        A hundred requests that come while the handshake is under way have one handshake, one
        connection and a hundred tunnels; one more has another.
        """
        tls, hop = self.server(b"h2"), Serving()
        asked = [self.connect(f"{index}.example:443") for index in range(50)]
        self.way.dials[0].succeed(TLSTransport(tls, hop))
        asked += [self.connect(f"{index}.example:443") for index in range(50, 100)]
        self.assertEqual(hop.asked, {})
        self.flush()
        self.assertEqual(len(hop.asked), 100)
        for number in hop.asked:
            hop.answer(number)
        self.flush()
        protocols = [self.successResultOf(each).protocol for each in asked]
        self.assertEqual((tls.handshakes, len(self.way.dials)), (1, 1))
        for index, protocol in enumerate(protocols):
            protocol.transport.write(b"%d" % index)
        self.flush()
        for number, octets in hop.octets.items():
            self.assertEqual(hop.asked[number][":authority"], f"{octets.decode()}.example:443")
        self.connect()
        self.assertEqual(len(self.way.dials), 2)

    def test_otherProtocol(self) -> None:
        """
        A hop that does not choose h2, or none at all, sees no octet of HTTP/2.
        """
        for protocols, kind in (((), "next_hop_protocol_error"), ((b"http/1.1",), "tls_alert_received")):
            within = Peer()
            connecting = self.connect()
            self.way.dials[-1].succeed(TLSTransport(self.server(*protocols), within))
            self.flush()
            refused = self.refused(connecting, kind)
            self.assertEqual(refused.hop, "corp")
            self.assertEqual(bytes(within.received), b"")
            self.assertNothingLeft()

    def test_wrongCertificate(self) -> None:
        """
        A hop that is not who it should be sees nothing, and is told apart from one that is gone.
        """
        other = issued("other.example")
        (self.folder / "other.pem").write_bytes(other.certificatePEM + other.keyPEM)
        within = Peer()
        first, second = self.connect(), self.connect()
        self.way.dials[-1].succeed(TLSTransport(self.server(b"h2", name="other.pem"), within))
        self.flush()
        for connecting in (first, second):
            self.assertEqual(self.refused(connecting, "tls_certificate_error").hop, "corp")
        self.assertEqual((bytes(within.received), len(self.way.dials)), (b"", 1))
        self.assertNothingLeft()

    def test_closes(self) -> None:
        """
        A connection within TLS says goodbye, and is closed as TLS is.
        """
        hop = Serving()
        connecting = self.connect()
        self.way.dials[0].succeed(TLSTransport(self.server(b"h2"), hop))
        self.flush()
        connecting.cancel()
        self.refused(connecting, "next_hop_silent")
        self.upstream.stop()
        self.flush()
        self.assertEqual(hop.goodbyes, [ErrorCode.NO_ERROR])
        self.assertTrue(hop.lost)
        self.assertNothingLeft()
