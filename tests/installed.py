"""
Distributions that somebody else has installed, as far as Python can tell: a directory on its
path, with a C{dist-info} that names entry points.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["distribution", "install"]


def distribution(
    home: Path, points: Mapping[str, Mapping[str, str]], *, name: str = "toys", version: str = "1.0"
) -> None:
    """
    Make a directory one that a distribution is installed in.

    @param points: what the entry points of each group lead to, by their names.
    """
    place = home / f"{name}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        line
        for group, found in points.items()
        for line in (f"[{group}]", *(f"{each} = {value}" for each, value in found.items()))
    ]
    (place / "entry_points.txt").write_text("\n".join(lines) + "\n")


def install(
    test: Any,
    points: Mapping[str, Mapping[str, str]],
    modules: Mapping[str, str] | None = None,
    *,
    name: str = "toys",
) -> Path:
    """
    Install a distribution for the time of a test, in front of all others.

    @param modules: the texts of its modules, by their names; none of them has dots.
    @return: the directory.
    """
    home = Path(test.mktemp()).absolute()
    distribution(home, points, name=name)
    for module, text in (modules or {}).items():
        (home / f"{module}.py").write_text(text)
        test.addCleanup(sys.modules.pop, module, None)
    sys.path.insert(0, str(home))
    test.addCleanup(sys.path.remove, str(home))
    return home
