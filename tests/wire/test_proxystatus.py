"""
Tests of L{connectproxy.wire.proxystatus}.
"""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS
from connectproxy.wire.proxystatus import proxyStatus, withOurs

# RFC 9651 sections 3.3.3 and 3.3.4, written anew from the grammar and not taken from the module.
STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
TOKEN = r"[A-Za-z*][-!#$%&'*+.^_`|~0-9A-Za-z:/]*"
MEMBER = re.compile(
    rf"(?P<id>{STRING}|{TOKEN}); error=(?P<error>{TOKEN})(?:; details=(?P<details>{STRING}))?"
)

DENIED = KINDS["http_request_denied"]


def unquoted(string: str) -> str:
    """What an sf-string stands for."""
    return re.sub(r"\\(.)", r"\1", string[1:-1])


class ProxyStatusTests(SynchronousTestCase):
    """
    One member says who refused, with which error type, and in words.
    """

    def test_saysWhoAndWhy(self) -> None:
        """An identifier that is a token stands as it is; without details there is no parameter for them (conformance 62)."""
        self.assertEqual(proxyStatus("egress.example", DENIED), "egress.example; error=http_request_denied")
        self.assertEqual(proxyStatus("*a:1/b", DENIED), "*a:1/b; error=http_request_denied")

    def test_leavesEmptyDetailsAway(self) -> None:
        """A refusal without a detail has the empty string, which says nothing and is not sent."""
        self.assertEqual(proxyStatus("p", DENIED, ""), "p; error=http_request_denied")

    def test_givesTheErrorTypeAndNotTheName(self) -> None:
        """Our own names go on from the RFC's; what is sent is the RFC's (conformance 63)."""
        kind = KINDS["http_request_line_too_long"]
        self.assertEqual(proxyStatus("p", kind), "p; error=http_request_error")

    def test_quotesAnIdentifierThatIsNoToken(self) -> None:
        """A name with a space, or with a digit in front, has to be a string (conformance 62)."""
        self.assertEqual(proxyStatus("my proxy", DENIED), '"my proxy"; error=http_request_denied')
        self.assertEqual(proxyStatus("10.0.0.1", DENIED), '"10.0.0.1"; error=http_request_denied')
        self.assertEqual(proxyStatus("[::1]:3128", DENIED), '"[::1]:3128"; error=http_request_denied')

    def test_escapesDetails(self) -> None:
        """Quotes and backslashes are escaped; what is not printable ASCII is spelt out (conformance 63)."""
        for details, written in (
            ("plain words", "plain words"),
            ('say "no"', r"say \"no\""),
            ("octet \\x16", r"octet \\x16"),
            ("one\r\ntwo\x00", r"one\\r\\ntwo\\x00"),
            ("caf\xe9 \u2603", r"caf\\xe9 \\u2603"),
            ("tab\tdel\x7f", r"tab\\tdel\\x7f"),
        ):
            expected = f'p; error=http_request_denied; details="{written}"'
            self.assertEqual(proxyStatus("p", DENIED, details), expected)

    def test_saysWhatWasReceived(self) -> None:
        """The status of a next hop's refusal is told beside ours (conformance 63)."""
        self.assertEqual(
            proxyStatus("p", DENIED, "no", received=451),
            'p; error=http_request_denied; received-status=451; details="no"',
        )

    def test_standsBehindOthers(self) -> None:
        """On a success our member only says that we were there, and is the last (conformance 62)."""
        self.assertEqual(withOurs("a; next-hop=b, c", "p"), "a; next-hop=b, c, p")
        self.assertEqual(withOurs("a", "my proxy"), 'a, "my proxy"')

    def test_refusesAnEmptyIdentifier(self) -> None:
        """A member that names nobody is a mistake of ours."""
        self.assertRaises(ValueError, proxyStatus, "", DENIED)
        self.assertRaises(ValueError, withOurs, "a", "")

    def test_writesEveryKind(self) -> None:
        """Each row of the table gives a valid member with the row's error type (conformance 63)."""
        for kind in KINDS.values():
            found = MEMBER.fullmatch(proxyStatus("p", kind, kind.cause))
            self.assertIsNotNone(found, kind.name)
            self.assertEqual(found and found["error"], kind.proxyStatus)

    @settings(deadline=None, database=None, derandomize=True)
    @given(st.text(min_size=1), st.text())
    def test_isValidWhateverTheWords(self, identifier: str, details: str) -> None:
        """Any text gives a valid member, and printable ASCII comes back from it unchanged."""
        found = MEMBER.fullmatch(proxyStatus(identifier, DENIED, details))
        self.assertIsNotNone(found)
        assert found is not None
        if details.isascii() and details.isprintable():
            self.assertEqual(unquoted(found["details"] or '""'), details)
        if not re.fullmatch(TOKEN, identifier):
            self.assertTrue(found["id"].startswith('"'))
