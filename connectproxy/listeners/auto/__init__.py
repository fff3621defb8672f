"""
One port for every protocol: the first octets of a connection decide.

  - L{connectproxy.listeners.auto.reception}: a connection of which it is not known yet
    what it speaks.
  - L{connectproxy.listeners.auto.port}: what belongs to a port, and the kind of listener.
"""

from connectproxy.listeners.auto.port import AutoFactory, PortOptions, kind
from connectproxy.listeners.auto.reception import Reception

__all__ = ["AutoFactory", "PortOptions", "Reception", "kind"]
