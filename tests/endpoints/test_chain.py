"""
Tests for L{connectproxy.endpoints.chain}.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IHostnameResolver, IStreamClientEndpoint
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.endpoints import (
    ProxyChain,
    ProxyConnectError,
    endpointThrough,
    parseProxyURL,
    proxyEndpoint,
)
from connectproxy.tls import TLSTransport
from tests.endpoints.case import OPEN, Application, EndpointCase
from tests.endpoints.securedcase import Trusting
from tests.endpoints.test_socks import OPEN4, OPEN5
from tests.fakes import FakeResolver, Peer
from tests.tls.case import TLSCase


@implementer(IHostnameResolver)
class Resolver(FakeResolver):
    """
    Gives addresses the port that was asked for, as HostnameEndpoint wants them.
    """

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        told = resolutionReceiver.addressResolved

        def addressResolved(address: Any) -> None:
            told(type(address)("TCP", address.host, portNumber))

        resolutionReceiver.addressResolved = addressResolved
        return FakeResolver.resolveHostName(
            self, resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
        )


class ChainCase(EndpointCase):
    """
    Proxies whose names have addresses.
    """

    def setUp(self) -> None:
        EndpointCase.setUp(self)
        self.reactor.nameResolver = Resolver()
        names = "proxy.example", "origin.example"
        self.reactor.nameResolver.answers.update(
            {name: [f"192.0.2.{at}"] for at, name in enumerate(names, 8)}
        )

    def dialled(self) -> tuple[str, int]:
        """
        @return: where the last connection goes, which is accepted.
        """
        self.reactor.flush()
        attempt = self.reactor.attempts[-1]
        self.peer = attempt.succeed()
        self.reactor.flush()
        return attempt.host, attempt.port

    def heard(self) -> bytes:
        """
        @return: what the proxy has heard since.
        """
        octets = bytes(self.peer.received)
        del self.peer.received[:]
        return octets


class SchemeTests(ChainCase):
    """
    What is spoken to one proxy.
    """

    def test_http(self) -> None:
        """
        CONNECT, with the credentials of the URL.
        """
        url = "http://ann:s%C3%A9@proxy.example:3128"
        endpoint = endpointThrough(self.reactor, url, "origin.example", 443)
        verifyObject(IStreamClientEndpoint, endpoint)
        results = self.connect(endpoint)
        self.assertEqual(self.dialled(), ("192.0.2.8", 3128))
        request = self.heard()
        self.assertTrue(request.startswith(b"CONNECT origin.example:443 HTTP/1.1\r\n"))
        self.assertIn(b"Basic " + b64encode("ann:s\xe9".encode()) + b"\r\n", request)
        self.say(self.peer, OPEN)
        self.assertEqual(results[0].heard, ["made"])

    def test_digest(self) -> None:
        """
        By Digest nothing is shown before it is asked for, and what was learned serves all
        destinations.
        """
        chain = ProxyChain(self.reactor, "http://ann:x@proxy.example", authentication="digest")
        results = self.connect(chain.endpoint("origin.example", 443))
        self.dialled()
        self.assertNotIn(b"Authorization", self.heard())
        challenge = b'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n\r\n'
        self.say(self.peer, b"HTTP/1.1 407 Who\r\n" + challenge)
        self.dialled()
        self.say(self.peer, OPEN)
        self.assertEqual(results[0].heard, ["made"])
        self.connect(chain.endpoint("other.example", 80))
        self.dialled()
        self.assertIn(b"nc=00000002", self.heard())

    def test_socks5(self) -> None:
        """
        With an h the proxy looks names up, and without they are looked up here.
        """
        for scheme, destination in (
            ("socks5h", b"\x03\x0eorigin.example"),
            ("socks5", b"\x01\xc0\x00\x02\x09"),
        ):
            self.setUp()
            url = f"{scheme}://ann:x@proxy.example"
            results = self.connect(endpointThrough(self.reactor, url, "origin.example", 80))
            self.assertEqual(self.dialled(), ("192.0.2.8", 1080))
            self.say(self.peer, b"\x05\x02")
            self.say(self.peer, b"\x01\x00")
            self.assertEqual(
                self.heard(), b"\x05\x02\x02\x00\x01\x03ann\x01x\x05\x01\x00" + destination + b"\0\x50"
            )
            self.say(self.peer, OPEN5)
            self.assertEqual(results[0].heard, ["made"])

    def test_socks4(self) -> None:
        """
        Likewise with an a; only IPv4 addresses are looked up.
        """
        for scheme, last in (
            ("socks4a", b"\0\0\0\x01ann\0origin.example\0"),
            ("socks4", b"\xc0\0\x02\x09ann\0"),
        ):
            self.setUp()
            self.reactor.nameResolver.answers["origin.example"] = ["2001:db8::1", "192.0.2.9"]
            url = f"{scheme}://ann@proxy.example:1081"
            results = self.connect(endpointThrough(self.reactor, url, "origin.example", 80))
            self.assertEqual(self.dialled(), ("192.0.2.8", 1081))
            self.assertEqual(self.heard(), b"\x04\x01\x00\x50" + last)
            self.say(self.peer, OPEN4)
            self.assertEqual(results[0].heard, ["made"])
        self.assertEqual(self.reactor.nameResolver.lookups[0].families, (IPv4Address,))

    def test_addresses(self) -> None:
        """
        An address needs no looking up, whatever the scheme; SOCKS 4 has no user where the URL
        has none.
        """
        self.connect(endpointThrough(self.reactor, "socks4://proxy.example", "192.0.2.1", 80))
        self.dialled()
        self.assertEqual(self.heard(), b"\x04\x01\x00\x50\xc0\x00\x02\x01\x00")

    def test_wrong(self) -> None:
        """
        What is no URL, and what a proxy can't be asked for, is said at once.
        """
        for urls in ((), "ftp://a", ["http://a", ""]):
            with self.assertRaises(ValueError):
                ProxyChain(self.reactor, urls)
        with self.assertRaises(ValueError):
            endpointThrough(self.reactor, "socks4a://a", "::1", 80)
        with self.assertRaises(ValueError):
            endpointThrough(self.reactor, "socks5://a", "", 80)

    def test_repr(self) -> None:
        """
        It is shown without credentials.
        """
        chain = ProxyChain(self.reactor, [parseProxyURL("http://a:secret@b:1"), "socks5h://c"])
        self.assertEqual(repr(chain), "<ProxyChain http://b:1 socks5h://c:1080>")
        self.assertNotIn("secret", repr(chain.endpoint("d", 1)))

    def test_times(self) -> None:
        """
        The connection to the first has one limit, each answer another.
        """
        chain = ProxyChain(self.reactor, "http://proxy.example", connectTimeout=7, timeout=3)
        results = self.connect(chain.endpoint("origin.example", 443))
        self.reactor.flush()
        self.assertEqual(self.reactor.attempts[0].timeout, 7)
        self.dialled()
        self.reactor.advance(3)
        self.assertIn("the next hop proxy.example:80 took", str(results[0].value))


class SeveralTests(ChainCase):
    """
    Each is reached through those before it.
    """

    def test_chain(self) -> None:
        """
        In the order in which they stand, each in its own words.
        """
        urls = "http://proxy.example:3128", "socks5h://second.example", "http://third.example:8080"
        results = self.connect(endpointThrough(self.reactor, urls, "origin.example", 443))
        self.assertEqual(self.dialled(), ("192.0.2.8", 3128))
        self.assertTrue(self.heard().startswith(b"CONNECT second.example:1080 "))
        self.say(self.peer, OPEN)
        self.assertEqual(self.heard(), b"\x05\x01\x00")
        self.say(self.peer, b"\x05\x00")
        self.assertEqual(self.heard(), b"\x05\x01\x00\x03\x0dthird.example\x1f\x90")
        self.say(self.peer, OPEN5)
        self.assertTrue(self.heard().startswith(b"CONNECT origin.example:443 "))
        self.say(self.peer, OPEN + b"early")
        self.assertEqual(results[0].heard, ["made", b"early"])
        self.assertEqual(len(self.reactor.attempts), 1)

    def test_blame(self) -> None:
        """
        The one that refuses is named.
        """
        urls = "http://proxy.example", "http://second.example:8080"
        results = self.connect(endpointThrough(self.reactor, urls, "origin.example", 443))
        self.dialled()
        self.say(self.peer, OPEN + b"HTTP/1.1 403 No\r\n\r\n")
        self.assertIn(
            "the next hop second.example:8080 answered", str(self.failed(results, ProxyConnectError))
        )


class TLSTests(ChainCase, TLSCase):
    """
    Proxies that are spoken to within TLS.
    """

    def secured(self, *names: str) -> Any:
        """
        Accept a connection to a proxy with a certificate for some names.

        @return: what is within TLS there.
        """
        self.reactor.flush()
        within = Peer()
        self.reactor.attempts[0].succeed(TLSTransport(self.server(*names), within))
        self.reactor.flush()
        return within

    def test_passes(self) -> None:
        """
        CONNECT goes within TLS, as does all that follows.
        """
        policy = Trusting()
        chain = ProxyChain(self.reactor, "https://proxy.example", contextFactory=policy)
        self.assertEqual(policy.asked, [(b"proxy.example", 443)])
        results = self.connect(chain.endpoint("origin.example", 443))
        within = self.secured("proxy.example")
        self.assertTrue(within.received.startswith(b"CONNECT origin.example:443 "))
        self.say(within, OPEN + b"early")
        application = results[0]
        self.assertEqual(application.heard, ["made", b"early"])
        self.assertIs(application.transport.wrappedProtocol, application)
        application.transport.write(b"hello")
        self.reactor.flush()
        self.assertTrue(within.received.endswith(b"\r\n\r\nhello"))
        application.transport.loseConnection()
        self.reactor.flush()
        self.assertIsNotNone(within.lost)

    def test_second(self) -> None:
        """
        So it does to the second of two, beyond the first.
        """
        urls = "http://proxy.example", "https://second.example"
        chain = ProxyChain(self.reactor, urls, contextFactory=Trusting())
        results = self.connect(chain.endpoint("origin.example", 443))
        self.dialled()
        self.say(self.peer, OPEN)
        within = Peer()
        secured = TLSTransport(self.server("second.example"), within)
        pipe = self.peer.transport
        first = bytes(self.peer.received).partition(b"\r\n\r\n")[2]
        pipe.protocol = secured
        secured.makeConnection(pipe)
        secured.dataReceived(first)
        self.reactor.flush()
        self.assertTrue(within.received.startswith(b"CONNECT origin.example:443 "))
        self.say(within, OPEN)
        self.assertEqual(results[0].heard, ["made"])

    def test_wrongName(self) -> None:
        """
        A certificate for another name is not trusted, and nothing has been said by then.
        """
        chain = ProxyChain(self.reactor, "https://ann:x@proxy.example", contextFactory=Trusting())
        results = self.connect(chain.endpoint("origin.example", 443))
        within = self.secured("other.example")
        error = self.failed(results, ProxyConnectError)
        self.assertEqual(error.kind, "tls_certificate_error")
        self.assertEqual(within.received, b"")

    def test_untrusted(self) -> None:
        """
        Nor is one that no authority of the system's has signed.
        """
        results = self.connect(endpointThrough(self.reactor, "https://proxy.example", "origin.example", 443))
        self.secured("proxy.example")
        error = self.failed(results, ProxyConnectError)
        self.assertEqual(error.kind, "tls_certificate_error")

    def test_notThere(self) -> None:
        """
        A proxy that does not speak TLS, says nothing, or goes, in the middle of the handshake;
        and nobody who waits any more.
        """
        for happens, kind in (
            (lambda: self.say(self.peer, b"HTTP/1.1 400 Bad Request\r\n\r\n"), "tls_protocol_error"),
            (lambda: self.reactor.advance(30), "next_hop_silent"),
            (lambda: self.peer.transport.abortConnection(), "next_hop_gone"),
            (lambda: self.connecting.cancel(), ""),
        ):
            self.setUp()
            chain = ProxyChain(self.reactor, "https://proxy.example", contextFactory=Trusting())
            results = self.connect(chain.endpoint("origin.example", 443))
            self.dialled()
            self.assertTrue(self.heard().startswith(b"\x16\x03"))
            happens()
            self.reactor.flush()
            error = results[0].value
            if kind:
                self.assertEqual(error.kind, kind)
            else:
                self.assertIsInstance(error, ConnectingCancelledError)
            self.peer.transport.abortConnection()
            self.assertAtRest()
            self.assertIsNotNone(self.peer.lost)

    def test_proxyEndpoint(self) -> None:
        """
        The proxy itself can be connected to, too.
        """
        results = self.connect(
            proxyEndpoint(self.reactor, "https://proxy.example", contextFactory=Trusting())
        )
        within = self.secured("proxy.example")
        self.assertIsInstance(results[0], Application)
        results[0].transport.write(b"hello")
        self.reactor.flush()
        self.assertEqual(within.received, b"hello")
