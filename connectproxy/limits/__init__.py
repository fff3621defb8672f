"""
How much of the proxy anybody may have.

  - L{connectproxy.limits.admission} counts all tunnels, and watches descriptors;
  - L{connectproxy.limits.accounts} holds requests to the C{[[limit]]} tables, of which
    L{connectproxy.limits.limit} knows whom each holds for;
  - L{connectproxy.limits.passes} is what those have who were let in;
  - L{connectproxy.limits.share} is what the table keeps of those who share a count;
  - L{connectproxy.limits.bucket} is the arithmetic of so many per second;
  - L{connectproxy.limits.quotas} has octets written that L{connectproxy.limits.tally}
    has counted, in a store of L{connectproxy.limits.store}, by the periods of
    L{connectproxy.limits.period}.
"""

from __future__ import annotations

from connectproxy.limits.accounts import Accounts
from connectproxy.limits.admission import LOOK_AGAIN, Admission, openFiles
from connectproxy.limits.bucket import Bucket
from connectproxy.limits.limit import Limit, Prefixes, buildLimits
from connectproxy.limits.passes import Pass

__all__ = [
    "LOOK_AGAIN",
    "Accounts",
    "Admission",
    "Bucket",
    "Limit",
    "Pass",
    "Prefixes",
    "buildLimits",
    "openFiles",
]
