"""
HTTP/2 from the client's side (RFC 9113, RFC 8441).

  - L{connectproxy.listeners.http2.port}: the kind of listener, and what belongs to
    a port.
  - L{connectproxy.listeners.http2.connection}: a client's connection.
  - L{connectproxy.listeners.http2.incoming}: the frames that it sends;
    L{connectproxy.listeners.http2.floods}: how many of them.
  - L{connectproxy.listeners.http2.sending}: what is sent to it, in turns.
  - L{connectproxy.listeners.http2.stream}: a stream, which is a transport;
    L{connectproxy.listeners.http2.credit}: the windows of streams.
  - L{connectproxy.listeners.http2.request}: what a request asks for;
    L{connectproxy.listeners.http2.tunnel}: a CONNECT;
    L{connectproxy.listeners.http2.answer}: an answer of the proxy's own.
"""

from connectproxy.listeners.http2.port import HTTP2Port, kind

__all__ = ["HTTP2Port", "kind"]
