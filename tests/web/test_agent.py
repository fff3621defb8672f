"""
Tests for L{connectproxy.web.agent}; which octets go in absolute-form is
L{tests.web.test_forwarding}'s.
"""

from __future__ import annotations

from http.cookiejar import CookieJar

from twisted.internet.defer import CancelledError
from twisted.web.client import Agent, CookieAgent, RedirectAgent
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent
from zope.interface.verify import verifyObject

from connectproxy.endpoints import ProxyAuthenticationError, ProxyConnectError
from connectproxy.tls import TLSTransport
from connectproxy.web import Proxies
from tests.endpoints.case import OPEN
from tests.endpoints.test_socks import OPEN5
from tests.fakes import Peer
from tests.tls.case import TLSCase
from tests.web.case import ANSWER, AgentCase


class WayTests(AgentCase):
    """
    Which way a request goes.
    """

    def test_interface(self) -> None:
        """
        It is an agent.
        """
        verifyObject(IAgent, self.agent("http://proxy.example"))

    def test_forwarded(self) -> None:
        """
        Without TLS, to a proxy that speaks HTTP, it is a message for the proxy.
        """
        results = self.get(self.agent("http://proxy.example:3128"), b"http://origin.example/path")
        self.assertEqual(self.dialled(), ("192.0.2.8", 3128))
        self.assertTrue(self.heard().startswith(b"GET http://origin.example/path HTTP/1.1\r\n"))
        self.say(self.peer, ANSWER)
        self.assertEqual(results, [(200, b"hi")])
        self.rest()

    def test_tunnelled(self) -> None:
        """
        With TLS, or to one that speaks SOCKS, it goes through a tunnel.
        """
        self.get(self.agent("http://proxy.example:3128"), b"https://origin.example/")
        self.dialled()
        self.assertTrue(self.heard().startswith(b"CONNECT origin.example:443 "))
        results = self.get(self.agent("socks5h://proxy.example"), b"http://origin.example/path")
        self.assertEqual(self.dialled(), ("192.0.2.8", 1080))
        self.say(self.peer, b"\x05\x00")
        self.say(self.peer, OPEN5)
        self.assertIn(b"GET /path HTTP/1.1\r\n", self.heard())
        self.say(self.peer, ANSWER)
        self.assertEqual(results, [(200, b"hi")])

    def test_chain(self) -> None:
        """
        Through several, it is a message for the last.
        """
        results = self.get(
            self.agent(["socks5h://proxy.example", "http://second.example"]), b"http://origin.example/"
        )
        self.dialled()
        self.say(self.peer, b"\x05\x00")
        self.assertIn(b"\x0esecond.example\x00\x50", self.heard())
        self.say(self.peer, OPEN5)
        self.assertTrue(self.heard().startswith(b"GET http://origin.example/ HTTP/1.1\r\n"))
        self.say(self.peer, ANSWER)
        self.assertEqual(results, [(200, b"hi")])

    def test_without(self) -> None:
        """
        An exception is reached straight.
        """
        self.get(
            self.agent(Proxies("http://proxy.example", exceptions=".example")), b"http://origin.example/path"
        )
        self.assertEqual(self.dialled(), ("192.0.2.9", 80))
        self.assertTrue(self.heard().startswith(b"GET /path HTTP/1.1\r\n"))


class PoolTests(AgentCase):
    """
    Connections are kept, and known by what they lead through.
    """

    def test_forwarded(self) -> None:
        """
        One connection to a proxy serves all origins without TLS.
        """
        agent = self.agent("http://proxy.example")
        for number in range(2):
            results = self.get(agent, b"http://origin%d.example/" % number)
            if not number:
                self.dialled()
            self.reactor.flush()
            self.assertIn(b"GET http://origin%d.example/ " % number, self.heard())
            self.say(self.peer, ANSWER)
            self.assertEqual(results, [(200, b"hi")])
        self.assertEqual(len(self.reactor.attempts), 1)
        self.rest()

    def test_tunnelled(self) -> None:
        """
        A tunnel serves its origin again.
        """
        agent = self.agent("socks5h://proxy.example")
        for number in range(2):
            results = self.get(agent, b"http://origin.example/%d" % number)
            if not number:
                self.dialled()
                self.say(self.peer, b"\x05\x00")
                self.say(self.peer, OPEN5)
            self.reactor.flush()
            self.assertIn(b"GET /%d " % number, self.heard())
            self.say(self.peer, ANSWER)
            self.assertEqual(results, [(200, b"hi")])
        self.get(agent, b"http://other.example/")
        self.reactor.flush()
        self.assertEqual(len(self.reactor.attempts), 2)
        self.asking.cancel()
        self.rest()

    def test_shared(self) -> None:
        """
        Agents with other proxies, and with none, can have the same pool: no connection is
        taken for another one.
        """
        agents = (
            Agent(self.reactor, pool=self.pool),
            self.agent(["http://proxy.example"]),
            self.agent(["http://ann:x@proxy.example"]),
            self.agent(["http://proxy.example:81"]),
        )
        for number, agent in enumerate(agents, 1):
            self.get(agent, b"http://origin.example/")
            self.dialled()
            self.say(self.peer, ANSWER)
            self.assertEqual(len(self.reactor.attempts), number)
        self.get(self.agent(Proxies()), b"http://origin.example/")
        self.assertEqual(len(self.reactor.attempts), len(agents))
        self.asking.cancel()
        self.rest()

    def test_persistent(self) -> None:
        """
        Without a pool each request has its connection.
        """
        results = self.get(self.agent("http://proxy.example", pool=None), b"http://origin.example/")
        self.dialled()
        self.assertIn(b"Connection: close\r\n", self.heard())
        self.say(self.peer, ANSWER)
        self.assertEqual(results, [(200, b"hi")])
        self.assertAtRest()


