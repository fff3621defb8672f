"""
Tests for L{connectproxy.upstreams.group.balance}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.interfaces import ProxyUser
from connectproxy.upstreams.group.balance import (
    BALANCES,
    Hashed,
    InTurn,
    LeastTunnels,
    destinationKey,
    userKey,
)
from tests.fakes import addressOf, makeRequest

REQUEST = makeRequest()


@dataclass
class Chair:
    """
    Somebody to choose.
    """

    name: str
    weight: int = 1
    turn: int = 0
    load: int = 0


def chairs(*weights: int) -> list[Chair]:
    """
    Some with weights, called a, b, c and so on.
    """
    return [Chair(chr(97 + number), weight) for number, weight in enumerate(weights)]


WEIGHTS = st.lists(st.integers(1, 100), min_size=1, max_size=8)


class InTurnTests(SynchronousTestCase):
    """
    Round robin.
    """

    def picks(self, seats: Sequence[Chair], count: int) -> str:
        """
        The names of the next ones.
        """
        balance = InTurn()
        return "".join(balance.pick(seats, REQUEST).name for _ in range(count))

    def test_equal(self) -> None:
        """
        Each in turn.
        """
        self.assertEqual(self.picks(chairs(1, 1, 1), 7), "abcabca")

    def test_smooth(self) -> None:
        """
        Who has the most does not have them all in a row: the sequence that nginx has.
        """
        self.assertEqual(self.picks(chairs(5, 1, 1), 14), "aabacaaaabacaa")

    @settings(deadline=None)
    @given(WEIGHTS)
    def test_shares(self, weights: list[int]) -> None:
        """
        After as many as the weights sum up to, each has had exactly its weight, and everything
        is as it was.
        """
        seats = chairs(*weights)
        seen = Counter(self.picks(seats, sum(weights)))
        self.assertEqual([seen[seat.name] for seat in seats], weights)
        self.assertEqual([seat.turn for seat in seats], [0] * len(seats))

    @settings(deadline=None)
    @given(WEIGHTS, st.integers(1, 200))
    def test_even(self, weights: list[int], count: int) -> None:
        """
        At any moment, nobody is further from his share than the number of seats.
        """
        seats = chairs(*weights)
        seen = Counter(self.picks(seats, count))
        for seat in seats:
            self.assertLessEqual(abs(seen[seat.name] - count * seat.weight / sum(weights)), len(seats))

    @settings(max_examples=50, deadline=None)
    @given(WEIGHTS, st.lists(st.integers(1, 255), min_size=1, max_size=400))
    def test_bounded(self, weights: list[int], masks: list[int]) -> None:
        """
        Whoever is left out whenever, what is remembered stays bounded, and the one who is
        picked is one of those who are there.
        """
        seats = chairs(*weights)
        balance = InTurn()
        for mask in masks:
            there = [seat for number, seat in enumerate(seats) if mask >> number & 1] or seats
            picked = balance.pick(there, REQUEST)
            self.assertTrue(any(picked is seat for seat in there))
        self.assertEqual(sum(seat.turn for seat in seats), 0)
        self.assertLessEqual(max(abs(seat.turn) for seat in seats), len(seats) * sum(weights))


class LeastTunnelsTests(SynchronousTestCase):
    """
    The fewest tunnels.
    """

    def test_fewest(self) -> None:
        """
        Who has fewer gets the next.
        """
        seats = chairs(1, 1, 1)
        seats[0].load, seats[1].load, seats[2].load = 3, 1, 2
        self.assertEqual(LeastTunnels().pick(seats, REQUEST).name, "b")

    def test_idle(self) -> None:
        """
        Where all have as many, it goes in turn: one request at a time does not always meet
        the same.
        """
        seats, balance = chairs(2, 1), LeastTunnels()
        self.assertEqual("".join(balance.pick(seats, REQUEST).name for _ in range(6)), "abaaba")

    @settings(deadline=None)
    @given(WEIGHTS, st.integers(1, 300))
    def test_weights(self, weights: list[int], count: int) -> None:
        """
        Tunnels that stay open are shared out by the weights: nobody has more for his weight
        than anybody would have with one more.
        """
        seats, balance = chairs(*weights), LeastTunnels()
        for _ in range(count):
            balance.pick(seats, REQUEST).load += 1
        self.assertEqual(sum(seat.load for seat in seats), count)
        for one in seats:
            for other in seats:
                self.assertLessEqual((one.load - 1) / one.weight, other.load / other.weight)


class HashedTests(SynchronousTestCase):
    """
    The same for the same.
    """

    keys = [f"user{number}" for number in range(4000)]

    def firsts(self, seats: Sequence[Chair], there: Sequence[Chair] | None = None) -> list[str]:
        """
        Who gets each of the keys.
        """
        balance = Hashed(userKey, seats)
        requests = (makeRequest(identity=ProxyUser(key)) for key in self.keys)
        return [balance.pick(seats if there is None else there, request).name for request in requests]

    def test_same(self) -> None:
        """
        It does not change from process to process: these are what they always were.
        """
        balance = Hashed(destinationKey, chairs(1, 1, 1))
        names = ("example.com", "example.org", "example.net", "192.0.2.1")
        picked = [balance.pick(chairs(1, 1, 1), makeRequest(f"{name}:443")).name for name in names]
        self.assertEqual("".join(picked), "cbab")

    def test_shares(self) -> None:
        """
        Of 4000 keys each of five equals has 800 but for chance: four standard deviations of
        the binomial distribution are 101.
        """
        seen = Counter(self.firsts(chairs(1, 1, 1, 1, 1)))
        self.assertEqual(len(seen), 5)
        for count in seen.values():
            self.assertLess(abs(count - 800), 101)

    def test_weights(self) -> None:
        """
        Weights of 1, 2 and 5 are an eighth, a quarter and five eighths: 500, 1000 and 2500 but
        for chance.
        """
        seen = Counter(self.firsts(chairs(1, 2, 5)))
        for name, expected in (("a", 500), ("b", 1000), ("c", 2500)):
            self.assertLess(abs(seen[name] - expected), 125)

    def test_goes(self) -> None:
        """
        Of five, one goes: only its keys move, and they spread over all who are left.
        """
        seats = chairs(1, 1, 1, 1, 1)
        before = self.firsts(seats)
        for after in (self.firsts(seats[1:]), self.firsts(seats, seats[1:])):
            moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
            self.assertEqual({old for old, _ in moved}, {"a"})
            self.assertEqual(len(moved), before.count("a"))
            spread = Counter(new for _, new in moved)
            self.assertEqual(sorted(spread), ["b", "c", "d", "e"])
            for count in spread.values():
                self.assertLess(abs(count - len(moved) / 4), 50)

    def test_comes(self) -> None:
        """
        A sixth comes: a sixth of the keys move, and all of them to it.
        """
        seats = chairs(1, 1, 1, 1, 1, 1)
        before, after = self.firsts(seats[:5]), self.firsts(seats)
        moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        self.assertEqual({new for _, new in moved}, {"f"})
        self.assertLess(abs(len(moved) - 4000 / 6), 95)

    def test_heavier(self) -> None:
        """
        A weight that grows draws keys from the others, and moves none between them.
        """
        before, after = self.firsts(chairs(1, 1, 1)), self.firsts(chairs(2, 1, 1))
        moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        self.assertEqual({new for _, new in moved}, {"a"})
        self.assertLess(abs(len(moved) - 4000 / 6), 95)

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 1000), min_size=2, max_size=6), st.text(), st.data())
    def test_consistent(self, weights: list[int], key: str, data: st.DataObject) -> None:
        """
        For any key and any weights: without one of those that were not chosen, the choice is
        the same.
        """
        seats = chairs(*weights)
        balance = Hashed(lambda request: key, seats)
        chosen = balance.pick(seats, REQUEST)
        others = [seat for seat in seats if seat is not chosen]
        gone = data.draw(st.sampled_from(others))
        there = [seat for seat in seats if seat is not gone]
        self.assertIs(balance.pick(there, REQUEST), chosen)
        self.assertEqual(Hashed(lambda request: key, there).pick(there, REQUEST), chosen)

    def test_bounded(self) -> None:
        """
        What is remembered of keys has an end, however many there are.
        """
        balance = Hashed(destinationKey, chairs(1, 1))
        for number in range(5000):
            balance.pick(chairs(1, 1), makeRequest(f"host{number}.example:443"))
        self.assertEqual(balance.order.cache_info().currsize, 4096)


class KeyTests(SynchronousTestCase):
    """
    What is hashed.
    """

    def test_user(self) -> None:
        """
        The user's name, whatever the address; without one the address, whatever the port; and
        a user who is called as an address is not the one who has it.
        """
        ann = makeRequest(identity=ProxyUser("ann"))
        self.assertEqual(userKey(ann), userKey(ann._replace(client=addressOf("192.0.2.99", 1))))
        self.assertEqual(userKey(REQUEST), userKey(REQUEST._replace(client=addressOf("192.0.2.7", 1))))
        self.assertNotEqual(userKey(REQUEST), userKey(makeRequest(identity=ProxyUser("192.0.2.7"))))
        self.assertNotEqual(userKey(REQUEST), userKey(REQUEST._replace(client=addressOf("192.0.2.8", 1))))
        self.assertEqual(userKey(REQUEST._replace(client=UNIXAddress(b"/run/x"))), "address ")

    def test_destination(self) -> None:
        """
        The host, whatever the port.
        """
        self.assertEqual(destinationKey(makeRequest("example.com:80")), destinationKey(REQUEST))
        self.assertNotEqual(destinationKey(makeRequest("example.org:443")), destinationKey(REQUEST))

    def test_kinds(self) -> None:
        """
        Each value of the key C{balance} has its way, and that hashes what it says.
        """
        seats = chairs(1, 1)
        made = {name: make(seats) for name, make in BALANCES.items()}
        kinds = {name: type(balance) for name, balance in made.items()}
        self.assertEqual(
            kinds,
            {
                "round-robin": InTurn,
                "least-tunnels": LeastTunnels,
                "hash-user": Hashed,
                "hash-destination": Hashed,
            },
        )
        elsewhere = [makeRequest(f"host{number}.example:443") for number in range(50)]
        self.assertEqual(len({made["hash-user"].pick(seats, each).name for each in elsewhere}), 1)
        self.assertEqual(len({made["hash-destination"].pick(seats, each).name for each in elsewhere}), 2)
