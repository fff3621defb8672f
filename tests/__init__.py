"""
The tests; the tree mirrors the one of L{connectproxy}.
"""

from hypothesis import settings

# How long an example takes says how busy the machine is, and with all tests on all cores it is.
settings.register_profile("tests", parent=settings.default, deadline=None)
settings.load_profile("tests")
