"""
Tests for L{connectproxy.tls.layer}.
"""

from __future__ import annotations

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.tls.layer import Layer
from tests.fakes import FakeReactor, pipePair


class LayerTests(SynchronousTestCase):
    """
    What is the transport's below.
    """

    def test_asksBelow(self) -> None:
        """
        Addresses and the descriptor are those of the transport.
        """
        layer = Layer()
        pipe = pipePair(FakeReactor(), None, layer)
        self.assertEqual(layer.getHost(), pipe.second.getHost())
        self.assertEqual(layer.getPeer(), pipe.second.getPeer())
        self.assertEqual(layer.fileno(), pipe.second.fileno())

    def test_passesOn(self) -> None:
        """
        So are flow control and the options of TCP.
        """
        layer = Layer()
        layer.makeConnection(mock.Mock())
        for name, arguments in (
            ("pauseProducing", ()),
            ("resumeProducing", ()),
            ("getTcpNoDelay", ()),
            ("setTcpNoDelay", (True,)),
            ("getTcpKeepAlive", ()),
            ("setTcpKeepAlive", (1,)),
        ):
            getattr(layer, name)(*arguments)
            getattr(layer.transport, name).assert_called_once_with(*arguments)
