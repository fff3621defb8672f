"""
What a plain TCP transport of Twisted's allows beneath its own interface.

A transport that is nothing but a kernel socket can be written at once, without
a turn of the reactor, and its socket can be lent to whoever polls it better.
Both hold only while the transport keeps no octets in user space, and that is
known from two attributes that L{twisted.internet.abstract.FileDescriptor} does
not document.  They are named here and nowhere else, and a test holds them
against every supported Twisted.
"""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import suppress
from typing import Any

import twisted
from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection
from twisted.python.versions import Version

__all__ = [
    "EXHAUSTED",
    "LINGER_OCTETS",
    "answersALPN",
    "hasArrived",
    "inheritNoDelay",
    "pendingError",
    "plainSocket",
    "readNow",
    "setNoDelay",
    "unsent",
    "writeNow",
]

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the system answers when it has no more descriptors, or no memory for sockets."""

LINGER_OCTETS = 1 << 20
"""
How much of what comes behind a last answer is thrown away before the connection is reset;
unread, it would have the system answer the closing with a reset, which takes the answer with it.
"""

READ_SIZE = 65536
"""Octets read at once: as many as Twisted does."""


def plainSocket(transport: Any) -> socket.socket | None:
    """
    The socket behind a transport.

    @return: the connected stream socket, or L{None} if the transport is
        something else, has TLS on it, or is closed.
    """
    if isinstance(transport, Connection) and transport.connected and not transport.TLS:
        return transport.getHandle()
    return None


def unsent(transport: Any) -> int:
    """
    How many octets a transport has been given and not handed on; it may be closed.

    @return: what a plain one has not handed to the kernel; what one that shares a
        connection with others holds back, which it says as C{queued}; 0 for every
        other: its layers do not say.
    """
    if isinstance(transport, Connection) and not transport.TLS:
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    return getattr(transport, "queued", 0)


def writeNow(transport: ITransport, octets: bytes) -> None:
    """
    Write to a transport, past the reactor where that is possible.

    C{transport.write} waits for the next turn of the reactor and costs two calls
    of C{epoll_ctl}; an answer of one line nearly always fits into the socket's
    buffer at once.  What does not fit, and every error, is left to the transport.
    """
    sock = plainSocket(transport)
    if sock is not None and not unsent(transport):
        try:
            octets = octets[sock.send(octets) :]
        except OSError:
            pass  # not writable now, or broken: the transport finds out by itself
        if not octets:
            return
    transport.write(octets)


def readNow(transport: Any) -> bytes:
    """
    Read what a new transport has already got, past the reactor.

    A client sends its request as soon as it is connected, so under load it is
    nearly always there by the time that the connection is accepted: reading it
    then saves a turn through the reactor.

    @return: nothing where there is nothing yet, or no telling.  An end of stream
        and an error are left for the reactor to find.
    """
    sock = plainSocket(transport)
    if sock is None:
        return b""
    try:
        return sock.recv(READ_SIZE)
    except OSError:
        return b""


def hasArrived(transport: Any) -> bool:
    """
    Whether something has come on a plain transport that the reactor has not read yet:
    octets, an end of stream, or an error.

    @return: C{False} also where there is no telling.
    """
    sock = plainSocket(transport)
    if sock is None:
        return False
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass  # broken, which counts as well
    return True


def pendingError(transport: Any) -> int:
    """
    The error that a plain transport's socket has and nobody has been told of.

    A hang-up that the reactor collects while a transport is paused, and serves
    when it has just been resumed, it takes for an end of stream, a reset as well.

    @return: the system's error number; 0 if there is none, or no telling.
    """
    sock = plainSocket(transport)
    return 0 if sock is None else sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def setNoDelay(transport: Any) -> None:
    """
    Set TCP_NODELAY where there is such a thing: older Twisted raises where the
    socket is a UNIX one.
    """
    if hasattr(transport, "setTcpNoDelay"):
        with suppress(OSError):
            transport.setTcpNoDelay(True)


def inheritNoDelay(port: Any) -> bool:
    """
    Set TCP_NODELAY for every connection that a listening port is going to accept:
    one system call in all instead of one each.

    @return: whether the connections have it; they do where Linux is.
    """
    sock = getattr(port, "socket", None)
    if not sys.platform.startswith("linux") or not isinstance(sock, socket.socket):
        return False
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        return False  # not TCP
    return True


def answersALPN() -> bool:
    """
    Whether a factory behind an C{ssl:} endpoint has to declare what it answers to
    ALPN (RFC 7301).  Since 26.4 Twisted answers every client that asks, and fails its
    handshake for want of an answer; before, to declare one fails it with today's
    pyOpenSSL.
    """
    return bool(twisted.version >= Version("Twisted", 26, 4, 0))  # type: ignore[attr-defined]  # is not in its __all__
