"""
HTTP/2 against a running proxy: what only real sockets show; conformance 40 to 45.
"""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
import socket
import subprocess
from typing import Any

import pytest
from websockets.frames import Frame

from connectproxy.wire.http2 import ErrorCode, FrameType, formatData, formatFrame, formatGoAway
from tests.integration.origins import Web
from tests.integration.program import PAGE, OnePortCase
from tests.integration.raw import readExactly, readToEnd, reset
from tests.integration.running import GUARD, LOCAL, STOPPED, environment, waitFor
from tests.integration.streams import Session
from tests.integration.test_one_port_websocket import Echo

pytestmark = pytest.mark.integration


class TunnelTests(OnePortCase):
    """
    Tunnels on streams, in clear and within TLS.
    """

    tls = False

    def session(self, **more: Any) -> Session:
        """
        A connection to the proxy.
        """
        return self.closing(Session(self.proxy.port, tls=self.tls, **more))

    def test_halfClose(self) -> None:
        """
        END_STREAM is a FIN and the other way round, separately (conformance 40).
        """
        session, listener = self.session(), self.origin()
        number, origin = session.tunnel(listener)
        self.closing(origin)
        session.put(number, b"question", end=True)
        self.assertEqual(readToEnd(origin), (b"question", "eof"))
        origin.sendall(b"answer")
        origin.close()
        stream = session.streams[number]
        session.until(lambda: stream.over)
        self.assertEqual((bytes(stream.octets), stream.ended, stream.reset), (b"answer", True, None))
        number, origin = session.tunnel(listener)
        origin.shutdown(socket.SHUT_WR)
        stream = session.streams[number]
        session.until(lambda: stream.over)
        session.put(number, b"still here", end=True)
        self.assertEqual(readToEnd(origin), (b"still here", "eof"))
        origin.close()

    def test_clientResets(self) -> None:
        """
        RST_STREAM is a reset at the origin, and so is the end of the connection with the stream
        open (conformance 40).
        """
        session, listener = self.session(), self.origin()
        number, origin = session.tunnel(listener)
        session.h2.reset_stream(number, 8)
        session.send()
        self.assertEqual(readToEnd(self.closing(origin))[1], "reset")
        number, origin = session.tunnel(listener)
        session.close()
        self.assertEqual(readToEnd(self.closing(origin))[1], "reset")

    def test_originResets(self) -> None:
        """
        A reset by the origin is RST_STREAM with CONNECT_ERROR (conformance 40).
        """
        session, listener = self.session(), self.origin()
        number, origin = session.tunnel(listener)
        reset(origin)
        stream = session.streams[number]
        session.until(lambda: stream.over)
        self.assertEqual((stream.ended, stream.reset), (False, ErrorCode.CONNECT_ERROR))

    def test_bulk(self) -> None:
        """
        Octets are what they were, both ways at the same time, on several streams.
        """
        session, listener = self.session(), self.origin()
        tunnels = [session.tunnel(listener) for _ in range(4)]
        for index, (number, origin) in enumerate(tunnels):
            self.closing(origin)
            origin.sendall(bytes([65 + index]) * 300000)
            sent = 0
            while sent < 500000:
                sent += session.put(number, bytes([97 + index]) * (500000 - sent))
                if sent < 500000:
                    window = session.h2.local_flow_control_window
                    session.until(lambda number=number, window=window: window(number))  # type: ignore[misc]
        for index, (number, origin) in enumerate(tunnels):
            stream = session.streams[number]
            session.until(lambda stream=stream: len(stream.octets) == 300000)  # type: ignore[misc]
            self.assertEqual(bytes(stream.octets), bytes([65 + index]) * 300000)
            self.assertEqual(readExactly(origin, 500000), bytes([97 + index]) * 500000)

    def test_drain(self) -> None:
        """
        A proxy that is being stopped says goodbye; a tunnel goes on until its end, and then all
        is closed (conformance 44).
        """
        proxy = self.launch(*self.arguments)
        session, listener = self.closing(Session(proxy.port, tls=self.tls)), self.origin()
        _, origin = session.tunnel(listener)
        self.closing(origin)
        proxy.terminate()
        # The h2 package has no state for what follows a goodbye, so this is read without it.
        came = bytearray()
        while b"drained?" not in came:
            came += session.sock.recv(65536)
        goodbye = formatGoAway((1 << 31) - 1, ErrorCode.NO_ERROR)
        self.assertTrue(came.startswith(goodbye))
        session.sock.sendall(formatFrame(FrameType.PING, 1, 0, b"drained?"))
        origin.sendall(b"still there")
        while b"still there" not in came:
            came += session.sock.recv(65536)
        self.assertIn(formatGoAway(1, ErrorCode.NO_ERROR), came)
        session.sock.sendall(formatData(1, b"", 16384, end=True))
        origin.close()
        with contextlib.suppress(OSError):
            while octets := session.sock.recv(65536):
                came += octets
        self.assertIn(formatData(1, b"", 16384, end=True), came)
        session.close()
        self.assertEqual(proxy.wait(), STOPPED)


