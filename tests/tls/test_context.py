"""
Tests for L{connectproxy.tls.context}: handshakes with clients of the standard library's.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from unittest import mock

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface.verify import verifyObject

from connectproxy.tls import ServerTLS, TLSOptions, clientIdentity
from connectproxy.tls import context as module
from connectproxy.tls.context import NoCommonProtocol
from tests.tls.case import VERSIONS, Handshake, TLSCase, authority, client, clientContext, issued, oldContext


def carry(one: SSL.Connection, two: SSL.Connection) -> None:
    """
    Let two sides speak to each other for a while.
    """
    for _ in range(4):
        for side, other in ((one, two), (two, one)):
            try:
                side.do_handshake()
                side.recv(1)
            except SSL.Error:
                pass
            try:
                other.bio_write(side.bio_read(1 << 16))
            except SSL.Error:
                pass


class HandshakeTests(TLSCase):
    """
    What is spoken.
    """

    def test_provides(self) -> None:
        """
        It is what Twisted takes for a server's side.
        """
        verifyObject(IOpenSSLServerConnectionCreator, self.server())

    def test_versions(self) -> None:
        """
        TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only.
        """
        for version, words in zip(VERSIONS, ("TLSv1.2", "TLSv1.3"), strict=True):
            done = Handshake(self.server(), clientContext(version))
            self.assertTrue(done.succeeded)
            self.assertEqual(done.client.version(), words)
        for ciphers in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
            context = clientContext(ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
            self.assertIsNotNone(Handshake(self.server(), context).failed, ciphers)
        self.assertIsNotNone(Handshake(self.server(), oldContext()).failed)

    def test_nothingElse(self) -> None:
        """
        No compression, and no renegotiation.
        """
        done = Handshake(self.server(), clientContext(ssl.TLSVersion.TLSv1_2))
        self.assertIsNone(done.client.compression())
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        peer = SSL.Connection(context, None)
        peer.set_connect_state()
        server = self.server().serverConnectionForTLS(None)
        carry(peer, server)
        peer.renegotiate()
        carry(peer, server)
        self.assertEqual(server.total_renegotiations(), 0)

    def test_alpn(self) -> None:
        """
        The first of ours that the client offers; none for a client that offers none.
        """
        for version in VERSIONS:
            for offered, expected in (
                (["http/1.1", "h2"], "h2"),
                (["http/1.1"], "http/1.1"),
                (["spdy/3", "http/1.1"], "http/1.1"),
                ([], None),
            ):
                done = Handshake(self.server(), clientContext(version, offered))
                self.assertTrue(done.succeeded)
                self.assertEqual(done.client.selected_alpn_protocol(), expected)

    def test_nothingInCommon(self) -> None:
        """
        A client that offers only what is not spoken gets the alert, and the next one is
        served as if nothing had been.
        """
        tls = self.server()
        for version in VERSIONS:
            done = Handshake(tls, clientContext(version, ["spdy/3"]))
            self.assertIsInstance(done.failed, NoCommonProtocol)
            self.assertIn("no application protocol", str(done.refused))
            self.assertTrue(Handshake(tls, clientContext(version, ["h2"])).succeeded)

    def test_noALPN(self) -> None:
        """
        Where there is nothing to offer, what a client offers does not matter.
        """
        done = Handshake(self.server(protocols=()), clientContext(alpn=["h2"]))
        self.assertTrue(done.succeeded)
        self.assertIsNone(done.client.selected_alpn_protocol())

    def test_resumption(self) -> None:
        """
        A client that comes again resumes its session, by a ticket, and nothing is kept
        for it here; a reload ends that.
        """
        for version in VERSIONS:
            tls, context = self.server(), clientContext(version)
            first = Handshake(tls, context)
            assert first.client.session is not None
            self.assertTrue(first.client.session.has_ticket)
            self.assertTrue(Handshake(tls, context, session=first.client.session).client.session_reused)
            tls.reload()
            again = Handshake(tls, context, session=first.client.session)
            self.assertTrue(again.succeeded)
            self.assertFalse(again.client.session_reused)


class NamesTests(TLSCase):
    """
    The server name picks the certificate.
    """

    def setUp(self) -> None:
        """
        Three certificates; the first is for those who ask for none of the others.
        """
        certificates = [
            issued("localhost", "shared.example"),
            issued("one.example", "*.two.example", "shared.example"),
            issued("three.example"),
        ]
        self.certificates = [each.certificate for each in certificates]
        self.options = TLSOptions(
            tuple(self.pair(each) for each in certificates),
            "optional",
            self.write(authority().certificatePEM),
        )
        self.tls = ServerTLS(self.options)

    def test_names(self) -> None:
        """
        All of them, each once.
        """
        self.assertEqual(
            self.tls.names,
            ("localhost", "shared.example", "one.example", "*.two.example", "three.example"),
        )
        self.assertEqual(self.tls.expires, min(each.not_valid_after_utc for each in self.certificates))

    def test_picks(self) -> None:
        """
        By exact names, whatever their case, and by wildcards for one label; of two that
        have a name the first.
        """
        for version in VERSIONS:
            for name, position in (
                ("one.example", 1),
                ("ONE.example", 1),
                ("a.two.example", 1),
                ("b.a.two.example", 0),
                ("two.example", 0),
                ("three.example", 2),
                ("shared.example", 0),
                ("other.example", 0),
                ("localhost", 0),
            ):
                context = clientContext(version)
                context.check_hostname = False
                done = Handshake(self.tls, context, name)
                self.assertTrue(done.succeeded)
                self.assertEqual(
                    done.client.getpeercert(binary_form=True),
                    ssl.PEM_cert_to_DER_cert(Path(self.options.certificates[position][0]).read_text()),
                    name,
                )

    def test_withoutName(self) -> None:
        """
        The first.
        """
        context = clientContext()
        context.check_hostname = False
        done = Handshake(self.tls, context, "127.0.0.1")
        self.assertTrue(done.succeeded)
        self.assertIsNone(done.server.get_servername())

    def test_theRestHolds(self) -> None:
        """
        With another certificate than the first one ALPN and clients' certificates are what
        they were, and so is resumption.
        """
        shows = self.pair(client("alice"))
        for version in VERSIONS:
            for name in ("localhost", "three.example"):
                context = clientContext(version, ["http/1.1"], shows)
                done = Handshake(self.tls, context, name)
                self.assertTrue(done.succeeded)
                self.assertEqual(done.client.selected_alpn_protocol(), "http/1.1")
                identity = clientIdentity(done.server)
                assert identity is not None
                self.assertEqual(identity.subject, "CN=alice")
                again = Handshake(self.tls, context, name, done.client.session)
                self.assertTrue(again.client.session_reused)
                self.assertEqual(clientIdentity(again.server), identity)
                other = Handshake(self.tls, clientContext(version, ["spdy"]), name)
                self.assertIsInstance(other.failed, NoCommonProtocol)
                stranger = clientContext(version, shows=self.pair(client("eve", "others")))
                self.assertIsNotNone(Handshake(self.tls, stranger, name).failed)


class ClientTests(TLSCase):
    """
    Certificates of clients.
    """

    def ask(self, mode: str) -> ServerTLS:
        """
        What asks for certificates.
        """
        return self.server(clientCertificates=mode, clientCA=self.write(authority().certificatePEM))

    def test_none(self) -> None:
        """
        By default none is asked for, so none is shown.
        """
        done = Handshake(self.server(), clientContext(shows=self.pair(client("alice"))))
        self.assertIsNone(clientIdentity(done.server))

    def test_optional(self) -> None:
        """
        Clients may have none, but a bad one is refused.
        """
        for version in VERSIONS:
            tls = self.ask("optional")
            done = Handshake(tls, clientContext(version))
            self.assertTrue(done.succeeded)
            self.assertIsNone(clientIdentity(done.server))
            done = Handshake(tls, clientContext(version, shows=self.pair(client("alice"))))
            self.assertIsNotNone(clientIdentity(done.server))
            done = Handshake(tls, clientContext(version, shows=self.pair(client("eve", "others"))))
            self.assertIsNotNone(done.failed)

    def test_required(self) -> None:
        """
        Without one there is no handshake; that of a server will not do.
        """
        for version in VERSIONS:
            tls = self.ask("required")
            self.assertTrue(
                Handshake(tls, clientContext(version, shows=self.pair(client("alice")))).succeeded
            )
            self.assertIsNotNone(Handshake(tls, clientContext(version)).failed)
            done = Handshake(tls, clientContext(version, shows=self.pair(issued("localhost"))))
            self.assertIsNotNone(done.failed)

    def test_authoritiesAreNamed(self) -> None:
        """
        The client is told which CAs count, and can choose among its certificates.
        """
        tls = self.ask("optional")
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        peer = SSL.Connection(context, None)
        peer.set_connect_state()
        carry(peer, tls.serverConnectionForTLS(None))
        (name,) = peer.get_client_ca_list()
        self.assertEqual(name.commonName, "tests")

    def test_noAuthorities(self) -> None:
        """
        Without a usable file there is no start.
        """
        for path in ("/nowhere/at/all", self.write(b"")):
            error = self.assertRaises(ValueError, self.server, clientCertificates="required", clientCA=path)
            self.assertTrue(str(error).startswith(f"{path}: "))

    def test_authoritiesThatChangeMeanwhile(self) -> None:
        """
        What OpenSSL finds wrong with them at the last moment has the file's name, too.
        """
        path = self.write(authority().certificatePEM)
        with mock.patch("connectproxy.tls.context.readAuthorities", lambda path: Path(path).write_bytes(b"")):
            error = self.assertRaises(ValueError, self.server, clientCertificates="required", clientCA=path)
        self.assertTrue(str(error).startswith(f"{path}: "))


class WritingTests(TLSCase):
    """
    What is written at once.
    """

    def test_whole(self) -> None:
        """
        It is encrypted at once, several records of it, where pyOpenSSL can be told to;
        older releases take one record.
        """
        done = Handshake(self.server())
        whole = hasattr(SSL.Context, "clear_mode")
        self.assertEqual(done.server.send(bytes(100_000)), 100_000 if whole else 16384)

    def test_withoutTheWay(self) -> None:
        """
        Without it, too, there are contexts.
        """
        self.patch(module, "_CLEAR_MODE", None)
        done = Handshake(self.server())
        self.assertTrue(done.succeeded)
        self.assertEqual(done.server.send(bytes(100_000)), 16384)
