"""
The policy: who may go where.

Rules stand in an order, and the first that matches decides.  Most are tables of the
configuration, which are compiled together, so that a decision takes as long over a
thousand rules and a hundred thousand names as over a few; others, guards among them, are
objects in Python.

  - L{connectproxy.policy.judge} asks them in order;
  - L{connectproxy.policy.table} is compiled rules, over the indexes of
    L{connectproxy.policy.axes}, which are made of L{connectproxy.policy.names},
    L{connectproxy.policy.networks}, L{connectproxy.policy.users} and
    L{connectproxy.policy.hours};
  - L{connectproxy.policy.asked} has the question and the answers;
  - L{connectproxy.policy.build} makes a policy of a configuration, with
    L{connectproxy.policy.rule}, L{connectproxy.policy.lists} and
    L{connectproxy.policy.advice};
  - L{connectproxy.policy.reasons} and L{connectproxy.policy.trace} explain;
  - L{connectproxy.policy.force} is for what outlives a policy.

Nothing here looks a name up, opens a socket or knows a reactor; only what builds a policy
reads files, and blocks.
"""

from __future__ import annotations

from connectproxy.policy.build import buildPolicy, buildShadow
from connectproxy.policy.force import InForce, difference
from connectproxy.policy.judge import DEFAULT, Policy
from connectproxy.policy.trace import Step

__all__ = ["DEFAULT", "InForce", "Policy", "Step", "buildPolicy", "buildShadow", "difference"]
