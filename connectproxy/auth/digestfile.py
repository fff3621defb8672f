"""
The file of users for Digest: lines C{user:realm:hash}, as Apache's C{htdigest} writes
them with MD5, and the same with SHA-256 (RFC 7616 section 3.4.2: H(user:realm:password)).

Reads it, and finds users in it by their names and by the hashes of those (section 3.4.4).
"""

from __future__ import annotations

import re

from connectproxy.auth.digest import Known
from connectproxy.auth.lines import problemsOf, readLines
from connectproxy.config import Problem
from connectproxy.wire.authorization import nameHash, normalForm

__all__ = ["KEY", "DigestUsers", "readDigestUsers"]

KEY = "auth.digest_users"

MOST = 255
"""Octets of a name: RFC 1929 section 2 counts them in one octet."""

_HASH = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_ALGORITHMS = {64: "SHA-256", 32: "MD5"}

_FORM = "write user:realm:hash, the hash of user:realm:password in hexadecimal digits"


class DigestUsers:
    """
    The users of a realm.

    @ivar count: how many lines there are, one for each user and algorithm.
    """

    def __init__(self, realm: str) -> None:
        """
        @param realm: printable ASCII.
        """
        self.count = 0
        self._realm = realm.encode("ascii")
        # Octets, which take half the room of digits.
        self._secrets: dict[tuple[bytes, str], bytes] = {}
        self._names: dict[bytes, bytes] = {}

    def add(self, user: bytes, algorithm: str, secret: bytes) -> bool:
        """
        Add a user.

        @param user: in UTF-8, normal form C.
        @param algorithm: C{"SHA-256"} or C{"MD5"}.
        @param secret: H(user:realm:password), as octets.
        @return: whether it was not there.
        """
        if (user, algorithm) in self._secrets:
            return False
        self._secrets[user, algorithm] = secret
        self._names[bytes.fromhex(nameHash(algorithm, user, self._realm).decode("ascii"))] = user
        self.count += 1
        return True

    def find(self, user: bytes, algorithm: str, hashed: bool) -> Known | None:
        """
        Find a user: a L{connectproxy.auth.digest.Lookup}.

        @param user: the name, or its hash in hexadecimal digits.
        """
        name = self._names.get(bytes.fromhex(user.decode("ascii"))) if hashed else user
        secret = None if name is None else self._secrets.get((name, algorithm))
        if name is None or secret is None:
            return None
        return Known(name.decode("utf-8"), secret.hex().encode("ascii"))


def readDigestUsers(path: str, realm: str, md5: bool, problems: list[Problem]) -> DigestUsers:
    """
    Read a file.  Blocks.

    @param realm: the one that all lines have to be for.
    @param md5: whether there may be hashes by MD5.
    @param problems: where everything is added that is wrong with it.
    """
    users = DigestUsers(realm)
    for place, line in readLines(path, KEY, problems):
        try:
            if not users.add(*_read(line.strip(), realm, md5)):
                raise ValueError("the user stands in the file a second time", "take one of the two lines out")
        except ValueError as error:
            problems.append(problemsOf(KEY, place, error))
    return users


def _read(line: str, realm: str, md5: bool) -> tuple[bytes, str, bytes]:
    """
    Read a line.

    @return: the user, the algorithm and the hash.
    @raise ValueError: with what is wrong, without anything that is in it, and what would
        be right.
    """
    name, _, rest = line.partition(":")
    said, colon, digits = rest.rpartition(":")
    if not colon:
        raise ValueError("the line has no user, realm and hash", _FORM)
    user = normalForm(name.encode("utf-8"))
    if not user or len(user) > MOST:
        raise ValueError(f"the user is no name of 1 to {MOST} octets without control characters", _FORM)
    if said != realm:
        advice = f"make the hash for the realm {realm}, which is what proxy.name says"
        raise ValueError("the line is for another realm", advice)
    algorithm = _ALGORITHMS.get(len(digits))
    if algorithm is None or not _HASH.fullmatch(digits):
        raise ValueError("the hash is neither 64 hexadecimal digits, for SHA-256, nor 32, for MD5", _FORM)
    if algorithm == "MD5" and not md5:
        raise ValueError("the hash is by MD5", "make one by SHA-256, or say auth.digest_md5 = true")
    return user, algorithm, bytes.fromhex(digits)
