"""
First flights of TLS: made by hand, every field open to be wrong, and by OpenSSL.
"""

from __future__ import annotations

import ssl
from typing import Any

__all__ = ["byOpenSSL", "extension", "hello", "records", "serverName"]


def vector(width: int, octets: bytes) -> bytes:
    """Octets with their length before them."""
    return len(octets).to_bytes(width) + octets


def extension(kind: int, octets: bytes) -> bytes:
    """One extension."""
    return kind.to_bytes(2) + vector(2, octets)


def serverName(*names: bytes, kind: int = 0) -> bytes:
    """The extension server_name with a list of names of one type."""
    return extension(0, vector(2, b"".join(bytes([kind]) + vector(2, name) for name in names)))


def hello(
    extensions: bytes | None = None,
    *,
    session: bytes = bytes(32),
    ciphers: bytes = b"\x13\x01\x0a\x0a",
    methods: bytes = b"\0",
    behind: bytes = b"",
) -> bytes:
    """
    A ClientHello as a handshake message.

    @param extensions: L{None} to leave out even their length.
    @param behind: what stands behind them, counted as a part of the message.
    """
    inside = b"\x03\x03" + bytes(range(32)) + vector(1, session) + vector(2, ciphers) + vector(1, methods)
    if extensions is not None:
        inside += vector(2, extensions)
    return b"\x01" + vector(3, inside + behind)


def records(message: bytes, size: int = 1 << 14) -> bytes:
    """
    A handshake message in records.

    @param size: octets of it in each.
    """
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + vector(2, piece) for piece in pieces)


def byOpenSSL(name: str | None, **settings: Any) -> bytes:
    """
    What OpenSSL sends first.

    @param settings: attributes of the context, such as C{maximum_version}.
    """
    context = ssl.create_default_context()
    if name is None:
        context.check_hostname = False
    for each, value in settings.items():
        setattr(context, each, value)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake is over without a peer")
