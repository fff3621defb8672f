"""
The forms of what says where next hops are, what they speak, and what they are shown.

What only the network could tell is not known here.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from connectproxy.address import Destination, Networks, parseHost, parsePattern
from connectproxy.config.forms import Form, Unfit, shown
from connectproxy.config.secret import Hidden, Secret, firstLine
from connectproxy.config.texts import isLabel
from connectproxy.errors import Refusal

__all__ = [
    "Elsewhere",
    "Endpoint",
    "Exceptions",
    "Pins",
    "Probe",
    "URLForm",
    "UpstreamURL",
    "Ways",
    "Weights",
    "parseURL",
]

_PORTS: Mapping[str, int] = MappingProxyType(
    {
        "http": 3128, "https": 443, "h2": 443, "h2c": 8080,
        "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080,
    }
)  # fmt: skip
"""The port where a URL has none: what clients of proxies (curl's, among others) take."""

_SECURE = {"https": "http", "h2": "h2"}
"""Schemes that have TLS in them, and the protocol within."""

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9.-]*)(?P<more>(?:\+(?:tls|unix))*):"
    r"(?://(?P<host>\[[^\]]*\]|[^:/@]*)(?::(?P<port>[0-9]{1,5}))?)?(?P<path>/.*)?"
)


class UpstreamURL(NamedTuple):
    """
    Where a next hop is, and what it speaks.

    @ivar scheme: in lower case, without C{+tls} and C{+unix}.
    @ivar destination: its host and port; L{None} where it has none.
    @ivar path: the name of a UNIX socket; empty where it is none.
    @ivar secure: whether TLS is spoken to it.
    @ivar text: how it is shown.
    """

    scheme: str
    destination: Destination | None
    path: str
    secure: bool
    text: str

    @property
    def foreign(self) -> bool:
        """Whether the scheme is none of ours, so that a host may not be what it needs."""
        return self.scheme not in _PORTS


def parseURL(text: str) -> UpstreamURL:
    """
    Read the URL of a next hop.

    @raise Unfit: it is none.
    """
    if "@" in text:  # first of all, since everything else that is said repeats the text
        advice = (
            "leave them out, and say credentials (--upstream-credentials), from a file or the environment"
        )
        raise Unfit(("the URL has a user or password in it, where others can read it", advice))
    found = _URL.fullmatch(text) if text.isprintable() else None
    if found is None:
        raise Unfit((f"{shown(text)} is not the URL of a proxy", f"give {URLForm.words}"))
    scheme, more = found["scheme"].lower(), found["more"].lower().split("+")
    secure = "tls" in more or scheme in _SECURE
    scheme = _SECURE.get(scheme, scheme)
    path, host = found["path"] or "", found["host"] or ""
    if "unix" in more:
        if host or len(path) < 2:
            advice = f"write {scheme}+unix:///run/proxy.sock"
            raise Unfit((f"{shown(text)} does not have the name of a UNIX socket", advice))
        return UpstreamURL(scheme, None, path, secure, text)
    if path not in ("", "/"):
        raise Unfit((f"{shown(text)} has a path, which no proxy has", "end it behind host and port"))
    if not host:
        return UpstreamURL(scheme, None, "", secure, text)
    default = _PORTS.get("https" if scheme == "http" and secure else scheme, 0)
    if not found["port"] and not default:
        known = ", ".join(sorted(_PORTS))
        advice = f"add one; without are only {known}"
        raise Unfit((f"{shown(text)} has no port, and its scheme is none that has one by itself", advice))
    destination = parseHost(host, int(found["port"] or default))
    if isinstance(destination, Refusal):
        raise Unfit((f"in {shown(text)} {destination.detail}", ""))
    return UpstreamURL(scheme, destination, "", secure, text)


class URLForm(Form):
    """
    The URL of a next hop.  The value is an L{UpstreamURL}, or L{None} for the empty string.
    """

    words = "the URL of a proxy such as http://proxy.example:3128, https://..., h2://..., socks5h://... or http+unix:///run/proxy.sock"

    def fromTOML(self, value: Any) -> UpstreamURL | None:
        """
        Read a URL.
        """
        if value == "":
            return None
        if not isinstance(value, str):
            raise Unfit((f"{shown(value)} is not the URL of a proxy", f"give {self.words}"))
        return parseURL(value)


class Ways(Form):
    """
    The name of an upstream, or URLs that make a chain.  The value is a tuple of names as they
    stand and of L{UpstreamURL}s.
    """

    words = "the name of an [[upstream]], or the URL of a proxy, or several, each of which is reached through those before it"

    def fromTexts(self, texts: Sequence[str]) -> tuple[str | UpstreamURL, ...]:
        """
        Read one each time that the option was given.
        """
        return self.fromTOML(tuple(texts))

    def fromTOML(self, value: Any) -> tuple[str | UpstreamURL, ...]:
        """
        Read an array, or a single one.
        """
        found: list[str | UpstreamURL] = []
        for item in value if isinstance(value, list | tuple) else [value]:
            isURL = isinstance(item, str) and (":" in item or "@" in item)
            if not isURL and (not isinstance(item, str) or not isLabel(item)):
                raise Unfit((f"{shown(item)} is neither a name nor a URL", f"give {self.words}"))
            found.append(parseURL(item) if isURL else item)
        return tuple(found)


