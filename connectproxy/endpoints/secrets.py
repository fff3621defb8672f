"""
Where a string says what proves who an application is: itself, a file, or a variable of the
environment.

What others on the machine can read, such as the command line of a process, is no place for
a password; a file and the environment are.  No failure repeats any of it.
"""

from __future__ import annotations

import os

__all__ = ["readCredentials", "readSecret"]

_LINE = 16384
"""Octets of a file's first line that are read: tokens can be long."""


def readSecret(text: str) -> str:
    """
    Read what a string stands for.  Blocks where it is a file.

    @param text: C{@} and the name of a file, for its first line; C{$} and the name of a
        variable of the environment; else what it is.
    @raise ValueError: there is no such file or variable, or there is nothing in it.
    """
    kind, name = text[:1], text[1:]
    if kind == "@":
        try:
            with open(name, "rb") as file:
                found = file.readline(_LINE).rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"the first line of {name!a} is not UTF-8") from None
        except OSError as error:
            raise ValueError(f"cannot read {name!a}: {error.strerror}") from None
        where = f"the first line of {name!a}"
    elif kind == "$":
        found, where = os.environ.get(name, ""), f"the variable {name!a} of the environment"
    else:
        return text
    if not found:
        raise ValueError(f"{where} is empty, or not there; the proxy's credentials should be in it")
    return found


def readCredentials(text: str) -> tuple[str, str] | None:
    """
    Read a user and a password with a colon between.

    @param text: as L{readSecret} takes it; empty for none.
    @raise ValueError: as there; or there is no colon.
    """
    if not text:
        return None
    user, colon, password = readSecret(text).partition(":")
    if not colon:
        raise ValueError("the proxy's credentials have no colon; give user:password")
    return user, password
