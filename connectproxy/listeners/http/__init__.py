"""
HTTP/1.x from the client's side.

  - L{connectproxy.listeners.http.port}: the kind of listener, and what belongs to
    a port.
  - L{connectproxy.listeners.http.connection}: a client's connection, from head to
    head; L{connectproxy.listeners.http.flow}: how fast it is read and written;
    L{connectproxy.listeners.http.ending}: how it ends.
  - L{connectproxy.listeners.http.request}: what a request asks for;
    L{connectproxy.listeners.http.repeat}: one that asks like the one before it.
  - L{connectproxy.listeners.http.exchange}: a request that is forwarded, and its
    response; L{connectproxy.listeners.http.carriage}: how that comes to its end.
"""

from connectproxy.listeners.http.connection import HTTPProxy
from connectproxy.listeners.http.port import HTTPProxyFactory, kind

__all__ = ["HTTPProxy", "HTTPProxyFactory", "kind"]
