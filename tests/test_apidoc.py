"""
The API reference: C{scripts/apidoc} makes it, and takes no docstring that is wrong.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "apidoc"

pytestmark = pytest.mark.integration

RIGHT = '''
    """
    A module; see L{IThing.act} and L{connectproxy.Thing}.
    """

    from OpenSSL import SSL
    from twisted.internet.interfaces import IAddress, IProtocol
    from zope.interface import Interface, implementer


    class IThing(IProtocol):
        """
        What acts.
        """

        def act(address: IAddress) -> None:
            """
            Act, as L{IPushProducer} and L{SSL.Context} do.

            @param address: an L{IAddress}, or L{None}.
            @raise ValueError: see L{IProtocol.makeConnection}, L{int} and L{ValueError}.
            """


    @implementer(IThing)
    class Thing:
        """
        One.
        """

        pattern = __import__("re").compile(rb"a*+")
'''
WRONG = '''

    def one(name):
        """
        Links to L{Nothing}, L{twisted.internet.interfaces.INothing} and L{connectproxy.Nothing}.
        """


    def two(name):
        """
        Has C{no end.
        """


    def three(name):
        """
        Has another parameter.

        @param other: is none.
        """
'''


class ReferenceTests(SynchronousTestCase):
    """
    The script, run as people run it.
    """

    def script(self, root: Path, *words: str) -> tuple[int, str, list[str]]:
        """
        Run it.

        @return: its status, and what it writes to standard output and, in lines, to standard
            error.
        """
        done = subprocess.run(
            [sys.executable, root / "scripts" / "apidoc", *words],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.splitlines()

    def package(self, text: str) -> Path:
        """
        A checkout with one module in it.
        """
        root = Path(self.mktemp()).absolute()
        for name in ("scripts", "connectproxy"):
            (root / name).mkdir(parents=True)
        (root / "scripts" / "apidoc").write_bytes(SCRIPT.read_bytes())
        (root / "connectproxy" / "__init__.py").write_text(dedent(text).lstrip())
        return root

    def test_ours(self) -> None:
        """
        Nothing is wrong with ours.
        """
        self.assertEqual(self.script(ROOT, "--check"), (0, "", []))

    def test_pages(self) -> None:
        """
        Pages are written where it says; what is others' leads to their pages.
        """
        root = self.package(RIGHT)
        status, said, wrong = self.script(root)
        self.assertEqual((status, wrong), (0, []))
        pages = root / "build" / "apidocs"
        self.assertEqual(said.strip(), str(pages / "index.html"))
        page = (pages / "connectproxy.IThing.html").read_text()
        for address in (
            "https://docs.twisted.org/en/stable/api/twisted.internet.interfaces.IAddress.html",
            "https://docs.twisted.org/en/stable/api/twisted.internet.interfaces.IProtocol.html#makeConnection",
            "https://docs.twisted.org/en/stable/api/twisted.internet.interfaces.IPushProducer.html",
            "https://www.pyopenssl.org/en/stable/api.html",
            "https://docs.python.org/3/library/constants.html#None",
            "https://docs.python.org/3/library/exceptions.html#ValueError",
        ):
            self.assertIn(f'href="{address}"', page)

    def test_wrong(self) -> None:
        """
        Each docstring that is wrong is named, with its line, whether pages are wanted or not.
        """
        root = self.package(RIGHT + WRONG)
        first = RIGHT.count("\n")
        for words in (("elsewhere",), ("--check",)):
            status, said, wrong = self.script(root, *words)
            self.assertEqual((status, said), (1, ""))
            places = {line.partition(": ")[0] for line in wrong if line.startswith("connectproxy/")}
            self.assertEqual(
                places, {f"connectproxy/__init__.py:{first + number}" for number in (4, 10, 18)}, wrong
            )
            for name in ("Nothing", "twisted.internet.interfaces.INothing", "connectproxy.Nothing"):
                self.assertTrue(any(f'"{name}"' in line for line in wrong), wrong)
        self.assertTrue((root / "elsewhere" / "index.html").exists())
        self.assertFalse((root / "build").exists())
