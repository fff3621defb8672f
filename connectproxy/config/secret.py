"""
The form of the one setting that must not be seen: a user's name and password.

Its value is a L{Secret}, which shows itself as stars, and none of its complaints repeats
any of it.
"""

from __future__ import annotations

import os
import unicodedata
from typing import Any

from connectproxy.config.forms import Form, Unfit, shown

__all__ = ["Hidden", "Secret", "UserPassword", "firstLine"]

_OCTETS = 255
"""How long each of the two may be: RFC 1929 section 2 counts them in one octet."""

_LINE = 4096
"""How many octets of a file's first line are read: more than any two of L{_OCTETS}."""

_STARS = "***"


class Secret(str):
    """
    A string that is not shown: written into a text, or looked at in a debugger, it is
    three stars.  Its methods (C{encode}, C{partition}) and comparisons are those of the
    string that it is.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __str__(self) -> str:
        return _STARS if len(self) else ""

    def __format__(self, specification: str) -> str:
        return format(str(self), specification)


class Hidden(Form):
    """
    What must not be seen, and so can stand in a file that C{@} and its name stand for.
    """

    secret = True

    def beside(self, said: Any, directory: str) -> Any:
        """
        Complete the name of the file.
        """
        if isinstance(said, str) and len(said) > 1 and said[0] == "@":
            return "@" + os.path.join(directory, said[1:])
        return said

    def reads(self, said: Any) -> tuple[str, ...]:
        """
        The name of the file.
        """
        return (said[1:],) if isinstance(said, str) and len(said) > 1 and said[0] == "@" else ()


class UserPassword(Hidden):
    """
    A user's name and password with a colon in between (RFC 7617 section 2), or C{@} and
    the name of a file whose first line has them: on a command line, everybody on the
    machine could read them.  The value is a L{Secret} in Normalization Form C, empty
    where nobody is asked.
    """

    words = "user:password, or @ and the name of a file whose first line is that"
    running = True

    def fromTOML(self, value: Any) -> Secret:
        """
        Read a pair, from the file that is named where one is.
        """
        if not isinstance(value, str):
            raise Unfit(("the value is not a string", f"give {self.words}"))
        where = "the value"
        if value.startswith("@"):
            name = value[1:]
            value, where = firstLine(name), f"the first line of {shown(name)}"
            if not value:
                raise Unfit((f"{where} is empty", f"write user:password there, as in {self.words}"))
        value = unicodedata.normalize("NFC", value)
        if value:
            _check(value, where)
        return Secret(value)


def firstLine(name: str) -> str:
    """
    Read the first line of a file.
    """
    try:
        with open(name, "rb") as file:
            return file.readline(_LINE).rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        raise Unfit((f"the first line of {shown(name)} is not UTF-8", "save the file as UTF-8")) from None
    except (OSError, ValueError) as error:  # ValueError: NUL in its name
        why = getattr(error, "strerror", None) or "there can be no such file"
        raise Unfit((f"cannot read {shown(name)}: {why}", "name a file that can be read")) from None


def _check(text: str, where: str) -> None:
    """
    Make sure that every protocol can carry a pair.
    """
    user, colon, password = text.partition(":")
    if not colon or not user or not password:
        raise Unfit((f"{where} is not a name and a password", "give user:password, neither of them empty"))
    for part, what in ((user, "name"), (password, "password")):
        try:
            length = len(part.encode())
        except UnicodeEncodeError:
            raise Unfit((f"the {what} in {where} is not UTF-8", "give it in UTF-8")) from None
        if length > _OCTETS:
            advice = f"SOCKS has room for {_OCTETS} octets of each (RFC 1929)"
            raise Unfit((f"the {what} in {where} is too long", advice))
        if any(unicodedata.category(character) == "Cc" for character in part):
            advice = "leave them out (RFC 7617 section 2)"
            raise Unfit((f"the {what} in {where} has control characters", advice))
