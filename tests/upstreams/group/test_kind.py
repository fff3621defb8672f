"""
Tests for L{connectproxy.upstreams.group.kind}.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from connectproxy.discovery import kinds
from connectproxy.interfaces import IForwardingUpstream, IStandingUpstream, IUpstream, IUpstreamKind
from connectproxy.upstreams.group import kind
from tests.upstreams.group.case import ForwardingHop, GroupCase


class KindTests(GroupCase):
    """
    What makes a group.
    """

    def test_kind(self) -> None:
        """
        It is found with the others, and has no scheme.
        """
        self.assertTrue(verifyObject(IUpstreamKind, kind))
        self.assertIs(kinds("connectproxy.upstreams", IUpstreamKind)["group"], kind)
        self.assertEqual(kind.schemes, ())

    def test_group(self) -> None:
        """
        It is what an upstream is, and takes messages if any member does.
        """
        self.assertTrue(verifyObject(IUpstream, self.group))
        self.assertTrue(verifyObject(IStandingUpstream, self.group))
        self.assertFalse(IForwardingUpstream.providedBy(self.group))
        self.hop = lambda reactor, name: (
            GroupCase.hop(reactor, name) if name == "a" else ForwardingHop(reactor, name)
        )
        self.build()
        self.assertTrue(verifyObject(IForwardingUpstream, self.group))

    def test_options(self) -> None:
        """
        What is written is what they are.
        """
        self.build(members=("a", "b"), backups=("x",), weights={"b": 7, "x": 2}, balance="hash-user")
        self.assertEqual(
            [(member.name, member.weight, member.backup) for member in self.group.members],
            [("a", 1, False), ("b", 7, False), ("x", 2, True)],
        )
        self.assertEqual(self.group.state()["balance"], "hash-user")
        self.build(failures=1, retry_after=7.0, retry_after_most=7.0)
        self.takeOut("a")
        self.assertEqual(self.stateOf("a")["failures"], 1)
        self.assertTrue(5.5 < self.stateOf("a")["retry_in"] <= 7.0)

    def test_twice(self) -> None:
        """
        Nobody is a member twice, nor his own backup.
        """
        for options in ({"members": ("a", "a")}, {"members": ("a",), "backups": ("a",)}):
            error = self.assertRaises(ValueError, self.build, **options)
            self.assertEqual(
                str(error), "a is there twice; name each upstream once, in members or in backups"
            )

    def test_untouched(self) -> None:
        """
        To be built is not to be started.
        """
        self.build(probe="connect")
        self.assertEqual(self.reactor.getDelayedCalls(), [])
