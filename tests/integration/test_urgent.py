"""
Urgent data (RFC 9293 section 3.8.5): what a relay must not stumble over.
"""

from __future__ import annotations

import socket

import pytest

from tests.integration.case import ProxyTestCase, SplicedCase, WiredCase

pytestmark = pytest.mark.integration


class UrgentMixin(ProxyTestCase):
    """
    One urgent octet, of which the kernel makes a mark in the stream.
    """

    def test_streamGoesOn(self) -> None:
        """
        What comes behind the mark arrives, from either side, and the tunnel is as good as
        before.
        """
        for fromClient in (True, False):
            pair = self.tunnel()
            near, far = pair if fromClient else pair[::-1]
            near.sendall(b"before")
            near.send(b"!", socket.MSG_OOB)
            near.sendall(b"behind")
            self.assertEqual(self.receive(far, 12), b"beforebehind")
            far.sendall(b"back")
            self.assertEqual(self.receive(near, 4), b"back")
            near.sendall(b"more")
            self.assertEqual(self.receive(far, 4), b"more")

    def test_endBehindTheMark(self) -> None:
        """
        An end of stream behind the mark does not hide what comes before it.
        """
        client, origin = self.tunnel()
        client.send(b"!", socket.MSG_OOB)
        client.sendall(b"x" * 100)
        client.shutdown(socket.SHUT_WR)
        received = bytearray()
        while piece := origin.recv(1000):
            received += piece
        self.assertEqual(bytes(received), b"x" * 100)

    def receive(self, sock: socket.socket, size: int) -> bytes:
        """
        @return: as many octets as that.
        """
        octets = b""
        while len(octets) < size:
            piece = sock.recv(size - len(octets))
            assert piece, octets
            octets += piece
        return octets


class SplicedUrgentTests(SplicedCase, UrgentMixin):
    """
    The relay by splice, which stops at the mark.
    """


class WiredUrgentTests(WiredCase, UrgentMixin):
    """
    The wired relay.
    """
