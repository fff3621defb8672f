"""
Tests for L{connectproxy.origin.sink}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from connectproxy.config import configure
from connectproxy.origin import Patience
from connectproxy.origin.sink import KEPT, Upload
from tests.origin.case import OriginCase, Sink


class PatienceTests(OriginCase):
    """
    How long is waited.
    """

    def test_settings(self) -> None:
        """
        The settings say, but no connection is kept idle for more than a minute.
        """
        settings = dict(configure())
        settings |= {"timeouts.response": 1.0, "timeouts.idle": 2.0, "timeouts.keep_alive": 3.0}
        self.assertEqual(Patience.of(settings), (1.0, 2.0, 3.0))
        settings["timeouts.keep_alive"] = 999.0
        self.assertEqual(Patience.of(settings).kept, KEPT)


class UploadTests(OriginCase):
    """
    The producer of a request's body.
    """

    def test_upload(self) -> None:
        """
        It passes on when to wait, and remembers it; it is not its part to stop anything.
        """
        sink = Sink()
        upload = Upload(sink)
        verifyObject(IPushProducer, upload)
        upload.pauseProducing()
        self.assertTrue(upload.paused)
        upload.resumeProducing()
        self.assertFalse(upload.paused)
        upload.stopProducing()
        self.assertEqual(sink.names, ["pause", "resume"])
