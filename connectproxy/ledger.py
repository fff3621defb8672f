"""
The ledger: one event for every tunnel and every refusal, written when it is over.

The names of the fields are declared here once; L{FIELDS} is what the
documentation is held to.  An event goes to Twisted's log as a structured event
with these very fields, and as one line of JSON to the access log if there is
one.  It is read by machines in the first place, so every event has every field.

Nothing that a client sent stands in an event unescaped: targets are parsed or
escaped before, and JSON escapes the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import count
from json import dumps
from json.encoder import encode_basestring_ascii as quote
from time import gmtime, strftime, time
from types import MappingProxyType
from typing import Any

from twisted.logger import Logger, LogLevel

from connectproxy.accessfile import Sink

__all__ = ["FIELDS", "Ledger"]

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "timestamp": "when the client connected: RFC 3339, UTC, milliseconds",
        "event": "`tunnel` if a tunnel was opened or datagrams were relayed, `request` if a request was forwarded as a message or was for the"
        " proxy's own pages, `refusal` if it was refused, `abandoned` if the client went away before it had its"
        " answer",
        "id": "unique to this event: a prefix for the process and a number",
        "config": "the configuration that it was decided by, as logged at start",
        "listener": "the listening endpoint that it came in by",
        "client": "the client's address and port",
        "sender": "the address of the load balancer whose PROXY header named the client; null without one",
        "user": "who asked, as authenticated; null where nobody is asked, or it did not come to that",
        "groups": "the groups that the user is in",
        "means": "what the user has shown who it is by: `basic`, `digest`, `token`, `password` (of SOCKS), `certificate`,"
        " `proxy_header` or `network`",
        "tls": "the version of TLS between client and proxy; null in clear",
        "certificate": "the subject of the client's certificate, or the SHA-256 of all of it where it has none; null"
        " without a certificate",
        "protocol": "what the client spoke: `http/1.1`, `http/1.0`, `h2`, `socks5`, `socks4` or `socks4a`; `tls`,"
        " `proxy` or `unknown` where it did not come to that",
        "method": "the request's method; null if none could be read",
        "target": "where to: host and port in normal form, or what was asked for, escaped, if it is not valid;"
        " null if nothing could be read",
        "host": "the request's Host field, where it names another host than the target, which alone counts;"
        " otherwise null",
        "user_agent": "the request's User-Agent field, cut at 128 characters; null without one, and for what"
        " was no valid request",
        "alpn": "the request's ALPN field (RFC 7639), a hint and not a proof; null without one",
        "server_name": "the server name of the client's TLS, where a rule has wanted to know it; null otherwise, and where"
        " there was none",
        "decision": "`allow`, `deny`, or null if it did not come to one",
        "rule": "the name of the rule that decided; null if it did not come to that",
        "reason": "why it was decided so, or what went wrong, in words",
        "report": "the rules that would have denied it and only report, each with its reason; null if there was none",
        "shadow": "what the shadow policy would have done otherwise: `allow` or `deny`, and by which rule; null if the same",
        "status": "the status code that the client was answered; null if it got no answer",
        "error": "the kind of refusal, as in the documentation of refusals; null for a tunnel, and for a request that was"
        " answered in whole",
        "received_status": "the status by which a next hop refused; null if none did, or it speaks no HTTP",
        "upstream": "the name of the way taken; null if it did not come to that",
        "member": "of a group, the name of the upstream that was gone through, or asked last; null where there was no choice",
        "address": "the address and port that were connected to; null if none was",
        "tried": "every address tried: `address`, `result` (`connected`, `aborted` or a kind of refusal)"
        " and `ms`",
        "relay": "what carried the bytes: `splice` or `wired` for a tunnel, `forward` for a request that was"
        " forwarded, `datagrams` for UDP; null without a connection",
        "bytes_up": "octets that the origin's socket took from the client; of a request that was forwarded, those of its content, with its chunks' framing if it has chunks",
        "bytes_down": "octets that the client's socket took from the origin; of a request that was forwarded, those of the response's content, likewise",
        "ended_by": "`client`, `origin` or `proxy`",
        "phase": "how far it had come: `arrived`, `authenticating`, `deciding`, `dialling`, `answering`, `relaying` or `draining`",
        "end": "how it ended: `eof`, `reset`, `idle_timeout`, `half_open_timeout`, `lifetime_exceeded`,"
        " `quota_exceeded`, `policy_changed`, `drain_timeout`, `aborted`; `complete` for a request that was forwarded; `truncated` for a response cut short, and for a TLS client that closed its tunnel without a close_notify; `refused`;"
        " `client_gone`",
        "head_ms": "from the connection to the whole request, milliseconds",
        "resolve_ms": "from there to the first addresses; null if there was nothing to look up or nothing was found",
        "connect_ms": "from there to the connection, or to the last failure; null if nothing was dialled",
        "relay_ms": "from there to the end; null without a tunnel",
        "total_ms": "all of it",
    }
)
"""Every field of an event, in order, and what it means."""

_EMPTY: dict[str, Any] = dict.fromkeys(FIELDS) | {"tried": (), "bytes_up": 0, "bytes_down": 0, "groups": ()}
"""What an event has where nothing is known."""

_TEXT = (
    "{event[client]} {event[method]} {event[target]}: {event[status]} {event[end]} by {event[ended_by]} after"
    " {event[total_ms]} ms, {event[bytes_up]} up, {event[bytes_down]} down; {event[reason]}"
)
"""An event in Twisted's log, for people, where no access log takes it."""

