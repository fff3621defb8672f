"""
Hashes of passwords, as files of users have them: bcrypt, argon2 and scrypt.

Owns their forms, what of them is refused, and how they are made.  The libraries of the
first two are loaded when there is a hash of theirs; scrypt is Python's own, in the form
in which passlib writes it.  All of it blocks, for a good part of a second.

Left out, on purpose: crypt, MD5, SHA-1 and clear text.  Who gets to see a file of those
has the passwords soon after.
"""

from __future__ import annotations

import hashlib
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from hmac import compare_digest
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

__all__ = ["SCHEMES", "Hash", "available", "makeHash", "parseHash"]

EXTRA = "pip install 'connectproxy[users]'"

_AGAIN = "set the password anew with connectproxy passwd"

_MOST_BCRYPT = 72
"""Octets of a password that bcrypt looks at; libraries cut off the rest, or refuse it."""

_MOST_ROUNDS = 16
"""Of bcrypt, as a power of two: that is some five seconds."""

_MOST_MEMORY = 1 << 30
"""Octets that one hash may take: as many are taken at once as there are threads."""

_MOST_WORK = 1 << 32
"""Octets that one hash may go over: memory times passes."""

_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_ARGON2 = re.compile(
    r"\$argon2(id|i)\$v=(?:16|19)\$m=([0-9]{1,10}),t=([0-9]{1,10}),p=([0-9]{1,8})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,172}"
)
_SCRYPT = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,6}),p=([0-9]{1,6})\$([A-Za-z0-9+/]{2,86})\$([A-Za-z0-9+/]{22,86})"
)


class Hash(NamedTuple):
    """
    One hash.

    @ivar scheme: C{"bcrypt"}, C{"argon2"} or C{"scrypt"}.
    @ivar verify: says whether a password is the right one; blocks, raises nothing that
        depends on the password.
    """

    scheme: str
    verify: Callable[[bytes], bool]

    def __repr__(self) -> str:
        """It can be guessed at."""
        return f"Hash({self.scheme}, ...)"


def available(scheme: str) -> bool:
    """
    Whether hashes of a scheme can be made and verified here.
    """
    try:
        _library(scheme)
    except ValueError:
        return False
    return True


def _library(scheme: str) -> ModuleType:
    """
    The library of a scheme.

    @raise ValueError: it is not installed: see L{parseHash}.
    """
    name = {"bcrypt": "bcrypt", "argon2": "argon2.low_level", "scrypt": "hashlib"}[scheme]
    try:
        return import_module(name)
    except ImportError:
        raise ValueError(f"the hash is one of {scheme}, and its library is not installed", EXTRA) from None


def parseHash(text: str) -> Hash:
    """
    Read a hash.

    @raise ValueError: it is none, or will not do; the arguments are what is wrong and what
        would be right.
    """
    for scheme, form, make in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            return Hash(scheme, make(found))
    if text.startswith(("$2", "$argon2", "$scrypt$")):
        raise ValueError("the hash is not complete, or has a form that is not known", _AGAIN)
    if text.startswith(("$", "{")):
        raise ValueError("the hash is of a kind that is found out fast, such as crypt, MD5 or SHA-1", _AGAIN)
    raise ValueError("there is no hash but crypt's, or the password in clear", _AGAIN)


def _expensive(cost: str) -> ValueError:
    return ValueError(f"to check the hash would take too much of {cost}", f"{_AGAIN}, at less cost")


def _bcrypt(found: re.Match[str]) -> Callable[[bytes], bool]:
    rounds = int(found[1])
    if not 4 <= rounds <= 31:
        raise ValueError("the cost of the hash is none that bcrypt has, 04 to 31", _AGAIN)
    if rounds > _MOST_ROUNDS:
        raise _expensive("time")
    library, expected = _library("bcrypt"), found[0].encode("ascii")

    def verify(password: bytes) -> bool:
        # Whether it is too long the client knows already; that it is wrong takes as long as ever.
        right: bool = library.checkpw(password[:_MOST_BCRYPT].replace(b"\0", b""), expected)
        return right and len(password) <= _MOST_BCRYPT and b"\0" not in password

    return verify


