"""
Tests for L{connectproxy.config} as a whole: its names, the example and the page of
documentation, which are held to the schema here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import connectproxy.config
from connectproxy.config import SCHEMA, ConfigurationError, Setting, load
from connectproxy.config.forms import shown

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tap-config.example"
PAGE = ROOT / "docs" / "options.md"


class NamesTests(SynchronousTestCase):
    """
    What the package offers.
    """

    def test_public(self) -> None:
        """
        These names, and all of them exist.
        """
        self.assertEqual(
            connectproxy.config.__all__,
            [
                "SCHEMA",
                "Config",
                "ConfigurationError",
                "Listener",
                "Problem",
                "Setting",
                "configure",
                "load",
            ],
        )
        for name in connectproxy.config.__all__:
            self.assertTrue(hasattr(connectproxy.config, name), name)

    def test_costsLittleToImport(self) -> None:
        """
        A start without a file loads no parser for one, and none loads the endpoints, of
        which most starts need none or one.
        """
        script = (
            "import sys, connectproxy.config as c; c.load(None, {'listen': ('8080',)}); print(*sys.modules)"
        )
        loaded = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split()
        self.assertIn("connectproxy.config.loader", loaded)
        for name in ("tomllib", "twisted.internet.endpoints", "twisted.internet.reactor", "OpenSSL"):
            self.assertNotIn(name, loaded)


class ExampleTests(SynchronousTestCase):
    """
    C{tap-config.example}.
    """

    def test_hasTheDefaults(self) -> None:
        """
        Taken as it is, it changes nothing.
        """
        config = load(str(EXAMPLE))
        self.assertEqual(config, load())
        self.assertEqual(config.id, load().id)

    def test_isComplete(self) -> None:
        """
        Every key stands in it, below its table, and every option is named.
        """
        found = set()
        table = ""
        text = EXAMPLE.read_text()
        for line in text.splitlines():
            if line.startswith("["):
                table = line.strip("[]")
            elif line and not line.startswith("#"):
                found.add(f"{table}.{line.partition(' = ')[0]}")
        self.assertEqual(found, {setting.key for setting in SCHEMA})
        for setting in SCHEMA:
            self.assertIn(f"--{setting.option}", text)


class PageTests(SynchronousTestCase):
    """
    C{docs/options.md}.
    """

    def test_tableIsTheSchema(self) -> None:
        """
        The table has a row for every setting, in the schema's order and words.  If it
        has not, the right one is in the failure's message.
        """
        text = PAGE.read_text()
        begin = text.index("<!-- begin: held to the schema by a test -->")
        rows = text[begin : text.index("<!-- end -->", begin)].split("\n")[4:-2]
        expected = [_row(setting) for setting in SCHEMA]
        self.assertEqual(rows, expected, "\n" + "\n".join(expected))

    def test_messagesAreTheRealOnes(self) -> None:
        """
        What the page shows of a wrong configuration is what would be said.
        """
        shownLines = [line.strip() for line in PAGE.read_text().splitlines()]
        begin = shownLines.index("connectproxy cannot start:") + 1
        path = self.mktemp()
        Path(path).write_text("\n" * 5 + "[timeouts]\nidel = 5\n")
        error = self.assertRaises(ConfigurationError, load, path, {"max-tunnels": "many"})
        self.assertEqual(
            str(error).replace(path, "proxy.toml").splitlines(),
            shownLines[begin : begin + len(error.problems)],
        )


def _row(setting: Setting) -> str:
    """
    What the page says about a setting.
    """
    default = setting.default
    written = f"[{', '.join(map(shown, default))}]" if isinstance(default, list) else shown(default)
    option = f"`--{' '.join(filter(None, [setting.option, setting.metavar]))}`" if setting.option else ""
    if setting.repeatable:
        option += ", repeatable"
    cells = (f"`{setting.key}`", option, f"`{written}`", setting.form.words, setting.help)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
