"""
Tests for L{connectproxy.ledger}.
"""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from connectproxy import ledger
from connectproxy.ledger import FIELDS, Ledger

HOSTILE = '"\r\n{"event":"tunnel"}\n\\\x00\x1b[31m\x85\u2028\u2029\ud800\U0001f525é{client}{}'
"""A string that would forge lines, fields, terminals' escapes and format keys."""


class Lines:
    """
    A sink that keeps what it is given.
    """

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.closed = 0

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    def close(self) -> None:
        self.closed += 1


class EventTests(SynchronousTestCase):
    """
    What an event looks like.
    """

    def write(self, **known: Any) -> Any:
        """
        The event that comes of what is known, as the sink has it.
        """
        sink = Lines()
        Ledger(sink).write(known)
        (line,) = sink.lines
        return json.loads(line)

    def test_everyField(self) -> None:
        """
        Every event has every field, in the order in which they are declared, whatever
        little is known.
        """
        for known in ({}, {"total_ms": 1.5, "client": "127.0.0.1:1"}):
            self.assertEqual(list(self.write(**known)), list(FIELDS))

    def test_empty(self) -> None:
        """
        What is not known is null; there are no attempts and no octets.
        """
        event = self.write(timestamp="1970-01-01T00:00:00.000Z", event="refusal")
        self.assertEqual((event["tried"], event["bytes_up"], event["bytes_down"]), ([], 0, 0))
        self.assertEqual(event["groups"], [])
        known = {"timestamp", "event", "id", "config", "tried", "bytes_up", "bytes_down", "groups"}
        self.assertEqual({event[name] for name in set(FIELDS) - known}, {None})

    def test_known(self) -> None:
        """
        What is known stands there as it is.
        """
        tried = [{"address": "192.0.2.1", "result": "connected", "ms": 1.25}]
        event = self.write(target="host.example:443", bytes_up=1 << 40, tried=tried, status=200)
        self.assertEqual(event["target"], "host.example:443")
        self.assertEqual(event["bytes_up"], 1 << 40)
        self.assertEqual(event["tried"], tried)
        self.assertEqual(event["status"], 200)

    def test_declared(self) -> None:
        """
        Each field is described, its name is fit for every reader, and nobody can add one
        on the quiet.
        """
        for name, meaning in FIELDS.items():
            self.assertRegex(name, r"\A[a-z]+(_[a-z]+)*\Z")
            self.assertTrue(meaning, name)
        with self.assertRaises(TypeError):
            FIELDS["more"] = "other"  # type: ignore[index]

    def check(self, text: str) -> None:
        """
        See that a string harms nothing in whatever field it stands.
        """
        sink = Lines()
        Ledger(sink, text=False).write({"target": text, "user_agent": text, "reason": text})
        (line,) = sink.lines
        self.assertTrue(line.endswith(b"\n"))
        self.assertEqual(len(line.splitlines()), 1)
        self.assertEqual(len(line.decode("ascii").splitlines()), 1)
        self.assertRegex(line[:-1], rb"\A[ -~]*\Z")
        event = json.loads(line)
        self.assertEqual(list(event), list(FIELDS))
        self.assertEqual([event[name] for name in ("target", "user_agent", "reason")], [text] * 3)

    def test_hostile(self) -> None:
        """
        Quotes, line ends of every alphabet, controls, lone surrogates and braces stay
        within their string: one event is one line of printable ASCII.
        """
        self.check(HOSTILE)

    @given(st.text())
    def test_anyText(self, text: str) -> None:
        """
        So does whatever else there may be.
        """
        self.check(text)

    @given(
        st.fixed_dictionaries(
            {"event": st.sampled_from(("tunnel", "refusal", "abandoned"))},
            optional={
                name: st.none() | st.text()
                for name in FIELDS
                if name
                not in ("timestamp", "event", "id", "config", "groups", "tried", "status", "received_status")
                and not name.startswith("bytes_")
                and not name.endswith("_ms")
            }
            | {name: st.none() | st.floats(0, 1e9) for name in FIELDS if name.endswith("_ms")}
            | {name: st.integers(0, 1 << 64) for name in FIELDS if name.startswith("bytes_")}
            | {
                "groups": st.lists(st.text(), max_size=3),
                "status": st.none() | st.integers(100, 599),
                "received_status": st.none() | st.integers(100, 599),
                "tried": st.lists(
                    st.fixed_dictionaries(
                        {"address": st.text(), "result": st.text(), "ms": st.floats(0, 1e9)}
                    ),
                    max_size=3,
                ),
            },
        )
    )
    def test_sameAsTheEncoders(self, known: dict[str, Any]) -> None:
        """
        The line says what the event in Twisted's log says, whatever is in which field.
        """
        sink = Lines()
        with capturedLogs() as events:
            Ledger(sink, text=False).write({"timestamp": "1970-01-01T00:00:00.000Z", **known})
        event = json.loads(sink.lines[0])
        expected = {**events[0]["event"]}
        expected |= {name: list(expected[name]) for name in ("tried", "groups")}
        self.assertEqual(event, expected)
        self.assertEqual(list(event), list(expected))

    def test_config(self) -> None:
        """
        Every event names the configuration that is in force when it is written.
        """
        sink = Lines()
        books = Ledger(sink, config="0123abcd")
        books.write({})
        books.config = "4567cdef"
        books.write({})
        self.assertEqual([json.loads(line)["config"] for line in sink.lines], ["0123abcd", "4567cdef"])

    def test_ids(self) -> None:
        """
        No two events of a process have the same id, not even those of two ledgers that
        were made in the same millisecond.
        """
        sink = Lines()
        for books in (Ledger(sink, clock=lambda: 1.0), Ledger(sink, clock=lambda: 1.0)):
            for _ in range(3):
                books.write({})
        ids = [json.loads(line)["id"] for line in sink.lines]
        self.assertEqual(len(set(ids)), 6)
        for each in ids:
            self.assertRegex(each, rf"\A3e8\.{os.getpid():x}\.[0-9]+\Z")

    def test_close(self) -> None:
        """
        The sink is closed with it; without one there is nothing to close.
        """
        sink = Lines()
        Ledger(sink).close()
        self.assertEqual(sink.closed, 1)
        Ledger().close()