class FailureTests(AgentCase, TLSCase):
    """
    What goes wrong.
    """

    def test_refused(self) -> None:
        """
        A refusal is the endpoints' exception, with all that the proxy has said.
        """
        results = self.get(self.agent("http://proxy.example"), b"https://origin.example/")
        self.dialled()
        self.say(self.peer, b"HTTP/1.1 403 No\r\nX-Why: policy\r\n\r\n")
        error = self.failed(results, ProxyConnectError)
        self.assertEqual((error.status, error.headers.getRawHeaders("X-Why")), (403, ["policy"]))
        self.assertAtRest()

    def test_challenged(self) -> None:
        """
        So is a challenge.
        """
        results = self.get(self.agent("http://proxy.example"), b"https://origin.example/")
        self.dialled()
        self.say(self.peer, b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n")
        self.failed(results, ProxyAuthenticationError)

    def test_cancelled(self) -> None:
        """
        Cancelled while the proxy is asked, its connection is closed.
        """
        results = self.get(self.agent("http://proxy.example"), b"https://origin.example/")
        self.dialled()
        self.asking.cancel()
        self.assertEqual(len(results), 1)
        self.assertAtRest()
        self.assertIsNotNone(self.peer.lost)
        results = self.get(self.agent("http://proxy.example"), b"http://origin.example/")
        self.dialled()
        self.asking.cancel()
        self.assertIn(CancelledError, [each.type for each in results[0].value.reasons])
        self.assertAtRest()

    def test_wrong(self) -> None:
        """
        What can't be asked for fails the request, and raises nothing.
        """
        for proxies, uri, kind in (
            ("http://proxy.example", b"ftp://origin.example/", SchemeNotSupported),
            ("http://proxy.example", b"https://a..b/", ValueError),
            ("socks4a://proxy.example", b"http://[::1]/", ValueError),
            ("http://proxy.example", b"http://\xff/", UnicodeDecodeError),
            ("http://proxy.example", b"http://origin.example/\r\nX: y", ValueError),
        ):
            results = self.get(self.agent(proxies), uri)
            self.failed(results, kind)

    def test_verified(self) -> None:
        """
        An origin's certificate is verified under the origin's name; the proxy's would not do.
        """
        results = self.get(self.agent("http://proxy.example"), b"https://origin.example/")
        self.dialled()
        self.say(self.peer, OPEN)
        first = self.heard().partition(b"\r\n\r\n")[2]
        within, pipe = Peer(), self.peer.transport
        pipe.protocol = TLSTransport(self.server("proxy.example"), within)
        pipe.protocol.makeConnection(pipe)
        pipe.protocol.dataReceived(first)
        self.reactor.flush()
        self.assertEqual(within.received, b"")
        self.assertEqual(len(results), 1)
        self.assertIn("VerificationError", str(results[0]))


class WithinTests(AgentCase):
    """
    Within the agents that add something.
    """

    def test_redirected(self) -> None:
        """
        A redirection to another scheme goes another way.
        """
        self.get(RedirectAgent(self.agent("http://proxy.example")), b"http://origin.example/")
        self.dialled()
        self.heard()
        self.say(
            self.peer, b"HTTP/1.1 302 Go\r\nLocation: https://other.example/\r\nContent-Length: 0\r\n\r\n"
        )
        self.dialled()
        self.assertTrue(self.heard().startswith(b"CONNECT other.example:443 "))

    def test_cookies(self) -> None:
        """
        Cookies are kept.
        """
        agent = CookieAgent(self.agent("http://proxy.example"), CookieJar())
        self.get(agent, b"http://origin.example/")
        self.dialled()
        self.heard()
        self.say(self.peer, ANSWER.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n"))
        self.get(agent, b"http://origin.example/")
        self.reactor.flush()
        self.assertIn(b"Cookie: a=b\r\n", self.heard())

    def test_secret(self) -> None:
        """
        What is meant for a proxy goes to none else: not to the origin of a tunnel, and not to
        one that is reached straight.  The caller's fields stay as they are.
        """
        headers = Headers({b"Proxy-Authorization": [b"Basic eDp5"], b"X-A": [b"b"]})
        self.get(self.agent("socks5h://proxy.example"), b"http://origin.example/", headers)
        self.dialled()
        self.say(self.peer, b"\x05\x00")
        self.say(self.peer, OPEN5)
        through = self.heard()
        self.get(self.agent(Proxies()), b"http://origin.example/", headers)
        self.dialled()
        for request in (through, self.heard()):
            self.assertIn(b"X-A: b\r\n", request)
            self.assertNotIn(b"eDp5", request)
        self.assertTrue(headers.hasHeader(b"Proxy-Authorization"))
