"""
Tests for L{connectproxy.interfaces.identity}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.interfaces import IAuthenticator, IProxyUser, ProxyUser
from tests.fakes import FakeAuthenticator, makeRequest


class ProxyUserTests(SynchronousTestCase):
    """
    L{ProxyUser}.
    """

    def test_interface(self) -> None:
        """
        It is an avatar.
        """
        self.assertTrue(verifyObject(IProxyUser, ProxyUser("ann")))

    def test_value(self) -> None:
        """
        Two that say the same are the same, and can be a key.
        """
        self.assertEqual({ProxyUser("ann"), ProxyUser("ann", frozenset(), (), "")}, {ProxyUser("ann")})
        self.assertNotEqual(ProxyUser("ann"), ProxyUser("ann", frozenset({"staff"})))

    def test_inRequests(self) -> None:
        """
        A request has the name of who asks; nobody has none.
        """
        self.assertEqual(makeRequest(identity=ProxyUser("ann")).user, "ann")
        self.assertIsNone(makeRequest().user)


class AuthenticatorTests(SynchronousTestCase):
    """
    L{IAuthenticator}.
    """

    def test_fake(self) -> None:
        """
        What stands for one in tests keeps to the interface.
        """
        self.assertTrue(verifyObject(IAuthenticator, FakeAuthenticator()))
