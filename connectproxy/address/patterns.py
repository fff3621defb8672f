"""
Patterns of names, as lists and rules write them.

A pattern is a name, with a dot or a C{*} before it or within it:

 - C{example.com}: that name;
 - C{.example.com}: that name and every one below it;
 - C{*.example.com}: every name below it, and not itself;
 - C{api-*.example.com}: a C{*} within a label stands for any characters of that one
   label, also for none; as a whole label, behind the first, for any one label;
 - C{*}: every name.

Patterns and destinations have one normal form, the one of
L{connectproxy.address.authority}: lower case, A-labels, no trailing dot.  A pattern
that is not in ASCII is mapped by UTS 46 and encoded by RFC 5891, so that a look-alike is
what it is: another name.

What it leaves out: an address is no name and matches no pattern; networks are for that.
No A-label is decoded.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["NamePattern", "parsePattern"]

_LABEL = r"[a-z0-9_-]{1,63}"
_PLAIN = re.compile(rf"(\.|\*\.)?({_LABEL}(?:\.{_LABEL})*)")  # in lower case, without a trailing dot
_WILD = re.compile(r"[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # as in the authority: what the system takes for an address
_NUMERIC = re.compile(r"(?=.*[0-9])[0-9*]+(?:\.[0-9*]+)*")
_NAME_CHARACTERS = 253
_LONGEST = 300
_SHOWN = 64
_SECRETIVE = re.compile(r"[@?#\\]|//")  # signs of a URL, which may have a password or a token in it

_BELOW_NETWORKS = "write it below networks"
_TOO_LONG = "is longer than a name or a label can be; a name has 253 characters at most, a label 63"

# What can be wrong and what would be right; the first that is found is named.
_FAULTS = (
    (r"^\s*$", "is empty; write a name, as in example.com or .example.com"),
    (
        r"^\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*[\]%/]?",
        f"is an address and no name; {_BELOW_NETWORKS}",
    ),
    (r"^\[", f"has a bracket, as addresses have; {_BELOW_NETWORKS}, without brackets"),
    (r"^[0-9.]+(?:/[0-9.]*)$", f"is a network and no name; {_BELOW_NETWORKS}"),
    (r"[/?#\\]", "has a scheme, a path or a query; write the name and nothing else"),
    (r"@", "has user information before an @; write the name and nothing else"),
    (r"^[0-9.]+:[0-9]*$", f"is an address with a port; {_BELOW_NETWORKS}, and the port below ports"),
    (r":[0-9*]*$", "has a port; write the name here and the port below ports"),
    (r":", "has a colon; write the name and nothing else"),
    (r"[\x00-\x20\x7f]", "has white space or a control character in it; write one name in each string"),
    (r"%", "has percent-encoding; write the name plainly"),
    (r"\*\*", "has two * side by side, which mean the same as one; write one"),
    (r"[^A-Za-z0-9_.*-]", "has a character that no name has; write letters, digits, -, _, . and * only"),
    (r"^\.?\.?$|\.\.", "has an empty label; write single dots"),
    (r".", _TOO_LONG),
)


class NamePattern(NamedTuple):
    """
    A pattern of names in its normal form.

    @ivar text: the pattern as L{parsePattern} reads it back.
    @ivar base: the name without what stands before it; empty for every name.
    @ivar itself: whether the base matches.
    @ivar below: whether what is below the base does.
    """

    text: str
    base: str
    itself: bool
    below: bool

    def __str__(self) -> str:
        """The pattern as L{parsePattern} reads it back."""
        return self.text

    @property
    def wild(self) -> bool:
        """Whether the base has a C{*} in it."""
        return "*" in self.base

    def matches(self, name: str) -> bool:
        """
        Whether a name is one of those that are meant.

        @param name: in normal form, not empty; no address.
        """
        if not self.base:
            return True
        if not self.wild:
            return (self.itself and name == self.base) or (self.below and name.endswith("." + self.base))
        labels = name.split(".")
        wanted = self.base.split(".")
        beyond = len(labels) - len(wanted)
        if beyond < 0 or not (self.below if beyond else self.itself):
            return False
        return all(map(_fits, wanted, labels[beyond:]))


def _fits(wanted: str, label: str) -> bool:
    """
    Whether a label is one that a label with C{*} in it stands for.

    Each part is looked for behind the one before it, once: no pattern takes longer than
    its length times the label's.
    """
    first, *others = wanted.split("*")
    if not others:
        return label == first
    last = others.pop()
    if len(label) < len(first) + len(last) or not label.startswith(first) or not label.endswith(last):
        return False
    at = len(first)
    end = len(label) - len(last)
    for part in others:
        at = label.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def parsePattern(text: str) -> NamePattern:
    """
    Read a pattern as people write it, in any case, with or without a trailing dot.

    @raise ValueError: what is wrong and what would be right, one sentence without its
        full stop.
    """
    lower = text.lower() if text.isascii() else _mapped(text)
    if lower.endswith(".") and len(lower) > 1:
        lower = lower[:-1]
    if lower in ("*", ".*"):
        return NamePattern("*", "", False, True)
    match = _PLAIN.fullmatch(lower)
    if match is None:
        return _wild(text, lower)
    prefix, base = match.groups()
    last = base[base.rfind(".") + 1 :]
    if last[0] in "0123456789" and _NUMBER.fullmatch(last):
        raise _wrong(text, f"ends in a number, as addresses do; {_BELOW_NETWORKS}")
    if len(base) > _NAME_CHARACTERS:
        raise _fault(text, lower)
    return NamePattern(lower, base, prefix != "*.", prefix is not None)


def _wild(text: str, lower: str) -> NamePattern:
    """
    Read a pattern with a C{*} within the name, or find out what is wrong.

    @param lower: what to read of it.
    """
    base = lower
    itself, below = True, False
    if lower.startswith("."):
        base, below = lower[1:], True
    elif lower.startswith("*."):
        base, itself, below = lower[2:], False, True
    short = base.replace("*", "")
    if (
        "*" not in base
        or "**" in base
        or not _WILD.fullmatch(base)
        or len(short) > _NAME_CHARACTERS
        or any(len(label) > 63 for label in short.split("."))
        or len(base) > _LONGEST
    ):
        raise _fault(text, lower)
    if _NUMERIC.fullmatch(base) or _NUMBER.fullmatch(base[base.rfind(".") + 1 :]):
        raise _wrong(text, f"looks like an address; {_BELOW_NETWORKS}, as in 10.0.0.0/8")
    return NamePattern(lower, base, itself, below)


@lru_cache(256)
def _mapped(text: str) -> str:
    """
    The A-labels of a name that is not in ASCII.

    @raise ValueError: see L{parsePattern}.
    """
    import idna  # noqa: PLC0415 - large tables, which few need

    if len(text) > _LONGEST:
        raise _wrong(text, _TOO_LONG)
    try:
        labels = idna.uts46_remap(text, std3_rules=False, transitional=False).split(".")
        if any("*" in label and not label.isascii() for label in labels):
            raise _wrong(text, "has a * within an internationalised label; write such labels in full")
        return ".".join(label if label.isascii() else idna.alabel(label).decode("ascii") for label in labels)
    except idna.IDNAError:
        raise _wrong(
            text, "is not a valid internationalised name; write its A-labels (xn--...), if there are some"
        ) from None


def _fault(text: str, lower: str) -> ValueError:
    """
    Say what is wrong with a pattern that has been found wanting.
    """
    part = lower[:_LONGEST]
    return _wrong(text, next(words for pattern, words in _FAULTS if not part or re.search(pattern, part)))


def _wrong(text: str, words: str) -> ValueError:
    """
    A complaint that shows the pattern, escaped and cut, unless it may hold a password.
    """
    if _SECRETIVE.search(text):
        shown = "the pattern"
    elif len(text) > _SHOWN:
        shown = f"{text[:_SHOWN]!a}..."
    else:
        shown = ascii(text)
    return ValueError(f"{shown} {words}")
