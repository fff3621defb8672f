"""
The files of tokens: the keys that sign them, and the list of those that are good no more.

A key is one line, 32 random octets or more in Base64url (RFC 4648 section 5).  The list
has one entry a line: the id of a token, or C{user:NAME before:TIME} for all tokens of a
user that were made before a time (RFC 3339, as in 2026-01-31T12:00:00Z); what is behind a
C{#} that begins a line or follows a space is a comment.

All of it blocks.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from secrets import token_bytes
from types import MappingProxyType

from connectproxy.auth.lines import readLines
from connectproxy.auth.tokens import ID, Key, Revoked, fitName
from connectproxy.config import Problem

__all__ = ["KEYS", "REVOKED", "newKey", "readKeys", "readRevoked", "revoke"]

KEYS = "auth.token_keys"
REVOKED = "auth.revoked_tokens"

LEAST = 32
"""Octets of a key: as many as SHA-256 gives (RFC 7518 section 3.2)."""

_LONGEST = 4096
"""Octets of a key's file that are read."""

_BASE64URL = re.compile(rb"[A-Za-z0-9_-]+=*")
_USER = re.compile(r"user:(\S.*?)\s+before:(\S+)")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)

_ADVICE = "make a new one by: connectproxy token --new-key --key FILE"
_FORM = "write the id of a token, or user:NAME before:TIME with a time as in 2026-01-31T12:00:00Z"


def newKey(path: str) -> Key:
    """
    Make a key, in a file that only its owner may read.

    @raise OSError: it can't be written, or is there already.
    """
    octets = token_bytes(LEAST)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(urlsafe_b64encode(octets).rstrip(b"=") + b"\n")
    return Key(octets)


def readKeys(paths: Sequence[str], problems: list[Problem], notes: list[str]) -> tuple[Key, ...]:
    """
    Read keys.

    @param problems: where everything is added that is wrong with them.
    @param notes: where a sentence is added for each file that others than its owner can
        read.
    """
    keys: list[Key] = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                octets = file.read(_LONGEST + 1).strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "there can be no such file"  # NUL in its name
            problems.append(Problem(KEYS, KEYS, f"cannot read {path}: {why}", _ADVICE))
            continue
        bare = octets.rstrip(b"=")
        if len(octets) > _LONGEST or not _BASE64URL.fullmatch(octets) or len(bare) % 4 == 1:
            problems.append(Problem(KEYS, path, "is not a key: one line of Base64url", _ADVICE))
            continue
        key = urlsafe_b64decode(bare + b"==")
        if len(key) < LEAST:
            words = f"has a key of {len(key)} octets, which could be guessed; it needs {LEAST}"
            problems.append(Problem(KEYS, path, words, _ADVICE))
            continue
        if stat.S_ISREG(mode) and mode & 0o077:
            notes.append(
                f"others than its owner can get at {path}, and could make tokens; say chmod 600 {shlex.quote(path)}"
            )
        keys.append(Key(key))
    return tuple(keys)


def readRevoked(path: str, problems: list[Problem]) -> Revoked:
    """
    Read a list.

    @param problems: where everything is added that is wrong with it.  The list as a whole
        is wrong then: what can't be read might be what somebody wanted revoked.
    """
    ids: set[str] = set()
    before: dict[str, float] = {}
    for place, line in readLines(path, REVOKED, problems):
        text = _COMMENT.sub("", line).strip()
        if ID.fullmatch(text):
            ids.add(text)
        elif text and not _user(text, before):
            problems.append(Problem(REVOKED, place, "is no entry of such a list", _FORM))
    return Revoked(frozenset(ids), MappingProxyType(before))


def _user(text: str, before: dict[str, float]) -> bool:
    """
    Read an entry for all tokens of a user.

    @return: whether it can be read.
    """
    found = _USER.fullmatch(text)
    name = None if found is None else fitName(found[1])
    if found is None or name is None or not _TIME.fullmatch(found[2]):
        return False
    try:
        time = datetime.fromisoformat(found[2].upper()).timestamp()
    except ValueError:  # the 30th of February
        return False
    before[name] = max(time, before.get(name, time))
    return True


def revoke(path: str, identifier: str, comment: str) -> None:
    """
    Add the id of a token to a list, which is made if it is not there.

    @param comment: one line on what it is.
    @raise OSError: it can't be written.
    """
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            # What an editor has left without its end would become one with the id.
            start = b"" if file.read(1) == b"\n" else b"\n"
        else:
            start = b""
        file.write(start + f"{identifier}  # {comment}\n".encode())
