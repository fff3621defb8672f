"""
Tests for L{connectproxy.config.store}.
"""

from __future__ import annotations

from connectproxy.config import configure
from connectproxy.config.secret import Secret
from connectproxy.config.store import Store
from tests.config.formcase import FormCase


class StoreTests(FormCase):
    """
    Where quotas are counted.
    """

    def test_read(self) -> None:
        """
        Memory, a file, a Redis.
        """
        for value in (
            "memory",
            "sqlite:a.sqlite3",
            "sqlite:/var/lib/a",
            "redis://127.0.0.1:6379/0",
            "rediss://redis.example",
            "redis://[::1]",
        ):
            self.assertEqual(Store().fromTOML(value), value)
            self.assertNotIsInstance(Store().fromTOML(value), Secret)

    def test_refused(self) -> None:
        """
        What is none of them; nothing is repeated, as there may be a password in it.
        """
        for wrong in (
            "",
            "Memory",
            "sqlite:",
            "redis:",
            "redis://",
            "redis://:hidden@",
            "redis://a:hidden",
            "redis://a:0/hidden",
            "redis://[hidden",
            "http://me:hidden@host",
            "redis://a\nhidden",
            5,
            None,
            ["memory"],
        ):
            ((message, advice),) = self.refused(Store(), wrong)
            self.assertNotIn("hidden", message + advice)
            self.assertIn("redis://HOST", advice)

    def test_password(self) -> None:
        """
        A URL with a password is not shown, and has no part in the configuration's id.
        """
        one, other = (
            configure(limits={"store": f"redis://:{word}@127.0.0.1"}) for word in ("hidden", "other")
        )
        self.assertNotIn("hidden", f"{one['limits.store']} {one['limits.store']!r} {dict(one)}")
        self.assertEqual(one["limits.store"], "redis://:hidden@127.0.0.1")
        self.assertEqual(one.id, other.id)
        self.assertNotEqual(one.id, configure(limits={"store": "redis://127.0.0.1"}).id)
