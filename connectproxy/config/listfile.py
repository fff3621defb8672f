"""
Reads files that have one thing a line: lists of names, networks and users, and users with
their hashes.

Knows how octets become lines: UTF-8, with or without a byte order mark, either end of line.
In a list C{#} and what follows it is a comment, where it begins the line or stands behind
white space, and so may be a part of an item.  What an item means is not known here.

A file is read in one piece, and again if somebody writes to it meanwhile.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from io import BytesIO

from connectproxy.config.problem import Problem

__all__ = ["LARGEST", "Unreadable", "itemsOf", "linesOf", "readList"]

LARGEST = 64 * 2**20
"""Octets that a file may have."""

_LONGEST_LINE = 2000
_MOST_PROBLEMS = 50
_ATTEMPTS = 5
_BOM = b"\xef\xbb\xbf"
_COMMENT = re.compile(r"(?:^|\s)#.*")
_SORTS = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a named pipe"}
_READABLE = "name a file that can be read"


class Unreadable(Exception):
    """
    A file can't be used, whatever is in it.

    @ivar why: what is wrong with it.
    @ivar advice: what would be right.
    """

    def __init__(self, why: str, advice: str = _READABLE) -> None:
        Exception.__init__(self, why, advice)
        self.why = why
        self.advice = advice


def linesOf(path: str) -> Iterator[tuple[int, str | None]]:
    """
    Read a file.  Blocks.

    @return: every line with its number, from 1, and without its end; L{None} for one that is
        not UTF-8.
    @raise Unreadable: at once: it can't be used.
    """
    return _lines(_whole(path))


def itemsOf(path: str) -> Iterator[tuple[int, str | None]]:
    """
    Read a list.  Blocks.

    @return: every item with the number of its line, without comments and without white space
        around it; L{None} for a line that is not UTF-8.
    @raise Unreadable: at once: it can't be used.
    """
    return _items(_whole(path))


def readList(path: str, key: str, where: str, read: Callable[[str], object], problems: list[Problem]) -> None:
    """
    Have every item of a list read.  Blocks.

    @param key: the setting that names it.
    @param where: what a message calls the place that names it.
    @param read: takes an item, and raises L{ValueError} for one that is wrong.
    @param problems: where it is added what is wrong: that the file can't be used, at the place
        that names it; or its lines, not all of them where they are many.
    """
    try:
        items = itemsOf(path)
    except Unreadable as error:
        problems.append(Problem(key, where, f"cannot read the list {path}: {error.why}", error.advice))
        return
    wrong = 0
    for number, text in items:
        try:
            if text is None:
                raise ValueError("is not UTF-8; save the file as UTF-8")
            if len(text) > _LONGEST_LINE:
                raise ValueError("is a very long line; write one item a line")
            read(text)
        except ValueError as error:
            wrong += 1
            if wrong <= _MOST_PROBLEMS:
                problems.append(Problem(key, f"{path}:{number}", str(error), ""))
    if wrong > _MOST_PROBLEMS:
        more = wrong - _MOST_PROBLEMS
        problems.append(Problem(key, path, f"{more} more lines are wrong", "is it the right file?"))


# Line by line, and not by one call for all, during which no other thread would run; and in one
# generator each, since a list may have a million lines.


def _lines(octets: bytes) -> Iterator[tuple[int, str | None]]:
    """
    The lines of a file.
    """
    for number, line in enumerate(BytesIO(octets.removeprefix(_BOM)), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            yield number, None
        else:
            yield number, text.removesuffix("\n").removesuffix("\r")


def _items(octets: bytes) -> Iterator[tuple[int, str | None]]:
    """
    The items of a list.
    """
    for number, line in enumerate(BytesIO(octets.removeprefix(_BOM)), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            yield number, None
            continue
        item = (_COMMENT.sub("", text, count=1) if "#" in text else text).strip()
        if item:
            yield number, item


def _whole(path: str) -> bytes:
    """
    Read a file that does not change meanwhile.
    """
    try:
        for _ in range(_ATTEMPTS):
            octets = _once(path)
            if octets is not None:
                return octets
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    except ValueError:  # of a name with NUL in it, or that can't be encoded
        raise Unreadable("there can be no such file") from None
    raise Unreadable("it changes while it is read", "write another file, and rename that to this name")


def _once(path: str) -> bytes | None:
    """
    Read a file.

    @return: L{None} if it has changed meanwhile.
    """
    # Without waiting: to open a named pipe would take until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise Unreadable(f"it is {_SORTS.get(stat.S_IFMT(before.st_mode), 'not a file')}")
        if before.st_size > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST // 2**20} MiB", "split it")
        with open(descriptor, "rb", closefd=False) as file:
            octets = file.read(before.st_size + 1)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    steady = _mark(before) == _mark(after) == _mark(os.stat(path)) and len(octets) == before.st_size
    return octets if steady else None


def _mark(found: os.stat_result) -> tuple[int, int, int, int]:
    """
    What is different where a file has been replaced or written to.
    """
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
