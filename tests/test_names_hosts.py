"""
Tests for L{connectproxy.names}: the hosts file.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.names import Names, readHosts
from tests.fakes import FakeReactor

HOSTS = """
# names of this machine
127.0.0.1       localhost
::1             localhost ip6-localhost
192.0.2.1       db.example db   # the database
192.0.2.2       DB.example
fe80::1%lo0     scoped.example
not-an-address  broken.example
"""


class HostsTests(SynchronousTestCase):
    """
    With a hosts file.
    """

    def setUp(self) -> None:
        """
        Write one.
        """
        path = Path(self.mktemp())
        path.write_text(HOSTS)
        self.path = str(path)
        self.reactor = FakeReactor()
        self.names = Names(self.reactor, self.path)

    def look(self, name: str, version: int) -> list[str]:
        """
        What comes without the resolver.
        """
        return list(map(str, self.successResultOf(self.names.lookup(name, version))))

    def test_inTheFile(self) -> None:
        """
        A name in the file is not asked of the resolver: not in the one family, and not
        in the other, which it then does not have.
        """
        self.assertEqual(self.look("localhost.", 4), ["127.0.0.1"])
        self.assertEqual(self.look("localhost.", 6), ["::1"])
        self.assertEqual(self.look("db.example.", 4), ["192.0.2.1", "192.0.2.2"])
        self.assertEqual(self.look("db.example.", 6), [])
        self.assertEqual(self.reactor.nameResolver.lookups, [])

    def test_cached(self) -> None:
        """
        The file is not read for every look-up.
        """
        self.look("localhost.", 4)
        Path(self.path).write_text("")
        self.assertEqual(self.look("localhost.", 4), ["127.0.0.1"])

    def test_notInTheFile(self) -> None:
        """
        Others are asked of the resolver, and a part of a name is another name.
        """
        for name in ("example.", "broken.example.", "b.example."):
            self.assertNoResult(self.names.lookup(name, 4))
        self.assertEqual(
            [each.name for each in self.reactor.nameResolver.pending],
            ["example.", "broken.example.", "b.example."],
        )

    def test_unreadable(self) -> None:
        """
        Without the file every name goes to the resolver.
        """
        for path in (self.path + ".missing", str(Path(self.path).parent)):
            looked = Names(self.reactor, path).lookup("localhost.", 4)
            self.assertNoResult(looked)
            self.reactor.nameResolver.lookups[-1].answer("127.0.0.1")
            self.assertEqual(self.successResultOf(looked), (ip_address("127.0.0.1"),))

    def test_inAThread(self) -> None:
        """
        The file is read in a thread: until it has been, nobody is told and the same
        question is not asked twice, and who gives up is not missed.
        """
        self.reactor.threads.held = True
        first, second, third = (self.names.lookup("localhost.", 4) for _ in range(3))
        other = self.names.lookup("other.", 4)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertNoResult(first)
        self.reactor.threads.run()
        self.assertEqual(self.successResultOf(first), (ip_address("127.0.0.1"),))
        self.assertEqual(self.successResultOf(third), (ip_address("127.0.0.1"),))
        self.assertNoResult(other)
        self.assertEqual([each.name for each in self.reactor.nameResolver.lookups], ["other."])

    def test_readHosts(self) -> None:
        """
        The reading itself: whole names in any case, comments left out, and both families
        in the order of the file.
        """
        self.assertEqual(readHosts(self.path, "localhost"), (ip_address("127.0.0.1"), ip_address("::1")))
        self.assertEqual(readHosts(self.path, "db"), (ip_address("192.0.2.1"),))
        for name in ("database", "the", "#", "names", "nowhere"):
            self.assertEqual(readHosts(self.path, name), (), name)
