"""
The form of where quotas are counted.

A Redis may want a password, which stands in its URL, so such a URL is a L{Secret}.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from connectproxy.config.forms import Form, Unfit
from connectproxy.config.secret import Secret

__all__ = ["Store"]

_SQLITE = "sqlite:"


class Store(Form):
    """
    C{"memory"}, C{sqlite:} and the name of a file, or the URL of a Redis; the value is the
    text as it stands, a L{Secret} if it has a password in it.  What is counted is state and
    no configuration: a relative name is relative to the directory that the proxy runs in.
    """

    words = "sqlite:FILE, redis://HOST:PORT/NUMBER (rediss:// within TLS), or memory"
    secret = True

    def fromTOML(self, value: Any) -> str:
        """
        Read a place.  Nothing is opened here.
        """
        if not isinstance(value, str) or not value.isprintable():
            raise Unfit(("the value is not a place to count in", f"give {self.words}"))
        if value == "memory":
            return value
        if value.startswith(_SQLITE):
            if value == _SQLITE:
                raise Unfit(("sqlite: names no file", f"give {self.words}"))
            return value
        return self._redis(value)

    def _redis(self, value: str) -> str:
        """
        Read a URL.
        """
        try:
            url = urlsplit(value)
            good = url.scheme in ("redis", "rediss") and url.hostname and url.port != 0
        except ValueError:
            good = False
        if not good:
            raise Unfit(("the value is not a place to count in", f"give {self.words}"))
        return Secret(value) if "@" in value else value
