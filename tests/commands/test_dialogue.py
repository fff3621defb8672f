"""
Tests for L{connectproxy.commands.dialogue}.
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.commands.dialogue import Unreachable, addPlace, ask

pytestmark = pytest.mark.integration


class Answering:
    """
    A socket at which a thread gives one answer.

    @ivar asked: what it was asked.
    """

    def __init__(self, path: Path, answer: bytes | None) -> None:
        self.asked = b""
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            while not self.asked.endswith(b"\n"):
                self.asked += connection.recv(4096)
            if self._answer is None:
                connection.recv(1)  # until the client has had enough
            else:
                connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join()
        self._socket.close()


class DialogueCase(SynchronousTestCase):
    """
    Commands that speak to a socket.
    """

    def setUp(self) -> None:
        """
        A short path.
        """
        directory = tempfile.TemporaryDirectory(prefix="connectproxy-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "control"

    def answering(self, answer: Any) -> Answering:
        """
        Have a proxy that answers so.
        """
        if not isinstance(answer, bytes) and answer is not None:
            answer = json.dumps(answer).encode() + b"\n"
        served = Answering(self.path, answer)
        self.addCleanup(served.close)
        return served


class AskTests(DialogueCase):
    """
    L{ask}.
    """

    def ask(self, *arguments: str) -> Any:
        parser = argparse.ArgumentParser()
        addPlace(parser)
        return ask(parser.parse_args(arguments or ("--control", str(self.path))), "status")

    def unreachable(self, *arguments: str) -> str:
        return str(self.assertRaises(Unreachable, self.ask, *arguments))

    def test_answer(self) -> None:
        """
        One line there, one back, however long.
        """
        answer = {"long": "x" * 200_000}
        served = self.answering(answer)
        self.assertEqual(self.ask(), answer)
        self.assertEqual(json.loads(served.asked), {"command": "status"})

    def test_configured(self) -> None:
        """
        The configuration says where, relative to itself, even when much else is wrong with
        it.
        """
        file = self.directory / "proxy.toml"
        file.write_text('[nonsense]\nx = 1\n[control]\nsocket = "control"\n')
        self.answering({})
        self.assertEqual(self.ask("--config", str(file)), {})
        for text, words in (
            ("[control", "can't be understood"),
            ("control = 1", "can't be understood"),
            ("", "names no control socket"),
            ("[control]\nsocket = 5", "names no control socket"),
        ):
            file.write_text(text)
            self.assertIn(words, self.unreachable("--config", str(file)))
        self.assertIn("cannot read", self.unreachable("--config", str(self.directory / "missing")))
        self.assertIn("--control PATH, or --config FILE", self.unreachable("--timeout", "1"))

    def test_nobody(self) -> None:
        """
        No socket, one that nobody answers at, one of something else.
        """
        self.assertIn("No such file or directory; is the proxy up", self.unreachable())
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.path))
        self.assertIn("Connection refused", self.unreachable())

    def test_silent(self) -> None:
        """
        One that does not answer is not waited for for ever.
        """
        self.answering(None)
        self.assertIn(
            "no answer after 0.01 s", self.unreachable("--control", str(self.path), "--timeout", "0.01")
        )

    def test_somethingElse(self) -> None:
        """
        What answers in another way is no proxy; what it complains of is passed on.
        """
        for answer, words in (
            (b"220 mail.example ESMTP\n", "no connectproxy"),
            (b"[]\n", "no connectproxy"),
            (b"", "no connectproxy"),
            (b'{"error": "there is no command"}\n', "there is no command"),
        ):
            self.path = self.directory / f"control{len(list(self.directory.iterdir()))}"
            self.answering(answer)
            self.assertIn(words, self.unreachable())
