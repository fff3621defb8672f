"""
Tests for L{connectproxy.tls.layer}.
"""

from __future__ import annotations

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.tls.layer import Layer, complete
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


class CompleteTests(SynchronousTestCase):
    """
    L{complete}.
    """

    def test_whole(self) -> None:
        """
        A transport that has it all is taken as it is.
        """
        pipe = pipePair(FakeReactor())
        self.assertIs(complete(pipe.first), pipe.first)

    def test_supplied(self) -> None:
        """
        What there is not is supplied: flow control that does nothing, and closing that closes
        whole.  What there is is used, and nothing else is made up.
        """
        below = mock.Mock(spec=["write", "loseConnection", "abortConnection", "getPeer"])
        found = complete(below)
        for name, arguments in (
            ("registerProducer", (None, True)),
            ("unregisterProducer", ()),
            ("pauseProducing", ()),
            ("resumeProducing", ()),
        ):
            self.assertIsNone(getattr(found, name)(*arguments))
        self.assertEqual(below.method_calls, [])
        found.loseWriteConnection()
        below.loseConnection.assert_called_once_with()
        found.abortConnection()
        below.abortConnection.assert_called_once_with()
        found.write(b"x")
        below.write.assert_called_once_with(b"x")
        self.assertFalse(hasattr(found, "getHandle"))
