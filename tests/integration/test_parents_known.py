"""
This proxy as a parent that wants to know who asks, by each means that there is between two of
them.
"""

from __future__ import annotations

import atexit
import functools

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.front import Front, table
from tests.integration.identified import household
from tests.integration.origins import authority
from tests.integration.program import PASSWORD, USER
from tests.integration.raw import connect, head, nameOf, readAnswer
from tests.integration.running import Proxy, waitFor

pytestmark = pytest.mark.integration

MEANS = {
    "http-basic": "basic",
    "http-digest": "digest",
    "http-token": "token",
    "https-certificate": "certificate",
    "h2-basic": "basic",
    "h2-digest": "digest",
    "h2-token": "token",
    "h2-certificate": "certificate",
    "socks5h-password": "password",
}
"""The ways, and how the parent is to know the user on each."""


@functools.cache
def pair() -> tuple[Front, Proxy]:
    """
    This proxy in front, and the one that wants to know.
    """
    house, made = household(), authority()
    parent = house.start()
    atexit.register(parent.discard)
    word = f"{USER}:{PASSWORD}"
    secrets = house.folder / "credentials"
    secrets.write_text(f"{word}\n")
    shown = {
        "basic": {"credentials": f"@{secrets}"},
        "digest": {"credentials": word, "authentication": "digest"},
        "token": {"token": house.token},
        "certificate": {"certificate": house.certificate},
        "password": {"credentials": word},
    }
    tables = ""
    for way in MEANS:
        scheme, _, how = way.partition("-")
        ca = made.certificate if scheme in ("https", "h2") else ""
        tables += table(way, f"{scheme}://localhost:{parent.port}", ca=ca, **shown[how])
    front = Front(MEANS, tables)
    atexit.register(front.discard)
    return front, parent


class KnownTests(ProxyTestCase):
    """
    By every means.
    """

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.proxy, self.parent = pair()
        for each in (self.proxy, self.parent):
            each.mark()
            self.addCleanup(each.check)

    def test_tunnels(self) -> None:
        """
        The parent knows the user of each tunnel, and by what; the front keeps that to itself.
        """
        for way, means in MEANS.items():
            for _ in range(2):  # for the second one a challenge is known
                self.parent.mark()
                origin = self.origin()
                client = self.closing(connect(self.proxy.portOf(way)))
                client.sendall(head(f"localhost:{origin.getsockname()[1]}"))
                answer = readAnswer(client)
                self.assertEqual(answer.status, 200, (way, answer))
                peer = self.accept(origin)
                self.assertPings(client, peer)
                name = nameOf(client)
                peer.close()
                client.close()
                self.assertEqual(self.proxy.event(name)["user"], None)

                def found() -> set[tuple[str, str]]:
                    return {
                        (each["user"], each["means"])
                        for each in self.parent.events()
                        if each["status"] == 200
                    }

                self.assertEqual(waitFor(found, "the parent's event"), {(USER, means)}, way)
        self.assertSecret()

    def test_messages(self) -> None:
        """
        So it does of messages, of which one with a body needs a challenge that is known.
        """
        web = self.origin()
        for way in MEANS:
            target = f"localhost:{web.getsockname()[1]}"
            for method, rest in (("GET", "\r\n"), ("POST", "Content-Length: 4\r\n\r\nbody")):
                with connect(self.proxy.portOf(way)) as client:
                    said = f"{method} http://{target}/ HTTP/1.1\r\nHost: {target}\r\n{rest}"
                    client.sendall(said.encode())
                    with web.accept()[0] as peer:
                        heard = b""
                        while not heard.endswith(rest.encode()[-4:]):
                            heard += peer.recv(65536)
                        self.assertNotIn(b"proxy-authorization", heard.lower())
                        peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                        answer = client.recv(65536)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 204 "), (way, answer))
        self.assertSecret()

    def assertSecret(self) -> None:
        """
        What has been shown stands in no log.
        """
        for proxy in (self.proxy, self.parent):
            for word in (PASSWORD, household().token):
                self.assertNotIn(word, proxy.log())
                self.assertNotIn(word, proxy.access.read_text())