class Elsewhere(Hidden):
    """
    A secret that stands in a file, in a variable of the environment, or where it is said.
    The value is a L{Secret}, empty where there is none.
    """

    def __init__(self, words: str, *, pair: bool, plain: bool) -> None:
        """
        @param words: what it is.
        @param pair: whether it is a user and a password.
        @param plain: whether it may also stand where it is said.
        """
        self._pair = pair
        self._plain = plain
        self.words = (f"{words}, or " if plain else "") + (
            f"@ and the name of a file whose first line is {'that' if plain else words},"
            " or $ and the name of a variable of the environment"
        )

    def fromTOML(self, value: Any) -> Secret:
        """
        Read it.
        """
        if not isinstance(value, str):
            raise Unfit(("the value is not a string", f"give {self.words}"))
        if not value:
            return Secret("")
        if value[0] == "@":
            text, where = firstLine(value[1:]), f"the first line of {shown(value[1:])}"
        elif value[0] == "$":
            text, where = os.environ.get(value[1:], ""), f"the variable {shown(value[1:])} of the environment"
        elif self._plain:
            text, where = value, "the value"
        else:
            raise Unfit(("others could read the value there", f"give {self.words}"))
        user, colon, _ = text.partition(":")
        if not text or (self._pair and not (colon and user)):
            what = "a user and a password with a colon in between" if self._pair else "a token"
            raise Unfit((f"{where} is not {what}", f"give {self.words}"))
        if not text.isprintable() or len(text.encode("utf-8", "replace")) > _LONGEST:
            advice = "leave them out" if len(text) <= _LONGEST else f"it may have {_LONGEST} octets"
            raise Unfit((f"{where} has control characters, or is too long", advice))
        return Secret(text)


_LONGEST = 4000
"""Octets that a credential may have: it goes into one field of a head."""


class Pins(Form):
    """
    Hashes of public keys.  The value is a tuple of 32 octets each: SHA-256 of the
    SubjectPublicKeyInfo (RFC 7469 section 2.4).
    """

    words = (
        'an array of hashes of public keys such as "sha256//" and 44 characters of base64, as curl takes them'
    )

    def fromTOML(self, value: Any) -> tuple[bytes, ...]:
        """
        Read an array of pins, or a single one.
        """
        found = []
        for item in value if isinstance(value, list | tuple) else [value]:
            scheme, slashes, text = item.partition("//") if isinstance(item, str) else ("", "", "")
            try:
                octets = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                octets = b""
            if scheme != "sha256" or not slashes or len(octets) != 32:
                raise Unfit((f"{shown(item)} is not the hash of a key", f"give {self.words}"))
            found.append(octets)
        return tuple(found)


class Weights(Form):
    """
    Numbers by name.
    """

    words = "a table of names and of numbers from 1 to 1000"

    def fromTOML(self, value: Any) -> Mapping[str, int]:
        """
        Read a table.
        """
        if not isinstance(value, Mapping):
            raise Unfit((f"{shown(value)} is not a table", f"give {self.words}"))
        for name, number in value.items():
            if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 1000:
                raise Unfit((f"the weight of {shown(name)} is {shown(number)}", f"give {self.words}"))
        return MappingProxyType(dict(value))


class Endpoint(Form):
    """
    The description of a client endpoint of Twisted's, which only its plugins understand; the
    empty string is none.
    """

    words = "a Twisted client endpoint string such as unix:/run/proxy.sock or tls:proxy.example:3128"

    def fromTOML(self, value: Any) -> str:
        """
        Read a string.
        """
        if not isinstance(value, str) or not value.isprintable():
            raise Unfit((f"{shown(value)} is not a client endpoint string", f"give {self.words}"))
        return value.strip()


class Exceptions(Form):
    """
    Names and networks; the value is a tuple of them in one normal form.
    """

    words = "names and networks such as localhost, .corp.example (and all below) and 10.0.0.0/8"

    def fromTexts(self, texts: Sequence[str]) -> tuple[str, ...]:
        """
        Read lists with commas between the items.
        """
        return self.fromTOML([item.strip() for text in texts for item in text.split(",") if item.strip()])

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array, or a single one.
        """
        found: dict[str, None] = {}
        for item in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(item, str):
                raise Unfit((f"{shown(item)} is neither a name nor a network", f"give {self.words}"))
            try:
                if ":" in item or "/" in item or item.replace(".", "").isdecimal():
                    found |= dict.fromkeys(str(each) for each in Networks.parse(item))
                else:
                    found[str(parsePattern(item))] = None
            except ValueError as wrong:
                raise Unfit((str(wrong), f"give {self.words}")) from None
        return tuple(found)


class Probe(Form):
    """
    How a next hop is tried out.  The value is C{""}, C{"connect"} or a L{Destination}.
    """

    words = '"" for not at all, "connect" for a connection to it, or host:port for a tunnel through it'

    def fromTOML(self, value: Any) -> str | Destination:
        """
        Read it.
        """
        if value in ("", "connect"):
            return str(value)
        host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
        found = parseHost(host, int(port)) if colon and re.fullmatch("[0-9]{1,5}", port) else None
        if not isinstance(found, Destination):
            raise Unfit((f"{shown(value)} is nothing to try a next hop with", f"give {self.words}"))
        return found
