"""
Tests for L{connectproxy.interfaces.inbound}: everything of ours on the clients' side
provides what it claims.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.discovery import kinds
from connectproxy.interfaces import (
    Arrival,
    IAuthenticator,
    IDialect,
    IInbound,
    IInboundExchange,
    IInboundTunnel,
    IListenerKind,
    IReceiver,
    ISwitchboard,
)
from tests.fakes import FakeAuthenticator, RecordingSwitchboard, addressOf, makeSwitchboard


class InboundTests(SynchronousTestCase):
    """
    The clients' side.
    """

    def setUp(self) -> None:
        """
        A switchboard that leads nowhere, and a client.
        """
        self.board = makeSwitchboard()
        self.arrival = Arrival(addressOf("192.0.2.7", 51000), "tcp:8080", 0.0)
        found: dict[str, Any] = kinds("connectproxy.listeners", IListenerKind)
        self.kinds = found
        self.dialects = {name: each for name, each in found.items() if IDialect.providedBy(each)}

    def test_kinds(self) -> None:
        """
        Every kind of listener that is found; all but the one that tells the others apart
        can share a port.
        """
        for name, kind in self.kinds.items():
            verifyObject(IListenerKind, kind)
            self.assertEqual(kind.kindName, name)
        self.assertEqual(set(self.kinds) - set(self.dialects), {"auto"})

    def test_dialects(self) -> None:
        """
        Every dialect, and what it builds: a receiver, whose protocols are protocols.
        """
        for kind in self.dialects.values():
            verifyObject(IDialect, kind)
            receiver = kind.buildReceiver(self.board)
            verifyObject(IReceiver, receiver)
            for name in kind.protocolNames:
                verifyObject(IProtocol, receiver.receive(self.arrival, name))
            receiver.stop()

    def test_names(self) -> None:
        """
        No two dialects claim the same protocol, by its name or by ALPN, and what a client
        can ask for has a name.
        """
        names = [name for kind in self.dialects.values() for name in kind.protocolNames]
        asked = [each for kind in self.dialects.values() for each in kind.alpn]
        for several in (names, asked):
            self.assertEqual(len(several), len(set(several)))
        for kind in self.dialects.values():
            self.assertLessEqual(set(kind.alpn.values()), set(kind.protocolNames))

    def test_recognise(self) -> None:
        """
        Whatever octets a connection begins with, a dialect knows them, wants more, or does
        not; and once it does not, more of them change nothing.
        """
        for kind in self.dialects.values():
            for first in range(256):
                one = kind.recognise(bytes([first]))
                self.assertIn(one, ("", None, *kind.protocolNames))
                for rest in (b"\0", b"\r\n", b"RI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"ROXY TCP4 "):
                    more = kind.recognise(bytes([first]) + rest)
                    self.assertTrue(one == "" or more == one, (kind.kindName, first, rest))

    def test_inbound(self) -> None:
        """
        What speaks HTTP/1 and SOCKS places itself, and hears a half-close.
        """
        for kind, name in (("http", "http/1.1"), ("socks", "socks5"), ("socks", "socks4")):
            protocol = self.dialects[kind].buildReceiver(self.board).receive(self.arrival, name)
            for interface in (IInboundTunnel, IHalfCloseableProtocol):
                verifyObject(interface, protocol)

    def test_switchboard(self) -> None:
        """
        The switchboard, and the one that listeners' tests have.
        """
        verifyObject(ISwitchboard, self.board)
        verifyObject(ISwitchboard, RecordingSwitchboard(self.board.clock))

    def test_authenticator(self) -> None:
        """
        Of the fake that stands for one here; the real one has a test of its own.
        """
        verifyObject(IAuthenticator, FakeAuthenticator())

    def test_exchange(self) -> None:
        """
        A tunnel and an exchange are accepted each in its own way; whatever else there is to
        them is the same.
        """
        for interface in (IInboundExchange, IInboundTunnel):
            self.assertTrue(interface.isOrExtends(IInbound))
            self.assertNotIn("accept", IInbound.names(all=True))
            self.assertIn("accept", interface.names())
