"""
Credentials of every kind, right and wrong, in none of what a run writes.

Each secret has a marker of its own.  What the proxy has written, printed and answered is
searched for all of them, also in Base64, in percent-encoding and in hexadecimal digits.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.identified import basic, operate
from tests.integration.markers import Secrets
from tests.integration.origins import authority
from tests.integration.raw import connect, listening, readAnswer, readExactly, readToEnd
from tests.integration.running import GUARD, ROOT, Proxy, environment, waitFor
from tests.integration.streams import Session

pytestmark = pytest.mark.integration

CONFIG = """\
[[listen]]
endpoint = "tcp:0:interface=127.0.0.1"
tls_certificate = "{made.chain}"
tls_key = "{made.key}"

[access_log]
file = "{access}"

[audit]
file = "audit"

[control]
socket = "control"

[allow]
networks = ["127.0.0.0/8"]
ports = "1024-65535"

[auth]
basic = "{basic}"
users = "input/users"
digest_users = "input/digest"
token_keys = ["input/key"]
revoked_tokens = "input/revoked"
checkers = ["talkative:{argument}"]
guesses = 0
{more}
[limits]
store = "redis://:{redis}@127.0.0.1:{port}/0"

[[limit]]
name = "all"
per = "all"
quota = "1 GiB"

[[rule]]
name = "closed"
action = "deny"
destinations = ["closed.test"]