class StampTests(SynchronousTestCase):
    """
    The time of an event.
    """

    def test_notation(self) -> None:
        """
        It is as RFC 3339 writes it, in UTC, with milliseconds that are not rounded up
        into the next second.
        """
        for now, stamp in (
            (0.0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000.0625, "2023-11-14T22:13:20.062Z"),
            (1_700_000_000.9999, "2023-11-14T22:13:20.999Z"),
        ):
            self.assertEqual(Ledger(clock=lambda now=now: now).stamp(0.0), stamp)  # type: ignore[misc]

    def test_oneSecond(self) -> None:
        """
        Events of one second differ by their milliseconds.
        """
        books = Ledger(clock=lambda: 100.75)
        self.assertEqual(
            [books.stamp(ago) for ago in (0.75, 0.25, 0.0)],
            [f"1970-01-01T00:01:40.{ms}Z" for ms in ("000", "500", "750")],
        )

    def test_ago(self) -> None:
        """
        It is the time when the request began, across seconds and midnight.
        """
        books = Ledger(clock=lambda: 86400.25)
        self.assertEqual(books.stamp(0.25), "1970-01-02T00:00:00.000Z")
        self.assertEqual(books.stamp(0.5), "1970-01-01T23:59:59.750Z")
        self.assertEqual(books.stamp(0.0), "1970-01-02T00:00:00.250Z")


