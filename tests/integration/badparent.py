"""
A next hop that does with each connection what a script says, in threads of its own.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any

from connectproxy.testing import Close, HalfClose, Read, Reset, Say, Stall
from tests.integration.raw import listening, reset

__all__ = ["ENDLESS", "BadParent", "Endless", "Secure"]


@dataclass(frozen=True)
class Secure:
    """
    Speak TLS from here on.
    """

    context: Any


@dataclass(frozen=True)
class Endless:
    """
    Send the same again and again, until nobody takes it any more.
    """

    octets: bytes


ENDLESS = Endless(b"x" * 65536)

Step = Say | Read | Stall | Close | Reset | HalfClose | Secure | Endless


class BadParent:
    """
    The next hop.

    @ivar port: where it listens.
    @ivar heard: what each connection has said, until its script was at its end.
    @ivar sent: how many octets went out by L{Endless}.
    """

    def __init__(self) -> None:
        self._port = listening()
        self._port.settimeout(None)
        self.port: int = self._port.getsockname()[1]
        self.heard: list[bytearray] = []
        self.sent = 0
        self._scripts: list[tuple[Step, ...]] = [()]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def play(self, *scripts: tuple[Step, ...]) -> None:
        """
        @param scripts: for each connection from now on the next one; the last one for all that
            follow.  At its end a connection stays as it is until the next play.
        """
        for each in self._open:
            each.close()
        self._open, self.heard, self.sent = [], [], 0
        self._scripts = list(scripts)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._port.accept()
            except OSError:
                return
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
            heard = bytearray()
            self.heard.append(heard)
            threading.Thread(target=self._play, args=(sock, script, heard), daemon=True).start()

    def _play(self, sock: socket.socket, script: tuple[Step, ...], heard: bytearray) -> None:
        """
        Do it; a client may go away at any time.
        """
        with contextlib.suppress(OSError, ValueError):
            for step in script:
                if isinstance(step, Secure):
                    sock = step.context.wrap_socket(sock, server_side=True)
                elif isinstance(step, Close):
                    sock.close()
                    return
                elif isinstance(step, Reset):
                    reset(sock)
                    return
                else:
                    self._step(sock, step, heard)
            self._open.append(sock)
            return
        sock.close()

    def _step(self, sock: socket.socket, step: Step, heard: bytearray) -> None:
        """
        Do one that changes nothing of the socket.
        """
        if isinstance(step, Say):
            for piece in [step.octets] if not step.rate else [bytes([each]) for each in step.octets]:
                sock.sendall(piece)
        elif isinstance(step, Read):
            until: Any = step.until
            while until not in heard if isinstance(until, bytes) else len(heard) < until:
                more = sock.recv(65536)
                if not more:
                    raise ConnectionAbortedError
                heard += more
            if isinstance(until, int):
                del heard[:until]
        elif isinstance(step, HalfClose):
            sock.shutdown(socket.SHUT_WR)
        elif isinstance(step, Endless):
            while True:
                sock.sendall(step.octets)
                self.sent += len(step.octets)

    def close(self) -> None:
        """
        Listen no more.
        """
        for each in self._open:
            each.close()
        with contextlib.suppress(OSError):
            self._port.shutdown(socket.SHUT_RDWR)  # or the thread would wait for ever
        self._port.close()
        self._thread.join()


def context(chain: str, key: str, authority: str = "") -> ssl.SSLContext:
    """
    What TLS is spoken with.

    @param authority: the file of the one whose certificates clients have to show.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(chain, key)
    if authority:
        made.load_verify_locations(authority)
        made.verify_mode = ssl.CERT_REQUIRED
    return made
