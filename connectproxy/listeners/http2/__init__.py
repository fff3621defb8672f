"""
HTTP/2 from the client's side (RFC 9113, RFC 8441).

  - L{connectproxy.listeners.http2.port}: the kind of listener, and what belongs to
    a port.
  - L{connectproxy.listeners.http2.connection}: a client's connection.
  - L{connectproxy.listeners.http2.incoming}: the frames that it sends.
  - L{connectproxy.listeners.http2.request}: what a request asks for;
    L{connectproxy.listeners.http2.tunnel}: a CONNECT;
    L{connectproxy.listeners.http2.answer}: an answer of the proxy's own.

What both sides of HTTP/2 have in common is L{connectproxy.http2}'s.
"""

from connectproxy.listeners.http2.port import HTTP2Port, kind

__all__ = ["HTTP2Port", "kind"]