class LogTests(SynchronousTestCase):
    """
    The event in Twisted's log.
    """

    def emit(self, text: bool, **known: Any) -> dict[str, Any]:
        """
        The log event that comes of what is known.
        """
        with capturedLogs() as events:
            Ledger(text=text).write(known)
        (event,) = events
        return event

    def test_structured(self) -> None:
        """
        The whole event is there as a value, with every field in order, for any observer.
        """
        for text in (True, False):
            event = self.emit(text, target="host.example:443")
            self.assertEqual(event["log_namespace"], "connectproxy.access")
            self.assertIs(event["log_level"], LogLevel.info)
            self.assertEqual(list(event["event"]), list(FIELDS))
            self.assertEqual(event["event"]["target"], "host.example:443")

    def test_text(self) -> None:
        """
        For people there is a line, where it is asked for.
        """
        known: dict[str, Any] = {
            "client": "127.0.0.1:40000",
            "method": "CONNECT",
            "target": "host.example:443",
            "status": 200,
            "end": "eof",
            "ended_by": "client",
            "total_ms": 12.5,
            "bytes_up": 10,
            "bytes_down": 20,
            "reason": "no rule denies it",
        }
        self.assertEqual(
            formatEvent(self.emit(True, **known)),
            "127.0.0.1:40000 CONNECT host.example:443: 200 eof by client after 12.5 ms, 10 up, 20 down;"
            " no rule denies it",
        )
        self.assertEqual(formatEvent(self.emit(False, **known)), "")
        with capturedLogs() as events:
            Ledger().write(known)
        self.assertTrue(formatEvent(events[0]))

    def test_hostile(self) -> None:
        """
        Braces in a field are not taken for format keys.
        """
        self.assertIn("{client}{0}", formatEvent(self.emit(True, target="{client}{0}")))

    def test_little(self) -> None:
        """
        An event that knows next to nothing has a text, too.
        """
        self.assertIn("None", formatEvent(self.emit(True)))


class GatherTests(SynchronousTestCase):
    """
    With a reactor to wait for the next turn of.
    """

    def setUp(self) -> None:
        """
        Nothing has happened yet.
        """
        self.reactor = Clock()
        self.sink = Lines()
        self.ledger = Ledger(self.sink, later=self.reactor.callLater)

    def write(self, *targets: str) -> None:
        """
        Write events.
        """
        for target in targets:
            self.ledger.write({"target": target})

    def written(self) -> list[list[str]]:
        """
        The targets of the lines, for each write to the sink.
        """
        return [
            [json.loads(line)["target"] for line in lines.splitlines(keepends=True)]
            for lines in self.sink.lines
        ]

    def test_turn(self) -> None:
        """
        The events of one turn are written at the next one, together and in order, and so
        with Twisted's log.
        """
        with capturedLogs() as events:
            self.write("a", "b", "c")
            self.assertEqual((self.written(), events), ([], []))
            self.reactor.advance(0)
            self.assertEqual(self.written(), [["a", "b", "c"]])
            self.assertEqual([event["event"]["target"] for event in events], ["a", "b", "c"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.write("d")
        self.reactor.advance(0)
        self.assertEqual(self.written(), [["a", "b", "c"], ["d"]])

    def test_many(self) -> None:
        """
        What is gathered is bounded: with many events in one turn they are not waited with.
        """
        self.assertEqual(ledger.GATHER, 256)
        self.patch(ledger, "GATHER", 3)
        self.write("a", "b", "c", "d")
        self.assertEqual(self.written(), [["a", "b", "c"]])
        self.reactor.advance(0)
        self.assertEqual(self.written(), [["a", "b", "c"], ["d"]])

    def test_close(self) -> None:
        """
        Closing loses nothing, and leaves nothing to do.
        """
        self.write("a", "b")
        self.ledger.close()
        self.assertEqual((self.written(), self.sink.closed), ([["a", "b"]], 1))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_nothing(self) -> None:
        """
        Where there is nothing to write nothing is written.
        """
        self.ledger.flush()
        self.assertEqual(self.sink.lines, [])
