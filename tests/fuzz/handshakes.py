"""
The targets for what comes before the octets of a tunnel and is no HTTP: SOCKS, and PROXY
headers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.wire.proxyheader import HeaderReader, ProxyHeader, formatBlock, formatLine
from connectproxy.wire.socks import (
    Address,
    Connect,
    Credentials,
    CredentialsReader,
    Datagram,
    GreetingReader,
    MethodReader,
    ReplyReader4,
    ReplyReader5,
    RequestReader4,
    RequestReader5,
    StatusReader,
    chooseMethod,
    formatCredentials,
    formatDatagram,
    formatRequest4,
    formatRequest5,
    parseDatagram,
)
from tests.fuzz.feeding import Case, check, feed, fit, steady

__all__ = ["credentials", "datagram", "greeting", "hop", "proxyheader", "socks4", "socks5"]


def proxyheader(octets: bytes) -> None:
    """
    A PROXY header.
    """
    case = Case(octets)
    versions = ((1, 2), (1,), (2,))[case.choice % 3]
    header, leftover = steady(case, partial(feed, partial(HeaderReader, versions)))
    if isinstance(header, ProxyHeader):
        check(case.octets.endswith(leftover) and header.version in versions, header)
        if header.source is not None:
            ends = (header.source, header.destination)
            written = (
                formatLine(*ends)
                if header.version == 1
                else formatBlock(*ends, header.transport, header.tlvs, checksum=True)
            )
            check(HeaderReader([header.version]).receive(written) == header, header, written)


def _client(reader: Any, case: Case) -> Any:
    """What a client of SOCKS has said."""
    found, leftover = steady(case, partial(feed, reader))
    check(case.octets.endswith(leftover), leftover)
    return found


def greeting(octets: bytes) -> None:
    """
    How a client of SOCKS 5 begins.
    """
    case = Case(octets)
    found = _client(GreetingReader, case)
    if isinstance(found, bytes):
        method = chooseMethod(found, (2, 0))
        if isinstance(method, Refusal):
            fit(method)
        else:
            check(method in found, method)


def credentials(octets: bytes) -> None:
    """
    Username and password of SOCKS 5.
    """
    case = Case(octets)
    found = _client(CredentialsReader, case)
    if isinstance(found, Credentials):
        written = formatCredentials(found.username, found.password)
        check(case.octets.startswith(written), written)


def socks5(octets: bytes) -> None:
    """
    A request of SOCKS 5.
    """
    case = Case(octets)
    found = _client(RequestReader5, case)
    if isinstance(found, Connect):
        _same(
            found.destination,
            RequestReader5(),
            formatRequest5(found.destination.host, found.destination.port),
        )


def socks4(octets: bytes) -> None:
    """
    A request of SOCKS 4 or 4a.
    """
    case = Case(octets)
    found = _client(RequestReader4, case)
    if isinstance(found, Connect):
        written = formatRequest4(found.destination.host, found.destination.port, found.user)
        if isinstance(written, Refusal):  # IPv6, which 4a has in the place of a name
            fit(written)
        else:
            _same(found.destination, RequestReader4(), written)


def _same(destination: Destination, reader: Any, written: bytes) -> None:
    """What has been written leads to the same destination."""
    again = reader.receive(written)
    check(isinstance(again, Connect) and not reader.leftover, again, written)
    check(again.destination[:2] == destination[:2], again, destination)


def hop(octets: bytes) -> None:
    """
    What a next hop that speaks SOCKS says.
    """
    case = Case(octets)
    readers = (partial(MethodReader, b"\0\2"), StatusReader, ReplyReader5, ReplyReader4)
    found = _client(readers[case.choice % 4], case)
    if isinstance(found, Address):
        check(found.host.isascii() and found.host.isprintable() and 0 <= found.port <= 65535, found)


def datagram(octets: bytes) -> None:
    """
    A datagram of SOCKS 5.
    """
    case = Case(octets)
    found = parseDatagram(case.octets)
    if isinstance(found, Refusal):
        fit(found)
        return
    check(case.octets.endswith(found.payload), found)
    again = parseDatagram(formatDatagram(found.destination.host, found.destination.port, found.payload))
    check(isinstance(again, Datagram) and again.payload == found.payload, again, found)
    check(again.destination[:2] == found.destination[:2], again, found)  # type: ignore[union-attr]
