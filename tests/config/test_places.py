"""
Tests for L{connectproxy.config.places}.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config.places import Path, Places

SAMPLE = '''\
top = 1  # 1
"quoted.key" = 2
[ a . 'b' ]  # 3
x.y = "[not]"
text = """
[nor.this]
z = 1 \\""" ""\\
"""""
other = \'\'\'
[neither] = 1\'\'\'
list = [ # 11
  1, [
  "]", 2],
]
inline = { p = 1, q = { r = 2 } }

[[listen]]
endpoint = 1
[listen.tls]
key = 1
[[listen]]
[[listen.names]]
n = 1
[[listen.names]]
n = 1
[last]
end = 1'''


class PlacesTests(SynchronousTestCase):
    """
    L{Places} knows the line of every key.
    """

    def test_lines(self) -> None:
        """
        Headers, dotted and quoted keys, arrays of tables; what stands in strings,
        comments and arrays does not count.
        """
        tomllib.loads(SAMPLE)  # or the sample shows nothing
        places = Places(SAMPLE)
        for path, line in (
            (("top",), 1),
            (("quoted.key",), 2),
            (("a", "b"), 3),
            (("a", "b", "x", "y"), 4),
            (("a", "b", "text"), 5),
            (("a", "b", "other"), 9),
            (("a", "b", "list"), 11),
            (("a", "b", "inline"), 15),
            (("listen", 0), 17),
            (("listen", 0, "endpoint"), 18),
            (("listen", 0, "tls"), 19),
            (("listen", 0, "tls", "key"), 20),
            (("listen", 1), 21),
            (("listen", 1, "names", 0), 22),
            (("listen", 1, "names", 0, "n"), 23),
            (("listen", 1, "names", 1), 24),
            (("listen", 1, "names", 1, "n"), 25),
            (("last", "end"), 27),
        ):
            self.assertEqual(places.line(path), line, path)

    def test_nearest(self) -> None:
        """
        What has no line of its own has that of what it is in; the first one at worst.
        """
        places = Places(SAMPLE)
        self.assertEqual(places.line(("a", "b", "inline", "q", "r")), 15)
        self.assertEqual(places.line(("a", "b", "list", 1)), 11)
        self.assertEqual(places.line(("nowhere",)), 1)
        self.assertEqual(Places("").line(("x",)), 1)

    def test_otherLineEnds(self) -> None:
        """
        Windows' line ends change nothing.
        """
        self.assertEqual(Places(SAMPLE.replace("\n", "\r\n")).line(("last", "end")), 27)

    def test_everyKeyOfTheExample(self) -> None:
        """
        In the file that the project gives away every key is found, in a line that
        begins with it.
        """
        text = (File(__file__).parents[2] / "tap-config.example").read_text()
        lines = text.splitlines()
        places = Places(text)
        found = list(_keys(tomllib.loads(text), ()))
        self.assertGreater(len(found), 10)
        for path in found:
            line = lines[places.line(path) - 1]
            self.assertTrue(line.startswith(f"{path[-1]} = "), (path, line))

    def test_anythingEnds(self) -> None:
        """
        Text that is no TOML is scanned to its end without an error.
        """
        for cut in range(len(SAMPLE)):
            Places(SAMPLE[:cut]).line(("a",))
            Places(SAMPLE[cut:]).line(("a",))
        Places("[]\n[[]]\n= 1\n]\n}").line(("a",))


def _keys(value: Any, path: Path) -> Iterator[Path]:
    """
    The ways to everything that is neither a table nor an array of tables.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _keys(inner, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for position, inner in enumerate(value):
            yield from _keys(inner, (*path, position))
    else:
        yield path
