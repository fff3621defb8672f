"""
HTTP/2 as both sides of a connection have it (RFC 9113): what listens for it, and what
speaks it to a next hop.

  - L{connectproxy.http2.connection}: a connection: its streams, its deadlines and its end.
  - L{connectproxy.http2.incoming}: the frames that the peer sends;
    L{connectproxy.http2.floods}: how many of them.
  - L{connectproxy.http2.sending}: what is sent to it, in turns.
  - L{connectproxy.http2.stream}: a stream, which is a transport;
    L{connectproxy.http2.inflow}: its receiving direction;
    L{connectproxy.http2.credit}: the windows of streams.

What a stream is asked for, and who begins it, is known to those only who have a side:
L{connectproxy.listeners} and L{connectproxy.upstreams}.
"""
