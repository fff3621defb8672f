"""
L{twisted.web.client.Agent} through proxies.

  - L{ProxyingAgent}: an L{IAgent<twisted.web.iweb.IAgent>} that goes through proxies by
    their URLs, or by what the environment says; treq takes it;
  - L{ProxyAgentEndpointFactory}: tunnels for an C{Agent} of one's own;
  - L{Proxies}: which proxies for which origin, as C{HTTP_PROXY}, C{NO_PROXY} and the others
    have it.

What goes wrong with a proxy is told by the exceptions of L{connectproxy.endpoints}.  See
docs/endpoints.md.
"""

from __future__ import annotations

from connectproxy.web.agent import ProxyingAgent
from connectproxy.web.factory import ProxyAgentEndpointFactory
from connectproxy.web.proxies import Proxies

__all__ = ["Proxies", "ProxyAgentEndpointFactory", "ProxyingAgent"]
