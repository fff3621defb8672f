"""
The command C{connectproxy token}: makes signed tokens, shows them and revokes them.

Owns what is read from standard input and printed; what a token is, is
L{connectproxy.auth.tokens}' business.  On standard output there is the token and nothing
else, so that it can go on to where it is needed; it is in no message.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from connectproxy.auth.tokenfiles import newKey, readKeys, readRevoked, revoke
from connectproxy.auth.tokens import LONGEST, Key, Revoked, TokenChecker, mint, missing, readClaims
from connectproxy.config import Problem

__all__ = ["main"]

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST = 3650 * 86400
_SOCKS = 255
"""Octets that SOCKS has for a password (RFC 1929)."""

_USAGE = """
  connectproxy token --key FILE --user NAME > token      make a token
  connectproxy token --key FILE --show < token           tell what is in it, and whether it is good
  connectproxy token --key FILE --revoke --revoked FILE < token
"""


class Failure(Exception):
    """
    Something can't be done: one line each for what, where and what to do.
    """


def main(
    arguments: Sequence[str], program: str = "connectproxy token", now: Callable[[], float] = time.time
) -> int:
    """
    Make, show or revoke a token.

    @param arguments: the command line without the command.
    @param now: the time in seconds since 1970.
    @return: the status to exit with: 1 for what can't be done, and for a token that is
        not good.  A command line that can't be understood ends with C{SystemExit}, 2.
    """
    parser = _parser(program)
    said = parser.parse_args(arguments)
    reads = said.show or said.revoke
    if reads and (said.user or said.group or said.limits or said.new_key):
        parser.error("--show and --revoke read a token, and take nothing that makes one")
    if not reads and not said.user and not said.new_key:
        parser.error(
            "say whom the token is for, --user NAME, or what else to do: --new-key, --show or --revoke"
        )
    if not said.user and (said.group or said.limits):
        parser.error("--group and --limits are of a token; say whom it is for, --user NAME")
    if said.revoke and not said.revoked:
        parser.error("--revoke needs the list that the proxy reads: --revoked FILE")
    try:
        _need()
        if said.show:
            return _show(said, now)
        if said.revoke:
            return _revoke(said, program, now)
        return _make(said, program, now)
    except Failure as failure:
        for line in failure.args:
            sys.stderr.write(f"{program}: {line}\n")
        return 1


def _parser(program: str) -> argparse.ArgumentParser:
    """
    What can be said.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        usage=_USAGE,
        allow_abbrev=False,
        description="Make signed tokens by which clients say who they are, until they expire.",
        epilog="The proxy takes them when it knows the key: auth.token_keys.",
    )
    parser.add_argument("--key", metavar="FILE", required=True, help="the key that signs them")
    parser.add_argument(
        "--new-key", action="store_true", help="make the key first; the file must not be there"
    )
    parser.add_argument("--user", metavar="NAME", default="", help="whom the token is for")
    parser.add_argument(
        "--group",
        metavar="NAME",
        action="append",
        default=[],
        help="a group that the user is in; repeat for more",
    )
    parser.add_argument(
        "--limits",
        metavar="NAME",
        action="append",
        default=[],
        help="a [[limit]] that holds for the user; repeat for more",
    )
    parser.add_argument(
        "--expires",
        metavar="TIME",
        type=_duration,
        default="8h",
        help="how long it is good: 90s, 30m, 8h, 7d (default: 8h)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--show", action="store_true", help="read a token, and tell what is in it and whether it is good"
    )
    which.add_argument(
        "--revoke", action="store_true", help="read a token, and add its id to the list of revoked ones"
    )
    parser.add_argument("--revoked", metavar="FILE", default="", help="that list: auth.revoked_tokens")
    return parser


def _duration(text: str) -> int:
    """
    Read how long something takes.

    @return: in seconds.
    """
    found = _DURATION.fullmatch(text)
    seconds = 0 if found is None else int(found[1]) * _SECONDS[found[2]]
    if not 1 <= seconds <= _MOST:
        raise argparse.ArgumentTypeError(
            f"{text!a} is no time from 1s to 3650d; give one as in 90s, 30m, 8h or 7d"
        )
    return seconds


def _need() -> None:
    """
    See to it that there can be tokens.
    """
    wrong = missing()
    if wrong:
        raise Failure(wrong)


