"""
Tests for L{connectproxy.shaping}: a valve between a producer and its consumer.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from connectproxy.shaping import Valve
from tests.shapingcase import RATE, Producer, ShapingCase


class ValveTests(ShapingCase):
    """
    A producer that two may pause.
    """

    def setUp(self) -> None:
        super().setUp()
        self.tokens = self.bucket()
        self.producer: Any = Producer()
        self.valve = Valve([self.tokens], self.clock, self.producer)

    def test_interface(self) -> None:
        """
        It is a push producer, and is not told what is not its own.
        """
        self.assertTrue(verifyObject(IPushProducer, self.valve))
        self.valve.stopProducing()
        self.assertEqual(self.producer.told, [])

    def test_consumer(self) -> None:
        """
        The consumer's word goes on, while there is enough.
        """
        self.valve.start()
        self.valve.passed(1000)
        self.valve.pauseProducing()
        self.valve.passed(1000)
        self.valve.resumeProducing()
        self.assertEqual(self.producer.told, ["resume", "pause", "resume"])

    def test_both(self) -> None:
        """
        The producer goes on when neither has enough, in whichever order that comes about.
        """
        most = int(self.tokens.burst) + RATE
        self.valve.passed(most)
        self.assertEqual(self.producer.told, ["pause"])
        self.valve.pauseProducing()
        self.wait(2)
        self.assertEqual(self.producer.told, ["pause", "pause"])
        self.valve.resumeProducing()
        self.assertEqual(self.producer.told.pop(), "resume")
        self.valve.pauseProducing()
        self.valve.passed(most)
        self.valve.resumeProducing()
        self.valve.passed(1)
        self.assertEqual(self.producer.told, ["pause"] * 3)
        self.wait(3)
        self.assertEqual(self.producer.told.pop(), "resume")

    def test_startsWaiting(self) -> None:
        """
        Where there is nothing at first, the producer is paused.
        """
        self.tokens.charge(int(self.tokens.burst) + 1)
        self.valve.start()
        self.assertEqual(self.producer.told, ["pause"])
