"""
The way through another proxy that speaks HTTP/2: CONNECT on a stream (RFC 9113 section 8.5),
and many tunnels on one connection.

  - L{connectproxy.upstreams.http2.upstream}: the kind of upstream.
  - L{connectproxy.upstreams.http2.pool}: the connections to one next hop, and what waits for
    one of them.
  - L{connectproxy.upstreams.http2.opening}: a connection, until it takes requests;
    L{connectproxy.upstreams.http2.connection}: and from then on;
    L{connectproxy.upstreams.http2.incoming}: the frames that come on it;
    L{connectproxy.upstreams.http2.stream}: a tunnel, which is a transport.
  - L{connectproxy.upstreams.http2.asking}: a request, until it has its answer.

What both sides of HTTP/2 have in common is L{connectproxy.http2}'s.
"""

from connectproxy.upstreams.http2.upstream import HTTP2Upstream, kind

__all__ = ["HTTP2Upstream", "kind"]
