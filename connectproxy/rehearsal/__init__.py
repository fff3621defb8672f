"""
What a proxy with a configuration would decide, without one being up.

The way is that of L{connectproxy.call}: who asks, the request, each address in the order
in which it would be dialled, the TLS server name; then the limits that hold, and what the
shadow policy says.  No socket is opened and no name looked up: addresses are what the
question says they are.  Credentials are not looked at; whoever is named counts as known.

  - L{connectproxy.rehearsal.rehearsal} has everything that decides, and finds out who asks;
  - L{connectproxy.rehearsal.walk} takes one request through it;
  - L{connectproxy.rehearsal.answer} has what comes out;
  - L{connectproxy.rehearsal.ports} knows where the proxy would listen.

What depends on the moment is left out: how many tunnels are open, and what is left of a
quota.
"""

from __future__ import annotations

from connectproxy.rehearsal.answer import Answer, Stage
from connectproxy.rehearsal.rehearsal import Rehearsal

__all__ = ["Answer", "Rehearsal", "Stage"]