def _argon2(found: re.Match[str]) -> Callable[[bytes], bool]:
    kind, memory, passes, lanes = found[1], int(found[2]) * 1024, int(found[3]), int(found[4])
    if passes < 1 or lanes < 1 or memory < 8 * 1024 * lanes:
        raise ValueError("the cost of the hash is none that argon2 has", _AGAIN)
    if memory > _MOST_MEMORY or lanes > 64:
        raise _expensive("memory")
    if memory * passes > _MOST_WORK:
        raise _expensive("time")
    library, expected = _library("argon2"), found[0].encode("ascii")
    mismatch = import_module("argon2.exceptions").VerificationError
    variant = library.Type.ID if kind == "id" else library.Type.I

    def verify(password: bytes) -> bool:
        try:
            right: bool = library.verify_secret(expected, password, variant)
        except mismatch:
            return False
        return right

    return verify


def _scrypt(found: re.Match[str]) -> Callable[[bytes], bool]:
    rounds, size, lanes = map(int, found.groups()[:3])
    texts = found.groups()[3:]
    if rounds < 1 or size < 1 or lanes < 1 or any(len(each) % 4 == 1 for each in texts):
        raise ValueError("the cost of the hash is none that scrypt has, or its Base64 is cut off", _AGAIN)
    salt, expected = (b64decode(each + "=" * (-len(each) % 4)) for each in texts)
    memory = 128 * size << rounds
    if memory > _MOST_MEMORY or 128 * size * lanes > _MOST_MEMORY:
        raise _expensive("memory")
    if memory * lanes > _MOST_WORK:
        raise _expensive("time")

    def verify(password: bytes) -> bool:
        return compare_digest(_derive(password, salt, rounds, size, lanes, len(expected)), expected)

    return verify


def _derive(password: bytes, salt: bytes, rounds: int, size: int, lanes: int, length: int) -> bytes:
    """
    RFC 7914 section 6.
    """
    # What OpenSSL counts is little more than the memory itself.
    limit = 128 * size * ((1 << rounds) + lanes + 2) + (1 << 20)
    return hashlib.scrypt(password, salt=salt, n=1 << rounds, r=size, p=lanes, maxmem=limit, dklen=length)


_FORMS = (("bcrypt", _BCRYPT, _bcrypt), ("argon2", _ARGON2, _argon2), ("scrypt", _SCRYPT, _scrypt))

SCHEMES = ("argon2", "bcrypt", "scrypt")
"""What L{makeHash} makes, the best first."""


def makeHash(scheme: str, password: bytes) -> str:
    """
    Make a hash, with a salt of its own and at a cost that is usual today.

    @param scheme: one of L{SCHEMES}.
    @param password: in UTF-8, Normalization Form C.
    @raise ValueError: the password is too long for it, or its library is not installed;
        the arguments are as L{parseHash} has them.
    """
    library = _library(scheme)
    if scheme == "argon2":  # RFC 9106 section 4, the second recommended option
        made: bytes = library.hash_secret(password, os.urandom(16), 3, 65536, 4, 32, library.Type.ID)
        return made.decode("ascii")
    if scheme == "bcrypt":
        if len(password) > _MOST_BCRYPT:
            raise ValueError(
                f"the password has {len(password)} octets, of which bcrypt looks at {_MOST_BCRYPT}",
                "take a shorter one, or another scheme",
            )
        made = library.hashpw(password, library.gensalt(12))
        return made.decode("ascii")
    rounds, size, lanes, salt = 16, 8, 1, os.urandom(16)
    parts = (salt, _derive(password, salt, rounds, size, lanes, 32))
    words = [b64encode(each).decode("ascii").rstrip("=") for each in parts]
    return f"$scrypt$ln={rounds},r={size},p={lanes}${words[0]}${words[1]}"
