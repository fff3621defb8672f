"""
SOCKS 5, 4 and 4a from the client's side.

  - L{connectproxy.listeners.socks.connection}: a client's connection: greeting,
    credentials, one request, and the answer to it.
  - L{connectproxy.listeners.socks.datagrams}: the client's side of a UDP
    association.
  - L{connectproxy.listeners.socks.port}: the kind of listener, and what belongs to
    a port.
"""

from connectproxy.listeners.socks.connection import SOCKSProxy
from connectproxy.listeners.socks.port import SOCKSProxyFactory, kind

__all__ = ["SOCKSProxy", "SOCKSProxyFactory", "kind"]
