"""
SOCKS 5, 4 and 4a: octets to values and back, for both ends of a connection.

  - L{connectproxy.wire.socks.message} has what all messages share: reading in
    pieces, the address field, the numbers;
  - L{connectproxy.wire.socks.server} reads what clients send and writes the answers;
  - L{connectproxy.wire.socks.client} does the opposite, for a next hop that speaks SOCKS;
  - L{connectproxy.wire.socks.negotiation} has these in their order, from greeting to reply;
  - L{connectproxy.wire.socks.datagram} is the header of UDP datagrams, for both.

Implements RFC 1928, RFC 1929, and the memos "SOCKS: A protocol for TCP proxy
across firewalls" (SOCKS 4, Ying-Da Lee) and its extension "SOCKS 4A".  Nothing
here knows a transport, a clock or the policy.  What a peer does wrong is a
L{connectproxy.errors.Refusal}; the numbers of a reply come from its row.

Left out: GSSAPI (RFC 1961), which RFC 1928 section 3 demands and next to nobody
has, clients included; other methods than none and RFC 1929; the reassembly of
fragments, optional by RFC 1928 section 7; asking an ident server about a SOCKS 4
user id, which is why that id proves nothing.
"""

from __future__ import annotations

from connectproxy.wire.socks.client import (
    MethodReader,
    ReplyReader,
    ReplyReader4,
    ReplyReader5,
    StatusReader,
    formatCredentials,
    formatGreeting,
    formatRequest4,
    formatRequest5,
)
from connectproxy.wire.socks.datagram import Datagram, formatDatagram, parseDatagram
from connectproxy.wire.socks.message import Address, Command, Method, Reader
from connectproxy.wire.socks.negotiation import SOCKS4Negotiation, SOCKS5Negotiation
from connectproxy.wire.socks.server import (
    Associate,
    Bind,
    Connect,
    Credentials,
    CredentialsReader,
    GreetingReader,
    Request,
    RequestReader4,
    RequestReader5,
    chooseMethod,
    formatMethod,
    formatReply4,
    formatReply5,
    formatStatus,
)

__all__ = [
    "Address",
    "Associate",
    "Bind",
    "Command",
    "Connect",
    "Credentials",
    "CredentialsReader",
    "Datagram",
    "GreetingReader",
    "Method",
    "MethodReader",
    "Reader",
    "ReplyReader",
    "ReplyReader4",
    "ReplyReader5",
    "Request",
    "RequestReader4",
    "RequestReader5",
    "SOCKS4Negotiation",
    "SOCKS5Negotiation",
    "StatusReader",
    "chooseMethod",
    "formatCredentials",
    "formatDatagram",
    "formatGreeting",
    "formatMethod",
    "formatReply4",
    "formatReply5",
    "formatRequest4",
    "formatRequest5",
    "formatStatus",
    "parseDatagram",
]