_LINE = (
    "{"
    + ",".join(
        f'"{name}":%s' if name not in ("timestamp", "event", "id", "config") else f'"{name}":"%s"'
        for name in FIELDS
    )
    + "}\n"
)
"""An event as a line of JSON, with a place for each field."""

_INFO = LogLevel.info

_NUMBERS = count(1)
"""The numbers of events: one row for the process, since two ledgers can begin in one millisecond."""

GATHER = 256
"""Events that are written at once, however few turns the reactor takes."""


def _text(value: str | None) -> str:
    return "null" if value is None else quote(value)


def _number(value: float | None) -> str | float:
    return "null" if value is None else value


def formatLine(event: Mapping[str, Any]) -> bytes:
    """
    An event as one line of JSON, in ASCII.

    A tunnel costs two hundred microseconds and some; the encoder of the standard
    library, which can't know that it is always the same fields, takes eight
    of them and this takes five.

    @param event: has every field of L{FIELDS}, in order.
    """
    (
        stamp, kind, number, config, listener, client, sender, user, groups, means, tls, certificate, protocol, method,
        target, host, agent, alpn, serverName, decision, rule, reason, report, shadow, status, error, received, upstream, member, address, tried, relay, up, down, endedBy, phase, end, head, resolve,
        connect, relayed, total,
    ) = event.values()  # fmt: skip
    return (
        _LINE
        % (
            stamp, kind, number, config, _text(listener), _text(client), _text(sender), _text(user),
            f"[{','.join(map(quote, groups))}]", _text(means), _text(tls), _text(certificate),
            _text(protocol), _text(method), _text(target), _text(host), _text(agent), _text(alpn), _text(serverName),
            _text(decision), _text(rule), _text(reason), _text(report), _text(shadow), _number(status), _text(error), _number(received), _text(upstream), _text(member), _text(address),
            dumps(tried, separators=(",", ":")) if len(tried) != 1 else _ONE % (
                quote(tried[0]["address"]), quote(tried[0]["result"]), tried[0]["ms"]
            ),
            _text(relay), up, down, _text(endedBy), _text(phase), _text(end),
            _number(head), _number(resolve), _number(connect), _number(relayed), _number(total),
        )
    ).encode("ascii")  # fmt: skip


_ONE = '[{"address":%s,"result":%s,"ms":%s}]'
"""The commonest case of C{tried}."""


class Ledger:
    """
    Writes events.  In Twisted's log the whole event is the value of C{event}.

    @ivar config: the id of the configuration in force.
    """

    def __init__(
        self,
        sink: Sink | None = None,
        *,
        text: bool = True,
        config: str = "",
        clock: Callable[[], float] = time,
        later: Callable[..., Any] | None = None,
    ) -> None:
        """
        @param sink: takes each event as a line of JSON.
        @param text: give the event in Twisted's log a text, so that observers
            for people show it too.
        @param config: the id of the configuration in force.
        @param clock: tells the time of day in seconds since 1970; the time of
            an event is not the reactor's, which may be a test's.
        @param later: a reactor's C{callLater}: the events of one turn of the
            reactor are then written together at the next, which costs less.
            Without it each is written at once.
        """
        self._later = later
        self._gathered: list[dict[str, Any]] = []
        self._call: Any = None
        # Not the class's: a Logger that is found there names itself after the class.
        self._log = Logger(namespace="connectproxy.access", source=self)
        self._sink = sink
        self._format = _TEXT if text else None
        self._clock = clock
        self._prefix = f"{int(clock() * 1000):x}.{os.getpid():x}."
        self._second = -1
        self._stamp = ""
        self.config = config

    def stamp(self, ago: float) -> str:
        """
        @param ago: seconds.
        @return: the time of day as it was then, as RFC 3339 writes it.
        """
        moment = self._clock() - ago
        second = int(moment)
        if second != self._second:
            self._second = second
            self._stamp = strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        return f"{self._stamp}.{int((moment - second) * 1000):03d}Z"

    def write(self, known: dict[str, Any]) -> None:
        """
        Complete an event and write it.

        @param known: the fields of L{FIELDS} that are known, but for C{id}, which is
            the ledger's.
        """
        event = _EMPTY | known
        event["id"] = f"{self._prefix}{next(_NUMBERS)}"
        if event["config"] is None:
            event["config"] = self.config
        gathered = self._gathered
        gathered.append(event)
        if self._later is None or len(gathered) >= GATHER:
            self.flush()
        elif self._call is None:
            self._call = self._later(0, self.flush)

    def flush(self) -> None:
        """
        Hand over what has been gathered.
        """
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        gathered, self._gathered = self._gathered, []
        if self._sink is not None and gathered:
            self._sink.write(b"".join(map(formatLine, gathered)))
        log, now = self._log, self._clock()
        for event in gathered:
            # What Logger.emit does, less its check of the level, which sorts all levels.
            log.observer(
                {
                    "log_logger": log,
                    "log_level": _INFO,
                    "log_namespace": log.namespace,
                    "log_source": None,
                    "log_format": self._format,
                    "log_time": now,
                    "event": event,
                }
            )

    def close(self) -> None:
        """
        No more events come.
        """
        self.flush()
        if self._sink is not None:
            self._sink.close()
