"""
Lists of names, networks and users in files of their own, an item a line, as
L{connectproxy.config.listfile} reads them.

A file is read once, however many rules name it.  What is wrong in it becomes L{Problem}s,
each with its line.
"""

from __future__ import annotations

import os
import re
import unicodedata
from functools import partial
from ipaddress import IPv4Network, IPv6Network

from connectproxy.address import Networks, parsePattern
from connectproxy.config import Problem
from connectproxy.config.listfile import readList
from connectproxy.policy.names import NameSet

__all__ = ["Items", "Lists"]

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
            readList(path, key, where, partial(self._readers[sort], found), self.problems)
        return found

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
