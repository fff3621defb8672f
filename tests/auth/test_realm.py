"""
Tests for L{connectproxy.auth.realm}.
"""

from __future__ import annotations

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface
from zope.interface.verify import verifyObject

from connectproxy.auth.realm import ProxyRealm, avatarName
from connectproxy.interfaces import IProxyUser, ProxyUser


class NameTests(SynchronousTestCase):
    """
    What checkers give.
    """

    def test_names(self) -> None:
        """
        Octets and strings are names, in one normal form (conformance 67).
        """
        for said in ("zoë", "zoe\u0308", "zoë".encode(), "zoe\u0308".encode()):
            self.assertEqual(avatarName(said), "zoë")
        self.assertEqual(avatarName("x" * 255), "x" * 255)

    def test_odd(self) -> None:
        """
        Everything else is none.
        """
        for said in (
            ANONYMOUS,
            None,
            7,
            b"",
            "",
            b"\xff",
            "a\nb",
            b"a\x00b",
            "\ud800",
            "x" * 256,
            object(),
            ["zoe"],
        ):
            self.assertIs(avatarName(said), None)


class ProxyRealmTests(SynchronousTestCase):
    """
    Avatars.
    """

    def setUp(self) -> None:
        """
        Three groups.
        """
        self.realm = ProxyRealm({"ci": ["one", "two"], "people": ["two"], "all": ["*"]})

    def avatar(self, avatarId: object) -> ProxyUser:
        """
        The avatar of somebody.
        """
        interface, avatar, logout = self.realm.requestAvatar(avatarId, None, Interface, IProxyUser)
        self.assertIs(interface, IProxyUser)
        verifyObject(IProxyUser, avatar)
        logout()
        return avatar

    def test_interface(self) -> None:
        """
        It is a realm.
        """
        verifyObject(IRealm, self.realm)

    def test_groups(self) -> None:
        """
        An avatar is in the groups that name it, and in those of everybody.
        """
        self.assertEqual(self.avatar("two"), ProxyUser("two", frozenset({"ci", "people", "all"})))
        self.assertEqual(self.avatar(b"one").groups, {"ci", "all"})
        self.assertEqual(self.avatar("three").groups, {"all"})

    def test_more(self) -> None:
        """
        What a checker knows of a user besides is kept.
        """
        found = ProxyUser("one", frozenset({"mine"}), ("slow",), "token")
        self.assertEqual(self.avatar(found), found._replace(groups=frozenset({"mine", "ci", "all"})))
        self.assertIs(ProxyRealm({}).avatar(found), found)

    def test_refused(self) -> None:
        """
        There are no other avatars, and none of nobody.
        """
        self.assertRaises(NotImplementedError, self.realm.requestAvatar, "one", None, Interface)
        for odd in (ANONYMOUS, b"", None):
            self.assertRaises(ValueError, self.realm.requestAvatar, odd, None, IProxyUser)
