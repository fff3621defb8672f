"""
The public names, all of them: what is not here may change without notice, and whoever changes
these lists changes what users rely on.
"""

from __future__ import annotations

import inspect
from importlib import import_module

from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor
from twisted.plugins import connectproxy_plugin
from twisted.trial.unittest import SynchronousTestCase

from connectproxy import discovery

NAMES = {
    "connectproxy": """
        Config ConfigurationError ProxyService __version__ configure load
    """,
    "connectproxy.address": """
        AddressClass Destination NamePattern Networks canonical classify embedded parseAuthority
        parseHost parsePattern validHostField
    """,
    "connectproxy.endpoints": """
        CONNECTClientEndpoint ProxyAuthenticationError ProxyChain ProxyConnectError
        ProxyTimeoutError ProxyURL SOCKS4ClientEndpoint SOCKS5ClientEndpoint endpointThrough
        parseProxyURL proxyEndpoint
    """,
    "connectproxy.errors": """
        KINDS Kind Refusal Refused
    """,
    "connectproxy.interfaces": """
        Action Arrival Attempt Bounds Established IAuthenticator ICarriage IDialect
        IForwardingUpstream IHopUpstream IInbound IInboundExchange IInboundTunnel IListenerKind
        INameRule IPAddress IProxyUser IReceiver IRelay IRule IRuleKind IStandingUpstream
        ISwitchboard ITunnel IUpstream IUpstreamKind Identified Leg Outcome Phase ProxyUser STALE
        Surroundings Terms Timeouts TunnelRequest Verdict
    """,
    "connectproxy.testing": """
        Answer Case Close Decisions FakeAttempt FakePipe FakePort FakeReactor FaultyConnection
        FaultyServer Forward HalfClose Peer ProxyFixture ProxyMixin Read Reset RunningProxy Say
        Stall pipePair readCases runningProxy
    """,
    "connectproxy.testing.fixtures": """
        proxy proxyOptions reactorThread startFaults startProxy
    """,
    "connectproxy.web": """
        Proxies ProxyAgentEndpointFactory ProxyingAgent
    """,
}


class NameTests(SynchronousTestCase):
    """
    What can be imported.
    """

    def test_names(self) -> None:
        """
        These, and no others.
        """
        for module, names in NAMES.items():
            self.assertEqual(sorted(import_module(module).__all__), names.split(), module)

    def test_documented(self) -> None:
        """
        Each is there, and every class and function says what it is for.
        """
        for module, names in NAMES.items():
            self.assertTrue(import_module(module).__doc__, module)
            for name in names.split():
                public = getattr(import_module(module), name)
                if inspect.isclass(public) or inspect.isfunction(public):
                    self.assertTrue(inspect.getdoc(public), f"{module}.{name}")

    def test_endpoints(self) -> None:
        """
        The prefixes of client endpoint strings.
        """
        found = [
            each.prefix
            for each in vars(connectproxy_plugin).values()
            if IStreamClientEndpointStringParserWithReactor.providedBy(each)
        ]
        self.assertEqual(sorted(found), ["connect", "socks4", "socks5"])

    def test_groups(self) -> None:
        """
        The groups of entry points.
        """
        made = (
            discovery.checkers(None),
            discovery.protocols(),
            discovery.rules(None),
            discovery.schemes(None),
        )
        self.assertEqual(
            [each.group for each in made],
            [
                "connectproxy.checkers",
                "connectproxy.listeners",
                "connectproxy.rules",
                "connectproxy.upstreams",
            ],
        )
