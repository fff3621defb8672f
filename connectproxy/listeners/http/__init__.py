"""
HTTP/1.x from the client's side.

  - L{connectproxy.listeners.http.connection}: a client's connection: heads, one
    C{CONNECT}, refusals and what comes behind them.
  - L{connectproxy.listeners.http.port}: the kind of listener, and what belongs to
    a port.
"""

from connectproxy.listeners.http.connection import HTTPProxy
from connectproxy.listeners.http.port import HTTPProxyFactory, kind

__all__ = ["HTTPProxy", "HTTPProxyFactory", "kind"]
