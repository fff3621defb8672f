"""
What the tests of pages in C{docs/} have in common that show whole configurations: their
blocks as files, beside the keys, users and certificates that their commands would have made.

The first line of such a block names its file.
"""

from __future__ import annotations

import io
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.hashes import makeHash
from connectproxy.auth.tokenfiles import newKey
from connectproxy.certificates import makeAuthority, makeServer
from connectproxy.wire.authorization import secretHash

DOCS = Path(__file__).parents[1] / "docs"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\S+)\n")
CODE = re.compile(r"`([^`]+)`")

USERS = ("ann", "bob", "carl", "dora", "eve")


class Recipe(NamedTuple):
    """
    A section of a page.

    @ivar title: its heading.
    @ivar prose: what is in no block.
    @ivar files: the blocks that name their files.
    """

    title: str
    prose: str
    files: dict[str, str]


@cache
def recipes(page: str) -> dict[str, Recipe]:
    """
    The sections of a page that have blocks with files, by their headings.
    """
    found = {}
    for part in re.split(r"^## ", (DOCS / page).read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        files: dict[str, str] = {}
        for _, block in FENCE.findall(text):
            match = NAMED.match(block)
            if match is not None:
                assert match[1] not in files, (title, match[1])
                files[match[1]] = block
        if files:
            found[title] = Recipe(title, " ".join(FENCE.sub("", text).split()), files)
    return found


@cache
def secrets() -> dict[str, bytes]:
    """
    What the commands of the pages make.
    """
    authority = makeAuthority("an authority of the tests")
    server = makeServer(authority, ["localhost"])
    hashed = makeHash("scrypt", b"secret")
    digests = [
        f"{user}:connectproxy:{secretHash('SHA-256', user.encode(), b'connectproxy', b'secret').decode()}"
        for user in USERS
    ]
    return {
        "users.htpasswd": "".join(f"{user}:{hashed}\n" for user in USERS).encode(),
        "users.digest": "".join(f"{line}\n" for line in digests).encode(),
        "revoked.txt": b"",
        "proxy.pem": server.certificatePEM,
        "proxy.key": server.keyPEM,
        "partner-ca.pem": authority.certificatePEM,
        "clients-ca.pem": authority.certificatePEM,
    }


class PageCase(SynchronousTestCase):
    """
    Makes the files of a recipe.
    """

    def make(self, recipe: Recipe) -> None:
        """
        Write the files into a directory of their own, and go there.
        """
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(directory)
        for name, octets in secrets().items():
            Path(name).write_bytes(octets)
        for name in ("token.key", "connectproxy-token.key"):
            newKey(name)
        for name, text in recipe.files.items():
            Path(name).write_text(text)

    def ran(self, main: Any, *arguments: str) -> tuple[int, str]:
        """
        Run a command.

        @return: its status, and what it prints.
        """
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", out)
        return main(arguments), out.getvalue()
