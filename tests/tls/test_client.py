"""
Tests for L{connectproxy.tls.client}, over the fake pipe: the server is the standard library's.
"""

from __future__ import annotations

import ssl
from typing import Any
from unittest import mock

from OpenSSL import SSL
from twisted.internet.interfaces import (
    INegotiated,
    IOpenSSLClientConnectionCreator,
    IPushProducer,
    ISSLTransport,
    ISystemHandle,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface.verify import verifyObject

from connectproxy.address import parseHost
from connectproxy.config import UpstreamURL
from connectproxy.handshake import Landing
from connectproxy.leg import adopt
from connectproxy.tls import ClientOptions, ClientTLS, handshakeRefusal
from tests.fakes import FakeReactor, Peer, pipePair
from tests.tls.case import VERSIONS, Producer, Within, authority, client, issued
from tests.tls.clientcase import Answerer, ClientCase, Eager, pin, serverContext


class OptionsTests(ClientCase):
    """
    What TLS is to be like.
    """

    def upstream(self, host: str = "proxy.example", **options: Any) -> dict[str, Any]:
        """
        The keys of an C{[[upstream]]}.
        """
        destination = parseHost(host, 443) if host else None
        url = UpstreamURL("http", destination, "" if host else "/run/proxy.sock", True, "https://...")  # type: ignore[arg-type]
        usual = {"url": url, "ca": "", "certificate": "", "key": "", "server_name": "", "pins": ()}
        return {**usual, **options}

    def test_of(self) -> None:
        """
        The keys become options; C{server_name} goes before the host.
        """
        ca, (certificate, key) = self.write(authority().certificatePEM), self.pair(client("proxy"))
        pins = (pin(issued("localhost")),)
        tls = ClientTLS.of(self.upstream(ca=ca, certificate=certificate, key=key, pins=pins), (b"h2",))
        self.assertEqual(tls.options, ClientOptions(ca, certificate, key, "proxy.example", pins, (b"h2",)))
        tls = ClientTLS.of(self.upstream(server_name="other.example"))
        self.assertEqual(tls.options.serverName, "other.example")
        self.assertEqual(tls.options.protocols, (b"http/1.1",))
        self.assertEqual(
            ClientTLS.of(self.upstream("", server_name="a.example")).options.serverName, "a.example"
        )

    def test_files(self) -> None:
        """
        The files that are read, each once.
        """
        self.assertEqual(ClientTLS.of(self.upstream()).files, ())
        ca, both = self.write(authority().certificatePEM), client("proxy")
        file = self.write(both.certificatePEM + both.keyPEM)
        self.assertEqual(self.tls(certificate=file).files[1:], (file,))
        self.assertEqual(ClientTLS(ClientOptions(ca, file, file, "a.example")).files, (ca, file))

    def test_bad(self) -> None:
        """
        What can't be used is said, with the file.
        """
        file, nothing = self.write(b"nothing"), self.mktemp()
        certificate, key = self.pair(client("proxy"))
        for options, words in (
            ({"ca": file}, "no certificate in PEM"),
            ({"ca": nothing}, "cannot be read"),
            ({"certificate": nothing, "key": key}, "cannot be read"),
            ({"certificate": certificate}, "no private key in PEM"),
            ({"certificate": certificate, "key": self.pair(client("other"))[1]}, "not that of"),
            ({"key": key}, "no certificate; say certificate"),
            ({"server_name": "a b"}, "neither a name nor an address"),
            ({"host": ""}, "say server_name"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                ClientTLS.of(self.upstream(**options))

    def test_system(self) -> None:
        """
        Without a file the authorities are those that OpenSSL finds, as the environment says.
        """
        file = self.write(authority().certificatePEM)
        with mock.patch.dict("os.environ", SSL_CERT_FILE=file):
            tls = ClientTLS(ClientOptions(serverName="localhost"))
        self.assertEqual(bytes(self.reached(Eager(), tls=tls)[2].received), b"one two three")
        with mock.patch.dict("os.environ", SSL_CERT_FILE=self.write(authority("others").certificatePEM)):
            tls = ClientTLS(ClientOptions(serverName="localhost"))
        kind, detail = self.refusal(Answerer(), tls)
        self.assertEqual(kind, "tls_certificate_error")
        self.assertIn("not signed by an authority that the system trusts", detail)


class HandshakeTests(ClientCase):
    """
    How a connection begins.
    """

    def test_provides(self) -> None:
        """
        It is a transport with TLS, and one that consumers can stop.
        """
        within = Within()
        self.reached(within)
        for interface in (INegotiated, ISSLTransport, IPushProducer, ISystemHandle):
            verifyObject(interface, within.transport)
        verifyObject(IOpenSSLClientConnectionCreator, self.tls())

    def test_order(self) -> None:
        """
        The protocol within is connected first, then told that the handshake is complete; what
        it has written meanwhile comes first, and in both versions of TLS.
        """
        for version in VERSIONS:
            within = Eager()
            reactor, _, answerer = self.reached(within, Answerer(serverContext(version=version)))
            self.assertEqual(within.happened, ["made", "complete"])
            self.assertEqual(answerer.received, b"one two three")
            answerer.say(b"good day")
            reactor.flush()
            self.assertEqual(within.received, b"good day")

    def test_nothingBefore(self) -> None:
        """
        Nothing that is written leaves while the server may still be another one: what goes out
        before its certificate has come holds none of it, and waits as long as that takes.
        """
        within, peer, reactor = Eager(), Peer(), FakeReactor()
        pipePair(reactor, self.tls().secure(within), peer)
        within.transport.write(b"and more")
        reactor.advance(3600)
        reactor.flush()
        self.assertEqual(peer.received[:1], b"\x16")
        sent = len(peer.received)
        self.assertEqual(int.from_bytes(peer.received[3:5]), sent - 5)  # a ClientHello and nothing else
        self.assertEqual(within.happened, ["made"])

    def test_octetByOctet(self) -> None:
        """
        A server whose octets come one at a time gets through, and is heard.
        """
        for version in VERSIONS:
            within, answerer = Within(), Answerer(serverContext(version=version))
            sent: list[bytes] = []
            transport = self.tls().secure(within)
            transport.makeConnection(mock.Mock(write=sent.append))
            answerer.transport = mock.Mock(
                write=lambda octets, to=transport: [to.dataReceived(bytes([each])) for each in octets]
            )
            while sent:
                answerer.dataReceived(sent.pop(0))
            answerer.say(b"hello")
            self.assertEqual(within.happened, ["made", "complete"])
            self.assertEqual(within.received, b"hello")

    def test_splits(self) -> None:
        """
        Nor does it matter where the first flight is split.
        """
        tls = self.tls()
        flight = position = 1
        while position <= flight:
            within, answerer = Eager(), Answerer()
            kept: list[bytes] = []
            answerer.transport = mock.Mock(write=kept.append)
            transport = tls.secure(within)
            transport.makeConnection(mock.Mock(write=answerer.dataReceived))
            octets = b"".join(kept)
            flight = len(octets)
            transport.dataReceived(octets[:position])
            transport.dataReceived(octets[position:])
            self.assertEqual(answerer.received, b"one two three", position)
            position += 1 if position < 16 else 37

    def test_together(self) -> None:
        """
        What comes in one read with the end of the handshake is delivered to whom the protocol
        within has handed over by then.
        """

        class HandsOver(Within):
            def handshakeCompleted(self) -> None:
                adopt(self.transport, after)

        class Early(Answerer):
            def _go(self) -> None:
                # TLS 1.3 lets a server speak with its first flight.
                Answerer._go(self)
                if self.established and not self.notified:
                    self.notified = True
                    self.say(b"early")

        after, within = Within(), HandsOver()
        self.reached(within, Early(serverContext(version=ssl.TLSVersion.TLSv1_2)))
        self.assertEqual((bytes(after.received), bytes(within.received)), (b"early", b""))

    def test_alpn(self) -> None:
        """
        What the server has chosen is known when the handshake is complete; none, where it
        chooses none, or nothing is offered.
        """
        for offered, spoken, expected in (
            ((b"h2", b"http/1.1"), ("http/1.1",), b"http/1.1"),
            ((b"h2",), ("h2", "http/1.1"), b"h2"),
            ((b"h2",), (), None),
            ((), ("h2",), None),
        ):
            within = Within()
            self.reached(within, Answerer(serverContext(alpn=spoken)), self.tls(protocols=offered))
            self.assertEqual(within.transport.negotiatedProtocol, expected)
            self.assertIsInstance(within.transport.getHandle(), SSL.Connection)

    def test_serverName(self) -> None:
        """
        The server is asked for its name, in the one form that names have; an address is none
        (RFC 6066 section 3).
        """
        for name, asked in (("Proxy.Example.", "proxy.example"), ("192.0.2.1", None), ("2001:db8::1", None)):
            answerer = Answerer(serverContext(issued("proxy.example", "192.0.2.1", "2001:db8::1")))
            self.reached(Eager(), answerer, self.tls(name))
            self.assertEqual(answerer.asked, asked)
            self.assertEqual(answerer.received, b"one two three")

    def test_certificate(self) -> None:
        """
        A certificate of our own is shown to whom asks for one, with its chain; both may be in
        one file.
        """
        mine = client("proxy")
        whole = self.write(mine.certificatePEM + mine.keyPEM)
        for version in VERSIONS:
            answerer = Answerer(serverContext(version=version, clients=authority()))
            self.reached(Eager(), answerer, self.tls(certificate=whole))
            self.assertEqual(answerer.received, b"one two three")
            shown: Any = answerer.tls.getpeercert()
            self.assertEqual(shown["subject"], ((("commonName", "proxy"),),))

    def test_certificateKept(self) -> None:
        """
        A server that is not trusted does not see it.
        """
        mine = client("proxy")
        whole = self.write(mine.certificatePEM + mine.keyPEM)
        for version in VERSIONS:
            answerer = Answerer(serverContext(issued("other.example"), version, clients=authority()))
            self.refusal(answerer, self.tls(certificate=whole))
            self.assertFalse(answerer.established)
            self.assertRaises(ValueError, answerer.tls.getpeercert)  # it has seen nothing

    def test_peer(self) -> None:
        """
        Who the server is can be asked, as long as it is there.
        """
        within = Within()
        reactor, pipe, _ = self.reached(within)
        found = within.transport.getPeerCertificate().to_cryptography()
        self.assertEqual(found, issued("localhost").certificate)
        pipe.second.loseConnection()
        reactor.flush()
        self.assertIsNone(within.transport.getPeerCertificate())

    def test_notVouched(self) -> None:
        """
        A handshake that was complete without anybody having been asked about the server would
        be none.
        """
        tls, within, answerer = self.tls(), Eager(), Answerer()
        whole = tls.clientConnectionForTLS

        def careless(protocol: Any) -> SSL.Connection:
            connection = whole(protocol)
            connection.set_verify(SSL.VERIFY_NONE, lambda *_: True)
            return connection

        with mock.patch.object(tls, "clientConnectionForTLS", careless):
            self.reached(within, answerer, tls)
        self.assertEqual(bytes(answerer.received), b"")
        self.assertEqual(within.happened, ["made", "lost"])
        assert within.lost is not None
        found = handshakeRefusal(within.lost, "the server")
        assert found is not None
        self.assertEqual(found.detail, "the certificate of the server has not been shown")

    def test_producer(self) -> None:
        """
        A producer that is registered before waits for the handshake.
        """

        class Producing(Within):
            def connectionMade(self) -> None:
                Within.connectionMade(self)
                self.transport.registerProducer(producer, True)
                self.transport.write(b"first")

        producer, within = Producer(), Producing()
        answerer = self.reached(within)[2]
        self.assertEqual(producer.told, ["pause", "resume"])
        self.assertEqual(answerer.received, b"first")


class TransportTests(ClientCase):
    """
    What it can be put onto.
    """

    def test_landing(self) -> None:
        """
        A connected transport that has been somebody else's.
        """
        reactor, landing, answerer, within = FakeReactor(), Landing(), Answerer(), Eager()
        pipe = pipePair(reactor, landing, answerer)
        reactor.flush()
        transport = self.tls().secure(within)
        landing.handOn(transport)
        self.assertIs(pipe.first.protocol, transport)
        reactor.flush()
        self.assertEqual(answerer.received, b"one two three")

    def test_bare(self) -> None:
        """
        A transport that has nothing but what L{ITransport} demands.
        """

        class Bare:
            def __init__(self, transport: Any) -> None:
                self.write, self.writeSequence = transport.write, transport.writeSequence
                self.loseConnection = transport.loseConnection
                self.getPeer, self.getHost = transport.getPeer, transport.getHost

        reactor, landing, answerer, within = FakeReactor(), Landing(), Answerer(), Eager()
        pipePair(reactor, landing, answerer)
        landing.transport = Bare(landing.transport)  # type: ignore[assignment]
        landing.handOn(self.tls().secure(within))
        reactor.flush()
        producer = Producer()
        within.transport.registerProducer(producer, True)
        within.transport.pauseProducing()
        within.transport.resumeProducing()
        within.transport.write(b" four")
        within.transport.unregisterProducer()
        within.transport.loseConnection()
        reactor.flush()
        self.assertEqual(answerer.received, b"one two three four")
        self.assertTrue(answerer.notified)
        self.assertEqual(within.happened, ["made", "complete", "lost"])

    def test_ordinary(self) -> None:
        """
        Twisted's own TLS transport can be given the same contexts; then OpenSSL alone asks
        about the server, which is enough.
        """
        for name, expected in (("localhost", b"one two three"), ("other.example", b"")):
            within, answerer, reactor = Eager(), Answerer(serverContext(issued(name))), FakeReactor()
            factory = TLSMemoryBIOFactory(
                self.tls(), True, mock.Mock(buildProtocol=lambda _, it=within: it), clock=reactor
            )
            pipePair(reactor, factory.buildProtocol(None), answerer)
            reactor.flush()
            self.assertEqual(bytes(answerer.received), expected)
