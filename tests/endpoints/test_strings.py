"""
Tests for L{connectproxy.endpoints.strings}, and for the plugin by which Twisted finds it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import twisted.plugins.connectproxy_plugin as plugin
from twisted.internet.endpoints import clientFromString, quoteStringArgument
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamClientEndpointStringParserWithReactor
from twisted.plugin import IPlugin, getPlugins
from zope.interface.verify import verifyObject

from connectproxy.endpoints import CONNECTClientEndpoint, SOCKS4ClientEndpoint, SOCKS5ClientEndpoint
from connectproxy.endpoints.strings import parse
from tests.endpoints.case import OPEN, EndpointCase

PROXY = r"tcp\:192.0.2.8\:3128"
TO = "host=origin.example:port=443"


class StringTests(EndpointCase):
    """
    What C{clientFromString} makes of them.
    """

    def endpoint(self, text: str) -> Any:
        endpoint = clientFromString(self.reactor, text)
        verifyObject(IStreamClientEndpoint, endpoint)
        return endpoint

    def heard(self, text: str) -> bytes:
        """
        @return: what the proxy hears first.
        """
        self.results = self.connect(self.endpoint(text))
        self.peer = self.accept(len(self.reactor.attempts) - 1)
        return bytes(self.peer.received)

    def test_connect(self) -> None:
        """
        A destination beyond a proxy that speaks HTTP.
        """
        self.assertTrue(self.heard(f"connect:proxy={PROXY}:{TO}").startswith(b"CONNECT origin.example:443 "))
        attempt = self.reactor.attempts[0]
        self.assertEqual((attempt.host, attempt.port), ("192.0.2.8", 3128))
        self.say(self.peer, OPEN)
        self.assertEqual(self.results[0].heard, ["made"])

    def test_positions(self) -> None:
        """
        Values need no names, as with other endpoints; IPv6 is quoted.
        """
        self.assertTrue(self.heard(rf"connect:{PROXY}:\:\:1:443").startswith(b"CONNECT [::1]:443 "))

    def test_credentials(self) -> None:
        """
        From the string, from a file, from the environment.
        """
        path = Path(self.mktemp())
        path.write_text("ann:secret\n")
        self.patch(os, "environ", {**os.environ, "PROXY_LOGIN": "ann:secret", "PROXY_TOKEN": "abc"})
        expected = b"Basic " + b64encode(b"ann:secret")
        for value in (r"ann\:secret", f"@{path}", "$PROXY_LOGIN"):
            self.assertIn(expected, self.heard(f"connect:proxy={PROXY}:{TO}:credentials={value}"))
        self.assertIn(b"Bearer abc\r\n", self.heard(f"connect:proxy={PROXY}:{TO}:token=$PROXY_TOKEN"))
        digest = f"connect:proxy={PROXY}:{TO}:credentials=$PROXY_LOGIN:authentication=digest"
        self.assertNotIn(b"Authorization", self.heard(digest))

    def test_socks5(self) -> None:
        """
        A destination beyond a proxy that speaks SOCKS 5.
        """
        self.assertIsInstance(self.endpoint(f"socks5:proxy={PROXY}:{TO}"), SOCKS5ClientEndpoint)
        self.assertEqual(self.heard(rf"socks5:proxy={PROXY}:{TO}:credentials=a\:b"), b"\x05\x02\x02\x00")

    def test_socks4(self) -> None:
        """
        And one that speaks SOCKS 4.
        """
        self.assertIsInstance(self.endpoint(f"socks4:proxy={PROXY}:{TO}"), SOCKS4ClientEndpoint)
        self.assertIn(b"ann\0origin.example\0", self.heard(f"socks4:proxy={PROXY}:{TO}:user=ann"))

    def test_nested(self) -> None:
        """
        The proxy may be reached by another of them.
        """
        inner = f"connect:proxy={PROXY}:host=second.example:port=1080"
        text = f"socks5:proxy={quoteStringArgument(inner)}:{TO}"
        self.assertTrue(self.heard(text).startswith(b"CONNECT second.example:1080 "))
        self.say(self.peer, OPEN)
        self.assertTrue(self.peer.received.endswith(b"\r\n\r\n\x05\x01\x00"))

    def test_time(self) -> None:
        """
        There is a limit, which can be said, and none for 0.
        """
        for more, seconds in (("", 30), (":timeout=2.5", 2.5), (":timeout=0", None)):
            self.setUp()
            self.heard(f"connect:proxy={PROXY}:{TO}{more}")
            times = [call.getTime() for call in self.reactor.getDelayedCalls()]
            self.assertEqual(times, [] if seconds is None else [seconds])

    def test_name(self) -> None:
        """
        What messages call the proxy.
        """
        self.heard(f"connect:proxy={PROXY}:{TO}:name=corp:timeout=1")
        self.reactor.advance(1)
        self.assertIn("the next hop corp", str(self.results[0].value))

    def test_wrong(self) -> None:
        """
        What is wrong is said as Twisted says it of others.
        """
        for text, kind in (
            (f"connect:proxy={PROXY}:host=origin.example", TypeError),
            (f"connect:proxy={PROXY}:{TO}:password=x", TypeError),
            (f"connect:proxy={PROXY}:host=origin.example:port=http", ValueError),
            (f"connect:proxy={PROXY}:{TO}:timeout=-1", ValueError),
            (f"connect:proxy=nothing\\:1:{TO}", ValueError),
            (f"socks5:proxy={PROXY}:{TO}:credentials=$NO_SUCH", ValueError),
        ):
            with self.assertRaises(kind):
                clientFromString(self.reactor, text)


class PluginTests(EndpointCase):
    """
    What stands in C{twisted/plugins}.
    """

    def test_interfaces(self) -> None:
        """
        Twisted finds three parsers.
        """
        found = {each.prefix: each for each in getPlugins(IStreamClientEndpointStringParserWithReactor)}
        for name in ("connect", "socks5", "socks4"):
            parser = getattr(plugin, name)
            self.assertIs(found[name], parser)
            verifyObject(IPlugin, parser)
            verifyObject(IStreamClientEndpointStringParserWithReactor, parser)
            self.assertEqual(parser.prefix, name)

    def test_same(self) -> None:
        """
        They do what L{parse} does.
        """
        endpoint = plugin.connect.parseStreamClient(self.reactor, "tcp:a:1", "b", port="2")
        self.assertIsInstance(endpoint, CONNECTClientEndpoint)
        self.assertEqual(
            repr(parse("connect", self.reactor, "unix:/a", "b", "2"))[:28], "<CONNECTClientEndpoint b:2 o"
        )

    def test_loadsNothing(self) -> None:
        """
        To look for the parser of another prefix loads nothing of ours.
        """
        script = (
            "import sys; from twisted.plugin import getPlugins;"
            "from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor as I;"
            "assert 'connect' in [each.prefix for each in getPlugins(I)];"
            "print(*[name for name in sys.modules if name.startswith('connectproxy.')])"
        )
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        self.assertEqual(done.stdout.split(), [])
