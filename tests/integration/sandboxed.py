"""
The sandbox: origins with packages for pip, npm and git, and a proxy of the profile beside them.

Origins are on this machine's loopback and go by names of their own, which the proxy finds in
a hosts file that nobody but it sees (a mount namespace).
"""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from unittest import SkipTest

from connectproxy.certificates import makeAuthority, makeServer
from tests.integration.gitweb import GitWeb
from tests.integration.origins import Authority, Web
from tests.integration.running import GUARD, ROOT, Proxy, environment, waitFor

__all__ = ["PAGE", "RUN", "USER", "Sandbox", "namespaces", "ran", "sandbox"]

RUN = ROOT / "examples" / "sandbox" / "run"

USER = "agent-7"

PAGE = b"a page, out of the sandbox\n"

NAMES = ("pypi.example", "registry.example", "git.example", "web.example", "later.example", "other.example")
"""Names of the origins.  The last is on no list, and the one before only later."""

_KEY = "connectproxy-token.key"


def namespaces(*sorts: str) -> tuple[str, ...]:
    """
    The beginning of a command that runs the rest in new namespaces, as root there.

    @param sorts: what they are of: C{net}, C{mount}.
    @raise SkipTest: the kernel makes none here; nothing could be installed that helps.
    """
    program = shutil.which("unshare")
    assert program is not None, "unshare is missing: install util-linux"
    users = () if os.geteuid() == 0 else ("--map-root-user",)
    words = (program, *users, *(f"--{sort}" for sort in sorts))
    done = subprocess.run([*words, "true"], capture_output=True, timeout=GUARD, check=False, text=True)
    if done.returncode:
        raise SkipTest(
            f"the kernel makes no namespaces here ({done.stderr.strip()}): the container has to be started with"
            " CAP_SYS_ADMIN, or users have to be allowed to make some"
        )
    return words


