"""
A message by WebSocket (RFC 6455), through proxies.

    python examples/websocket.py URL MESSAGE [PROXY ...]
    python examples/websocket.py wss://echo.example/ hello http://127.0.0.1:8080

Prints the first message that comes back.  The handshake is made here, so that nothing has to
be installed; Autobahn's WebSocketClientFactory connects by the same endpoint.
"""

import secrets
import sys
from base64 import b64encode
from hashlib import sha1
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import react

from connectproxy.endpoints import endpointThrough

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MORE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class WebSocket(Protocol):
    """
    Asks for a WebSocket, says one thing, and waits for one.

    @ivar done: fires with what has come.
    """

    def __init__(self, host, path, message):
        self.host, self.path, self.message = host, path, message
        self.key = b64encode(secrets.token_bytes(16))
        self.head, self.heard, self.content = b"", b"", b""
        self.answer = None
        self.done = Deferred()

    def connectionMade(self):
        """
        RFC 6455 section 4.1.
        """
        self.transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {self.key.decode()}\r\n\r\n".encode()
        )

    def dataReceived(self, data):
        """
        First the answer, then frames.
        """
        self.heard += data
        if not self.head:
            head, end, rest = self.heard.partition(b"\r\n\r\n")
            if not end:
                return
            self.head, self.heard = head, rest
            accept = b64encode(sha1(self.key + GUID).digest())
            if not head.startswith(b"HTTP/1.1 101 ") or accept not in head:
                self.answer = ValueError(head.partition(b"\r\n")[0].decode("latin-1"))
                self.transport.loseConnection()
                return
            self.send(TEXT, self.message.encode())
        while (frame := self.frame()) is not None:
            last, code, content = frame
            if code == PING:
                self.send(PONG, content)
            elif code in (TEXT, BINARY, MORE):
                self.content += content
                if last and self.answer is None:
                    self.answer = self.content.decode(errors="replace")
                    self.send(CLOSE, b"\x03\xe8")
            elif code == CLOSE:
                self.transport.loseConnection()

    def frame(self):
        """
        RFC 6455 section 5.2: whether it is the last of its message, what it is, and its content;
        or None as long as it is not whole.  A server does not mask them.
        """
        if len(self.heard) < 2:
            return None
        size, at = self.heard[1] & 127, 2
        if size > 125:
            at = 4 if size == 126 else 10
            size = int.from_bytes(self.heard[2:at], "big")
        if len(self.heard) < at + size:
            return None
        first, content = self.heard[0], self.heard[at : at + size]
        self.heard = self.heard[at + size :]
        return bool(first & 128), first & 15, content

    def send(self, code, content):
        """
        RFC 6455 section 5.3: what a client sends is masked.
        """
        mask = secrets.token_bytes(4)
        size = len(content)
        if size < 126:
            said = bytes([128 | size])
        elif size < 65536:
            said = b"\xfe" + size.to_bytes(2, "big")
        else:
            said = b"\xff" + size.to_bytes(8, "big")
        masked = bytes(octet ^ mask[at % 4] for at, octet in enumerate(content))
        self.transport.write(bytes([128 | code]) + said + mask + masked)

    def connectionLost(self, reason):
        """
        The end, which may be too early.
        """
        self.done.callback(self.answer) if isinstance(self.answer, str) else self.done.errback(
            self.answer or reason
        )


async def main(reactor, url, message, *proxies):
    """
    Connect, and print what comes back.
    """
    where = urlsplit(url)
    port = where.port or (443 if where.scheme == "wss" else 80)
    if proxies:
        endpoint = endpointThrough(reactor, proxies, where.hostname, port)
    else:
        endpoint = HostnameEndpoint(reactor, where.hostname, port)
    if where.scheme == "wss":
        endpoint = wrapClientTLS(optionsForClientTLS(where.hostname), endpoint)
    path = (where.path or "/") + (f"?{where.query}" if where.query else "")
    socket = WebSocket(where.netloc, path, message)
    await connectProtocol(endpoint, socket)
    print(await socket.done, flush=True)


if __name__ == "__main__":
    react(main, sys.argv[1:])
