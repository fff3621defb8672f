"""
The configuration: one schema, a file and options that fill it in, one frozen value.

L{load} is for a process of its own: it reads a TOML file and command-line options;
L{configure} is for an application that says the same in Python.  Both collect every
problem there is before they raise one L{ConfigurationError}.

  - L{connectproxy.config.schema} declares every setting, once;
  - L{connectproxy.config.forms} knows the forms that values may take;
  - L{connectproxy.config.endpoint} understands where to listen;
  - L{connectproxy.config.places} finds the line that a key stands in;
  - L{connectproxy.config.loader} puts it together.

Nothing here knows a reactor, opens a socket or writes a file.
"""

from __future__ import annotations

from connectproxy.config.endpoint import Listener
from connectproxy.config.loader import Config, ConfigurationError, Problem, configure, load
from connectproxy.config.schema import SCHEMA, Setting

__all__ = [
    "SCHEMA",
    "Config",
    "ConfigurationError",
    "Listener",
    "Problem",
    "Setting",
    "configure",
    "load",
]
