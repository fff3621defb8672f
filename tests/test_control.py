"""
Tests for L{connectproxy.control}.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.control import CONNECTIONS, LONGEST, PATIENCE, ControlPort, Occupied
from tests.loopback import REACTOR, LoopbackTestCase


class Transport(StringTransport):
    """
    One that tells its protocol of its end.
    """

    def __init__(self) -> None:
        StringTransport.__init__(self)
        self.lost = ""

    def loseConnection(self) -> None:
        self.lost = self.lost or "closed"

    def abortConnection(self) -> None:
        self.lost = "aborted"


class DialogueTests(SynchronousTestCase):
    """
    Questions and answers.
    """

    def setUp(self) -> None:
        """
        Two commands, one of which takes its time.
        """
        self.clock = Clock()
        self.slow: Deferred[Any] = Deferred()
        self.port = ControlPort(
            self.clock, "/nowhere", {"status": lambda: {"a": "\u00e9"}, "reload": lambda: self.slow}
        )

    def connect(self) -> tuple[Any, Transport]:
        """
        Be a client.
        """
        protocol, transport = self.port.buildProtocol(None), Transport()
        assert protocol is not None
        protocol.makeConnection(transport)
        return protocol, transport

    def say(self, octets: bytes) -> Any:
        """
        What a line is answered.
        """
        protocol, transport = self.connect()
        protocol.dataReceived(octets)
        self.assertEqual(transport.lost, "closed")
        (answer,) = transport.value().splitlines()
        protocol.connectionLost()
        return json.loads(answer)

    def test_answer(self) -> None:
        """
        A line is answered by a line, then the connection is closed; nothing remains.
        """
        self.assertEqual(self.say(b'{"command": "status"}\n'), {"a": "\u00e9"})
        self.assertEqual((self.port.connections, self.clock.getDelayedCalls()), (set(), []))

    def test_split(self) -> None:
        """
        However the line comes, the answer is the same, and what stands behind it is not
        looked at.
        """
        line = b'{"command":"status"}\n{"command":"reload"}\n'
        for at in range(len(line) + 1):
            protocol, transport = self.connect()
            protocol.dataReceived(line[:at])
            protocol.dataReceived(line[at:])
            self.assertEqual(transport.value(), b'{"a": "\\u00e9"}\n')
            protocol.connectionLost()
        self.assertFalse(self.slow.called)

    def test_strange(self) -> None:
        """
        What is no question is told so, and nothing of it is repeated unescaped.
        """
        for line in (b"", b"status", b"[]", b"{}", b'{"command": 1}', b"\xff", b"[" * 2000):
            self.assertIn("a line of JSON", self.say(line + b"\n")["error"])
        error = self.say(b'{"command": "\\u001b[2Jstop"}\n')["error"]
        self.assertEqual(error, "there is no command '\\x1b[2Jstop'; there are status, reload")

    def test_long(self) -> None:
        """
        A line has its length.
        """
        for octets in (b"x" * (LONGEST + 2), b"x" * (LONGEST + 1) + b"\n"):
            protocol, transport = self.connect()
            protocol.dataReceived(octets)
            self.assertEqual((transport.lost, transport.value()), ("aborted", b""))

    def test_silent(self) -> None:
        """
        Who asks nothing is disconnected, and who does not take the answer.
        """
        protocol, transport = self.connect()
        self.clock.advance(PATIENCE)
        self.assertEqual(transport.lost, "aborted")
        protocol.connectionLost()
        protocol, transport = self.connect()
        protocol.dataReceived(b'{"command": "status"}\n')
        self.clock.advance(PATIENCE)
        self.assertEqual(transport.lost, "aborted")
        protocol.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow(self) -> None:
        """
        What takes its time may; the client's own time stands still meanwhile.
        """
        protocol, transport = self.connect()
        protocol.dataReceived(b'{"command": "reload"}\n')
        self.clock.advance(PATIENCE * 10)
        self.assertEqual(transport.lost, "")
        self.slow.callback({"id": "x"})
        self.assertEqual((transport.value(), transport.lost), (b'{"id": "x"}\n', "closed"))

    def test_gone(self) -> None:
        """
        Who has gone is not told any more.
        """
        protocol, transport = self.connect()
        protocol.dataReceived(b'{"command": "reload"}\n')
        protocol.connectionLost()
        self.slow.callback({"id": "x"})
        self.assertEqual((transport.value(), self.clock.getDelayedCalls()), (b"", []))

    def test_broken(self) -> None:
        """
        A mistake of ours is logged, and the client is told of no more than that.
        """
        protocol, transport = self.connect()
        protocol.dataReceived(b'{"command": "reload"}\n')
        self.slow.errback(ZeroDivisionError("secret"))
        self.assertEqual(json.loads(transport.value()), {"error": "the proxy failed; its log has more"})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_many(self) -> None:
        """
        There are only so many at once.
        """
        clients = [self.connect() for _ in range(CONNECTIONS)]
        self.assertIsNone(self.port.buildProtocol(None))
        clients[0][0].connectionLost()
        self.assertIsNotNone(self.port.buildProtocol(None))

    def test_close(self) -> None:
        """
        Closed before it was opened it has only its clients to send away.
        """
        _, transport = self.connect()
        self.successResultOf(self.port.close())
        self.assertEqual(transport.lost, "aborted")


class SocketTests(LoopbackTestCase):
    """
    The socket in the file system.
    """

    pytestmark = pytest.mark.integration

    def setUp(self) -> None:
        """
        A short path: sockets' are limited.
        """
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="connectproxy-")
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "control"
        self.port = self.make()

    def make(self) -> ControlPort:
        port = ControlPort(REACTOR, str(self.path), {"status": dict})
        self.addCleanup(port.close)
        return port

    @inlineCallbacks
    def test_answers(self) -> Any:
        """
        It is there, for its owner only, answers, and is gone afterwards.
        """
        self.port.open()
        mode = self.path.stat().st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.path))
            client.sendall(b'{"command": "status"}\n')
            client.setblocking(False)
            said = bytearray()

            def answered() -> bool:
                try:
                    said.extend(client.recv(100))
                except BlockingIOError:
                    return False
                return said.endswith(b"\n")

            yield self.until(answered)
        self.assertEqual(said, b"{}\n")
        yield self.until(lambda: not self.port.connections)
        yield self.port.close()
        self.assertFalse(self.path.exists())

    @inlineCallbacks
    def test_stale(self) -> Any:
        """
        What a dead process has left is replaced.
        """
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.path))
        self.port.open()
        yield self.port.close()

    def occupied(self, *words: str) -> None:
        error = self.assertRaises(Occupied, self.make().open)
        for each in (str(self.path), "can't open the control socket", *words):
            self.assertIn(each, str(error))

    @inlineCallbacks
    def test_live(self) -> Any:
        """
        That of a process that is up is not, nor is it when its queue is full.
        """
        self.port.open()
        self.occupied("answers there")
        self.assertTrue(self.path.exists())
        yield self.until(lambda: not self.port.connections)
        yield self.port.close()
        with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
            busy.bind(str(self.path))
            busy.listen(0)
            waiting.connect(str(self.path))
            self.occupied("answers there")

    def test_somethingElse(self) -> None:
        """
        A file is left alone.
        """
        self.path.write_text("precious")
        self.occupied("something else of that name")
        self.assertEqual(self.path.read_text(), "precious")

    def test_forbidden(self) -> None:
        """
        A socket that may not be connected to is none to be removed.
        """
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
            with mock.patch.object(
                socket.socket, "connect", side_effect=PermissionError(errno.EACCES, "Permission denied")
            ):
                self.occupied("Permission denied")
        self.assertTrue(self.path.exists())

    def test_notListening(self) -> None:
        """
        A failure that Twisted has wrapped is told in the system's words.
        """
        failing = CannotListenError(None, "x", OSError(errno.EROFS, os.strerror(errno.EROFS)))
        with mock.patch.object(REACTOR, "listenUNIX", side_effect=failing):
            self.occupied("Read-only file system")

    @inlineCallbacks
    def test_removed(self) -> Any:
        """
        Somebody may have removed it.
        """
        self.port.open()
        self.path.unlink()
        yield self.port.close()
        self.port = self.make()
        self.port.open()
        yield self.port.close()
