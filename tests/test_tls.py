"""
Tests for L{connectproxy.tls} as a whole: its names.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy import tls


class NamesTests(SynchronousTestCase):
    """
    What the package offers.
    """

    def test_public(self) -> None:
        """
        These names, and all of them exist.
        """
        self.assertEqual(
            tls.__all__,
            [
                "ClientCertificate",
                "ClientOptions",
                "ClientTLS",
                "ServerTLS",
                "TLSOptions",
                "TLSTransport",
                "clientIdentity",
                "handshakeFailure",
                "handshakeRefusal",
                "secure",
            ],
        )
        for name in tls.__all__:
            self.assertTrue(hasattr(tls, name), name)
