"""
The kit that every listener and every upstream goes through.

A listener's tests mix in L{ListenerContract} and say how a client of its dialect talks; an
upstream's mix in L{UpstreamContract} and say how its handshake goes.  What a dialect has of
its own is tested beside it; what the seams promise is tested here, the same for all::

    class HTTPContractTests(ListenerContract, SynchronousTestCase):
        kind = http.kind
        success = 200

        def ask(self, target):
            return f"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n".encode()

        ...

A relay's contract is in L{tests.relaycontract}, L{tests.relaytime} and L{tests.relaystorm}.
Everything here is over fakes, so that the test decides when what happens.
"""

from __future__ import annotations

from tests.listenercontract import Answer, ListenerContract
from tests.upstreamcontract import UpstreamContract

__all__ = ["Answer", "ListenerContract", "UpstreamContract"]
