"""
The client's side of HTTP/1.1, towards origins: whoever forwards a message, in
whatever protocol it came, talks to the origin through this.

A connection is taken from its leg, given a request, and tells a sink what comes of
it::

    connection = OriginConnection(established, clock, wheel, Patience.of(settings))
    connection.begin(sink, "POST", head, more=True)  # head: formatRequest(...)
    connection.write(octets)            # the body, framed as the head says
    connection.finish()                 # that was all of it

    sink.interim(head)                  # any number of 1xx, bounded; never a 101
    sink.respond(head, framing, octets, done)
    sink.content(octets, done)          # any number of them, until one is done
    sink.failed(refusal, begun, stale)  # or this, at any time; nothing comes after it

Back-pressure goes both ways: C{connection.pauseProducing} and C{resumeProducing} are
the response's, so that a connection can be the push producer of what the sink writes
to, or be told by whoever is; C{sink.pauseRequest} and C{resumeRequest} are the
request's.  No more is held than one read in each direction.

When C{done} is told, C{connection.reusable} says whether another request may follow:
put it into an L{OriginPool}, or call C{connection.close()}.  One that is not reusable
closes by itself.  Whoever gives up a request calls C{connection.abort()} and is told
nothing more.

What C{begin} is told of limits is kept here: both directions of a message pass here
and nowhere else, whatever the client speaks.

A 407 is told as any other status; it is not for clients of the proxy to see.

Deadlines are the connection's own, by L{Patience}: for the head of the response, for
silence in the middle, and for being idle.

  - L{connectproxy.origin.sink}: what is told, and how long is waited.
  - L{connectproxy.origin.connection}: the connection; L{connectproxy.origin.lifetime}:
    how it rests and ends.
  - L{connectproxy.origin.pool}: those that are idle, of one client's connection.
  - L{connectproxy.origin.deadline}: a deadline that is moved without being moved.

It knows no switchboard and no client.
"""

from connectproxy.origin.connection import OriginConnection
from connectproxy.origin.deadline import Deadline
from connectproxy.origin.pool import OriginPool
from connectproxy.origin.sink import Patience, ResponseSink

__all__ = ["Deadline", "OriginConnection", "OriginPool", "Patience", "ResponseSink"]
