"""
This proxy in front of other ones.
"""

from __future__ import annotations

import pytest

from tests.integration.parentcase import HTTPCase, ParentCase
from tests.integration.parents import Program
from tests.integration.program import PAGE, USER, ProgramTestCase
from tests.integration.running import Proxy

pytestmark = pytest.mark.integration


class SquidTests(HTTPCase, ProgramTestCase):
    """
    Squid.
    """

    way = "squid"
    refusals = ((503, "next_hop_unavailable", 503),)

    def visited(self) -> list[Program | Proxy]:
        return [self.all.squid]


class SquidBasicTests(SquidTests):
    """
    Squid, which wants to know who asks.
    """

    way = "squid-basic"

    def test_known(self) -> None:
        """
        Every request of ours is the user's, also those that it has refused before it knew.
        """
        web = self.web(tls=False)
        options = ("--noproxy", "", "-x", f"http://127.0.0.1:{self.port}")
        self.assertEqual(self.command("curl", "-q", "-sS", *options, f"{web.url}/"), PAGE)
        self.all.squid.waitForLog(rf"TCP_MISS/200 \d+ GET http://{web.address}/ {USER} ")


class SquidDigestTests(SquidBasicTests):
    """
    The same by Digest, which waits for a challenge.
    """

    way = "squid-digest"

    def test_upload(self) -> None:
        """
        As ever, once there is a challenge: what has gone of a body can't be sent again with the
        answer to one.
        """
        self.test_known()
        SquidBasicTests.test_upload(self)


class TinyproxyTests(HTTPCase, ProgramTestCase):
    """
    Tinyproxy.
    """

    way = "tinyproxy"
    refusals = (
        (502, "next_hop_failed", 500),
        (502, "next_hop_failed", 502),
        (503, "next_hop_unavailable", 503),
    )

    def visited(self) -> list[Program | Proxy]:
        return [self.all.tinyproxy]


class TinyproxyBasicTests(TinyproxyTests):
    """
    Tinyproxy, which wants to know who asks.
    """

    way = "tinyproxy-basic"

    def visited(self) -> list[Program | Proxy]:
        return [self.all.asking]


class DanteTests(ParentCase, ProgramTestCase):
    """
    Dante by SOCKS 5, which looks the name up.
    """

    way = "dante"
    halves = True
    refusals = ((502, "connection_refused", None),)

    def visited(self) -> list[Program | Proxy]:
        return [self.all.dante]


class DanteJudgedTests(DanteTests):
    """
    Dante, by the address that this proxy has looked up and judged.
    """

    way = "dante-judged"


class Dante4Tests(DanteTests):
    """
    Dante by SOCKS 4, which knows addresses only and no reasons.
    """

    way = "dante-4"
    refusals = ((502, "next_hop_failed", None),)


class DanteEndpointTests(DanteTests):
    """
    Dante, reached by an endpoint of Twisted's.
    """

    way = "endpoint-tcp"


class MicrosocksTests(DanteTests):
    """
    Microsocks by SOCKS 5, with a user and a password.
    """

    way = "microsocks"
    halves = False

    def visited(self) -> list[Program | Proxy]:
        return [self.all.microsocks]


class NghttpxTests(ParentCase, ProgramTestCase):
    """
    Nghttpx by HTTP/2 within TLS, which goes by squid.  It passes on ends of streams one way only.
    """

    way = "nghttpx"
    relay = "wired"
    refusals = ((503, "next_hop_unavailable", 503),)

    def visited(self) -> list[Program | Proxy]:
        return [self.all.nghttpx, self.all.squid]


class NghttpxClearTests(NghttpxTests):
    """
    The same in clear.
    """

    way = "nghttpx-clear"
