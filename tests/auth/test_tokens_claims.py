"""
Tests for the claims that L{connectproxy.auth.tokens} takes.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectproxy.auth.tokens import Good
from connectproxy.interfaces.identity import ProxyUser
from tests.auth.tokencase import CLAIMS, NOW, TokenCase, signed


def without(name: str) -> dict[str, Any]:
    """
    The claims but for one.
    """
    return {key: value for key, value in CLAIMS.items() if key != name}


class ClaimTests(TokenCase):
    """
    What claims have to be.
    """

    def test_required(self) -> None:
        """
        Each of the claims has to be there.
        """
        for name, why in (("aud", "aud"), ("iat", "iat"), ("exp", "exp"), ("jti", "jti"), ("sub", "sub")):
            self.assertBad(signed(without(name)), why)

    def test_audience(self) -> None:
        """
        What the same key has signed for something else is no use.
        """
        for audience in (
            "sesame",
            "",
            None,
            [],
            ["sesame"],
            ["connectproxy", "sesame"],
            {"connectproxy": 1},
            1,
        ):
            self.assertBad(signed({**CLAIMS, "aud": audience}), "not meant for this proxy")
        self.assertIsInstance(self.checker.check(signed({**CLAIMS, "aud": ["connectproxy"]})), Good)

    def test_types(self) -> None:
        """
        Claims of another form are refused, and not made to fit.
        """
        for time in ("1", True, None, [], -1, 1e300, 10**40, 253402300800):
            for name in ("iat", "exp", "nbf"):
                self.assertBad(signed({**CLAIMS, name: time}), f"the {name} of the token is no time")
        for text in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 2000):
            claims = json.dumps(without("exp"))[:-1].encode() + b', "exp": ' + text + b"}"
            self.assertBad(signed(claims), "the exp of the token is no time")
        for identifier in ("", "a b", "a\n", "é", "x" * 65, 1, None, ["an-id"], "user:x"):
            self.assertBad(signed({**CLAIMS, "jti": identifier}), "the jti of the token")
        for name in ("", "ses\0ame", "sesame\n", "x" * 256, "\ud800", 1, None, ["sesame"], "ses\u2028ame"):
            self.assertBad(signed({**CLAIMS, "sub": name}), "the sub of the token")
        for names in (
            "sesame",
            None,
            {"sesame": 1},
            [1],
            [""],
            ["a", None],
            ["ses\name"],
            [["a"]],
            ["a"] * 65,
        ):
            for what in ("groups", "limits"):
                self.assertBad(signed({**CLAIMS, what: names}), "the groups or the limits of the token")

    def test_names(self) -> None:
        """
        Names come out in their normal form (conformance 67).
        """
        found = self.checker.check(
            signed({**CLAIMS, "sub": "use\u0301r", "groups": ["e\u0301"], "limits": ["e\u0301"]})
        )
        assert isinstance(found, Good)
        self.assertEqual(found.user, ProxyUser("usér", frozenset("é"), ("é",), "token"))

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        st.sampled_from(("sub", "iat", "exp", "nbf", "jti", "aud", "groups", "limits")),
    )
    def test_anyClaim(self, value: Any, name: str) -> None:
        """
        Whatever a claim is, there is an answer; and who comes out has a name.
        """
        found = self.checker.check(signed({**CLAIMS, name: value}))
        if isinstance(found, Good):
            self.assertTrue(found.user.name and found.expires > NOW)
        else:
            self.assertTrue(found.isascii())
