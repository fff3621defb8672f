"""
Tests for L{connectproxy.auth.build}.
"""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from connectproxy.auth import Authenticator, build, buildAuthenticator
from connectproxy.auth.build import KEY_FILE
from connectproxy.auth.tokenfiles import newKey
from connectproxy.auth.tokens import mint
from connectproxy.config import ConfigurationError, configure
from connectproxy.interfaces import ProxyUser
from tests.auth.case import BCRYPT, SCRYPT, SECRET, arrivalOf, asking, basic
from tests.auth.portalcase import digestOf
from tests.fakes import FakeReactor


class BuildTests(SynchronousTestCase):
    """
    An authenticator from a configuration.
    """

    def setUp(self) -> None:
        """
        A directory, and what is logged.
        """
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def file(self, name: str, text: str) -> str:
        """
        Write a file.
        """
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def build(self, **tables: Any) -> Authenticator:
        """
        Build one.
        """
        made = buildAuthenticator(FakeReactor(), configure(**tables))
        assert made is not None
        self.addCleanup(made.close)
        return made

    def problems(self, **tables: Any) -> list[str]:
        """
        What is wrong with a configuration.
        """
        error = self.assertRaises(ConfigurationError, self.build, **tables)
        return str(error).replace(f"{self.directory}/", "").splitlines()

    def schemes(self, made: Authenticator) -> str:
        """
        What clients are asked for.
        """
        refusal: Any = made.identify(asking())
        return " ".join(value.partition(" ")[0] for _, value in refusal.fields)

    def test_nothing(self) -> None:
        """
        Where nothing is configured nobody is asked.
        """
        self.assertIs(buildAuthenticator(FakeReactor(), configure()), None)

    def test_pair(self) -> None:
        """
        The one pair is known at once; the realm is what the proxy calls itself (conformance
        65 and 67).
        """
        made = self.build(auth={"basic": f"Aladdin:{SECRET}"}, proxy={"name": "cave"})
        self.assertEqual(
            made.identify(asking(basic(f"Aladdin:{SECRET}"))), ProxyUser("Aladdin", means="basic")
        )
        refusal: Any = made.identify(asking())
        self.assertEqual(refusal.fields, (("Proxy-Authenticate", 'Basic realm="cave", charset="UTF-8"'),))
        self.assertEqual(made.files, ())

    def test_everything(self) -> None:
        """
        All ways together; every file is told, for whoever watches them.
        """
        dora = sha256(f"dora:proxy:{SECRET}".encode()).hexdigest()
        keys = str(self.directory / "token.key")
        key = newKey(keys)
        users = self.file("users", f"zoë:{SCRYPT}\n")
        digests = self.file("digests", f"dora:proxy:{dora}\n")
        revoked = self.file("revoked", "gone\n")
        people = self.file("people", "# all of us\nzoe\u0308\n dora \n")
        made = self.build(
            proxy={"name": "proxy"},
            auth={
                "users": users,
                "digest_users": digests,
                "token_keys": [keys],
                "revoked_tokens": revoked,
                "checkers": ["memory:jo:x"],
            },
            group=[{"name": "people", "users": [f"@{people}", "jo"]}, {"name": "lab", "users": "lab"}],
            identity=[
                {"user": "lab", "networks": ["198.51.100.0/24"], "groups": ["quiet"], "limits": ["slow"]}
            ],
            limit=[{"name": "slow", "tunnels": 1}],
        )
        self.assertEqual(set(made.files), {users, digests, keys, revoked, people})
        self.assertEqual(self.schemes(made), "Digest Basic Bearer")
        group = frozenset({"people"})
        self.assertEqual(made.identify(asking(basic("jo:x"))), ProxyUser("jo", group, (), "basic"))
        token = mint(key, "ci")[0].encode()
        self.assertEqual(made.identify(asking(b"Bearer " + token)), ProxyUser("ci", means="token"))
        refusal: Any = made.identify(asking())
        found = made.identify(asking(digestOf(refusal.fields[0][1])))
        self.assertEqual(found, ProxyUser("dora", group, (), "digest"))
        hashed: Any = made.identify(asking(basic(f"zoë:{SECRET}")))
        # It is another thread's to find out, which may have been quick.
        self.assertTrue(isinstance(hashed, Deferred) or hashed.name == "zoë")
        lab = ProxyUser("lab", frozenset({"lab", "quiet"}), ("slow",), "network")
        self.assertEqual(made.known(arrivalOf("198.51.100.9")), lab)

    def test_settings(self) -> None:
        """
        The settings of tables without files have their effect.
        """
        made = self.build(auth={"basic": "a:b", "guesses": 1, "guesses_period": 7, "cache": 0})
        self.assertEqual(made.identify(asking(basic("a:x"))).kind, "proxy_authentication_required")  # type: ignore[union-attr]
        wait: Any = made.identify(asking(basic("a:b")))
        self.assertEqual(wait.fields, (("Retry-After", "7"),))
        made = self.build(
            auth={"basic": "a:b", "require_tls": True},
            listen=[{"endpoint": "127.0.0.1:0", "tls_certificate": ["x"]}],
        )
        self.assertEqual(made.identify(asking(basic("a:b"))).kind, "http_request_denied")  # type: ignore[union-attr]

    def test_identityOnly(self) -> None:
        """
        That clients are known by their connections is enough to be asked for nothing.
        """
        made = self.build(identity=[{"user": "lab", "networks": ["198.51.100.0/24"]}])
        self.assertEqual(made.identify(asking()).kind, "http_request_denied")  # type: ignore[union-attr]

    def test_problems(self) -> None:
        """
        Everything that is wrong in any file is told at once, with its line, and none of what
        stands there (conformance 69).
        """
        problems = self.problems(
            auth={
                "users": self.file("users", f"# users\nzoe:{SECRET}\njo:{BCRYPT.replace('$04$', '$31$')}\n"),
                "digest_users": self.file("digests", f"dora:other:{'0' * 64}\n"),
                "token_keys": [self.file("key", SECRET)],
                "revoked_tokens": self.file("revoked", "what is this\n"),
                "checkers": ["nosuch:" + SECRET],
            },
            group=[
                {
                    "name": "people",
                    "users": ["@" + self.file("people", "zoe\na\x01b\n"), "@" + str(self.directory / "none")],
                }
            ],
        )
        self.assertEqual(
            sorted(each.partition(": ")[0] for each in problems),
            [
                '[[group]] 1 "people"', "auth.checkers nosuch", "digests:1", "key", "people:2", "revoked:1", "users:2", "users:3",
            ],
        )  # fmt: skip
        self.assertNotIn(SECRET, str(problems))

    def test_noLibrary(self) -> None:
        """
        Where the library of tokens is missing it is said how to install it.
        """
        path = str(self.directory / "key")
        newKey(path)
        with patch.object(build, "missing", lambda: "tokens need the library; install it"):
            problems = self.problems(auth={"token_keys": [path]})
        self.assertEqual(problems, ["auth.token_keys: tokens need the library; install it"])

    def test_openKey(self) -> None:
        """
        A key that others can read is warned of.
        """
        path = self.directory / "key"
        newKey(str(path))
        path.chmod(0o644)
        self.build(auth={"token_keys": [str(path)]})
        self.assertEqual([each["log_level"].name for each in self.events], ["warn"])

    def sandbox(self, path: Path, **more: Any) -> Authenticator:
        """
        The profile, with a key.
        """
        return self.build(proxy={"profile": "sandbox"}, auth={"token_keys": [str(path)]}, **more)

    def test_sandbox(self) -> None:
        """
        In the profile for sandboxes the one key is made when it is missing, for its owner
        only, and it is said how to make a token; next time it is there.
        """
        path = self.directory / KEY_FILE
        self.sandbox(path)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        (event,) = self.events
        self.assertIn("connectproxy token --key", event["log_format"])
        key = path.read_bytes()
        self.assertNotIn(key.strip().decode(), str(event))
        self.sandbox(path)
        self.assertEqual((path.read_bytes(), len(self.events)), (key, 1))

    def test_sandboxOther(self) -> None:
        """
        A key by any other name, or outside of the profile, is not made.
        """
        error = self.assertRaises(ConfigurationError, self.sandbox, self.directory / "my.key")
        self.assertIn("No such file", str(error))
        self.problems(auth={"token_keys": [str(self.directory / KEY_FILE)]})
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_sandboxUnwritable(self) -> None:
        """
        That it can't be made is a problem.
        """
        error = self.assertRaises(ConfigurationError, self.sandbox, self.directory / "none" / KEY_FILE)
        self.assertIn("cannot make", str(error))


class ThreadsTests(TestCase):
    """
    With the real reactor.
    """

    def test_hashed(self) -> None:
        """
        A hash is made in a thread, and its verdict arrives (conformance 67).
        """
        from twisted.internet import reactor

        path = Path(self.mktemp())
        path.write_text(f"zoë:{SCRYPT}\n", encoding="utf-8")
        made: Any = buildAuthenticator(reactor, configure(auth={"users": str(path)}))
        self.addCleanup(made.close)
        asked = made.identify(asking(basic(f"zoë:{SECRET}")))
        return asked.addCallback(self.assertEqual, ProxyUser("zoë", means="basic"))  # type: ignore[no-any-return]
