"""
Tests for L{connectproxy.datagrams.flow}: destinations that are names.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import fail

from connectproxy.datagrams import flow as module
from connectproxy.names import Names, TooManyLookups
from tests.datagrams.test_flow import FlowCase, to


class NameTests(FlowCase):
    """
    Datagrams to names.
    """

    def answer(self, *addresses: str, index: int = 0) -> None:
        """
        Answer both questions about a name.
        """
        for each in self.reactor.nameResolver.pending[2 * index : 2 * index + 2]:
            each.answer(*addresses)

    def test_held(self) -> None:
        """
        A name is looked up once, as an absolute one; what comes meanwhile waits and is sent
        in order.
        """
        for payload in (b"a", b"", b"c"):
            self.flow.send(to("a.example:53"), payload)
        self.assertEqual([each.name for each in self.reactor.nameResolver.lookups], ["a.example."] * 2)
        self.assertEqual(self.network.sent, [])
        self.answer("192.0.2.1")
        self.assertEqual(self.network.take(), [(("192.0.2.1", 53), each) for each in (b"a", b"", b"c")])
        self.flow.send(to("a.example:53"), b"d")
        self.assertEqual(self.network.take(), [(("192.0.2.1", 53), b"d")])
        self.assertEqual((str(self.flow.target), self.flow.address), ("a.example:53", "192.0.2.1:53"))

    def test_known(self) -> None:
        """
        A name that is known already is no reason to wait.
        """
        self.reactor.nameResolver.answers["a.example"] = ("192.0.2.1",)
        self.flow.send(to("a.example:53"), b"a")
        self.assertEqual(self.network.take(), [(("192.0.2.1", 53), b"a")])

    def test_order(self) -> None:
        """
        IPv4 comes before IPv6; what is closed, or what there is no way to, is passed over.
        """
        addresses = ("2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3")
        self.reactor.nameResolver.answers["a.example"] = addresses
        self.closed.add("192.0.2.1")
        self.flow.send(to("192.0.2.9:1"), b"")
        self.network.sockets[0].failing["192.0.2.2"] = errno.EHOSTUNREACH
        self.network.take()
        for _ in range(2):
            self.flow.send(to("a.example:53"), b"a")
        self.assertEqual(self.network.take(), [(("192.0.2.3", 53), b"a")] * 2)
        self.assertEqual(self.kinds, [])

    def test_allowed(self) -> None:
        """
        That it is allowed is told before anything is sent, with the first address that is.
        """
        sent: list[int] = []
        self.patch(self.association, "allowed", lambda *_: sent.append(len(self.network.sent)))
        self.flow.send(to("a.example:53"), b"a")
        self.assertEqual(sent, [])
        self.answer("192.0.2.1")
        self.assertEqual((sent, len(self.network.sent)), ([0], 1))

    def test_allowedAddress(self) -> None:
        """
        It is told with the first address that is not closed, though others come after it.
        """
        self.reactor.nameResolver.answers["a.example"] = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
        self.closed.add("192.0.2.1")
        self.flow.send(to("a.example:53"), b"a")
        self.assertEqual((self.association.let, self.kinds), ([("a.example:53", "192.0.2.2")], []))

    def test_closedAddresses(self) -> None:
        """
        A name of which every address is denied is not told as allowed, but as refused, for
        the first of them.
        """
        addresses = ("192.0.2.1", "192.0.2.2")
        self.reactor.nameResolver.answers["a.example"] = addresses
        self.closed.update(addresses)
        self.flow.send(to("a.example:53"), b"a")
        self.assertEqual(self.kinds, [("a.example:53", "destination_ip_prohibited")])
        self.assertEqual((self.association.judged, self.association.let), (["192.0.2.1"], []))

    def test_manyAddresses(self) -> None:
        """
        Of a name with very many addresses only the first ones are considered.
        """
        addresses = [f"192.0.2.{each}" for each in range(1, 50)]
        self.reactor.nameResolver.answers["a.example"] = addresses
        self.closed.update(addresses[: module.ADDRESSES])
        self.flow.send(to("a.example:53"), b"a")
        self.assertEqual(self.kinds, [("a.example:53", "destination_ip_prohibited")])

    def test_noAddress(self) -> None:
        """
        A name without an address is refused, and asked for again after a while.
        """
        self.flow.send(to("a.example:53"), b"a")
        self.answer()
        self.assertEqual(self.kinds, [("a.example:53", "dns_error")])
        self.assertEqual((self.association.judged, self.association.let), ([None], []))
        self.flow.send(to("a.example:53"), b"a")
        self.assertEqual(self.flow.dropped, {"to destinations that were refused": 2})
        self.reactor.advance(module.NO_ADDRESS_TTL)
        self.flow.send(to("a.example:53"), b"a")
        self.answer("192.0.2.1")
        self.assertEqual(len(self.network.sent), 1)

    def test_notAsked(self) -> None:
        """
        Where too many names are being looked up, in all of the proxy, that is why.
        """
        self.patch(Names, "lookup", failing(self.names))
        self.flow.send(to("a.example:53"), b"a")
        self.assertEqual(self.kinds, [("a.example:53", "connection_limit_reached")])

    def test_tooManyNames(self) -> None:
        """
        A flow has so many names looked up at once; others are dropped, and push out nothing
        that is known.
        """
        self.flow.send(to("192.0.2.1:1"), b"a")
        for number in range(module.PENDING + 500):
            self.flow.send(to(f"n{number}.example:53"), b"a")
        self.assertEqual(len(self.reactor.nameResolver.lookups), 2 * module.PENDING)
        self.assertEqual(self.flow.dropped, {"to too many names at once": 500})
        self.assertEqual(len(self.flow._routes), module.PENDING + 1)
        self.answer("192.0.2.2")
        self.flow.send(to("last.example:53"), b"a")
        self.assertEqual(len(self.reactor.nameResolver.lookups), 2 * module.PENDING + 2)

    def test_lostLookups(self) -> None:
        """
        Look-ups that are never answered do not keep others from theirs for ever; and an
        answer that comes too late changes nothing.
        """
        for number in range(module.PENDING):
            self.flow.send(to(f"n{number}.example:53"), b"a")
        self.reactor.advance(module.VERDICT_TTL)
        self.flow.send(to("last.example:53"), b"z")
        self.assertEqual(self.flow.dropped, {"to names that were not found in time": module.PENDING})
        for each in self.reactor.nameResolver.pending:
            each.answer("192.0.2.1")
        self.assertEqual(self.network.take(), [(("192.0.2.1", 53), b"z")])

    def test_askedAgain(self) -> None:
        """
        So it is with a single name.
        """
        self.flow.send(to("a.example:53"), b"a")
        self.reactor.advance(module.VERDICT_TTL)
        self.flow.send(to("a.example:53"), b"b")
        self.assertEqual(self.flow.dropped, {"to names that were not found in time": 1})
        self.answer("192.0.2.1")
        self.assertEqual(self.network.take(), [(("192.0.2.1", 53), b"b")])

    def test_heldBound(self) -> None:
        """
        What waits for names is bounded, in number and in octets.
        """
        for _ in range(module.HELD_DATAGRAMS + 3):
            self.flow.send(to("a.example:53"), b"")
        self.assertEqual(self.flow.dropped, {"that came while names were looked up": 3})
        self.answer("192.0.2.1")
        self.assertEqual(len(self.network.take()), module.HELD_DATAGRAMS)
        self.flow.send(to("b.example:53"), bytes(65507))
        self.flow.send(to("c.example:53"), bytes(module.HELD_OCTETS - 65507))
        self.flow.send(to("c.example:53"), b"x")
        self.assertEqual(self.flow.dropped["that came while names were looked up"], 4)
        self.answer("192.0.2.1")
        self.flow.send(to("c.example:53"), b"x")
        self.answer("192.0.2.1")
        self.assertEqual(len(self.network.take()), 3)
        self.assertEqual((self.flow._held, self.flow._heldOctets, self.flow._pending), (0, 0, {}))

    def test_closed(self) -> None:
        """
        Closed, it waits for no names.
        """
        self.flow.send(to("a.example:53"), b"a")
        self.flow.close()
        self.answer("192.0.2.1")
        self.assertEqual((self.network.sockets, self.kinds), ([], []))
        self.assertEqual(self.flow.dropped, {"to names that were not found in time": 1})

    def test_closedWithoutWaiting(self) -> None:
        """
        A name for which nothing could wait is not counted twice.
        """
        for _ in range(module.HELD_DATAGRAMS):
            self.flow.send(to("a.example:53"), b"a")
        self.flow.send(to("b.example:53"), b"a")
        self.flow.close()
        self.assertEqual(
            self.flow.dropped,
            {
                "that came while names were looked up": 1,
                "to names that were not found in time": module.HELD_DATAGRAMS,
            },
        )


def failing(names: Names) -> Any:
    """
    A C{lookup} that has no room for another question.
    """

    def lookup(self: Names, name: str, version: int) -> Any:
        assert self is names
        return fail(TooManyLookups("512 look-ups are under way"))

    return lookup
