"""
Tests for L{connectproxy} itself: the names that the package offers.
"""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import connectproxy

ROOT = Path(__file__).parents[1]


class ExportsTests(SynchronousTestCase):
    """
    The public names.  Whoever changes this list changes what users rely on.
    """

    def test_public(self) -> None:
        """
        These, each from its home.
        """
        self.assertEqual(
            connectproxy.__all__,
            ["Config", "ConfigurationError", "ProxyService", "__version__", "configure", "load"],
        )
        from connectproxy import config, service

        self.assertIs(connectproxy.ProxyService, service.ProxyService)
        for name in ("Config", "ConfigurationError", "configure", "load"):
            self.assertIs(getattr(connectproxy, name), getattr(config, name))

    def test_listed(self) -> None:
        """
        C{dir} shows them, loaded or not.
        """
        self.assertLessEqual(set(connectproxy.__all__), set(dir(connectproxy)))

    def test_others(self) -> None:
        """
        There are no others, and the error is the usual one.
        """
        with self.assertRaises(AttributeError) as caught:
            connectproxy.Nonsense  # noqa: B018 - looking is the test
        self.assertEqual(str(caught.exception), "module 'connectproxy' has no attribute 'Nonsense'")

    def test_loadsNothing(self) -> None:
        """
        Importing the package, or the plugin as each C{twistd} command does, loads none
        of our modules, and the package no Twisted either.
        """
        for module, path, allowed in (
            ("connectproxy", ROOT, {"connectproxy"}),
            ("connectproxy_plugin", ROOT / "twisted" / "plugins", set()),
        ):
            script = (
                f"import sys; sys.path.insert(0, {str(path)!r}); import {module};"
                "print(*[name for name in sys.modules if name.split('.')[0] in ('connectproxy', 'twisted')])"
            )
            run = subprocess.run(
                [sys.executable, "-c", script],
                check=True,
                capture_output=True,
                text=True,
                cwd=self.makedirs(),
            )
            loaded = set(run.stdout.split())
            self.assertEqual({name for name in loaded if name.startswith("connectproxy.")}, set())
            if allowed:
                self.assertEqual(loaded, allowed)

    def makedirs(self) -> str:
        """
        A directory to run in that has no modules.
        """
        path = self.mktemp()
        Path(path).mkdir(parents=True)
        return path


class VersionTests(SynchronousTestCase):
    """
    The version stands in one place.
    """

    def test_isSingle(self) -> None:
        """
        The metadata take it from the package.
        """
        parser = ConfigParser()
        parser.read(ROOT / "setup.cfg")
        self.assertEqual(parser["metadata"]["version"], "attr: connectproxy.__version__")
        self.assertRegex(connectproxy.__version__, r"\A[0-9]+\.[0-9]+\.[0-9]+\Z")
