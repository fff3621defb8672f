"""
Tests for L{connectproxy.web.factory}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface.verify import verifyObject

from connectproxy.tls import TLSTransport
from connectproxy.web import Proxies, ProxyAgentEndpointFactory
from tests.endpoints.case import OPEN
from tests.endpoints.securedcase import Trusting
from tests.fakes import Peer
from tests.tls.case import TLSCase
from tests.web.case import ANSWER, AgentCase


class FactoryTests(AgentCase, TLSCase):
    """
    L{ProxyAgentEndpointFactory}.
    """

    def factory(self, *arguments: Any, **parameters: Any) -> ProxyAgentEndpointFactory:
        return ProxyAgentEndpointFactory(self.reactor, *arguments, **parameters)

    def test_interfaces(self) -> None:
        """
        It gives endpoints, which say where to and by what.
        """
        factory = self.factory(["http://a:secret@b:1", "socks5h://c"])
        verifyObject(IAgentEndpointFactory, factory)
        endpoint = factory.endpointForURI(URI.fromBytes(b"https://origin.example/"))
        verifyObject(IStreamClientEndpoint, endpoint)
        expected = "<https origin.example:443 through http://b:1 through socks5h://c:1080>"
        self.assertEqual(repr(endpoint), expected)

    def test_tunnel(self) -> None:
        """
        An agent's request goes through a tunnel, without TLS as well.
        """
        agent = Agent.usingEndpointFactory(self.reactor, self.factory("http://proxy.example:3128"))
        results = self.get(agent, b"http://origin.example/path")
        self.assertEqual(self.dialled(), ("192.0.2.8", 3128))
        self.assertTrue(self.heard().startswith(b"CONNECT origin.example:80 "))
        self.say(self.peer, OPEN)
        self.assertTrue(self.heard().startswith(b"GET /path HTTP/1.1\r\n"))
        self.say(self.peer, ANSWER)
        self.assertEqual(results, [(200, b"hi")])
        self.assertAtRest()

    def test_secured(self) -> None:
        """
        With it there is TLS with the origin, under its own name.
        """
        policy = Trusting()
        factory = self.factory("http://proxy.example:3128", policy)
        results = self.get(Agent.usingEndpointFactory(self.reactor, factory), b"https://origin.example:444/")
        self.dialled()
        self.assertEqual(policy.asked, [(b"origin.example", 444)])
        self.say(self.peer, OPEN)
        first = self.heard().partition(b"\r\n\r\n")[2]
        within, pipe = Peer(), self.peer.transport
        pipe.protocol = TLSTransport(self.server("origin.example"), within)
        pipe.protocol.makeConnection(pipe)
        pipe.protocol.dataReceived(first)
        self.reactor.flush()
        self.assertTrue(within.received.startswith(b"GET / HTTP/1.1\r\n"))
        self.say(within, ANSWER)
        self.assertEqual(results, [(200, b"hi")])

    def test_without(self) -> None:
        """
        An exception is reached straight, with TLS and without.
        """
        factory = self.factory(
            Proxies("http://proxy.example", "http://proxy.example", "origin.example"), Trusting()
        )
        agent = Agent.usingEndpointFactory(self.reactor, factory)
        self.get(agent, b"http://origin.example/")
        self.assertEqual(self.dialled(), ("192.0.2.9", 80))
        self.assertTrue(self.heard().startswith(b"GET / HTTP/1.1\r\n"))
        self.get(agent, b"https://origin.example/")
        self.assertEqual(self.dialled(), ("192.0.2.9", 443))
        self.assertTrue(self.heard().startswith(b"\x16\x03"))

    def test_environment(self) -> None:
        """
        Without proxies it is the environment that says which.
        """
        self.patch(os, "environ", {"http_proxy": "http://proxy.example:3128"})
        factory = self.factory(connectTimeout=4)
        agent = Agent.usingEndpointFactory(self.reactor, factory)
        self.get(agent, b"http://origin.example/")
        self.assertEqual(self.dialled(), ("192.0.2.8", 3128))
        self.assertEqual(self.reactor.attempts[0].timeout, 4)

    def test_costsNothing(self) -> None:
        """
        Before an endpoint is connected to, nobody is asked whom to trust, and what leads to
        the proxies is made once.
        """
        policy = Trusting()
        factory = self.factory("https://proxy.example", policy, proxyContextFactory=policy)
        for _ in range(3):
            factory.endpointForURI(URI.fromBytes(b"https://origin.example/"))
        self.assertEqual(policy.asked, [])
        urls = factory.chainFor(URI.fromBytes(b"https://origin.example/"))
        self.assertIs(factory.chain(urls), factory.chain(urls))
        self.assertEqual(policy.asked, [(b"proxy.example", 443)])

    def test_schemes(self) -> None:
        """
        Others than those of the web are not supported.
        """
        factory = self.factory("http://proxy.example")
        for scheme in (b"ws", b"wss"):
            factory.endpointForURI(URI.fromBytes(scheme + b"://origin.example:1/"))
        with self.assertRaises(SchemeNotSupported):
            factory.endpointForURI(URI.fromBytes(b"ftp://origin.example/"))
