"""
Where to, in words and numbers: what a client may name as a destination, and
what kind of address the destination turns out to have.

L{connectproxy.address.authority} reads names, L{connectproxy.address.classes}
judges addresses, L{connectproxy.address.networks} holds lists of networks,
L{connectproxy.address.patterns} reads patterns of names.
Nothing here knows Twisted, looks a name up or makes a decision: these are the
facts that the rules decide on.
"""

from __future__ import annotations

from connectproxy.address.authority import Destination, parseAuthority, parseHost, validHostField
from connectproxy.address.classes import AddressClass, canonical, classify, embedded
from connectproxy.address.networks import Networks
from connectproxy.address.patterns import NamePattern, parsePattern

__all__ = [
    "AddressClass",
    "Destination",
    "NamePattern",
    "Networks",
    "canonical",
    "classify",
    "embedded",
    "parseAuthority",
    "parseHost",
    "parsePattern",
    "validHostField",
]
