"""
Tests for L{connectproxy.association}: how associations begin, and how they end.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred

from connectproxy.errors import Refusal
from connectproxy.interfaces import ProxyUser
from connectproxy.interfaces.datagrams import IDatagramFlow
from tests.datagrams.test_flow import to
from tests.fakes import SETTINGS, FakeAuthenticator
from tests.test_association import AssociationCase, FakeInbound


class FakePass:
    """
    What the limits give for what they let in.

    @ivar watched: what they were to watch.
    @ivar left: the octets of what is over.
    """

    shapers = ()

    def __init__(self) -> None:
        self.watched: list[Any] = []
        self.left: list[tuple[int, int]] = []

    def watch(self, counted: Any) -> None:
        self.watched.append(counted)

    def leave(self, bytesUp: int, bytesDown: int) -> None:
        self.left.append((bytesUp, bytesDown))


class LimitTests(AssociationCase):
    """
    What ends an association, and what keeps one from beginning.
    """

    def test_idle(self) -> None:
        """
        It ends when nothing has been passed on for so long; every datagram prolongs it.
        """
        self.build(timeouts__idle=60.0)
        inbound = self.associate()
        flow: Any = inbound.flow
        self.reactor.advance(50.0)
        flow.send(to("192.0.2.1:53"), b"abc")
        self.reactor.advance(59.0)
        self.assertEqual(inbound.closings, 0)
        self.reactor.advance(2.0)
        self.assertEqual(inbound.closings, 1)
        self.assertEqual((self.events[0]["end"], self.events[0]["ended_by"]), ("idle_timeout", "proxy"))
        self.assertNothingLeft()

    def test_lifetime(self) -> None:
        """
        It ends when it has lasted for so long, whatever it carries.
        """
        self.build(timeouts__lifetime=100.0, timeouts__idle=60.0)
        inbound = self.associate()
        flow: Any = inbound.flow
        for _ in range(3):
            self.reactor.advance(33.0)
            flow.send(to("192.0.2.1:53"), b"abc")
        self.assertEqual(inbound.closings, 0)
        self.reactor.advance(2.0)
        self.assertEqual((inbound.closings, self.events[0]["end"]), (1, "lifetime_exceeded"))
        self.assertNothingLeft()

    def test_lifetimeAlone(self) -> None:
        """
        Either limit can be switched off, and both.
        """
        self.build(timeouts__lifetime=100.0, timeouts__idle=0.0)
        self.associate()
        self.reactor.advance(101.0)
        self.assertEqual(self.events[0]["end"], "lifetime_exceeded")
        self.build(timeouts__lifetime=0.0, timeouts__idle=0.0)
        self.associate()
        self.assertEqual(len(self.board.wheel), 0)

    def test_limit(self) -> None:
        """
        There are so many and no more, until one ends.
        """
        self.build(limits__udp_associations=2)
        first, second = self.associate(), self.associate()
        third = FakeInbound()
        self.board.associate(third)
        (refusal,) = third.refusals
        self.assertEqual((refusal.kind, third.flow), ("connection_limit_reached", None))
        self.assertEqual(self.events[-1]["error"], "connection_limit_reached")
        first.lost()
        self.assertEqual(self.associate().refusals, [])
        self.assertEqual((len(self.board.associations), second.closings), (2, 0))

    def test_clientLimit(self) -> None:
        """
        It counts as one of its client's tunnels, whoever the client is known by.
        """
        self.build()
        self.board.admission.perClient = 1
        for fields in (
            {"identity": ProxyUser("ann")},
            {"identity": None},
            {"identity": None, "client": UNIXAddress(b"/x")},
        ):
            first, second = self.associate(**fields), FakeInbound(**fields)
            self.board.associate(second)
            self.assertEqual([each.kind for each in second.refusals], ["client_limit_reached"])
            first.lost()
            third = self.associate(**fields)
            self.assertEqual(third.refusals, [])
            third.lost()
        self.assertNothingLeft()

    def test_draining(self) -> None:
        """
        While the proxy stops there are no new ones; those that are there are ended with
        everything else.
        """
        inbound = self.associate()
        self.board.draining = True
        late = FakeInbound()
        self.board.associate(late)
        self.assertEqual([each.kind for each in late.refusals], ["proxy_draining"])
        self.board.abort("drain_timeout")
        self.assertEqual((inbound.closings, self.events[-1]["end"]), (1, "drain_timeout"))
        self.assertEqual(self.events[-1]["phase"], "draining")
        self.assertNothingLeft()

    def test_authentication(self) -> None:
        """
        Where users are asked, and the dialect has not settled who it is, the request's
        fields have to say it.
        """

        users = FakeAuthenticator("ann")
        self.build(authenticator=users)
        self.assertRefused(self.associate(identity=None), "proxy_authentication_required")
        self.assertEqual((self.events[-1]["phase"], self.events[-1]["user"]), ("authenticating", None))
        said = (b"proxy-authorization", b"Basic " + users.right)
        self.associate(identity=None, fields=(said, (b"host", b"y")))
        self.assertEqual((self.only().request.user, self.only().request.fields), ("ann", ((b"host", b"y"),)))
        self.associate(identity=ProxyUser("bob"))
        self.assertEqual({each.request.user for each in self.board.associations}, {"ann", "bob"})

    def test_waits(self) -> None:
        """
        While it is not known who asks nothing is opened, and the client may go away.
        """
        users = FakeAuthenticator("ann", later=True)
        self.build(authenticator=users)
        inbound = self.associate(identity=None)
        self.assertEqual(inbound.refusals, [])
        inbound.lost()
        self.assertEqual((users.cancelled, self.events[-1]["event"]), (1, "abandoned"))
        self.assertNothingLeft()
        inbound = self.associate(identity=None)
        self.board.abort("drain_timeout")
        self.assertEqual([each.kind for each in inbound.refusals], ["proxy_draining"])
        self.assertNothingLeft()
        self.associate(identity=None, fields=((b"proxy-authorization", b"Basic " + users.right),))
        users.answer()
        self.assertEqual(self.only().request.user, "ann")

    def test_waitsTooLong(self) -> None:
        """
        The limits, and the store behind them, are not waited for for ever.
        """
        self.board.accounts = SimpleNamespace(enter=lambda request: Deferred())
        inbound = self.associate()
        self.reactor.advance(SETTINGS["timeouts.connect"] + 2.0)
        self.assertRefused(inbound, "quota_unavailable")

    def test_pass(self) -> None:
        """
        What the limits have let in is watched by them while it lasts, and they are told what it
        has moved.
        """
        entered = FakePass()
        self.board.accounts = SimpleNamespace(enter=lambda request: entered)
        inbound = self.associate()
        association, flow = self.only(), inbound.flow
        assert flow is not None
        flow.send(to("192.0.2.1:53"), b"abc")
        self.assertEqual((entered.watched, entered.left), ([association], []))
        inbound.lost()
        self.assertEqual(entered.left, [(3, 0)])
        self.assertNothingLeft()

    def test_bugWhenGone(self) -> None:
        """
        A bug that shows when the client has gone is logged, and nobody answered; the event is
        written all the same.
        """
        self.build(limits__tunnels_per_client=2)
        self.board.accounts = SimpleNamespace(enter=lambda request: Deferred())
        leave = self.board.admission.leave
        bugs = [RuntimeError("a bug")]

        def broken(share: Any) -> None:
            if bugs:
                raise bugs.pop()
            leave(share)

        self.patch(self.board.admission, "leave", broken)
        inbound = self.associate()
        inbound.lost()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual([each["event"] for each in self.events], ["abandoned"])
        self.assertEqual(inbound.refusals, [])
        self.assertNothingLeft()

    def test_clientsSideFails(self) -> None:
        """
        Where the client's side could not be opened, the client has its answer already; want
        of descriptors is known to admission.
        """
        paused: list[str] = []
        self.patch(self.board.admission, "exhausted", lambda: paused.append("exhausted"))
        for kind in ("socks_command_not_supported", "proxy_exhausted"):
            inbound = FakeInbound()
            inbound.answer = Refusal(kind, "there is no socket")
            self.begin(inbound)
            event = self.events[-1]
            self.assertEqual((inbound.refusals, event["error"], event["event"]), ([], kind, "refusal"))
            self.assertEqual((event["reason"], event["phase"]), ("there is no socket", "answering"))
            self.assertNothingLeft()
        self.assertEqual(paused, ["exhausted"])

    def test_bug(self) -> None:
        """
        A bug of ours is logged, and nobody left waiting.
        """
        inbound = FakeInbound()
        inbound.answer = RuntimeError("a bug")
        self.begin(inbound)
        self.assertRefused(inbound, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_broken(self) -> None:
        """
        A socket that fails for good ends it; once is enough.
        """
        inbound = self.associate()
        flow: Any = inbound.flow
        association = self.only()
        flow.send(to("192.0.2.1:53"), b"abc")
        (reader,) = self.reactor.getReaders()
        reader.connectionLost(None)
        association.broken()
        inbound.lost()
        self.assertEqual((inbound.closings, len(self.events)), (1, 1))
        self.assertEqual((self.events[0]["end"], self.events[0]["ended_by"]), ("aborted", "proxy"))
        self.assertNothingLeft()

    def test_brokenInAnswer(self) -> None:
        """
        One that ends while its client is being answered stays ended.
        """

        class Hasty(FakeInbound):
            def accept(self, flow: IDatagramFlow) -> Refusal | None:
                self.lost()
                return None

        self.begin(Hasty())
        self.assertEqual([each["end"] for each in self.events], ["eof"])
        self.assertNothingLeft()
