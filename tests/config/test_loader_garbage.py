"""
Tests for L{connectproxy.config.loader}: whatever is written.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectproxy.config import SCHEMA, ConfigurationError, configure, load
from connectproxy.config.access import ARRAYS
from tests.config.case import LoadCase
from tests.config.test_forms import TOML

TABLES = st.dictionaries(
    st.sampled_from(["listen", "proxy", "auth", "policy", "allow", "limits", *ARRAYS]) | st.text(max_size=9),
    TOML
    | st.lists(
        st.dictionaries(
            st.sampled_from(sorted({setting.name for setting in SCHEMA})) | st.text(max_size=9), TOML
        ),
        max_size=3,
    )
    | st.dictionaries(st.sampled_from(sorted({setting.name for setting in SCHEMA})), TOML),
    max_size=4,
)
"""Tables of the kind that a tired person might write."""


class GarbageTests(LoadCase):
    """
    Whatever is written, it is a configuration, or there is a L{ConfigurationError}.
    """

    @settings(deadline=None)
    @given(TABLES)
    def test_anyTables(self, tables: dict[str, Any]) -> None:
        """
        Every problem names a place, on one line of printable characters.
        """
        try:
            configure(**tables)
        except ConfigurationError as error:
            self.assertTrue(error.problems)
            for problem in error.problems:
                self.assertTrue(problem.place and problem.message, problem)
                self.assertTrue(str(problem).isprintable(), problem)

    @settings(deadline=None)
    @given(st.lists(st.text(alphabet="[]={}\"'@#,. \n0aeilmnruty", max_size=30), max_size=6))
    def test_anyText(self, lines: list[str]) -> None:
        """
        So it is with a file.
        """
        path = self.write("\n".join(["[[rule]]", *lines, "[policy]"]).encode())
        error = self.assertRaises(ConfigurationError, load, path)
        for problem in error.problems:
            self.assertTrue(problem.place.startswith(path), problem)
            self.assertTrue(str(problem).isprintable(), problem)
