"""
The command C{connectproxy passwd}: files of users, for C{auth.users} and
C{auth.digest_users}.

Owns how such a file is written anew, where the password comes from and what is printed;
L{connectproxy.auth.hashes} knows the hashes, and L{connectproxy.wire.authorization} that
of Digest.  The password is in no message and on no command line.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import tempfile
from collections.abc import Callable, Sequence

from connectproxy.auth.hashes import SCHEMES, available, makeHash
from connectproxy.wire.authorization import normalForm, secretHash

__all__ = ["main"]

MOST = 255
"""Octets of a name and of a password: RFC 1929 section 2 counts them in one octet."""


class Failure(Exception):
    """
    Something can't be done: what, and what to do.
    """


def main(arguments: Sequence[str], program: str = "connectproxy passwd") -> int:
    """
    Set the password of a user, or delete the user.

    @param arguments: the command line without the command.
    @return: the status to exit with: 1 for what can't be done.  A command line that can't
        be understood ends with C{SystemExit}, 2.
    """
    said = _parser(program).parse_args(arguments)
    try:
        user = _name(said.user)
        path = os.path.realpath(said.file)  # a link stays one
        line = b"" if said.delete else _line(said, user)
        lines = _read(path, missing=not said.delete)  # as late as can be: others may write it, too
        written, were = _replaced(lines, line, _ofUser(user, said.digest))
        if said.delete and not were:
            raise Failure(f"{said.file} has no user {said.user!a}; look whether the name is written as there")
        _write(path, written)
    except Failure as failure:
        sys.stderr.write(f"{program}: {failure}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{program}: {_explained(error, said.file)}\n")
        return 1
    except (EOFError, KeyboardInterrupt):
        sys.stderr.write(f"\n{program}: nothing has been changed\n")
        return 1
    done = "deleted" if said.delete else "changed the password of" if were else "added"
    sys.stdout.write(f"{done} {said.user!a} in {said.file}; a proxy that runs reads it anew on reload\n")
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    """
    What can be said.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        allow_abbrev=False,
        description="Set the password of a user in a file of users, or add one.",
        epilog="The proxy reads the file by --users FILE or, with --digest, by auth.digest_users.",
    )
    parser.add_argument("file", metavar="FILE", help="the file; it is made if need be")
    parser.add_argument("user", metavar="USER", help="the user's name")
    parser.add_argument(
        "--scheme",
        choices=SCHEMES,
        help="how the password is hashed (default: argon2 where its library is installed, else scrypt)",
    )
    parser.add_argument(
        "--digest",
        metavar="REALM",
        help="write a line for Digest (RFC 7616, SHA-256); the realm is what proxy.name says",
    )
    parser.add_argument("--delete", action="store_true", help="delete the user")
    parser.add_argument(
        "--stdin", action="store_true", help="read the password from the first line of standard input"
    )
    return parser


def _name(said: str) -> bytes:
    """
    The name of a user in its normal form.
    """
    name = normalForm(said.encode("utf-8", "surrogateescape"))
    if not name or b":" in name or name.startswith((b"#", b" ")) or len(name) > MOST:
        raise Failure(
            "the user can't be called that; give a name of 1 to 255 octets in UTF-8, without colons and control"
            " characters, that begins with no # and no space"
        )
    return name


def _password(*, stdin: bool) -> bytes:
    """
    Ask for a password.
    """
    if stdin:
        said = sys.stdin.buffer.readline(8 * MOST).rstrip(b"\r\n")
    else:
        first = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != first:
            raise Failure("these were two different passwords; nothing has been changed")
        said = first.encode("utf-8", "surrogateescape")
    password = normalForm(said)
    if not password:
        raise Failure("the password is empty, not UTF-8, or has control characters; take another one")
    if len(password) > MOST:
        raise Failure(
            f"the password has more than the {MOST} octets that SOCKS has room for; take a shorter one"
        )
    return password


def _line(said: argparse.Namespace, user: bytes) -> bytes:
    """
    The line of a user, with a password that is asked for.
    """
    if said.digest is not None:
        realm = said.digest
        if not realm or not (realm.isascii() and realm.isprintable()) or ":" in realm:
            raise Failure("the realm is what proxy.name says: printable ASCII without colons")
        if said.scheme is not None:
            raise Failure("Digest has a hash of its own; leave out --scheme")
        octets: bytes = realm.encode("ascii")
        secret = secretHash("SHA-256", user, octets, _password(stdin=said.stdin))
        return b"%b:%b:%b" % (user, octets, secret)
    scheme = said.scheme or ("argon2" if available("argon2") else "scrypt")
    return b"%b:%b" % (user, makeHash(scheme, _password(stdin=said.stdin)).encode("ascii"))


def _ofUser(user: bytes, realm: str | None) -> Callable[[bytes], bool]:
    """
    What tells whether a line is of a user: of Digest whatever the algorithm, or an old
    password would stay good.
    """

    def ofUser(line: bytes) -> bool:
        name, *rest = line.split(b":")
        if normalForm(name) != user or line.startswith(b"#"):
            return False
        return realm is None or rest[:1] == [realm.encode("utf-8", "surrogateescape")]

    return ofUser


def _read(path: str, *, missing: bool) -> list[bytes]:
    """
    The lines of the file.

    @param missing: it may be missing.
    """
    try:
        with open(path, "rb") as file:
            return file.read().splitlines(keepends=True)
    except FileNotFoundError:
        if missing:
            return []
        raise


def _replaced(lines: Sequence[bytes], line: bytes, ofUser: Callable[[bytes], bool]) -> tuple[bytes, bool]:
    """
    Put a line in the place of those of a user, or at the end; all others stay as they are.

    @param line: without its end; empty for none.
    @return: the content of the file, and whether there were any.
    """
    kept: list[bytes] = []
    were = False
    new = line + b"\n" if line else b""
    for each in lines:
        if not ofUser(each):
            kept.append(each)
        elif not were:
            were = True
            kept.append(new)
    if not were and new:
        if kept and not kept[-1].endswith(b"\n"):
            kept[-1] += b"\n"
        kept.append(new)
    return b"".join(kept), were


def _write(path: str, octets: bytes) -> None:
    """
    Write the file anew, so that whoever reads it finds the old one or the new one, and
    never half of it.  A new one is for its owner only; another one stays whose it was.
    """
    descriptor, name = tempfile.mkstemp(prefix=".passwd-", dir=os.path.dirname(path) or ".")  # with mode 0600
    try:
        with open(descriptor, "wb") as file:
            if os.path.exists(path):
                was = os.stat(path)
                if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, was.st_uid, was.st_gid)
                os.fchmod(descriptor, was.st_mode & 0o777)
            file.write(octets)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _explained(error: Exception, path: str) -> str:
    """
    A failure in words.
    """
    if isinstance(error, OSError):
        return f"{path}: {error.strerror}"
    return "; ".join(map(str, error.args))
