"""
Tests for L{connectproxy.commands.cert}.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import stat
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.commands.cert import main
from connectproxy.config import load
from connectproxy.tap import Options
from connectproxy.tls import ServerTLS, TLSOptions


class CertTests(SynchronousTestCase):
    """
    The command.
    """

    def setUp(self) -> None:
        """
        A directory that does not exist yet.
        """
        self.directory = Path(self.mktemp()).absolute()

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        """
        Run the command.

        @return: its status, what it prints, and what it complains of.
        """
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        status = main([str(self.directory), *arguments])
        return status, out.getvalue(), err.getvalue()

    def files(self) -> dict[str, int]:
        """
        What was made, with the modes.
        """
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.directory.iterdir()}

    def test_makes(self) -> None:
        """
        A CA and a certificate; keys are for their owner only, whatever the umask.
        """
        self.addCleanup(os.umask, os.umask(0o022))
        status, out, err = self.run_()
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(
            self.files(),
            {"ca.pem": 0o644, "ca-key.pem": 0o600, "proxy.pem": 0o644, "proxy-key.pem": 0o600},
        )
        tls = ServerTLS(
            TLSOptions(((str(self.directory / "proxy.pem"), str(self.directory / "proxy-key.pem")),))
        )
        self.assertEqual((tls.names, tls.notes), (("localhost",), ()))
        for name in self.files():
            self.assertIn(name, out)

    def test_names(self) -> None:
        """
        The names that are given take the place of the usual ones.
        """
        _, out, _ = self.run_("proxy.example", "192.0.2.1")
        tls = ServerTLS(
            TLSOptions(((str(self.directory / "proxy.pem"), str(self.directory / "proxy-key.pem")),))
        )
        self.assertEqual(tls.names, ("proxy.example",))
        self.assertIn("https://proxy.example:8080", out)
        self.directory = self.directory / "other"
        self.assertIn("https://[::1]:8080", self.run_("::1")[1])

    def test_commands(self) -> None:
        """
        The commands that it prints are ones: ours can be parsed, and names the files.
        """
        self.directory = self.directory / "it's here"
        self.directory.parent.mkdir()
        _, out, _ = self.run_()
        serve, ask = re.findall(r"^  (.*)$", out, re.MULTILINE)
        words = shlex.split(serve)
        self.assertEqual(words[:3], ["twistd", "-n", "connectproxy"])
        options = Options()
        options.parseOptions(words[3:])
        (listener,) = options.config.listeners
        self.assertEqual(listener.options["tls_certificate"], (str(self.directory / "proxy.pem"),))
        self.assertEqual(listener.options["tls_key"], (str(self.directory / "proxy-key.pem"),))
        self.assertEqual(shlex.split(ask)[4], str(self.directory / "ca.pem"))

    def test_client(self) -> None:
        """
        On demand a client's certificate too, with what to say in a configuration.
        """
        status, out, _ = self.run_("--client", "alice")
        self.assertEqual(status, 0)
        self.assertEqual(self.files()["client.pem"], 0o644)
        self.assertEqual(self.files()["client-key.pem"], 0o600)
        self.assertIn("--proxy-cert", out)
        path = self.mktemp()
        keys = "\n".join(re.findall(r"^  (client_.*)$", out, re.MULTILINE))
        Path(path).write_text(f'[[listen]]\nendpoint = 8080\ntls_certificate = "a"\n{keys}\n')
        (listener,) = load(path).listeners
        self.assertEqual(listener.options["client_ca"], str(self.directory / "ca.pem"))
        self.assertEqual(listener.options["client_certificates"], "required")

    def test_overwritesNothing(self) -> None:
        """
        A file that is there stays, and then nothing is written at all; unless that is what
        is wanted, and then the mode is right as well.
        """
        self.directory.mkdir()
        key = self.directory / "proxy-key.pem"
        key.write_text("precious")
        key.chmod(0o644)
        status, out, err = self.run_()
        self.assertEqual((status, out), (1, ""))
        self.assertIn("proxy-key.pem: there already", err)
        self.assertIn("--force", err)
        self.assertEqual(self.files(), {"proxy-key.pem": 0o644})
        self.assertEqual(key.read_text(), "precious")
        self.assertEqual(self.run_("--force")[0], 0)
        self.assertEqual(self.files()["proxy-key.pem"], 0o600)
        self.assertNotEqual(key.read_text(), "precious")

    def test_followsNoLink(self) -> None:
        """
        Not even then is a file written that a link leads to.
        """
        self.directory.mkdir()
        precious = Path(self.mktemp())
        precious.write_text("precious")
        (self.directory / "ca.pem").symlink_to(precious.absolute())
        self.assertEqual(self.run_()[0], 1)
        self.assertEqual(self.run_("--force")[0], 0)
        self.assertEqual(precious.read_text(), "precious")

    def test_failures(self) -> None:
        """
        What is no name, and a directory that cannot be made: one line, and status 1.
        """
        for arguments, expected in ((("a b",), "neither a DNS name"), (("--client", ""), "common name")):
            status, out, err = self.run_(*arguments)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(expected, err)
            self.assertEqual(err.count("\n"), 1)
        self.assertFalse(self.directory.exists())
        self.directory = Path(__file__)
        status, _, err = self.run_()
        self.assertEqual(status, 1)
        self.assertIn("File exists", err)
