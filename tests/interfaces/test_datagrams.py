"""
Tests for L{connectproxy.interfaces.datagrams}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface

from connectproxy.interfaces import datagrams


class ContractTests(SynchronousTestCase):
    """
    The seams for datagrams.  Their implementers are held to them where those are tested.
    """

    def test_exported(self) -> None:
        """
        Every interface of the module is public, and says what it is for, as does each of
        its attributes and methods.
        """
        found = [each for each in vars(datagrams).values() if _isOurs(each)]
        self.assertEqual(sorted(each.__name__ for each in found), sorted(datagrams.__all__))
        for each in found:
            self.assertTrue(each.__doc__.strip(), each)
            for name in each:
                self.assertTrue(each[name].__doc__.strip(), (each, name))


def _isOurs(thing: object) -> bool:
    return (
        isinstance(thing, type(Interface))
        and thing is not Interface
        and thing.__module__ == datagrams.__name__
    )