def _key(path: str) -> Key:
    """
    Read the key.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    keys = readKeys([path], problems, notes)
    if problems:
        raise Failure(*map(str, problems))
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    return keys[0]


def _made(path: str) -> Key:
    """
    Make the key.
    """
    try:
        key = newKey(path)
    except FileExistsError:
        raise Failure(
            f"{path} is there already; name another file, or leave out --new-key to use it"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: NUL in its name
        why = getattr(error, "strerror", None) or "there can be no such file"
        raise Failure(f"cannot write {path}: {why}") from None
    sys.stderr.write(f"made the key {path}; tell the proxy: auth.token_keys = [{path!a}]\n")
    return key


def _make(said: argparse.Namespace, program: str, now: Callable[[], float]) -> int:
    """
    Make a key, a token, or both.
    """
    key = _made(said.key) if said.new_key else _key(said.key)
    if not said.user:
        return 0
    began = now()
    try:
        token, identifier = mint(key, said.user, said.group, said.limits, said.expires, began)
    except ValueError as error:
        raise Failure(str(error)) from None
    sys.stdout.write(token + "\n")
    sys.stdout.flush()
    lines = [
        f"the token is good until {_shown(int(began) + said.expires)}; its id is {identifier}",
        "use it where TOKEN holds it:",
        "  curl --proxy http://token:$TOKEN@127.0.0.1:8080 https://example.com/",
        "  or in a field of the request: Proxy-Authorization: Bearer $TOKEN",
        f"take it back: {program} --key {shlex.quote(said.key)} --revoke --revoked FILE < token",
    ]
    if len(token) > _SOCKS:
        lines.insert(
            1, f"with its {len(token)} octets it is no password for SOCKS, which has room for {_SOCKS}"
        )
    sys.stderr.write("\n".join(lines) + "\n")
    return 0


def _token() -> bytes:
    """
    Read a token from standard input.
    """
    if sys.stdin.isatty():
        sys.stderr.write("the token, and the end of input (Ctrl-D):\n")
    # Somewhat more than there may be, so that what is too long is known to be.
    token = sys.stdin.buffer.read(2 * LONGEST).strip()
    if not token:
        raise Failure("there is no token on standard input; say < FILE, or pipe it in")
    return token


def _list(path: str) -> Revoked:
    """
    Read the list of revoked tokens.
    """
    problems: list[Problem] = []
    found = readRevoked(path, problems)
    if problems:
        raise Failure(*map(str, problems))
    return found


def _show(said: argparse.Namespace, now: Callable[[], float]) -> int:
    """
    Tell what is in a token.
    """
    checker = TokenChecker([_key(said.key)], _list(said.revoked) if said.revoked else None, now)
    token = _token()
    verdict = checker.check(token)
    claims = checker.claims(token)
    found = claims if isinstance(claims, str) else readClaims(claims)
    lines = []
    if not isinstance(found, str) and not isinstance(claims, str):
        user = found.user
        lines += [
            f"user     {user.name}",
            f"groups   {', '.join(sorted(user.groups)) or '-'}",
            f"limits   {', '.join(user.limits) or '-'}",
            f"made     {_shown(claims['iat'])}",
            f"expires  {_shown(found.expires)}",
            f"id       {found.id}",
        ]
    lines.append(f"good     {f'no: {verdict}' if isinstance(verdict, str) else 'yes'}")
    # A name may have what the terminal's encoding has not.
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(("\n".join(lines) + "\n").encode(encoding, "backslashreplace").decode(encoding))
    return 1 if isinstance(verdict, str) else 0


def _revoke(said: argparse.Namespace, program: str, now: Callable[[], float]) -> int:
    """
    Add a token to the list.
    """
    checker = TokenChecker([_key(said.key)], None, now)
    claims = checker.claims(_token())
    found = claims if isinstance(claims, str) else readClaims(claims)
    if isinstance(found, str):
        raise Failure(f"{found}; nothing has been revoked")
    if found.expires <= now():
        sys.stderr.write(
            f"{program}: the token has expired at {_shown(found.expires)}; nothing needs to be revoked\n"
        )
        return 0
    try:
        revoke(said.revoked, found.id, f"{found.user.name}, expires {_shown(found.expires)}")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "there can be no such file"
        raise Failure(f"cannot write {said.revoked}: {why}; nothing has been revoked") from None
    sys.stderr.write(
        f"revoked {found.id}; the proxy knows it as soon as it has read {said.revoked} (auth.revoked_tokens) again\n"
    )
    return 0


def _shown(seconds: float) -> str:
    """
    A time, for people and for the list.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
