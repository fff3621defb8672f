"""
The challenges of a C{Proxy-Authenticate} field (RFC 9110 sections 11.3, 11.6.1 and 11.7.1),
as somebody reads them who has been asked for credentials.

Commas stand between challenges and between the parameters of one, so that a scheme is known
by what follows it.  What comes behind a mistake is not read, and a challenge that names a
parameter twice is nobody's.  What a parameter means is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from connectproxy.wire.authorization.parameters import MOST
from connectproxy.wire.grammar import TCHAR

__all__ = ["MOST_CHALLENGES", "Challenge", "readChallenges"]

MOST_CHALLENGES = 16
"""How many are read; there are not so many schemes."""

_MOST_PARAMETERS = 32

_BETWEEN = re.compile(rb"[ \t,]*+")
"""RFC 9110 section 5.6.1.2: empty elements are passed over."""

_PARAMETER = re.compile(
    rb"(%b++)[ \t]*+=[ \t]*+(?:(%b++)|\"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+)\")"
    % (TCHAR, TCHAR)
)
"""RFC 9110 section 11.2: auth-param = token BWS "=" BWS ( token / quoted-string )"""

_SCHEME = re.compile(rb"(%b++)(?=[ \t,]|\Z)" % TCHAR)

_TOKEN68 = re.compile(rb" ++[A-Za-z0-9\-._~+/]++=*+(?=[ \t]*+(?:,|\Z))")
"""RFC 9110 section 11.2; it is the only thing that its challenge has."""

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class Challenge(NamedTuple):
    """
    One way of saying who one is.

    @ivar scheme: the name of the scheme, as it came: a token.
    @ivar parameters: the values, without quotes and backslashes, by name in lower case.
    """

    scheme: str
    parameters: dict[bytes, bytes]


def readChallenges(values: Sequence[bytes]) -> list[Challenge]:
    """
    Read what there is to choose from.

    @param values: of all C{Proxy-Authenticate} fields of an answer, in their order; of
        what is longer than L{MOST} octets the end is not looked at.
    """
    octets = b",".join(values)[:MOST]
    found: list[Challenge] = []
    spoilt: set[int] = set()
    at = 0
    while (at := _BETWEEN.match(octets, at).end()) < len(octets):  # type: ignore[union-attr]  # it matches nothing, too
        parameter = _PARAMETER.match(octets, at)
        if parameter is None:
            scheme = _SCHEME.match(octets, at)
            if scheme is None or len(found) == MOST_CHALLENGES:
                break
            found.append(Challenge(scheme[1].decode("ascii"), {}))
            token = _TOKEN68.match(octets, scheme.end())
            at = (token or scheme).end()
            continue
        if not found or len(found[-1].parameters) == _MOST_PARAMETERS:
            break
        name, value, string = parameter.groups()
        name, parameters = name.lower(), found[-1].parameters
        if name in parameters:
            spoilt.add(len(found))
        parameters[name] = _ESCAPED.sub(rb"\1", string) if value is None else value
        at = parameter.end()
    return [each for number, each in enumerate(found, 1) if number not in spoilt]
