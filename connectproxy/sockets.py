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
from typing import Any, Optional

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection

__all__ = ["EXHAUSTED", "plainSocket", "unsent", "writeNow"]

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the system answers when it has no more descriptors, or no memory for sockets."""


def plainSocket(transport: Any) -> Optional[socket.socket]:
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
    How many octets a transport has been given and not handed to the kernel; it
    may be closed.

    @return: 0 for a transport that is not a plain one: its layers do not say.
    """
    if isinstance(transport, Connection) and not transport.TLS:
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    return 0


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
