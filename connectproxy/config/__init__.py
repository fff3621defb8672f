"""
The configuration: one schema, a file and options that fill it in, one frozen value.

L{load} is for a process of its own: it reads a TOML file and command-line options;
L{configure} is for an application that says the same in Python.  Both collect every
problem there is before they raise one L{ConfigurationError}.

  - L{connectproxy.config.schema} declares every setting, once, and those that say who may
    go where in L{connectproxy.config.access};
  - L{connectproxy.config.forms} and its like know the forms that values may take;
  - L{connectproxy.config.endpoint} understands where to listen;
  - L{connectproxy.config.listfile} reads lists in files of their own;
  - L{connectproxy.config.source} reads the file, and L{connectproxy.config.places} finds
    the line that a key stands in;
  - L{connectproxy.config.reading} and L{connectproxy.config.arrays} read tables;
  - L{connectproxy.config.row}, L{connectproxy.config.together} and
    L{connectproxy.config.whole} know what does not go together;
  - L{connectproxy.config.loader} puts it together.

Nothing here knows a reactor, opens a socket or writes a file.
"""

from __future__ import annotations

from connectproxy.config.endpoint import Listener
from connectproxy.config.loader import configure, load, loadShadow
from connectproxy.config.nexthop import UpstreamURL
from connectproxy.config.problem import ConfigurationError, Problem
from connectproxy.config.schema import PROFILES, SCHEMA
from connectproxy.config.setting import Setting
from connectproxy.config.value import Config, Row

__all__ = [
    "PROFILES",
    "SCHEMA",
    "Config",
    "ConfigurationError",
    "Listener",
    "Problem",
    "Row",
    "Setting",
    "UpstreamURL",
    "configure",
    "load",
    "loadShadow",
]