[policy]
default = "allow"
"""


class SecretsTests(ProxyTestCase):
    """
    One run with everything.
    """

    def setUp(self) -> None:
        """
        Files of users, none of them where the proxy writes.
        """
        self.secrets = secrets = Secrets()
        self.heard: list[bytes] = []
        self.folder = folder = self.temporary()
        (inputs := folder / "input").mkdir()
        self.right = secrets.new("the password of a file of users")
        operate("passwd", "--stdin", "--scheme", "scrypt", inputs / "users", "ann", said=f"{self.right}\n")
        self.digest = secrets.new("the password of a file for Digest")
        digests = ("--stdin", "--digest", "connectproxy", inputs / "digest", "dan")
        operate("passwd", *digests, said=f"{self.digest}\n")
        self.token = operate("token", "--new-key", "--key", inputs / "key", "--user", "tom").strip()
        self.revoked = operate("token", "--key", inputs / "key", "--user", "tom").strip()
        operate(
            "token", "--key", inputs / "key", "--revoke", "--revoked", inputs / "revoked", said=self.revoked
        )
        self.forged = operate("token", "--new-key", "--key", inputs / "other", "--user", "tom").strip()
        for name, token in (("good", self.token), ("revoked", self.revoked), ("forged", self.forged)):
            for part, octets in zip(("claims", "signature"), token.split(".")[1:], strict=True):
                secrets.add(f"the {part} of the {name} token", octets)
        secrets.add("the key of tokens", (inputs / "key").read_text().strip().rstrip("="))
        for file, what in (("users", "the hash of a password"), ("digest", "the hash of Digest")):
            secrets.add(
                what, (inputs / file).read_text().strip().rpartition("$" if file == "users" else ":")[2]
            )
        plugins = inputs / "path" / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("talkative.py"), plugins)
        self.pair = secrets.new("the password of auth.basic")
        with listening() as port:
            self.words: dict[str, Any] = {
                "made": authority(), "basic": f"bea:{self.pair}", "argument": secrets.new("the argument of a checker"),
                "redis": secrets.new("the password of Redis"), "port": port.getsockname()[1], "more": "",
            }  # fmt: skip

    def configure(self, **more: str) -> None:
        """
        Write the configuration.
        """
        (self.folder / "proxy.toml").write_text(CONFIG.format(**(self.words | more)))

    def started(self, access: str) -> Proxy:
        """
        Start the proxy in the directory of its files.
        """
        self.words["access"] = access
        self.configure()
        paths = os.pathsep.join([str(self.folder / "input" / "path"), str(ROOT)])
        before = ("env", "-C", str(self.folder), f"PYTHONPATH={paths}")
        self.proxy = self.launch("--config", "proxy.toml", listen=(), events=False, before=before)
        waitFor((self.folder / "control").exists, f"the control socket:\n{self.proxy.log()}")
        self.proxy.access = self.folder / "access"
        return self.proxy

    def command(self, name: str, *words: str) -> bytes:
        """
        Run a command of C{connectproxy} that asks the proxy.
        """
        done = subprocess.run(
            [sys.executable, "-m", "connectproxy", name, *words, "--control", str(self.folder / "control")],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=GUARD,
            check=False,
        )
        self.heard.append(done.stdout)
        return done.stdout

    def send(self, octets: bytes, *, wait: bool = True) -> bytes:
        """
        Send octets, and hear what comes.
        """
        with connect(self.proxy.port) as client:
            client.sendall(octets)
            if wait:
                client.shutdown(socket.SHUT_WR)
                self.heard.append(readToEnd(client)[0])
                return self.heard[-1]
        return b""

    def asked(self, value: str, target: str = "closed.test:4430") -> int:
        """
        Ask for a tunnel, with credentials.

        @return: the status.
        """
        request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: {value}\r\n\r\n"
        with connect(self.proxy.port) as client:
            client.sendall(request.encode())
            answer = readAnswer(client)
            self.heard.append(repr(answer).encode())
            return answer.status

    def byDigest(self, password: str, what: str) -> int:
        """
        Ask by Digest.
        """
        with connect(self.proxy.port) as client:
            client.sendall(b"CONNECT closed.test:4430 HTTP/1.1\r\nHost: a\r\n\r\n")
            found = re.search('nonce="([^"]+)"', readAnswer(client).fields["proxy-authenticate"])
        assert found is not None

        def hashed(text: str) -> str:
            return hashlib.sha256(text.encode()).hexdigest()

        secret, asked = hashed(f"dan:connectproxy:{password}"), hashed("CONNECT:closed.test:4430")
        response = hashed(f"{secret}:{found[1]}:00000001:abc:auth:{asked}")
        self.secrets.add(what, response)
        return self.asked(
            f'Digest username="dan", realm="connectproxy", nonce="{found[1]}", uri="closed.test:4430", qop=auth,'
            f' algorithm=SHA-256, response="{response}", nc=00000001, cnonce="abc"'
        )

    def bySOCKS(self, user: str, password: str) -> bytes:
        """
        Log in by SOCKS 5.
        """
        with connect(self.proxy.port) as client:
            words = bytes([len(user)]) + user.encode() + bytes([len(password)]) + password.encode()
            client.sendall(b"\x05\x01\x02\x01" + words + b"\x05\x01\0\x01\x7f\0\0\x01\x01\xbb")
            return readExactly(client, 4)

    def byHTTP2(self, value: str) -> int | None:
        """
        Ask by HTTP/2.
        """
        session = self.closing(Session(self.proxy.port))
        fields = ((":method", "CONNECT"), (":authority", "closed.test:4430"), ("proxy-authorization", value))
        stream = session.streams[session.ask(*fields)]
        session.until(lambda: stream.status or stream.over)
        self.heard.append(bytes(stream.octets))
        session.close()
        return stream.status

    def useRight(self) -> None:
        """
        Everything that is right: whoever is known is denied by the rule.
        """
        for user, password in (("bea", self.pair), ("ann", self.right)):
            self.assertEqual(self.asked(basic(user, password)), 403)
            self.assertEqual(self.byHTTP2(basic(user, password)), 403)
            self.assertEqual(self.bySOCKS(user, password), b"\x05\x02\x01\0")
        self.assertEqual(self.asked(f"Bearer {self.token}"), 403)
        self.assertEqual(self.asked(basic("token", self.token)), 403)
        self.assertEqual(self.bySOCKS("tom", self.token), b"\x05\x02\x01\0")
        self.assertEqual(self.byDigest(self.digest, "the response of right Digest"), 403)

    def useWrong(self) -> None:
        """
        Everything that is wrong.
        """
        new = self.secrets.new
        for user in ("ann", "bea", "nobody"):
            self.assertEqual(self.asked(basic(user, new(f"a wrong password of {user}"))), 407)
            self.assertEqual(self.byHTTP2(basic(user, new(f"a wrong password of {user} by HTTP/2"))), 407)
            self.assertNotEqual(self.bySOCKS(user, new(f"a wrong password of {user} by SOCKS"))[3], 0)
        for token in (self.forged, self.revoked):
            self.assertEqual(self.asked(f"Bearer {token}"), 407)
            self.assertEqual(self.asked(basic("tom", token)), 407)
            self.bySOCKS("tom", token)
        self.assertEqual(
            self.byDigest(new("a wrong password for Digest"), "the response of wrong Digest"), 407
        )
        for user in ("raises", "fails", "gives"):
            for ask in (self.asked, self.byHTTP2):
                self.assertEqual(ask(basic(user, new(f"what the checker {user} by {ask.__name__}"))), 500)
            self.bySOCKS(user, new(f"what the checker {user} by SOCKS"))

    def useMalformed(self) -> None:
        """
        What is no request, or not whole, or has credentials where none belong.
        """
        new = self.secrets.new
        start = b"CONNECT closed.test:4430 HTTP/1.1\r\nHost: closed.test:4430\r\n"
        for name, form in (
            ("no scheme", "Proxy-Authorization: {}"), ("no Base64", "Proxy-Authorization: Basic {}!"),
            ("no colon", "Proxy-Authorization: Basic {}"), ("a space", "Proxy-Authorization : Basic {}"),
            ("no end", "Proxy-Authorization: Bearer {}\0"), ("no token", "Proxy-Authorization: Bearer eyJ{}.a.b"),
            ("a parameter", 'Proxy-Authorization: Digest username="dan", response="{}'),
            ("another scheme", "Proxy-Authorization: Negotiate {}"), ("Authorization", "Authorization: Basic {}"),
            ("a cookie", "Cookie: session={}"), ("no field", "{}"),
        ):  # fmt: skip
            self.send(start + form.format(new(name)).encode() + b"\r\n\r\n")
        twice = f"Proxy-Authorization: {basic('ann', new('one of two'))}\r\n" * 2
        self.send(start + twice.encode() + b"\r\n")
        for name, target in (
            ("in the target", "ann:{}@closed.test:4430"), ("in an URL", "http://ann:{}@closed.test:4430/"),
            ("in a query", "http://closed.test:4430/?token={}"), ("in a fragment", "http://closed.test:4430/#{}"),
        ):  # fmt: skip
            for method in ("CONNECT", "GET"):
                words = f"{method} {target.format(new(f'{name} of {method}'))} HTTP/1.1\r\nHost: closed.test:4430\r\n"
                self.send(words.encode() + f"Proxy-Authorization: {basic('bea', self.pair)}\r\n\r\n".encode())
        self.send(start + b"Proxy-Authorization: Basic " + new("what breaks off").encode())
        self.send(b"\x05\x01\x02\x01\x03ann\x40" + new("what breaks off in SOCKS").encode())
        self.send(b"\x05\x01\x02\x05\x03ann\x12" + new("another version").encode())
        self.send(b"\x04\x01\x11\x4e\0\0\0\x01" + new("the user of SOCKS 4").encode() + b"\0closed.test\0")
        self.send(start + b"Proxy-Authorization: Basic " + new("what is reset").encode(), wait=False)

    def useReload(self) -> None:
        """
        Reload what is right, and what is wrong in all ways.
        """
        new = self.secrets.new
        changed = new("another password of auth.basic")
        self.configure(basic=f"bea:{changed}")
        self.assertIn(b"is in force", self.command("reload"))
        self.assertEqual(self.asked(basic("bea", changed)), 403)
        for more in (
            {"basic": new("no pair")}, {"basic": "bea:" + new("too long") + "x" * 300},
            {"argument": "x", "more": f'checkers = ["{new("no checker")}:{new("its argument")}"]'},
            {"port": "99999", "redis": new("the password of no URL")},
            {"basic": new("no string") + '"'},
        ):  # fmt: skip
            self.configure(**more)
            self.command("reload")
        for file in ("users", "digest", "key", "revoked"):
            path = self.folder / "input" / file
            before = path.read_bytes()
            self.configure()
            path.write_bytes(f"{new(f'nonsense among {file}')}:x y z\n".encode())
            self.command("reload")
            path.write_bytes(before)
        self.configure()
        count = self.proxy.log().count("is in force")
        os.kill(self.proxy.process.pid, signal.SIGHUP)
        waitFor(lambda: self.proxy.log().count("is in force") > count, "the reload")

    def run_(self, access: str) -> None:
        """
        The whole of it.
        """
        self.started(access)
        for _ in range(2):
            self.useRight()
            self.useWrong()
            self.useMalformed()
            for words in (("status",), ("status", "--json")):
                self.assertIn(b"configuration", self.command(*words))
            self.useReload()
        self.proxy.terminate()
        self.proxy.wait()
        written = [path for path in self.folder.rglob("*") if path.is_file() and not self.given(path)]
        texts = {str(path): path.read_bytes() for path in (*written, self.proxy.output)}
        texts["answers"] = b"\n".join(self.heard)
        self.assertGreaterEqual(len(written), 2 if access == "access" else 1, written)
        said = {name: self.secrets.found(text) for name, text in texts.items()}
        self.assertEqual({name: found for name, found in said.items() if found}, {})
        # It has been there: who was let in is named, and the failures of the checker are.
        self.assertIn(b'"user":"ann"', (texts[str(self.folder / "audit")]))
        self.assertIn(b"the checker talkative could not check a password", texts[str(self.proxy.output)])
        self.proxy._checked = len(self.proxy.log())  # it was to complain

    def given(self, path: Path) -> bool:
        """
        Whether a file is what the proxy was given, and not what it has written.
        """
        return path == self.folder / "proxy.toml" or self.folder / "input" in path.parents

    def test_file(self) -> None:
        """
        With events in a file.
        """
        self.run_("access")

    def test_log(self) -> None:
        """
        With events in the log.
        """
        self.run_("log")

    def test_found(self) -> None:
        """
        The search finds each secret in each form, wherever it stands: it could fail.
        """
        secret = self.secrets.made["the password of auth.basic"]
        for before in (b"", b"a", b"ab", b"user:"):
            for octets in (
                before + secret + b"x", base64.b64encode(before + secret + b"more"), quote(secret).encode(),
                base64.urlsafe_b64encode(before + secret), (before + secret).hex().encode(), repr(secret).encode(),
            ):  # fmt: skip
                self.assertEqual(self.secrets.found(octets), ["the password of auth.basic"], octets)
        self.assertEqual(self.secrets.found(b"nothing"), [])