def wheel() -> bytes:
    """
    A package for Python: the module C{tiny}.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("tiny.py", "SIZE = 1\n")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        names = [f"{each},," for each in (*file.namelist(), "tiny-1.0.dist-info/RECORD")]
        file.writestr("tiny-1.0.dist-info/RECORD", "\n".join(names) + "\n")
    return made.getvalue()


def pypi() -> dict[str, bytes]:
    """
    An index of one package (PEP 503); its page is where an index has it.
    """
    name, file = "tiny-1.0-py3-none-any.whl", wheel()
    link = f'<a href="../../{name}#sha256={hashlib.sha256(file).hexdigest()}">{name}</a>'
    return {"/simple/tiny/": f"<!DOCTYPE html><html><body>{link}</body></html>".encode(), f"/{name}": file}


def registry(url: str) -> dict[str, bytes]:
    """
    A registry with one package for Node.

    @param url: where it is.
    """
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as file:
        about = {"name": "tiny", "version": "1.0.0", "main": "index.js"}
        for name, octets in (
            ("package.json", json.dumps(about).encode()),
            ("index.js", b"exports.size = 1\n"),
        ):
            member = tarfile.TarInfo(f"package/{name}")
            member.size, member.mode = len(octets), 0o644
            file.addfile(member, io.BytesIO(octets))
    octets = made.getvalue()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(octets).digest()).decode()
    path = "/tiny/-/tiny-1.0.0.tgz"
    dist = {"tarball": url + path, "integrity": integrity}
    document = {
        "name": "tiny",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": {**about, "dist": dist}},
    }
    return {"/tiny": json.dumps(document).encode(), path: octets}


def repository(directory: Path) -> None:
    """
    A git repository with one commit, C{tiny.git}.
    """
    work = directory / "work"
    settings = ("-c", "user.name=a", "-c", "user.email=a@a.example", "-c", "gc.auto=0")
    for words in (
        ("init", "-q", "-b", "main", str(work)),
        ("-C", str(work), "commit", "-q", "--allow-empty", "-m", "A commit"),
        ("clone", "-q", "--bare", str(work), str(directory / "tiny.git")),
    ):
        subprocess.run(
            ["git", *settings, *words],
            env=environment(HOME="/nonexistent", GIT_CONFIG_NOSYSTEM="1"),
            timeout=GUARD,
            check=True,
        )


class _Index(Web):
    """
    An index of packages for Python, which has to say that its pages are HTML.
    """

    def __init__(self, pages: dict[str, bytes], made: Authority) -> None:
        Web.__init__(self, pages, made=made)
        plain: Any = self._server.RequestHandlerClass

        class Request(plain):  # type: ignore[misc]
            def send_header(self, keyword: str, value: str) -> None:
                html = keyword == "Content-Type" and self.path.endswith("/")
                plain.send_header(self, keyword, "text/html" if html else value)

        self._server.RequestHandlerClass = Request


def ran(
    *words: str | Path, directory: Path, before: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """
    Run a command, with a home of its own, and without what the machine has set for pip and npm.

    @param directory: where.
    """
    kept = {
        name: value
        for name, value in environment().items()
        if not name.lower().startswith(("pip_", "npm_", "git_"))
    }
    return subprocess.run(
        [*before, *map(str, words)],
        cwd=directory,
        env=kept | {"HOME": str(directory)} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=GUARD,
        check=False,
        text=True,
    )


class Sandbox:
    """
    Origins, and a proxy that lets nobody go but to those on its list, with a token.

    @ivar proxy: it.
    @ivar list: its allow-list.
    @ivar token: a file with a good token.
    @ivar urls: where each origin is, by its name without C{.example}.
    @ivar trusted: the certificates of whom the origins' certificates are from.
    """

    def __init__(self) -> None:
        before = namespaces("mount")
        namespaces("net")
        self._temporary = tempfile.TemporaryDirectory(prefix="connectproxy-")
        directory = self.directory = Path(self._temporary.name)
        ca = makeAuthority("connectproxy tests")
        server = makeServer(ca, NAMES)
        made = Authority(*(directory / name for name in ("ca.pem", "chain.pem", "key.pem")))
        made.certificate.write_bytes(ca.certificatePEM)
        made.chain.write_bytes(server.certificatePEM)
        made.key.write_bytes(server.keyPEM)
        self.trusted = made.certificate
        repository(directory)
        files: dict[str, bytes] = {}
        self._origins = [
            _Index(pypi(), made),
            Web(files, made=made),
            GitWeb(directory, made=made),
            *(Web({"/": PAGE}, tls=False) for _ in range(3)),
        ]
        self.urls = {}
        for name, origin in zip(NAMES, self._origins, strict=True):
            scheme = origin.url.partition(":")[0]
            self.urls[name.partition(".")[0]] = f"{scheme}://{name}:{origin.port}"
        files.update(registry(self.urls["registry"]))
        hosts = directory / "hosts"
        hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in NAMES))
        self.list = directory / "allow.txt"
        git, web = (self.urls[name].rpartition(":")[2] for name in ("git", "web"))
        self.write(
            f"# what agents may reach\npypi.example\n.registry.example  # and all below\ngit.example:{git}\n"
            f"web.example:{web}\n"
        )
        mounted = 'mount --bind "$0" /etc/hosts && exec "$@"'
        self.proxy = Proxy(
            *("--profile", "sandbox", "--allow", str(self.list)),
            # The origins are on loopback, and at ports that they were given.
            *("--allow-network", "127.0.0.0/8", "--allow-ports", "1024-65535"),
            before=(*before, "sh", "-c", mounted, str(hosts)),
        )
        self.token = self.minted()

    def minted(self, *options: str) -> Path:
        """
        Make a token, as the proxy's log says.

        @return: the file that it is in.
        """
        key = self.proxy.directory / _KEY
        words = (sys.executable, "-m", "connectproxy", "token", "--key", key, "--user", USER)
        done = ran(*words, *options, directory=self.directory)
        assert done.returncode == 0, done.stderr
        path = self.directory / f"{len(list(self.directory.glob('*.token')))}.token"
        path.write_text(done.stdout)
        return path

    def write(self, text: str) -> None:
        """
        Write the list, in one step.
        """
        fresh = self.directory / "allow.new"
        fresh.write_text(text)
        fresh.replace(self.list)

    def run(
        self, *words: str | Path, directory: Path, known: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """
        Run a command in a namespace whose only way out is the proxy.

        @param known: whether it has the token.
        """
        options = ("--token", str(self.token)) if known else ()
        where = self.proxy.addresses[0]
        return ran(
            *(sys.executable, RUN, "--proxy", where, *options, "--", *words), directory=directory, **variables
        )

    def decisions(self, count: int = 0, since: int = 0) -> list[dict[str, Any]]:
        """
        The lines of the audit file.

        @param count: wait until there are that many.
        @param since: leave out that many.
        """
        path = self.proxy.directory / "connectproxy-audit.jsonl"

        def lines() -> list[str]:
            return path.read_text().splitlines()[since:]

        waitFor(lambda: len(lines()) >= count, f"{count} decisions")
        return [json.loads(line) for line in lines()]

    def leaks(self) -> list[str]:
        """
        Where a token, or the key, is in anything that the proxy has written.
        """
        secrets = [path.read_bytes().strip() for path in self.directory.glob("*.token")]
        secrets += [base64.b64encode(b"token:" + each) for each in secrets]
        secrets += [each.rpartition(b".")[2] for each in secrets if b"." in each]
        secrets.append((self.proxy.directory / _KEY).read_bytes().strip())
        files = [path for path in self.proxy.directory.rglob("*") if path.is_file() and path.name != _KEY]
        assert len(files) >= 3, files  # the log, the events, the audit file
        return [str(path) for path in files for each in secrets if each in path.read_bytes()]

    def close(self) -> None:
        """
        Let everything go.
        """
        for each in self._origins:
            each.close()
        self.proxy.discard()
        self._temporary.cleanup()


@functools.cache
def sandbox() -> Sandbox:
    """
    The one that all tests share.
    """
    made = Sandbox()
    atexit.register(made.close)
    return made
