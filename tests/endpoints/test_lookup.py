"""
Tests for L{connectproxy.endpoints.lookup}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IResolutionReceiver, IStreamClientEndpoint
from zope.interface.verify import verifyClass, verifyObject

from connectproxy.endpoints import SOCKS4ClientEndpoint
from connectproxy.endpoints.lookup import LookedUpEndpoint, _LookUp
from tests.endpoints.case import EndpointCase
from tests.endpoints.test_socks import OPEN4


class LookedUpTests(EndpointCase):
    """
    L{LookedUpEndpoint}.
    """

    def endpoint(self, *types: Any) -> LookedUpEndpoint:
        kinds = types or (IPv4Address,)
        return LookedUpEndpoint(self.reactor, "origin.example", 80, kinds, self.through)

    def through(self, address: str) -> Any:
        self.address = address
        return SOCKS4ClientEndpoint(self.proxy, address, 80)

    def test_interfaces(self) -> None:
        """
        It is an endpoint, and hears what a resolver says.
        """
        verifyObject(IStreamClientEndpoint, self.endpoint())
        verifyClass(IResolutionReceiver, _LookUp)
        self.assertEqual(repr(self.endpoint()), "<LookedUpEndpoint origin.example:80>")

    def test_connects(self) -> None:
        """
        The proxy is asked for the first address.
        """
        results = self.connect(self.endpoint())
        (lookup,) = self.reactor.nameResolver.lookups
        self.assertEqual((lookup.name, lookup.families), ("origin.example", (IPv4Address,)))
        lookup.answer("2001:db8::1", "192.0.2.1", "192.0.2.2")
        self.assertEqual(self.address, "192.0.2.1")
        self.say(self.accept(), OPEN4)
        self.assertEqual(results[0].heard, ["made"])

    def test_best(self) -> None:
        """
        Of several types the first goes before the others.
        """
        self.reactor.nameResolver.answers["origin.example"] = ["2001:db8::1", "192.0.2.1"]
        self.connect(self.endpoint(IPv4Address, IPv6Address))
        self.assertEqual(self.address, "192.0.2.1")

    def test_none(self) -> None:
        """
        A name without an address that will do.
        """
        results = self.connect(self.endpoint())
        self.reactor.nameResolver.lookups[0].answer("2001:db8::1")
        self.assertIn("origin.example", str(self.failed(results, DNSLookupError)))
        self.assertAtRest()

    def test_unfit(self) -> None:
        """
        An address that the proxy can't be asked for is a failure like others.
        """
        results = self.connect(self.endpoint(IPv6Address))
        self.reactor.nameResolver.lookups[0].answer("2001:db8::1")
        self.failed(results, ValueError)

    def test_cancelled(self) -> None:
        """
        Whether the name is being looked up or the proxy asked.
        """
        results = self.connect(self.endpoint())
        (lookup,) = self.reactor.nameResolver.lookups
        self.connecting.cancel()
        self.assertTrue(lookup.cancelled)
        error = self.failed(results, ConnectingCancelledError)
        self.assertEqual((error.address.hostname, error.address.port), (b"origin.example", 80))
        lookup.answer("192.0.2.1")
        self.assertEqual(self.reactor.attempts, [])
        results = self.connect(self.endpoint())
        self.reactor.nameResolver.lookups[1].answer("192.0.2.1")
        self.connecting.cancel()
        self.failed(results, ConnectingCancelledError)
        self.assertTrue(self.reactor.attempts[0].stopped)
        self.assertAtRest()

    def test_cancelledEarly(self) -> None:
        """
        Before the resolver has even begun.
        """
        self.reactor.nameResolver.resolveHostName = lambda *asked, **how: None
        results = self.connect(self.endpoint())
        self.connecting.cancel()
        self.failed(results, ConnectingCancelledError)
