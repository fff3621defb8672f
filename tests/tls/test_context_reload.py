"""
Tests for L{connectproxy.tls.context}: files that change.
"""

from __future__ import annotations

from unittest import mock

from connectproxy.certificates import makeServer
from connectproxy.tls import ServerTLS, TLSOptions
from tests.tls.case import Handshake, TLSCase, authority, client, clientContext, issued


class ReloadTests(TLSCase):
    """
    Files that change.
    """

    def setUp(self) -> None:
        """
        One certificate.
        """
        self.files = self.pair(issued("localhost"))
        self.tls = ServerTLS(TLSOptions((self.files,)))

    def shown(self) -> bytes | None:
        """
        The certificate that a client gets to see.
        """
        done = Handshake(self.tls)
        self.assertTrue(done.succeeded)
        return done.client.getpeercert(binary_form=True)

    def replace(self) -> None:
        """
        Put another certificate in its place.
        """
        renewed = makeServer(authority(), ["localhost", "renewed.example"])
        self.write(renewed.certificatePEM, self.files[0])
        self.write(renewed.keyPEM, self.files[1])

    def test_unchanged(self) -> None:
        """
        Nothing has changed.
        """
        self.assertFalse(self.tls.changed())

    def test_renewed(self) -> None:
        """
        New connections have the new certificate; one in its handshake keeps the old, and
        one that is up goes on.
        """
        before = self.shown()
        up = Handshake(self.tls)
        begun = self.tls.serverConnectionForTLS(None)
        self.replace()
        self.assertTrue(self.tls.changed())
        self.assertEqual(self.tls.reload(), ())
        self.assertFalse(self.tls.changed())
        self.assertEqual(self.tls.names, ("localhost", "renewed.example"))
        self.assertNotEqual(self.shown(), before)
        up.client.write(b"still here")
        up.server.bio_write(up.outward.read())
        self.assertEqual(up.server.recv(100), b"still here")
        with mock.patch.object(self.tls, "serverConnectionForTLS", lambda _: begun):
            self.assertEqual(self.shown(), before)

    def test_failure(self) -> None:
        """
        A reload that fails changes nothing, and can be repeated.
        """
        before = self.shown()
        self.write(authority().keyPEM, self.files[1])
        self.assertRaises(ValueError, self.tls.reload)
        self.assertTrue(self.tls.changed())
        self.assertEqual(self.shown(), before)
        self.replace()
        self.tls.reload()
        self.assertNotEqual(self.shown(), before)

    def test_notes(self) -> None:
        """
        What clients are not going to like is told each time.
        """
        self.assertEqual(self.tls.notes, ())
        self.write(authority().certificatePEM, self.files[0])
        self.write(authority().keyPEM, self.files[1])
        (note,) = self.tls.reload()
        self.assertIn("no subjectAltName", note)
        self.assertEqual(self.tls.notes, (note,))

    def test_authoritiesAreWatched(self) -> None:
        """
        The CAs of clients are files like the others.
        """
        path = self.write(authority().certificatePEM)
        tls = self.server(clientCertificates="optional", clientCA=path)
        self.assertFalse(tls.changed())
        self.write(authority().certificatePEM + authority("others").certificatePEM, path)
        self.assertTrue(tls.changed())
        tls.reload()
        shows = self.pair(client("eve", "others"))
        self.assertTrue(Handshake(tls, clientContext(shows=shows)).succeeded)
