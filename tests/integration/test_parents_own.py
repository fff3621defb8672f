"""
This proxy in front of itself, by every protocol and every way to get there, and chains.
"""

from __future__ import annotations

import pytest

from tests.integration.parentcase import HTTPCase, OwnCase, ParentCase
from tests.integration.parents import Program
from tests.integration.program import ProgramTestCase
from tests.integration.raw import nameOf
from tests.integration.running import Proxy

pytestmark = pytest.mark.integration


class OwnHTTPTests(HTTPCase, OwnCase, ProgramTestCase):
    """
    By C{http}.
    """

    way = "http"


class OwnHTTPSTests(OwnHTTPTests):
    """
    By C{https}, with an authority of one's own.  Within TLS there is no half-close.
    """

    way = "https"
    relay = "wired"
    halves = False


class OwnHTTP2Tests(OwnCase, ProgramTestCase):
    """
    By C{h2}.
    """

    way = "h2"
    relay = "wired"


class OwnClearHTTP2Tests(OwnHTTP2Tests):
    """
    By C{h2c}.
    """

    way = "h2c"


class OwnSOCKSTests(OwnCase, ProgramTestCase):
    """
    By SOCKS 5.
    """

    way = "socks"
    refusals = ((502, "connection_refused", None),)


class OwnSOCKS4Tests(OwnSOCKSTests):
    """
    By SOCKS 4A.
    """

    way = "socks-4a"
    refusals = ((502, "next_hop_failed", None),)


class OwnSOCKSSecureTests(OwnSOCKSTests):
    """
    By SOCKS 5 within TLS.
    """

    way = "socks-tls"
    relay = "wired"
    halves = False


class OwnUnixTests(OwnHTTPTests):
    """
    By a UNIX socket.
    """

    way = "unix"
    relay = "wired"


class OwnEndpointTests(OwnUnixTests):
    """
    By an endpoint that leads to the UNIX socket.
    """

    way = "endpoint"


class StraightTests(ParentCase, ProgramTestCase):
    """
    By an endpoint that leads to destinations itself.
    """

    way = "straight"
    halves = True
    refusals = ((502, "connection_refused", None),)

    def assertPassed(self, port: int) -> None:
        """
        There is nobody to pass by.
        """


class TwoTests(ParentCase, ProgramTestCase):
    """
    A chain of squid and Dante.
    """

    way = "two"
    refusals = ((502, "connection_refused", None),)

    def visited(self) -> list[Program | Proxy]:
        return [self.all.squid, self.all.dante]

    def test_chained(self) -> None:
        """
        The first is asked for the second, and the second for the origin.
        """
        client, peer = self.opened(self.origin())
        self.assertPings(client, peer)
        name = nameOf(client)
        client.close()
        peer.close()
        self.all.squid.waitForLog(rf"CONNECT 127\.0\.0\.1:{self.all.dante.port} ")
        self.assertEqual(self.proxy.event(name)["address"], f"127.0.0.1:{self.all.squid.port}")


class ThreeTests(HTTPCase, OwnCase, ProgramTestCase):
    """
    A chain of nghttpx by HTTP/2, squid by Digest, and this proxy by HTTPS.
    """

    way = "three"
    relay = "wired"
    halves = False

    def assertWent(self, target: str, came: str) -> None:
        """
        It is a message for the last one only.
        """
        self.assertEqual(len(self.names(came)), 2)
        self.assertPassed(int(target.rpartition(":")[2]))


class MixedTests(OwnCase, ProgramTestCase):
    """
    A chain of microsocks, tinyproxy and this proxy by HTTP/2, which keeps one connection for all.
    """

    way = "mixed"
    relay = "wired"
