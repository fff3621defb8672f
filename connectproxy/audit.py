"""
The audit file: one line of JSON for every decision, at the moment that it is made.

The access log tells what became of a request when it is over, which for a tunnel may be
days later; this tells who was let go where, and who was not, while it happens.  The names
of the fields are declared here once; L{FIELDS} is what the documentation is held to.

Lines are only ever appended.  The file is set aside by its size (C{audit.rotate},
C{audit.keep}), or by whoever moves it away: then it is opened anew within a second.
Signing of lines, and sending them anywhere, are left out: what collects logs does that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from fcntl import LOCK_EX, LOCK_NB, flock
from json import JSONEncoder
from time import gmtime, strftime, time
from types import MappingProxyType
from typing import Any

from connectproxy.accessfile import AccessFile
from connectproxy.ledger import GATHER

__all__ = ["FIELDS", "Audit", "AuditFile"]

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "timestamp": "when it was decided: RFC 3339, UTC, milliseconds",
        "config": "the configuration that it was decided by, as logged at start and at each reload",
        "listener": "the listening endpoint that it came in by",
        "client": "the client's address and port",
        "sender": "the address of the load balancer whose PROXY header named the client; null without one",
        "user": "who asked, as authenticated; null where nobody is known",
        "groups": "the groups that the user is in",
        "means": "how it was proved who asked: `basic`, `digest`, `token`, `password`, `certificate`,"
        " `proxy_header` or `network`; null where nobody is known",
        "tls": "the version of TLS between client and proxy; null in clear",
        "certificate": "the subject of the client's certificate, or the SHA-256 of all of it where it has none; null"
        " without a certificate",
        "protocol": "what the client spoke: `http/1.1`, `http/1.0`, `h2`, `socks5`, `socks4` or `socks4a`",
        "method": "the request's method; null if none could be read",
        "target": "where to: host and port in normal form; null if nothing could be read",
        "address": "the address that was judged; null where it was the request by itself",
        "server_name": "the TLS server name that was judged; null where none was looked at",
        "decision": "`allow` or `deny`",
        "rule": "the name of the rule that decided, or `limit` and the name of a `[[limit]]`; null where it was"
        " neither, but a login or a limit of all",
        "reason": "why it was decided so, in words",
        "error": "the kind of refusal, as in the documentation of refusals: of what was denied, or was allowed and"
        " could not be reached; otherwise null",
        "upstream": "for a permission, the way that it is for; otherwise null",
        "report": "what rules that only report would have denied it for, as `rule: reason`; null without one",
        "shadow": "what the shadow policy would have done; null if the same, or without one",
    }
)
"""Every field of a line, in order, and what it means."""

_EMPTY: dict[str, Any] = dict.fromkeys(FIELDS) | {"groups": ()}
"""What a line has where nothing is known."""

_encode = JSONEncoder(separators=(",", ":"), check_circular=False).encode


class AuditFile(AccessFile):
    """
    An L{AccessFile} that is set aside when it has become large: C{path} becomes
    C{path.1}, that C{path.2}, and so on; the oldest is removed.

    Of several processes that share the file one does it, and the others follow.
    """

    what = "audit lines"

    def __init__(self, path: str, rotate: int, keep: int, clock: Callable[[], float]) -> None:
        """
        @param path: the file, made if it isn't there.
        @param rotate: octets from which on it is set aside; 0 for never.
        @param keep: how many are kept besides; 0 for all.
        @param clock: tells the time, in seconds.
        @raise OSError: it can't be opened.
        """
        AccessFile.__init__(self, path, clock)
        self._rotate = rotate
        self._keep = keep
        self._refused = ""

    def write(self, lines: bytes) -> None:
        """
        See L{connectproxy.accessfile.Sink.write}.
        """
        if self._rotate:
            self._setAside(len(lines))
        AccessFile.write(self, lines)

    def _setAside(self, more: int) -> None:
        """
        Begin another file, if this one would become too large.  Where that can't be done
        (a directory that is not ours to write, a file that may only be appended to) it is
        told once, and the file grows on.

        @param more: the octets that are going to be written.
        """
        try:
            ours = os.fstat(self._fd)
            if not ours.st_size or ours.st_size + more <= self._rotate or not stat.S_ISREG(ours.st_mode):
                return
            flock(self._fd, LOCK_EX | LOCK_NB)  # it ends with the descriptor
            path: Any = self._path
            there = os.stat(path)
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                self._shift(path)
        except FileNotFoundError:
            pass  # somebody else has moved it
        except BlockingIOError:
            return  # somebody else is moving it; until that is seen, lines go to the old one
        except OSError as error:
            if self._refused != str(error):
                self._refused = str(error)
                self._log.error(
                    "{path} has its full size and can't be set aside: {error}; it is written on",
                    path=self._path,
                    error=self._refused,
                )
            return
        self._refused = ""
        self._reopen()

    def _shift(self, path: str) -> None:
        """
        Give every file the number after its own, the newest first number.
        """
        last = 1
        while last != self._keep and os.path.lexists(f"{path}.{last}"):
            last += 1
        for number in range(last, 1, -1):
            os.replace(f"{path}.{number - 1}", f"{path}.{number}")
        os.replace(path, f"{path}.1")


class Audit:
    """
    Writes decisions.
    """

    def __init__(
        self,
        path: str,
        rotate: int,
        keep: int,
        clock: Callable[[], float],
        later: Callable[..., Any],
        wall: Callable[[], float] = time,
    ) -> None:
        """
        @param path: the file.
        @param rotate: octets from which on it is set aside; 0 for never.
        @param keep: how many of those are kept; 0 for all.
        @param clock: tells the time in seconds; a reactor's C{seconds}.
        @param later: a reactor's C{callLater}: the lines of one turn of the reactor are
            written together at the next.
        @param wall: tells the time of day, in seconds since 1970.
        @raise OSError: the file can't be opened.
        """
        self.path = path
        self._file = AuditFile(path, rotate, keep, clock)
        self._later = later
        self._wall = wall
        self._lines: list[str] = []
        self._call: Any = None
        self._second = -1
        self._stamp = ""

    @property
    def dropped(self) -> int:
        """How many lines could not be written."""
        return self._file.dropped

    def write(self, known: Mapping[str, Any]) -> None:
        """
        Complete a line and write it.

        @param known: the fields of L{FIELDS} that are known, but for C{timestamp}.
        """
        line = _EMPTY | known  # type: ignore[operator]
        line["timestamp"] = self._now()
        lines = self._lines
        lines.append(_encode(line))
        if len(lines) >= GATHER:
            self.flush()
        elif self._call is None:
            self._call = self._later(0, self.flush)

    def _now(self) -> str:
        """
        The time of day as RFC 3339 writes it.
        """
        moment = self._wall()
        second = int(moment)
        if second != self._second:
            self._second = second
            self._stamp = strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        return f"{self._stamp}.{int((moment - second) * 1000):03d}Z"

    def flush(self) -> None:
        """
        Write what has been gathered.
        """
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        lines, self._lines = self._lines, []
        if lines:
            lines.append("")
            self._file.write("\n".join(lines).encode("ascii"))

    def close(self) -> None:
        """
        No more decisions come.
        """
        self.flush()
        self._file.close()
