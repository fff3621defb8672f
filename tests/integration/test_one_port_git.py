"""
git at the one port.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.integration.gitweb import GitWeb
from tests.integration.origins import Web, authority
from tests.integration.program import OnePortCase

pytestmark = pytest.mark.integration

SIZE = 2500000
"""Octets: more than git sends at once, so that it sends chunks."""


class GitCase(OnePortCase):
    """
    Tests with a repository that is cloned and pushed to.
    """

    def setUp(self) -> None:
        """
        Make a repository with one commit.
        """
        OnePortCase.setUp(self)
        self.repositories = self.temporary()
        self.work = self.repositories / "work"
        self.git("init", "-q", "-b", "main", self.work)
        self.commit(self.work, 1)
        self.git("clone", "-q", "--bare", self.work, self.repositories / "repository.git")

    def git(self, *words: str | Path) -> str:
        """
        Run git without anybody's own settings.
        """
        settings = ("user.name=a", "user.email=a@a.example", "protocol.version=2", "gc.auto=0")
        options = [word for each in settings for word in ("-c", each)]
        return self.command(
            "git", *options, *words, GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0"
        ).decode()

    def commit(self, work: Path, seed: int) -> None:
        """
        Commit a file that can't be compressed.
        """
        (work / f"{seed}").write_bytes(random.Random(seed).randbytes(SIZE))
        self.git("-C", work, "add", ".")
        self.git("-C", work, "commit", "-q", "-m", "A commit")

    def head(self, repository: Path) -> str:
        """
        What a repository's branch leads to.
        """
        return self.git("-C", repository, "rev-parse", "main")

    def through(self, scheme: str, web: Web, *words: str | Path) -> str:
        """
        Run git with the proxy.
        """
        made = authority().certificate
        settings = (f"http.proxy={self.by(scheme)}", f"http.sslCAInfo={made}", f"http.proxySSLCAInfo={made}")
        return self.git(*(word for each in settings for word in ("-c", each)), *words)

    def exchange(self, scheme: str, web: Web) -> None:
        """
        Clone, add a commit, push it.
        """
        clone, remote = self.temporary() / "clone", self.repositories / "repository.git"
        self.through(scheme, web, "clone", "-q", f"{web.url}/repository.git", clone)
        self.git("-C", clone, "fsck", "--strict")
        self.assertEqual(self.head(clone), self.head(remote))
        self.commit(clone, len(list(clone.iterdir())))
        self.through(scheme, web, "-C", clone, "push", "-q", "origin", "main")
        self.git("-C", remote, "fsck", "--strict")
        self.assertEqual(self.head(clone), self.head(remote))

    def assertExchanged(self, web: Web, event: str, protocol: str, *, tls: bool = False) -> None:
        """
        All of it came by the proxy.
        """
        self.assertCame(
            2, event=event, protocol=protocol, targets=[web.address], down=SIZE, tls=tls, more=True
        )
        self.assertGreater(sum(each["bytes_up"] for each in self.served()), SIZE)


class GitTests(GitCase):
    """
    By every scheme that git knows.
    """

    def test_plain(self) -> None:
        """
        From C{http://}: requests that are forwarded, with chunks both ways.
        """
        for scheme in ("http", "https"):
            self.proxy.mark()
            web = self.closing(GitWeb(self.repositories, tls=False))
            self.exchange(scheme, web)
            self.assertExchanged(web, "request", "http/1.1", tls=scheme == "https")

    def test_https(self) -> None:
        """
        From C{https://} by C{http://}.  Not by C{https://}: the libcurl that git has in Debian 12
        forgets what is left of the outer TLS, and waits for more, with any proxy.
        """
        web = self.closing(GitWeb(self.repositories))
        self.exchange("http", web)
        self.assertExchanged(web, "tunnel", "http/1.1")

    def test_socks(self) -> None:
        """
        From C{https://} by C{socks5h://}.
        """
        web = self.closing(GitWeb(self.repositories))
        self.exchange("socks5h", web)
        self.assertExchanged(web, "tunnel", "socks5")


class GitAskedTests(GitCase):
    """
    With a name and a password, which git gives when it is asked for them.
    """

    asks = True

    def test_plain(self) -> None:
        """
        From C{http://} by C{https://}: git is asked before it sends its chunks, or it could not
        send them again.
        """
        web = self.closing(GitWeb(self.repositories, tls=False))
        self.exchange("https", web)
        self.assertExchanged(web, "request", "http/1.1", tls=True)

    def test_https(self) -> None:
        """
        From C{https://} by C{http://}.
        """
        web = self.closing(GitWeb(self.repositories))
        self.exchange("http", web)
        self.assertExchanged(web, "tunnel", "http/1.1")

    def test_socks(self) -> None:
        """
        From C{https://} by C{socks5h://}.
        """
        web = self.closing(GitWeb(self.repositories))
        self.exchange("socks5h", web)
        self.assertExchanged(web, "tunnel", "socks5")
