"""
Secrets with a marker of their own, which are known again in whatever form they are written.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from urllib.parse import quote

__all__ = ["Secrets"]


class Secrets:
    """
    Makes secrets, and knows them again.
    """

    def __init__(self) -> None:
        self.made: dict[str, bytes] = {}

    def new(self, what: str) -> str:
        """
        Make one.
        """
        secret = f"Xq{len(self.made):02d}{os.urandom(6).hex()}zK"
        self.made[what] = secret.encode()
        return secret

    def add(self, what: str, secret: str) -> None:
        """
        Add one that somebody else has made.
        """
        self.made[what] = secret.encode()

    def forms(self, secret: bytes) -> Iterator[bytes]:
        """
        A secret as it can be written.
        """
        yield secret
        yield secret[::-1]
        yield secret.hex().encode()
        yield quote(secret, safe="").encode()
        yield b"".join(b"%%%02X" % octet for octet in secret)
        yield b"".join(b"%%%02x" % octet for octet in secret)
        yield b"".join(b"\\x%02x" % octet for octet in secret)
        for before in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                # Without the digits that what stands around it has a part in.
                yield encode(bytes(before) + secret)[(before * 8 + 5) // 6 :].rstrip(b"=")[:-1]

    def found(self, octets: bytes) -> list[str]:
        """
        Which of them are in a text.
        """
        return [
            what for what, secret in self.made.items() if any(form in octets for form in self.forms(secret))
        ]
