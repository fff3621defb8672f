"""
The seams, and the values that cross them.

What a third party may write stands here as a L{zope.interface.Interface}
(L{connectproxy.interfaces.inbound} towards clients,
L{connectproxy.interfaces.outbound} towards destinations); what crosses a seam is a
value (L{connectproxy.interfaces.values}).

The way of a request goes down only: a listener hands an L{IInboundTunnel} to
L{ISwitchboard.place}; the switchboard asks each L{IRule}, connects through an
L{IUpstream} and lets an L{IRelay} join the two legs.  A message that is forwarded
goes the same way as an L{IInboundExchange}, and the listener carries it.  Nothing
goes up but calls of C{accept} and C{refuse} and a Deferred that fires.
"""

from connectproxy.interfaces.identity import IAuthenticator, Identified, IProxyUser, ProxyUser
from connectproxy.interfaces.inbound import (
    ICarriage,
    IDialect,
    IInbound,
    IInboundExchange,
    IInboundTunnel,
    IListenerKind,
    IReceiver,
    ISwitchboard,
)
from connectproxy.interfaces.outbound import (
    IForwardingUpstream,
    IHopUpstream,
    INameRule,
    IRelay,
    IRule,
    IRuleKind,
    IStandingUpstream,
    ITunnel,
    IUpstream,
    IUpstreamKind,
    Surroundings,
)
from connectproxy.interfaces.values import (
    STALE,
    Action,
    Arrival,
    Attempt,
    Bounds,
    Established,
    IPAddress,
    Outcome,
    Phase,
    Terms,
    Timeouts,
    TunnelRequest,
    Verdict,
)
from connectproxy.leg import Leg

__all__ = [
    "STALE",
    "Action",
    "Arrival",
    "Attempt",
    "Bounds",
    "Established",
    "IAuthenticator",
    "ICarriage",
    "IDialect",
    "IForwardingUpstream",
    "IHopUpstream",
    "IInbound",
    "IInboundExchange",
    "IInboundTunnel",
    "IListenerKind",
    "INameRule",
    "IPAddress",
    "IProxyUser",
    "IReceiver",
    "IRelay",
    "IRule",
    "IRuleKind",
    "IStandingUpstream",
    "ISwitchboard",
    "ITunnel",
    "IUpstream",
    "IUpstreamKind",
    "Identified",
    "Leg",
    "Outcome",
    "Phase",
    "ProxyUser",
    "Surroundings",
    "Terms",
    "Timeouts",
    "TunnelRequest",
    "Verdict",
]
