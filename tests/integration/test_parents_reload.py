"""
Upstreams that are added, changed and removed while tunnels are up through them.
"""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.integration.front import table
from tests.integration.origins import authority
from tests.integration.parents import parents
from tests.integration.raw import nameOf
from tests.integration.test_reload import ReloadCase

pytestmark = pytest.mark.integration


class ParentsReloadTests(ReloadCase):
    """
    A proxy whose way is written anew.
    """

    def setUp(self) -> None:
        """
        It goes straight at first.
        """
        ReloadCase.setUp(self)
        self.all = parents()
        self.started()

    def led(self, *tables: str, route: str = "far") -> None:
        """
        Have everything go by an upstream from now on.
        """
        text = f'[route]\nupstream = ["{route}"]\n' if route else ""
        self.configure(more=text + "".join(tables))
        self.reload()

    def up(self) -> tuple[socket.socket, socket.socket]:
        """
        A tunnel that works.
        """
        ends = self.tunnel(proxy=self.proxy)
        self.assertPings(*ends)
        return ends

    def over(self, ends: tuple[socket.socket, socket.socket]) -> dict[str, Any]:
        """
        End a tunnel that has to be up still.

        @return: its event.
        """
        client, peer = ends
        self.assertPings(client, peer)
        name = nameOf(client)
        peer.close()
        client.close()
        event = self.proxy.event(name)
        self.assertEqual((event["event"], event["error"], event["end"]), ("tunnel", None, "eof"))
        return event

    def test_comesAndGoes(self) -> None:
        """
        Added, changed to another kind, and removed: each tunnel stays on the way that it has
        taken, and the next one takes the new one.
        """
        own, dante = self.all.own.port, self.all.dante.port
        ends = [self.up()]
        for url in (f"http://127.0.0.1:{own}", f"socks5h://127.0.0.1:{dante}", f"h2c://127.0.0.1:{own}"):
            self.led(table("far", url))
            ends.append(self.up())
        self.led(route="")
        ends.append(self.up())
        events = [self.over(each) for each in ends]
        self.assertEqual([each["upstream"] for each in events], ["direct", "far", "far", "far", "direct"])
        addresses = [f"127.0.0.1:{port}" for port in (own, dante, own)]
        self.assertEqual([each["address"] for each in events[1:-1]], addresses)

    def test_connections(self) -> None:
        """
        A connection of HTTP/2 is kept by a reload that does not touch its upstream; one of an
        upstream that has changed, or is gone, carries its tunnels to their end and takes no new
        ones.
        """
        url, ca = f"h2://localhost:{self.all.own.port}", authority().certificate
        self.all.own.mark()
        self.led(table("far", url, ca=ca))
        ends = [self.up()]
        self.led(table("far", url, ca=ca), table("other", "http://127.0.0.1:1024"))
        ends.append(self.up())
        self.led(table("far", url, ca=ca, tunnels=50))
        ends.append(self.up())
        self.led(route="")
        ports = [each[1].getsockname()[1] for each in ends]
        for each in ends:
            self.over(each)
        self.all.own.waitForEvents(3)
        clients = {each["target"].rpartition(":")[2]: each["client"] for each in self.all.own.events()}
        first, second, third = (clients[str(port)] for port in ports)
        self.assertEqual(first, second)
        self.assertNotEqual(first, third)

    def test_members(self) -> None:
        """
        A member comes into a group and another one goes.
        """
        one = table("one", f"http://127.0.0.1:{self.all.own.port}", addresses="")
        two = table("two", f"socks5h://127.0.0.1:{self.all.dante.port}", addresses="")
        three = table("three", f"h2c://127.0.0.1:{self.all.own.port}", addresses="")
        self.led(one, two, table("far", "", members=["one", "two"]))
        ends = [self.up(), self.up()]
        self.led(two, three, table("far", "", members=["two", "three"]))
        ends += [self.up(), self.up()]
        members = [self.over(each)["member"] for each in ends]
        self.assertEqual((set(members[:2]), set(members[2:])), ({"one", "two"}, {"two", "three"}))

    def test_unknown(self) -> None:
        """
        A way that there is not is told, and the one from before stays in force.
        """
        self.led(table("far", f"http://127.0.0.1:{self.all.own.port}"))
        ends = self.up()
        self.configure(more='[route]\nupstream = ["fat"]\n' + table("far", "http://127.0.0.1:1024"))
        self.assertIn("there is no upstream 'fat'", self.reload(1))
        self.assertEqual([self.over(each)["upstream"] for each in (ends, self.up())], ["far", "far"])
