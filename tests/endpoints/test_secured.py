"""
Tests for L{connectproxy.endpoints.secured}; that it speaks TLS shows in C{test_chain}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface.verify import verifyObject

from connectproxy.endpoints.secured import SecuredEndpoint
from connectproxy.tls import TLSTransport
from tests.endpoints.case import EndpointCase
from tests.endpoints.securedcase import Trusting
from tests.fakes import Peer
from tests.tls.case import TLSCase


class SecuredTests(EndpointCase, TLSCase):
    """
    L{SecuredEndpoint}.
    """

    def test_clock(self) -> None:
        """
        Nothing of it waits for another reactor than the one that it was given.
        """
        creator = Trusting().creatorForNetloc(b"proxy.example", 443)
        endpoint = SecuredEndpoint(creator, self.proxy, self.reactor)
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertTrue(repr(endpoint).startswith("<SecuredEndpoint <"))
        results = self.connect(endpoint)
        within = Peer()
        self.reactor.attempts[0].succeed(TLSTransport(self.server("proxy.example"), within))
        for _ in range(3):
            results[0].transport.write(b"x")
        self.assertNotEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.flush()
        self.assertEqual(within.received, b"xxx")
