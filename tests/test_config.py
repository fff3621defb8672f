"""
Tests for L{connectproxy.config} as a whole: its names, the example and the page of
documentation, which are held to the schema here.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import connectproxy.config
from connectproxy.config import PROFILES, SCHEMA, ConfigurationError, Setting, load
from connectproxy.config.access import ARRAYS
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
            ],
        )
        for name in connectproxy.config.__all__:
            self.assertTrue(hasattr(connectproxy.config, name), name)

    def test_costsLittleToImport(self) -> None:
        """
        A start without a file loads no parser for one; none loads the endpoints, of which
        most starts need none or one, nor what reads zones and names.
        """
        script = (
            "import sys, connectproxy.config as c; c.load(None, {'listen': ('8080',)}); print(*sys.modules)"
        )
        loaded = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split()
        self.assertIn("connectproxy.config.loader", loaded)
        for name in (
            "tomllib",
            "zoneinfo",
            "idna",
            "twisted.cred",
            "twisted.internet.endpoints",
            "twisted.internet.reactor",
            "OpenSSL",
        ):
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
        for line in self.sampled().splitlines():
            if line.startswith("["):
                table = line.strip("[]")
            elif line and not line.startswith("#"):
                found.add(f"{table}.{line.partition(' = ')[0]}")
        self.assertEqual(found, {setting.key for setting in SCHEMA})
        for setting in SCHEMA:
            self.assertIn(f"--{setting.option}", text)

    def sampled(self) -> str:
        """
        The example with its samples: what stands behind a # without a space.
        """
        return re.sub(r"^#(?! )", "", EXAMPLE.read_text(), flags=re.MULTILINE)

    def test_samples(self) -> None:
        """
        The sample tables can be used, once the policy has a default; nothing in them is
        what would hold anyway.
        """
        path = self.mktemp()
        Path(path).write_text(self.sampled())
        error = self.assertRaises(ConfigurationError, load, path)
        self.assertEqual([problem.key for problem in error.problems], ["rule"])
        Path(path).write_text(self.sampled().replace('\ndefault = ""', '\ndefault = "deny"'))
        config = load(path)
        self.assertEqual({table: len(rows) for table, rows in config.rows.items()}, self.count())
        self.assertNotEqual(config.id, load().id)
        self.assertEqual([listener.options["name"] for listener in config.listeners][1:], ["machines"])

    def count(self) -> dict[str, int]:
        """
        How many sample tables there are.
        """
        text = EXAMPLE.read_text()
        found = {table: text.count(f"\n#[[{table}]]\n") for table in ARRAYS}
        self.assertTrue(all(found.values()), found)
        return found


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

    def test_profile(self) -> None:
        """
        The section on the profile has its defaults, and so has the option's help.
        """
        text = PAGE.read_text()
        rows = re.findall(r"^\| `([\w.]+)` \| `(.*)` \|$", text[text.index("## The sandbox profile") :], re.M)
        profile = PROFILES["sandbox"]
        (setting,) = (setting for setting in SCHEMA if setting.key == "proxy.profile")
        self.assertEqual([key for key, _ in rows], list(profile))
        for key, written in rows:
            self.assertEqual(tomllib.loads(f"a = {written}")["a"], profile[key])
            self.assertIn(key, setting.help)

    def test_inAProgram(self) -> None:
        """
        What the page shows of a program is so.
        """
        page = PAGE.read_text()
        page = page[page.index("## In a program") :]
        code = "\n".join(line[4:] for line in page.splitlines() if line.startswith("    "))
        lines = list(re.finditer(r"^(config.*?)  # (.*)$", code, re.MULTILINE))
        self.assertEqual(len(lines), 2)
        for line in lines:
            module: dict[str, Any] = {}
            exec(compile(code[: line.start()], str(PAGE), "exec"), module)
            self.assertEqual(str(eval(line[1], module)).strip("()"), line[2].strip("()"))

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
    if setting.required:
        written = "none: it is required"
    elif isinstance(default, dict):
        written = "`{}`"
    else:
        written = (
            f"`[{', '.join(map(shown, default))}]`" if isinstance(default, list) else f"`{shown(default)}`"
        )
    option = f"`--{' '.join(filter(None, [setting.option, setting.metavar]))}`" if setting.option else ""
    if setting.repeatable:
        option += ", repeatable"
    cells = (f"`{setting.key}`", option, written, setting.form.words, setting.help)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
