"""
The targets for HTTP/1: heads, bodies, and what is made of them on their way through.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from connectproxy.errors import Refusal
from connectproxy.wire.authorization import Basic, parseBasic
from connectproxy.wire.fields import HOP_BY_HOP
from connectproxy.wire.forwarding import (
    checkRequest,
    endToEnd,
    formatInterim,
    formatRequest,
    formatResponseHead,
    loops,
    maxForwards,
    parseTarget,
    persistent,
    switching,
    targetForm,
    upgradeOffered,
)
from connectproxy.wire.framing import (
    CHUNKED,
    CLOSE,
    NONE,
    BodyReader,
    Delimiter,
    Framing,
    requestFraming,
    responseFraming,
)
from connectproxy.wire.http1 import HeadReader, Limits, RequestHead, checkConnect
from connectproxy.wire.response import ResponseHead, ResponseReader
from tests.fuzz.feeding import Case, check, feed, fit, steady

__all__ = ["authorization", "body", "forwarding", "request", "response", "returning"]

SMALL = Limits(line=64, fieldLine=48, section=128, fields=4)
"""Limits that short inputs reach."""

WIDE = Limits(line=1 << 20, fieldLine=1 << 20, section=1 << 22, fields=1000)
"""Limits for what we have written, which may be longer than what came."""

VIA = b"fuzzed"

Field = tuple[bytes, bytes]


def judged(found: Any) -> Any:
    """A refusal is fit to be shown; anything else is given back."""
    if isinstance(found, Refusal):
        fit(found)
    return found


def request(octets: bytes) -> None:
    """
    The head of a request.  Written again as it was read, it is read as the same.
    """
    case = Case(octets)
    limits = SMALL if case.choice & 1 else Limits()
    head, _ = steady(case, partial(feed, lambda: HeadReader(limits)))
    if isinstance(head, RequestHead):
        judged(checkConnect(head))
        lines = [b"%b %b HTTP/1.%d" % (head.method.encode(), head.target, head.minor)]
        lines += [b"%b: %b" % field for field in head.fields]
        check(reread(HeadReader(WIDE), b"\r\n".join([*lines, b"", b""])) == head, head)


def response(octets: bytes) -> None:
    """
    The head of a response; likewise.
    """
    case = Case(octets)
    limits = SMALL if case.choice & 1 else Limits()
    head, _ = steady(case, partial(feed, lambda: ResponseReader("GET", limits)))
    if isinstance(head, ResponseHead):
        lines = [b"HTTP/1.%d %d %b" % (head.minor, head.status, head.reason)]
        lines += [b"%b: %b" % field for field in head.fields]
        check(reread(ResponseReader("GET", WIDE), b"\r\n".join([*lines, b"", b""])) == head, head)


def reread(reader: Any, octets: bytes) -> Any:
    """What a reader finds in octets that are one whole message."""
    found = reader.receive(octets)
    check(found is not None and not isinstance(found, Refusal), found, octets)
    check(not reader.leftover, reader.leftover, octets)
    return found


def forwarding(octets: bytes) -> None:
    """
    A request on its way to an origin: who reads what is written finds the same method,
    target, fields and end of the body, and nothing that was about this connection only.
    """
    case = Case(octets)
    head = HeadReader().receive(case.octets)
    if not isinstance(head, RequestHead):
        return
    loops(head, VIA)
    persistent(head)
    targetForm(head)
    target, framing = judged(parseTarget(head)), judged(requestFraming(head))
    forwards, refusal = judged(maxForwards(head)), judged(checkRequest(head))
    if refusal is not None or any(isinstance(each, Refusal) for each in (target, framing, forwards)):
        return
    upgrade = bool(upgradeOffered(head)) and bool(case.choice & 1)
    written = formatRequest(head, target, VIA, framing=framing, upgrade=upgrade, maxForwards=forwards)
    again = reread(HeadReader(WIDE), written)
    check((again.method, again.target, again.minor) == (head.method, target.path, 1), again)
    check(again.values(b"host") == [target.hostField], again)
    check(judged(requestFraming(again)) == framing, framing, again)
    check(loops(again, VIA), again)
    check(checkRequest(again) is None, again)
    check(persistent(again), again)
    check(not upgrade or upgradeOffered(again) == (b"websocket",), again)
    anew = {b"host", b"content-length"} | ({b"max-forwards"} if forwards is not None else set())
    gone = {b"expect"} if not head.minor else set()
    expected = [field for field in endToEnd(head.fields) if field[0] not in anew | gone]
    check(goesOn(again.fields, anew, upgrade) == expected, again, expected)


def goesOn(fields: Iterable[Field], added: set[bytes], upgrade: bool) -> list[Field]:
    """
    The fields in a head that has been passed on, without what a proxy adds to it.
    """
    left = list(fields)
    check(left.pop()[0] == b"via", fields)
    allowed = {b"transfer-encoding"} | ({b"connection", b"upgrade"} if upgrade else set())
    found = [field for field in left if field[0] not in added]
    about = {name for name, _ in found} & HOP_BY_HOP
    check(about <= allowed, about)
    return [field for field in found if field[0] not in HOP_BY_HOP]


def returning(octets: bytes) -> None:
    """
    A response on its way to the client; likewise.
    """
    case = Case(octets)
    method = ("GET", "HEAD", "CONNECT", "POST")[case.choice & 3]
    head = ResponseReader(method).receive(case.octets)
    if not isinstance(head, ResponseHead):
        return
    persistent(head)
    framing = judged(responseFraming(method, head))
    if isinstance(framing, Refusal):
        return
    if head.status < 200 and head.status != 101:
        written = formatInterim(head, VIA)
        again = reread(ResponseReader(method, WIDE), written)
        check((again.status, again.reason) == (head.status, head.reason), again)
        check(responseFraming(method, again) == NONE, again)
        return
    upgrade = switching(head)
    if (head.status == 101 and not upgrade) or (method == "CONNECT" and head.status < 300):
        return  # a failure, and a tunnel
    close, minor = bool(case.choice & 4), 0 if case.choice & 8 else 1
    written = formatResponseHead(head, VIA, framing=framing, close=close, upgrade=upgrade, clientMinor=minor)
    again = reread(ResponseReader(method, WIDE), written)
    check((again.status, again.reason, again.minor) == (head.status, head.reason, 1), again)
    expected = CLOSE if framing == CHUNKED and not minor else framing
    check(judged(responseFraming(method, again)) == expected, again, expected)
    check(upgrade or not persistent(again) or not (close or expected is CLOSE), again)
    check(switching(again) == upgrade, again)


def readBody(make: Any, pieces: Iterable[bytes]) -> tuple[object, ...]:
    """
    Feed pieces to a L{BodyReader}.

    @return: all that came of it, or the refusal.
    """
    reader = make()
    parts, rest = [], []
    for piece in pieces:
        if reader.done:
            rest.append(piece)
            continue
        taken = reader.receive(piece)
        if isinstance(taken, Refusal):
            fit(taken)
            check(reader.receive(piece) == taken, taken)
            check(not reader.done and not reader.leftover and not reader.trailers, taken)
            return (taken,)
        parts.append(taken)
    done = reader.done
    check(done or not reader.leftover, reader.leftover)
    if (missing := reader.ended()) is not None:
        fit(missing)
        check(not done, missing)
    return b"".join(parts), done, reader.leftover + b"".join(rest), reader.trailers, missing


def body(octets: bytes) -> None:
    """
    A body.  A chunked one that is passed on chunked says to who reads it what it says here.
    """
    case = Case(octets)
    framing = (CHUNKED, CHUNKED, CHUNKED, Framing(Delimiter.LENGTH, case.choice), CLOSE, NONE)[
        case.choice % 6
    ]
    response, limits = bool(case.choice & 0x10), SMALL if case.choice & 0x20 else Limits()
    plain = steady(case, partial(readBody, partial(BodyReader, framing, response=response, limits=limits)))
    passed = steady(
        case, partial(readBody, partial(BodyReader, framing, response=response, passing=True, limits=limits))
    )
    check(passed[1:] == plain[1:], passed, plain)
    if len(passed) == 1 or framing is not CHUNKED:
        check(passed == plain, passed, plain)
    elif passed[1]:
        again = BodyReader(CHUNKED, limits=WIDE)
        check(again.receive(passed[0]) == plain[0], passed, plain)  # type: ignore[arg-type]
        check(again.done and not again.leftover and again.trailers == plain[3], passed, plain)


def authorization(octets: bytes) -> None:
    """
    The value of a Proxy-Authorization field.
    """
    case = Case(octets)
    found = parseBasic([case.octets])
    if isinstance(found, Basic):
        check(b":" not in found.user and case.octets.split()[1] not in repr(found).encode(), found)
    else:
        check(found.isascii() and found.isprintable(), found)
