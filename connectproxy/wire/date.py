"""
The time of day as HTTP writes it (RFC 9110 section 5.6.7).

Owns the value of the field C{Date} in what the proxy sends; what others say of the time
is passed on unread.  It reads the clock of the system, since that is what the field is
about, and no other.
"""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from time import time

__all__ = ["date"]


def date() -> bytes:
    """
    The value of C{Date}.

    @return: within one second, the same object.
    """
    return _write(int(time()))


@lru_cache(1)
def _write(second: int) -> bytes:
    """
    A time in the one format that is to be sent (IMF-fixdate).
    """
    return formatdate(second, usegmt=True).encode("ascii")
