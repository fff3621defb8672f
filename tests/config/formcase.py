"""
What tests of forms share.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config.forms import Form, Unfit

__all__ = ["FormCase"]


class FormCase(SynchronousTestCase):
    """
    Reads values, and what is wrong with them.
    """

    def refused(self, form: Form, value: Any) -> list[tuple[str, str]]:
        """
        What is wrong with a value.
        """
        return list(self.assertRaises(Unfit, form.fromTOML, value).complaints)

    def assertRefuses(self, form: Form, values: Iterable[Any], words: str = "") -> None:
        """
        Make sure that a form takes none of some values, for one reason each, in which
        certain words occur.
        """
        for value in values:
            ((message, advice),) = self.refused(form, value)
            self.assertIn(words, f"{message}; {advice}", value)
            self.assertTrue(message.isascii(), value)
