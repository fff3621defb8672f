"""
Datagrams into the world and back: the sockets of an association, and the policy for
each destination.

  - L{connectproxy.datagrams.direct}: the way straight to the destinations.
  - L{connectproxy.datagrams.flow}: what one association sends and gets.
  - L{connectproxy.datagrams.port}: a UDP socket in the reactor.
  - L{connectproxy.datagrams.route}: what is known of one destination.

Everything is bounded: what is remembered of destinations, names that are being
looked up, datagrams that wait for that, and datagrams taken in one turn of the
reactor.
"""

from connectproxy.datagrams.direct import DirectDatagrams
from connectproxy.datagrams.flow import Flow
from connectproxy.datagrams.port import DatagramPort

__all__ = ["DatagramPort", "DirectDatagrams", "Flow"]
