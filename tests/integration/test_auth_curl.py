"""
Who asks, as curl, git and openssl say it: one user by every means.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.gitweb import GitWeb
from tests.integration.identified import NETWORK, OTHERS, KnownCase
from tests.integration.origins import Web, authority
from tests.integration.program import PAGE, PASSWORD, USER
from tests.integration.running import GUARD, environment

pytestmark = pytest.mark.integration


class CurlTests(KnownCase):
    """
    The system's curl.
    """

    def curl(self, *words: str | Path, scheme: str = "http", status: int = 0) -> bytes:
        """
        Run curl with the proxy, and without anybody's own settings.
        """
        made = authority().certificate
        options = ("--noproxy", "", "--cacert", made, "--proxy-cacert", made)
        proxy = f"{scheme}://localhost:{self.proxy.port}"
        return self.command("curl", "-q", "-sS", *options, "-x", proxy, *words, status=status)

    def fetch(self, means: str, *words: str | Path, scheme: str = "http") -> None:
        """
        Get a page through a tunnel, and another one by a request that is forwarded or, by
        SOCKS, a second tunnel: both are the user's.
        """
        webs = self.webs()
        for web in webs:
            self.assertEqual(self.curl(*words, f"{web.url}/", scheme=scheme), PAGE)
        self.assertKnown(means, 2)

    def test_basic(self) -> None:
        """
        By a name and a password, in clear and within TLS; the password has a colon.
        """
        for scheme in ("http", "https"):
            self.fetch("basic", "--proxy-user", f"{USER}:{PASSWORD}", scheme=scheme)

    def test_digest(self) -> None:
        """
        By Digest with SHA-256 (conformance 68).
        """
        self.fetch("digest", "--proxy-digest", "--proxy-user", f"{USER}:{PASSWORD}")
        self.fetch("digest", "--proxy-digest", "--proxy-user", f"{USER}:{PASSWORD}", scheme="https")

    def test_any(self) -> None:
        """
        What is best among those that are offered is Digest, and curl takes it.
        """
        self.fetch("digest", "--proxy-anyauth", "--proxy-user", f"{USER}:{PASSWORD}")

    def test_bearer(self) -> None:
        """
        By a token, in a field that curl is told to send.
        """
        for scheme in ("http", "https"):
            field = f"Proxy-Authorization: Bearer {self.house.token}"
            self.fetch("token", "--proxy-header", field, scheme=scheme)

    def test_wrapped(self) -> None:
        """
        By a token in the place of a password: with the user's name, C{token}, or no name,
        which SOCKS does not permit.
        """
        for name in (USER, "token", ""):
            self.fetch("token", "--proxy-user", f"{name}:{self.house.token}")
            if name:
                self.fetch("token", "--proxy-user", f"{name}:{self.house.token}", scheme="socks5h")

    def test_socks(self) -> None:
        """
        By the name and password of SOCKS 5.
        """
        self.fetch("password", "--proxy-user", f"{USER}:{PASSWORD}", scheme="socks5h")

    def test_certificate(self) -> None:
        """
        By a certificate within TLS, and without credentials.
        """
        self.fetch("certificate", "--proxy-cert", self.house.certificate, scheme="https")

    def test_credentialsFirst(self) -> None:
        """
        Credentials go before what the connection says: who shows ann's certificate and gives
        bob's password is bob.
        """
        name, (_, password) = "bob", OTHERS["bob"]
        options = ("--proxy-cert", self.house.certificate, "--proxy-user", f"{name}:{password}")
        web = self.web()
        self.assertEqual(self.curl(*options, f"{web.url}/", scheme="https"), PAGE)
        self.assertEqual(self.whose(), {("bob", "basic", ("builders",))})

    def test_network(self) -> None:
        """
        By the address, over every protocol.
        """
        for scheme in ("http", "https", "socks5h", "socks4", "socks4a"):
            self.fetch("network", "--interface", NETWORK, "-4", scheme=scheme)

    def test_hashes(self) -> None:
        """
        Each way of hashing, and names and passwords in UTF-8.
        """
        web = self.web()
        for name, (_, password) in OTHERS.items():
            for scheme, means in (("http", "basic"), ("socks5h", "password")):
                self.proxy.mark()
                self.curl("--proxy-user", f"{name}:{password}", f"{web.url}/", scheme=scheme)
                ((user, found, _),) = self.whose()
                self.assertEqual((user, found), (name, means))

    def test_wrong(self) -> None:
        """
        Whoever is wrong, by whatever means, is asked again and gets nowhere; the event names
        nobody.
        """
        web = self.web()
        for words in (
            ("--proxy-user", f"{USER}:guessed"),
            ("--proxy-user", f"nobody:{PASSWORD}"),
            ("--proxy-digest", "--proxy-user", f"{USER}:guessed"),
            ("--proxy-header", f"Proxy-Authorization: Bearer {self.house.forged}"),
            ("--proxy-header", f"Proxy-Authorization: Bearer {self.house.revoked}"),
        ):
            self.proxy.mark()
            # From an address of its own, or one would be kept from guessing for the others.
            self.curl("--interface", "127.0.0.90", "-4", *words, f"{web.url}/", status=56)
            self.proxy.waitForEvents(1)
            found = {(each["status"], each["user"], each["means"]) for each in self.proxy.events()}
            self.assertEqual(found, {(407, None, None)})


class GitTests(KnownCase):
    """
    git, whose proxy is in its settings.
    """

    def clone(self, user: str, *settings: str) -> None:
        """
        Clone a repository from a server of HTTPS.
        """
        place = self.temporary()
        git = ("git", "-c", "user.name=a", "-c", "user.email=a@a.example")
        alone = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        self.command(*git, "init", "-q", "-b", "main", place / "work", **alone)
        self.command(*git, "-C", place / "work", "commit", "-q", "--allow-empty", "-m", "One", **alone)
        self.command(*git, "clone", "-q", "--bare", place / "work", place / "repository.git", **alone)
        web = self.closing(GitWeb(place))
        proxy = f"http.proxy=http://{user}localhost:{self.proxy.port}"
        options = [
            word for each in (proxy, f"http.sslCAInfo={authority().certificate}", *settings)
            for word in ("-c", each)
        ]  # fmt: skip
        self.command(*git, *options, "clone", "-q", f"{web.url}/repository.git", place / "clone", **alone)

    def test_basic(self) -> None:
        """
        By a name and a password in the URL.
        """
        self.clone(f"{USER}:pass%3Aword@", "http.proxyAuthMethod=basic")
        self.assertKnown("basic")

    def test_any(self) -> None:
        """
        Left to itself, git takes Digest.
        """
        self.clone(f"{USER}:pass%3Aword@")
        self.assertKnown("digest")

    def test_token(self) -> None:
        """
        By a token in the place of the password, for want of another place.
        """
        self.clone(f"token:{self.house.token}@", "http.proxyAuthMethod=basic")
        self.assertKnown("token")


class OpenSSLTests(KnownCase):
    """
    C{openssl s_client}, which makes a tunnel for itself.
    """

    def see(self, web: Web, *options: str) -> str:
        """
        Make a handshake with an origin by the proxy.
        """
        proxy = f"127.0.0.1:{self.proxy.port}"
        command = ["openssl", "s_client", "-connect", web.address, "-proxy", proxy, *options]
        return subprocess.run(
            [*command, "-CAfile", str(authority().certificate)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=GUARD,
            check=False,
        ).stdout.decode()

    def test_password(self) -> None:
        """
        By a name and a password; without them there is no tunnel.
        """
        web = self.web()
        said = self.see(web, "-proxy_user", USER, "-proxy_pass", f"pass:{PASSWORD}")
        self.assertIn("Cipher is TLS_", said)
        self.assertKnown("basic")
        self.assertNotIn("Cipher is TLS_", self.see(web))
        self.proxy.waitForEvents(1)
        self.assertEqual({each["status"] for each in self.proxy.events()}, {407})
