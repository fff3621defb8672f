"""
A question to a policy: what a client would ask for, as people write it down.

Owns the keys of a question, which options of C{connectproxy explain}, tables of a file of
cases and arguments in Python have in common, and what can be wrong with them.  What the
answer is, is L{connectproxy.rehearsal}'s.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from connectproxy.address import Destination, canonical, parseAuthority
from connectproxy.config.forms import Unfit, nearest, shown
from connectproxy.config.texts import Methods, isLabel
from connectproxy.discovery import protocols
from connectproxy.errors import Refusal
from connectproxy.interfaces import IPAddress

__all__ = ["KEYS", "PROTOCOLS", "SCHEMES", "Question", "Unclear", "readQuestion"]

PROTOCOLS = ("http/1.1", "http/1.0", "h2", "socks5", "socks4", "socks4a")
"""What a client can speak, as events name it."""

SCHEMES: Mapping[str, str] = {"tcp": "CONNECT", "udp": "UDP", "http": "GET"}
"""The kinds of traffic, each with the method that stands for it where none is said."""

KEYS: Mapping[str, str] = {
    "dest": "where to: host:port",
    "user": "who asks; left out, whoever the connection shows, or nobody",
    "groups": "groups that the user is in besides those of [[group]] tables",
    "client": "the client's address, or unix for a UNIX socket",
    "listener": "the listener, by its name or endpoint",
    "protocol": "what the client speaks",
    "method": "the request's method",
    "scheme": "what is asked for: tcp for a tunnel, udp for datagrams, http for a forwarded request",
    "addresses": "what the destination's name resolves to",
    "server_name": 'the server name (SNI) of the TLS within the tunnel; "" for none',
    "at": "when, with an offset from UTC",
}
"""Every key, and what it is."""

_DATAGRAMS = ("socks5",)
_TUNNELS_ONLY = ("socks5", "socks4", "socks4a")


class Unclear(ValueError):
    """
    A question can't be understood.

    @ivar complaints: for each thing that is wrong, the key, what it is and what would be
        right.
    """

    def __init__(self, *complaints: tuple[str, str, str]) -> None:
        ValueError.__init__(self, "; ".join(f"{key}: {what}; {advice}" for key, what, advice in complaints))
        self.complaints = complaints


class Question(NamedTuple):
    """
    What a client asks for, and what else is known of it.

    @ivar dest: where to, as it is written.
    @ivar destination: the same as the proxy reads it, or why it does not.
    @ivar user: who asks; L{None} where nobody is named.
    @ivar groups: groups of the user besides those that the configuration knows.
    @ivar client: the client's address.
    @ivar listener: what the listener is called; empty for the first.
    @ivar protocol: one of L{PROTOCOLS}, or one that somebody else's listener speaks.
    @ivar method: the request's method.
    @ivar addresses: what the name resolves to; L{None} where that is not known.
    @ivar serverName: that of the TLS within the tunnel; L{None} where nothing is said of it.
    @ivar at: when, in seconds since 1970; L{None} for now.
    """

    dest: str
    destination: Destination | Refusal
    user: str | None = None
    groups: frozenset[str] = frozenset()
    client: IAddress = IPv4Address("TCP", "127.0.0.1", 50000)
    listener: str = ""
    protocol: str = "http/1.1"
    method: str = "CONNECT"
    addresses: tuple[IPAddress, ...] | None = None
    serverName: str | None = None
    at: float | None = None


def readQuestion(said: Mapping[str, Any]) -> Question:
    """
    Read a question.

    @param said: values by L{KEYS}: strings; C{groups} and C{addresses} are lists of them,
        C{at} may be a C{datetime}.  What is L{None} is not said.
    @raise Unclear: all that is wrong with it.
    """
    reading = _Reading({key: value for key, value in said.items() if value is not None})
    question = reading.question()
    if reading.complaints:
        raise Unclear(*reading.complaints)
    return question


class _Reading:
    """
    A question on its way to be one.
    """

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said
        self.complaints: list[tuple[str, str, str]] = []

    def question(self) -> Question:
        """
        Read every key; where one is wrong, something stands in for it.
        """
        for key in self._said:
            if key not in KEYS:
                near = nearest(key, KEYS)
                advice = f"do you mean {near}?" if near else f"there are {', '.join(KEYS)}"
                self._complain(key, "there is no such key", advice)
        dest = self._text("dest")
        if not dest:
            self._complain("dest", "there is no destination", "say where to, as in example.com:443")
        destination = parseAuthority(dest.encode("utf-8", "surrogateescape"))
        user = self._label("user", self._text("user"))
        groups = frozenset(self._label("groups", group) for group in self._list("groups"))
        if groups and not user:
            self._complain("groups", "groups are a user's, and none is named", "say user as well")
        protocol, method = self._shape()
        return Question(
            dest,
            destination,
            user or None,
            groups,
            self._client(),
            self._text("listener"),
            protocol,
            method,
            self._addresses(destination),
            self._serverName(),
            self._at(),
        )

    def _complain(self, key: str, what: str, advice: str) -> None:
        """
        Keep in mind what is wrong.
        """
        self.complaints.append((key, what, advice))

    def _text(self, key: str) -> str:
        """
        Read a string; an empty one where nothing is said.
        """
        value = self._said.get(key, "")
        if isinstance(value, str):
            return value
        self._complain(key, f"{shown(value)} is not a string", "put it in quotes")
        return ""

    def _list(self, key: str) -> list[str]:
        """
        Read strings.
        """
        value = self._said.get(key, ())
        if isinstance(value, list | tuple | set | frozenset) and all(isinstance(item, str) for item in value):
            return list(value)
        self._complain(key, f"{shown(value)} is not an array of strings", 'write it as in ["one", "two"]')
        return []

    def _label(self, key: str, text: str) -> str:
        """
        Read the name of a user or a group, which may be empty.
        """
        name = unicodedata.normalize("NFC", text)
        if name and not isLabel(name):
            self._complain(key, f"{shown(text)} is not a name", "give printable characters")
            return ""
        return name

    def _client(self) -> IAddress:
        """
        Read the client's address.
        """
        text = self._text("client") or "127.0.0.1"
        if text == "unix":
            return UNIXAddress(None)
        address = self._address("client", text)
        kind = IPv6Address if address.version == 6 else IPv4Address
        return kind("TCP", str(address), 50000)

    def _address(self, key: str, text: str) -> IPAddress:
        """
        Read an address.
        """
        try:
            return canonical(ip_address(text))
        except ValueError:
            self._complain(key, f"{shown(text)} is not an address", "give one as in 192.0.2.1 or 2001:db8::1")
            return ip_address("127.0.0.1")

    def _addresses(self, destination: Destination | Refusal) -> tuple[IPAddress, ...] | None:
        """
        Read what the destination's name resolves to.
        """
        if "addresses" not in self._said:
            return None
        found = tuple(self._address("addresses", text) for text in self._list("addresses"))
        if isinstance(destination, Destination) and destination.ip is not None:
            self._complain(
                "addresses", "the destination is an address, which is not looked up", "leave it out"
            )
        return found

    def _shape(self) -> tuple[str, str]:
        """
        Read protocol, method and scheme, which have to do with each other.
        """
        scheme, method = self._text("scheme"), self._text("method")
        if scheme and scheme not in SCHEMES:
            self._complain("scheme", f"{shown(scheme)} is no scheme", f"give one of {', '.join(SCHEMES)}")
            scheme = ""
        if method:
            try:
                Methods().fromTOML(method)
            except Unfit as unfit:
                for complaint in unfit.complaints:
                    self._complain("method", *complaint)
        meant = {"CONNECT": "tcp", "UDP": "udp"}.get(method, "http") if method else scheme or "tcp"
        if scheme and meant != scheme:
            self._complain("method", f"{method} is of the scheme {meant}", "leave out one of the two")
        protocol = self._text("protocol") or ("socks5" if meant == "udp" else "http/1.1")
        if protocol not in PROTOCOLS and protocol not in protocols():
            near = nearest(protocol, PROTOCOLS)
            advice = f"do you mean {near}?" if near else f"give one of {', '.join(PROTOCOLS)}"
            self._complain("protocol", f"{shown(protocol)} is no protocol", advice)
        elif meant == "udp" and protocol not in _DATAGRAMS:
            self._complain("protocol", f"{protocol} carries no datagrams", "say socks5")
        elif meant == "http" and protocol in _TUNNELS_ONLY:
            self._complain(
                "protocol", f"{protocol} forwards no requests", "say http/1.1 or h2, or scheme tcp"
            )
        return protocol, method or SCHEMES[meant]

    def _serverName(self) -> str | None:
        """
        Read the server name.
        """
        return self._text("server_name") if "server_name" in self._said else None

    def _at(self) -> float | None:
        """
        Read a time.
        """
        value = self._said.get("at")
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                self._complain("at", f"{shown(value)} is not a time", "give one as in 2026-11-23T09:30+01:00")
                return None
        if value is None:
            return None
        if not isinstance(value, datetime):
            self._complain("at", f"{shown(value)} is not a time", "give one as in 2026-11-23T09:30:00+01:00")
            return None
        if value.tzinfo is None:
            self._complain("at", "the time has no offset from UTC", "add Z, or one as in +01:00")
            return None
        return value.timestamp()