class SecureTunnelTests(TunnelTests):
    """
    The same within TLS, by ALPN.
    """

    tls = True


class ManyTests(OnePortCase):
    """
    Very many streams.
    """

    def setUp(self) -> None:
        """
        Raise the limit of open files as far as it goes; the proxy inherits it.
        """
        OnePortCase.setUp(self)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))

    def test_halfStalled(self) -> None:
        """
        A thousand tunnels over ten connections, half of them stalled, one in two because the
        origin does not read and one in two because the client gives no credit: the others work,
        and what the proxy holds is bounded (conformance 42).
        """
        proxy = self.launch(*LOCAL)
        listener = self.closing(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        listener.settimeout(GUARD)
        before = proxy.memory()
        working = []
        octets = bytes(200000)
        for _ in range(10):
            session = self.closing(Session(proxy.port, window=65535))
            for index in range(100):
                number, origin = session.tunnel(listener)
                self.closing(origin)
                if index % 4 == 0:
                    session.put(number, octets)
                elif index % 4 == 2:
                    session.streams[number].reading = False
                    origin.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        origin.send(octets)
                else:
                    working.append((session, number, origin))
        for round_ in range(3):
            message = b"round %d" % round_
            for session, number, origin in working:
                session.put(number, message)
                self.assertEqual(readExactly(origin, 7), message)
                origin.sendall(message)
                stream = session.streams[number]
                end = 7 * (round_ + 1)
                session.until(lambda stream=stream, end=end: len(stream.octets) >= end or stream.over)  # type: ignore[misc]
                self.assertTrue(stream.octets.endswith(message))
        self.assertEqual(len(working), 500)
        self.assertLess(proxy.memory() - before, 128 << 20)
        self.assertEqual([each for each in proxy.events() if each["event"] != "tunnel"], [])

    def test_flood(self) -> None:
        """
        A client that sends PINGs and reads no answers gets so far and no further, and costs a
        bounded lot (conformance 43).
        """
        session = self.closing(Session(self.proxy.port))
        before = self.proxy.memory()
        session.sock.settimeout(2)
        flood = formatFrame(FrameType.PING, 0, 0, b"anyone??") * 1000
        with contextlib.suppress(OSError):
            for _ in range(5000):
                session.sock.sendall(flood)
        self.assertLess(self.proxy.memory() - before, 16 << 20)
        waitFor(
            lambda: any("ENHANCE_YOUR_CALM" in (each["reason"] or "") for each in self.proxy.events()),
            "an event",
        )


class MessageTests(OnePortCase):
    """
    Messages and websockets.
    """

    def test_h2load(self) -> None:
        """
        A thousand requests by h2load, a hundred at a time.
        """
        self.assertTrue(shutil.which("h2load"))
        web = self.closing(Web({"/": PAGE}, tls=False))
        command = [
            "h2load",
            "-n1000",
            "-c2",
            "-m50",
            f"--connect-to=127.0.0.1:{self.proxy.port}",
            f"{web.url}/",
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GUARD, check=False, env=environment()
        )
        self.assertRegex(done.stdout, r"1000 succeeded, 0 failed, 0 errored", done.stdout + done.stderr)
        waitFor(lambda: len(self.served()) >= 1000, "the events")
        self.assertEqual({each["protocol"] for each in self.served()}, {"h2"})

    def test_websocket(self) -> None:
        """
        A websocket by extended CONNECT, to a server that knows HTTP/1.1 only (conformance 45).
        """
        echo = self.closing(Echo(tls=False))
        session = self.closing(Session(self.proxy.port))
        number = session.ask(
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", echo.address),
            (":path", "/"),
            ("sec-websocket-version", "13"),
        )
        stream = session.streams[number]
        session.until(lambda: stream.status or stream.over)
        self.assertEqual(stream.status, 200)
        session.put(number, Frame(1, b"hello").serialize(mask=True))
        session.until(lambda: len(stream.octets) >= 7 or stream.over)
        self.assertEqual(bytes(stream.octets), b"\x81\x05hello")
        session.put(number, Frame(8, b"\x03\xe8").serialize(mask=True))
        session.until(lambda: stream.over)
        self.assertTrue(re.search(rb"\x88\x02\x03\xe8$", bytes(stream.octets)))
        session.put(number, b"", end=True)
        (event,) = waitFor(self.proxy.events, "the event")
        self.assertEqual((event["event"], event["protocol"], event["status"]), ("request", "h2", 200))
