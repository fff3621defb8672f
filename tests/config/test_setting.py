"""
Tests for L{connectproxy.config.setting}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config.forms import Flag
from connectproxy.config.setting import Setting


class SettingTests(SynchronousTestCase):
    """
    One row.
    """

    def test_parts(self) -> None:
        """
        A key is a table and a name; what is not said is not so.
        """
        setting = Setting("table.name_of_it", "", False, Flag(), "", "what it is")
        self.assertEqual((setting.table, setting.name), ("table", "name_of_it"))
        self.assertFalse(setting.repeatable)
        self.assertFalse(setting.required)
