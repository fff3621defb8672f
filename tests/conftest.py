"""
What pytest needs to run the tests as trial does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """
    Run in a temporary directory: C{TestCase.mktemp} writes to the one that it finds
    itself in, which would be the checkout.
    """
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("trial"))
    yield
    os.chdir(before)
