"""
Makes C{twistd connectproxy} known.

Twisted imports this for every C{twistd} command, so it names our modules and imports
none of them.
"""

from twisted.application.service import ServiceMaker

connectproxy = ServiceMaker(
    "connectproxy",
    "connectproxy.tap",
    "A forward proxy: HTTP CONNECT tunnels with access rules, spliced in the kernel where possible.",
    "connectproxy",
)
