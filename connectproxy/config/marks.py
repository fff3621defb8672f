"""
The forms of what a client is known by without having to say anything: names in its
certificate, and values in the PROXY protocol header that a load balancer sends for it.
"""

from __future__ import annotations

import re
from typing import Any

from connectproxy.config.forms import Form, Unfit, shown

__all__ = ["CertificateMarks", "HeaderMarks", "Marks"]

_KIND = r"([A-Za-z0-9_]+):((?s:.*))"

_FINGERPRINT = r"[0-9a-f]{64}"

_TYPE = r"0[xX]([0-9A-Fa-f]{2})"
"""The type of a value in a header that has no name here."""


class Marks(Form):
    """
    What the forms have in common.  The value is a tuple of strings C{kind:pattern}; in a
    pattern, C{*} stands for any characters.
    """

    kinds: tuple[str, ...]

    def fromTOML(self, value: Any) -> tuple[str, ...]:
        """
        Read an array of marks, or a single one.
        """
        complaints: list[tuple[str, str]] = []
        found: dict[str, None] = {}
        for item in value if isinstance(value, list | tuple) else [value]:
            try:
                found[self._mark(item)] = None
            except Unfit as unfit:
                complaints += unfit.complaints
        if complaints:
            raise Unfit(*complaints)
        return tuple(found)

    def _mark(self, item: object) -> str:
        """
        Read one mark.
        """
        match = re.fullmatch(_KIND, item) if isinstance(item, str) else None
        kind = self._kind(match[1]) if match else ""
        if match is None or not kind:
            raise Unfit((f"{shown(item)} does not say what it is compared with", f"give {self.words}"))
        pattern = match[2].strip()
        if not pattern or not pattern.isprintable():
            raise Unfit((f"{shown(item)} has nothing to compare with", f"give {self.words}"))
        return f"{kind}:{self._pattern(kind, pattern)}"

    def _kind(self, text: str) -> str:
        """
        What a pattern is compared with; empty if that is nothing.
        """
        return text if text in self.kinds else ""

    def _pattern(self, kind: str, pattern: str) -> str:
        """
        The normal form of a pattern.
        """
        return pattern


class CertificateMarks(Marks):
    """
    Marks in a certificate: its subject as RFC 4514 writes it, a name of its
    subjectAltName, or the SHA-256 of all of it.
    """

    kinds = ("subject", "dns", "email", "uri", "fingerprint")
    words = (
        'an array of patterns such as "subject:CN=ci-*,O=Example", "dns:*.ci.example.com",'
        ' "email:*@example.com", "uri:spiffe://example.com/ci/*" or "fingerprint:" and 64 hexadecimal digits'
    )

    def _pattern(self, kind: str, pattern: str) -> str:
        if kind == "dns":
            return pattern.lower()
        if kind != "fingerprint":
            return pattern
        digits = pattern.replace(":", "").lower()
        if not re.fullmatch(_FINGERPRINT, digits):
            advice = "openssl x509 -noout -fingerprint -sha256 -in FILE tells it"
            raise Unfit((f"{shown(pattern)} is not the SHA-256 of a certificate", advice))
        return digits


class HeaderMarks(Marks):
    """
    Marks in a PROXY protocol header, version 2: values by the name of their type, or by
    its number.
    """

    kinds = ("ssl_cn", "authority", "unique_id")
    words = 'an array of patterns such as "ssl_cn:ci-*", "authority:*.example.com", "unique_id:*" or "0xE0:*"'

    def _kind(self, text: str) -> str:
        number = re.fullmatch(_TYPE, text)
        return f"0x{number[1].upper()}" if number else Marks._kind(self, text)
