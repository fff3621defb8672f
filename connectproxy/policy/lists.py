"""
Lists of names, networks and users in files of their own: one item a line, C{#} and what
follows it a comment, where it begins the line or stands behind white space.

A file is read once, in one piece, however many rules name it; one that somebody writes to
meanwhile is read again.  What is wrong in it becomes L{Problem}s, each with its line.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable
from io import BytesIO
from ipaddress import IPv4Network, IPv6Network

from connectproxy.address import Networks, parsePattern
from connectproxy.config import Problem
from connectproxy.policy.names import NameSet

__all__ = ["LARGEST", "Items", "Lists"]

LARGEST = 64 * 2**20
"""Octets that a list may have."""

_LONGEST_LINE = 2000
_MOST_PROBLEMS = 50
_ATTEMPTS = 5
_BOM = b"\xef\xbb\xbf"
_COMMENT = re.compile(r"(?:^|\s)#.*")
_WITH_PORT = re.compile(r"(.*[^:]):([0-9]{1,5})")
_NETWORK = re.compile(r"[0-9.]+(?:/[0-9]*)?|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:/[0-9]*)?")


class Items:
    """
    What is in one file, or stands in a rule itself.

    @ivar path: the file; empty if there is none.
    @ivar name: what people are told of it: its name without the directories.
    @ivar names: the patterns without a port.
    @ivar ports: those with one, by the port.
    @ivar networks: the networks.
    @ivar users: the users.
    """

    __slots__ = ("name", "names", "networks", "path", "ports", "users")

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.names = NameSet()
        self.ports: dict[int, NameSet] = {}
        self.networks: list[IPv4Network | IPv6Network] = []
        self.users: list[str] = []

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.names or self.ports or self.networks or self.users)

    def atPort(self, port: int) -> Items:
        """
        The patterns with one port, as if they had none.
        """
        found = Items(self.path)
        found.names = self.ports[port]
        return found


class Lists:
    """
    The lists of one policy.

    @ivar files: the files that there are, by name, whatever is in them.
    @ivar problems: what is wrong with them.
    """

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        self.problems: list[Problem] = []
        self._read: dict[tuple[str, str], Items] = {}
        self._readers = {
            "names": self._name,
            "networks": self._network,
            "users": self._user,
            "mixed": self._mixed,
        }

    def read(self, path: str, sort: str, key: str, where: str) -> Items:
        """
        Read a file.  It blocks.

        @param sort: what is in it: C{names}, C{networks}, C{users}, or C{mixed}: names,
            also with a port, and networks.
        @param key: the setting that names it.
        @param where: what a message calls the place that names it.
        """
        found = self._read.get((path, sort))
        if found is None:
            found = self._read[path, sort] = Items(path)
            self.files[path] = None
            self._fill(found, self._readers[sort], key, where)
        return found

    def _fill(self, into: Items, read: Callable[[Items, str], None], key: str, where: str) -> None:
        """
        Read every line.
        """
        try:
            octets = _whole(into.path)
        except OSError as error:
            why = error.strerror or str(error)
            self._complain(
                key, where, f"cannot read the list {into.path}: {why}", "name a file that can be read"
            )
            return
        except ValueError as error:
            self._complain(key, where, f"cannot use the list {into.path}: {error}", "")
            return
        wrong = 0
        # Line by line, and not by one call for all, during which no other thread would run.
        for number, line in enumerate(BytesIO(octets), 1):
            try:
                text = line.removeprefix(_BOM).decode() if number == 1 else line.decode()
                if "#" in text:
                    text = _COMMENT.sub("", text.rstrip("\r\n"), 1)
                text = text.strip()
                if len(text) > _LONGEST_LINE:
                    raise ValueError("is a very long line; write one item a line")
                if text:
                    read(into, text)
            except ValueError as error:
                wrong += 1
                if wrong <= _MOST_PROBLEMS:
                    notUTF8 = isinstance(error, UnicodeDecodeError)
                    message = "is not UTF-8; save the file as UTF-8" if notUTF8 else str(error)
                    self._complain(key, f"{into.path}:{number}", message, "")
        if wrong > _MOST_PROBLEMS:
            more = wrong - _MOST_PROBLEMS
            self._complain(key, into.path, f"{more} more lines are wrong", "is it the right file?")

    def _complain(self, key: str, place: str, message: str, advice: str) -> None:
        """
        Add a problem.
        """
        self.problems.append(Problem(key, place, message, advice))

    def _name(self, into: Items, text: str) -> None:
        """
        Read a pattern.
        """
        into.names.add(parsePattern(text))

    def _network(self, into: Items, text: str) -> None:
        """
        Read a network, or several.
        """
        into.networks += Networks.parse(text)

    def _user(self, into: Items, text: str) -> None:
        """
        Read a user's name.
        """
        if not text.isprintable():
            raise ValueError(f"{text!a} is not a name; write printable characters")
        into.users.append(text if text.isascii() else unicodedata.normalize("NFC", text))

    def _mixed(self, into: Items, text: str) -> None:
        """
        Read a pattern, a pattern with a port, or a network.
        """
        if _NETWORK.fullmatch(text):
            self._network(into, text)
            return
        match = _WITH_PORT.fullmatch(text)
        if match is None:
            self._name(into, text)
            return
        pattern = parsePattern(match[1])
        port = int(match[2])
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!a} has a port that is out of range; write one from 1 to 65535")
        into.ports.setdefault(port, NameSet()).add(pattern)


def _whole(path: str) -> bytes:
    """
    Read a file that does not change meanwhile.

    @raise OSError: it can't be read.
    @raise ValueError: it is none, too large, or changes all the time.
    """
    for _ in range(_ATTEMPTS):
        # Without waiting: to open a named pipe would take until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise ValueError("it is not a file; name one with an item a line")
            octets = file.read(LARGEST + 1)
            after = os.fstat(descriptor)
        if len(octets) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST // 2**20} MiB; split it")
        if _mark(before) == _mark(after) == _mark(os.stat(path)) and len(octets) == before.st_size:
            return octets
    raise ValueError("it changes while it is read; write another file, and rename that to this name")


def _mark(found: os.stat_result) -> tuple[int, int, int, int]:
    """
    What is different where a file has been replaced or written to.
    """
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
