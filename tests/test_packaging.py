"""
What an installation gets: builds the wheel, looks into it, installs it beside Twisted.

Also holds the commands that the README promises to those that C{.ci/run} runs.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
import twisted
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]

TWISTD = "from twisted.scripts.twistd import run; run()"
"""The C{twistd} command, for a Python whose environment has no scripts."""

pytestmark = pytest.mark.integration


def run(*arguments: str | Path, cwd: Path) -> str:
    """
    Run a command that knows nothing of the checkout, and must succeed.

    @return: what it wrote.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, arguments)),
        cwd=cwd,
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{arguments} failed:\n{done.stdout}"
    return done.stdout


def build(sources: Path, into: Path) -> Path:
    """
    Build a wheel from a copy, so that nothing left over from earlier builds gets into
    it and none of ours stays behind.

    @return: the wheel.
    """
    copy = into / "sources"
    copy.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(sources / name, copy)
    for name in ("connectproxy", "twisted"):
        shutil.copytree(
            sources / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache")
        )
    run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", into, copy),
        cwd=into,
    )
    (wheel,) = into.glob("*.whl")
    return wheel


@functools.cache
def theWheel() -> Path:
    """
    Our wheel, built once for all tests.
    """
    directory = tempfile.mkdtemp(prefix="connectproxy-wheel-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return build(ROOT, Path(directory))


class WheelTests(SynchronousTestCase):
    """
    What is in the wheel.
    """

    def setUp(self) -> None:
        """
        Read the list of its files.
        """
        with zipfile.ZipFile(theWheel()) as wheel:
            names = wheel.namelist()
            (metadata,) = (name for name in names if name.endswith("/METADATA"))
            self.metadata = wheel.read(metadata).decode()
        self.names = {name for name in names if ".dist-info/" not in name}
        self.licences = [name for name in names if name.endswith("/LICENSE")]

    def test_shadowsNothingOfTwisted(self) -> None:
        """
        Below C{twisted} there is the plugin and nothing else: a single C{__init__.py}
        would replace Twisted's.
        """
        self.assertEqual(
            {name for name in self.names if not name.startswith("connectproxy/")},
            {"twisted/plugins/connectproxy_plugin.py"},
        )

    def test_isComplete(self) -> None:
        """
        Every module of the checkout is in it, since the packages are listed by hand.
        """
        expected = {str(path.relative_to(ROOT)) for path in (ROOT / "connectproxy").rglob("*.py")}
        self.assertEqual(
            {name for name in self.names if name.startswith("connectproxy/")},
            expected | {"connectproxy/py.typed"},
        )

    def test_metadata(self) -> None:
        """
        Name, licence, the Python and the Twisted that it wants, and at run time nothing
        but what comes with Twisted.
        """
        for line in (
            "Name: connectproxy",
            "License-Expression: MIT",
            "Requires-Python: >=3.11",
        ):
            self.assertIn(f"{line}\n", self.metadata)
        required = re.findall(r"^Requires-Dist: (.*)$", self.metadata, re.MULTILINE)
        always = [each for each in required if "extra ==" not in each]
        self.assertEqual(
            sorted(re.split(r"[ >=<\[]", each)[0].lower() for each in always),
            ["cryptography", "hpack", "idna", "pyopenssl", "service_identity", "twisted", "zope.interface"],
        )
        self.assertEqual(len(self.licences), 1)


class InstallationTests(SynchronousTestCase):
    """
    What the wheel does where it is installed.
    """

    def setUp(self) -> None:
        """
        Make an environment with Twisted, as if installed there, and the wheel; what
        Twisted needs is borrowed from the one that the tests run in.
        """
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)
        environment = self.directory / "environment"
        run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=self.directory)
        self.python = environment / "bin" / "python"
        where = run(
            self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=self.directory
        )
        self.site = Path(where.strip())
        source = Path(twisted.__file__).parent
        # The tests of Twisted are half of it, and take most of the time of copying.
        shutil.copytree(
            source,
            self.site / "twisted",
            ignore=shutil.ignore_patterns("test", "__pycache__", "dropin.cache"),
        )
        # A .pth file in a directory that a .pth file names has no effect: an editable
        # installation of ours in there stays out.
        (self.site / "borrowed.pth").write_text(f"{source.parent}\n")
        self.before = set(self.site.rglob("*.py"))
        run(
            *(sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet"),
            *("--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile", theWheel()),
            cwd=self.directory,
        )

    def test_twistdListsIt(self) -> None:
        """
        C{twistd --help} knows the command, and all those of Twisted's own still.
        """
        listed = run(self.python, "-c", TWISTD, "--help", cwd=self.directory)
        self.assertRegex(listed, r"\n +connectproxy +A forward proxy")
        self.assertRegex(listed, r"\n +web +")
        self.assertIn(
            "--listen", run(self.python, "-c", TWISTD, "connectproxy", "--help", cwd=self.directory)
        )

    def test_itIsTheInstalledOne(self) -> None:
        """
        What the environment imports is what was installed, and Twisted is Twisted's.
        """
        script = (
            "import connectproxy.tap, twisted.plugins; print(connectproxy.__file__); print(twisted.__file__)"
        )
        self.assertEqual(
            run(self.python, "-c", script, cwd=self.directory).split(),
            [str(self.site / "connectproxy" / "__init__.py"), str(self.site / "twisted" / "__init__.py")],
        )
        self.assertIn(self.site / "twisted" / "plugins" / "__init__.py", self.before)

    def test_badOptionsFail(self) -> None:
        """
        C{twistd} says what is wrong, all of it, and exits with a status that is not 0.
        """
        for program in (self.python, sys.executable):
            done = subprocess.run(
                [program, "-c", TWISTD, "-n", "connectproxy", "--idle-timeout=1h", "--listen=0.0.0.0:0"],
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": "" if program is self.python else str(ROOT)},
                check=False,
                capture_output=True,
                text=True,
            )
            self.assertEqual(done.returncode, 1, done.stdout)
            lines = done.stderr.splitlines()
            self.assertEqual(lines[0], "connectproxy cannot start:")
            self.assertEqual([line.partition(":")[0] for line in lines[1:]], ["--idle-timeout", "--listen"])


class CommandTests(SynchronousTestCase):
    """
    The commands that others are told to use are the ones that are run.
    """

    def test_suiteOnAFreshMachine(self) -> None:
        """
        The line that C{.ci/run} runs stands in the README word for word, as the only
        thing in its block.
        """
        script = (ROOT / ".ci" / "run").read_text()
        (command,) = re.findall(r"^(python3 -m venv .*pytest.*)$", script, re.MULTILINE)
        blocks = re.findall(
            r"^```(?:sh|shell|bash|console)?\n(.*?)\n```$", (ROOT / "README.md").read_text(), re.M | re.S
        )
        self.assertIn(command, blocks)

    def test_oldestTwisted(self) -> None:
        """
        What C{scripts/check} tests as the oldest Twisted is what the metadata promise.
        """
        parser = ConfigParser()
        parser.read(ROOT / "setup.cfg")
        match = re.search(
            r"^Twisted\[tls\] >= ([0-9.]+)$", parser["options"]["install_requires"], re.MULTILINE
        )
        assert match is not None
        self.assertIn(f"oldest={match[1]}\n", (ROOT / "scripts" / "check").read_text())

    def test_packagesAreListed(self) -> None:
        """
        Each directory with modules is in C{setup.cfg}, and each package listed exists.
        """
        parser = ConfigParser()
        parser.read(ROOT / "setup.cfg")
        listed = set(parser["options"]["packages"].split())
        found = {
            ".".join(path.parent.relative_to(ROOT).parts)
            for path in (ROOT / "connectproxy").rglob("__init__.py")
        }
        self.assertEqual(listed, found | {"twisted.plugins"})
