"""
Tests for L{connectproxy.findings}.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.x509 import load_pem_x509_certificate
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.tokenfiles import newKey
from connectproxy.certificates import makeAuthority, makeServer
from connectproxy.config import SCHEMA, ConfigurationError, configure, load
from connectproxy.findings import SOON, Findings, examine
from tests.installed import install

OUTSIDE = {"endpoint": "10.0.0.1:3128"}
DENY = {"name": "x", "action": "deny", "ports": [80]}


class FindingsCase(SynchronousTestCase):
    """
    Examines configurations of a few tables.
    """

    now = 0.0

    def setUp(self) -> None:
        """
        Have a directory, and the time of day.
        """
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.now = datetime.now(UTC).timestamp()

    def write(self, name: str, text: str) -> str:
        """
        Make a file.
        """
        path = self.directory / name
        path.write_text(text)
        return str(path)

    def examine(self, **tables: Any) -> Findings:
        """
        Examine one.
        """
        return examine(lambda: configure(**tables), lambda: self.now)

    def warnings(self, **tables: Any) -> list[str]:
        """
        What one is warned of, where nothing is wrong, and where no rule and no default of it
        allow everything.
        """
        tables.setdefault("policy", {"default": "deny"})
        findings = self.examine(**tables)
        self.assertEqual(findings.errors, ())
        return [str(problem) for problem in findings.warnings]


class ErrorTests(FindingsCase):
    """
    What keeps a proxy from starting.
    """

    def test_configuration(self) -> None:
        """
        What can't be read as a configuration is not examined any further.
        """
        findings = self.examine(listen=[{"endpoint": "x"}], nonsense={})
        self.assertIsNone(findings.config)
        self.assertEqual(len(findings.errors), 2)

    def test_allAtOnce(self) -> None:
        """
        What is wrong with lists, shadow, users, keys and certificates is told together, each
        once.
        """
        users = self.write("users", "nonsense\n")
        group = self.write("group", "\x00\n")
        findings = self.examine(
            auth={"users": users, "token_keys": ["/nowhere/key"]},
            policy={"default": "deny", "shadow": "/nowhere/shadow"},
            listen=[{"endpoint": "127.0.0.1:8080", "tls_certificate": "/nowhere/cert"}],
            group=[{"name": "builders", "users": [f"@{group}"]}],
            rule=[{"name": "x", "action": "deny", "destinations": ["@/nowhere/list"]}],
        )
        texts = [str(problem) for problem in findings.errors]
        for part in (f"{users}:1: ", "/nowhere/key", "/nowhere/shadow", "/nowhere/cert", "/nowhere/list"):
            self.assertEqual(sum(part in text for text in texts), 1, part)
        self.assertEqual(sum(f"{group}:1" in text for text in texts), 1)
        self.assertIsNotNone(findings.config)
        self.assertEqual(len(texts), 6)

    def test_nothing(self) -> None:
        """
        Nothing is made, and nothing stays open: not even the key that the profile would make.
        """
        here = os.getcwd()
        os.chdir(self.directory)
        self.addCleanup(os.chdir, here)
        self.write("allow.txt", "a.example\n")
        said = {"profile": "sandbox", "allow": ("allow.txt",)}
        findings = examine(lambda: load(None, said))
        self.assertEqual(findings.errors, ())
        self.assertEqual([each.name for each in self.directory.iterdir()], ["allow.txt"])
        (warning,) = findings.warnings
        self.assertIn("there is no key connectproxy-token.key yet; the proxy makes one", str(warning))
        newKey("connectproxy-token.key")
        self.assertEqual(examine(lambda: load(None, said)).warnings, ())

    def test_others(self) -> None:
        """
        What raises anything but a list of problems is a bug, and not hidden.
        """

        def broken() -> Any:
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, examine, broken)
        self.assertRaises(ConfigurationError, configure, nonsense={})


class InstalledTests(FindingsCase):
    """
    What others have installed.
    """

    def test_listener(self) -> None:
        """
        A listener that can't be loaded is told with the key that names it.
        """
        install(self, {"connectproxy.listeners": {"toy": "toys_nothing:kind"}})
        (problem,) = self.examine(listen=[{"endpoint": "127.0.0.1:1", "protocols": ["toy"]}]).errors
        self.assertEqual(problem.key, "listen.protocols")
        self.assertTrue(
            problem.message.startswith("the entry point toy = toys_nothing:kind of toys 1.0 can't be")
        )


class PolicyTests(FindingsCase):
    """
    What is probably not as meant in a policy.
    """

    def test_fine(self) -> None:
        """
        Nothing is said of what is fine.
        """
        self.assertEqual(self.warnings(), [])

    def test_fromPolicies(self) -> None:
        """
        What the policy and its shadow are warned of themselves is passed on.
        """
        shadow = self.write(
            "shadow.toml",
            '[policy]\ndefault="deny"\n[[rule]]\nname="y"\naction="allow"\n[[rule]]\nname="z"\naction="deny"\n',
        )
        rule = {"name": "x", "action": "deny", "report": True}
        found = self.warnings(policy={"default": "deny", "shadow": shadow}, rule=[rule])
        self.assertEqual(len(found), 3)
        self.assertIn("only reports", found[0])
        self.assertIn("shadow.toml:3", found[1])
        self.assertIn("shadow.toml:6", found[2])

    def test_everything(self) -> None:
        """
        A policy that denies nothing by itself, be it said or not.
        """
        for policy, rules, expected in (
            ({}, [], True),
            ({"default": "allow"}, [], True),
            ({"default": "allow"}, [{**DENY, "report": True}], True),
            ({"default": "allow"}, [{"name": "x", "kind": "private"}], True),
            ({"default": "allow"}, [DENY], False),
            ({"default": "deny"}, [], False),
        ):
            found = self.warnings(policy=policy, rule=rules)
            self.assertEqual(
                any("everything is allowed" in text for text in found), expected, (policy, rules)
            )

    def test_digestBesideOthers(self) -> None:
        """
        Clients that know Digest choose it, also for users who are not written for it.
        """
        digests = self.write("digests", "")
        tables: dict[str, Any] = {"auth": {"digest_users": digests, "basic": "a:b"}}
        (found,) = self.warnings(**tables)
        self.assertIn(
            "many clients choose Digest where it is offered, and would for the users of auth.basic", found
        )
        self.assertEqual(self.warnings(auth={"digest_users": digests}), [])

    def test_nobodyKnown(self) -> None:
        """
        Rules and limits for users, where nobody is ever known, in one warning.
        """
        (found,) = self.warnings(
            rule=[
                {"name": "a", "action": "allow", "users": ["ci"], "destinations": ["a.example"]},
                {"name": "b", "action": "allow", "users": ["-"], "destinations": ["b.example"]},
                {"name": "c", "action": "allow", "groups": ["x"], "destinations": ["c.example"]},
            ],
            limit=[{"name": "d", "users": ["ci"], "tunnels": 5}],
        )
        self.assertTrue(found.startswith('[[rule]] 1 "a": can never match, and 2 more like it'), found)
        (found,) = self.warnings(limit=[{"name": "d", "users": ["ci"], "tunnels": 5}])
        self.assertTrue(found.startswith('[[limit]] 1 "d": can never match: nothing'), found)

    def test_groups(self) -> None:
        """
        A group that nobody is in, unless tokens could say so; then only one that is nearly
        another.
        """
        rules = [
            {"name": "a", "action": "allow", "groups": [group], "destinations": [f"{group}.example"]}
            | {"name": group}
            for group in ("builders", "labs", "buildres", "xyz")
        ]
        tables: dict[str, Any] = {
            "rule": rules,
            "group": [{"name": "builders", "users": ["ci"]}],
            "identity": [{"user": "lab", "groups": ["labs"], "networks": ["10.0.0.0/8"]}],
        }
        self.assertEqual(
            self.warnings(**tables),
            [
                '[[rule]] 3 "buildres": there is no group buildres here; do you mean builders?',
                '[[rule]] 4 "xyz": there is no group xyz here; add a [[group]] of that name',
            ],
        )
        key = str(self.directory / "key")
        newKey(key)
        (found,) = self.warnings(**tables, auth={"token_keys": [key]})
        self.assertIn("buildres", found)

    def test_openKey(self) -> None:
        """
        A key that others could read.
        """
        key = self.directory / "key"
        newKey(str(key))
        key.chmod(0o644)
        (found,) = self.warnings(auth={"token_keys": [str(key)]})
        self.assertIn("chmod 600", found)


class DoorTests(FindingsCase):
    """
    Who gets in.
    """

    def test_open(self) -> None:
        """
        A listener that others can reach and that asks nobody, or not everybody.
        """
        users = {"auth": {"basic": "ci:secret", "require_tls": False}}
        anybody = {"identity": [{"user": "all", "networks": ["0.0.0.0/0"]}]}
        for more, listener, words in (
            ({}, {}, "is not asked"),
            (users, {"authentication": "optional"}, "those who do not say it are served as well"),
            (users, {"authentication": "off"}, "is not asked"),
            (anybody, {}, "by nothing that a stranger could not have"),
        ):
            found = self.warnings(proxy={"open": True}, listen=[OUTSIDE | listener], **more)
            self.assertIn("is open to whoever reaches it", found[0])
            self.assertIn(words, found[0])

    def test_local(self) -> None:
        """
        Of one that only this machine reaches nothing is said.
        """
        self.assertEqual(self.warnings(listen=[{"endpoint": "127.0.0.1:1"}, {"endpoint": "unix:/x"}]), [])

    def test_clear(self) -> None:
        """
        Passwords in clear text over a network: not where TLS has to be spoken, where there are
        no passwords, or where nobody is asked for one.
        """
        certificate = self.write("cert.pem", "")
        made = makeServer(makeAuthority("CA"), ["proxy.example"])
        Path(certificate).write_bytes(made.certificatePEM + made.keyPEM)
        tls = {"tls_certificate": certificate}
        key = str(self.directory / "key")
        newKey(key)
        basic = {"basic": "ci:secret"}
        for auth, listener, expected in (
            (basic, {}, 1),
            (basic, tls, 1),
            (basic, tls | {"require_tls": True}, 0),
            (basic | {"require_tls": True}, tls, 0),
            ({"token_keys": [key]}, {}, 0),
        ):
            found = self.warnings(auth=auth, listen=[OUTSIDE | listener])
            self.assertEqual(sum("in clear text" in text for text in found), expected, (auth, listener))

    def test_expires(self) -> None:
        """
        A certificate that is about to expire.
        """
        certificate = self.directory / "cert.pem"
        made = makeServer(makeAuthority("CA"), ["proxy.example"])
        certificate.write_bytes(made.certificatePEM + made.keyPEM)
        end = load_pem_x509_certificate(made.certificatePEM).not_valid_after_utc.timestamp()
        listen = [{"endpoint": "127.0.0.1:8080", "tls_certificate": str(certificate)}]
        self.now = end - SOON * 86400 - 1
        self.assertEqual(self.warnings(listen=listen), [])
        self.now = end - SOON * 86400 + 1
        (found,) = self.warnings(listen=listen)
        self.assertRegex(found, "a certificate expires at [-0-9]+ [0-9:]+ UTC, in 13 days; renew it")


class UpstreamTests(FindingsCase):
    """
    Ways through other proxies.
    """

    def test_unusable(self) -> None:
        """
        What keeps one from being built is told of its table.
        """
        findings = self.examine(
            upstream=[
                {"name": "corp", "url": "https://proxy.example", "addresses": "unseen", "ca": "/nowhere/ca"}
            ]
        )
        (problem,) = findings.errors
        self.assertIn("/nowhere/ca", str(problem))

    def test_inClear(self) -> None:
        """
        Credentials that everybody on the way can read are warned of; not those of Digest, nor on this
        machine, nor within TLS.
        """
        for url, keys, warned in (
            ("http://proxy.example", {"credentials": "a:b"}, True),
            ("socks5h://192.0.2.1", {"credentials": "a:b"}, True),
            ("http://proxy.example", {"token": "x"}, True),
            ("http://proxy.example", {}, False),
            ("http://proxy.example", {"credentials": "a:b", "authentication": "digest"}, False),
            ("http://127.0.0.1:3128", {"credentials": "a:b"}, False),
            ("https://proxy.example", {"credentials": "a:b"}, False),
        ):
            found = self.warnings(upstream=[{"name": "corp", "url": url, "addresses": "unseen", **keys}])
            self.assertEqual(any("in clear text" in line for line in found), warned, url)
        path = self.directory / "secret"
        path.write_text("a:b\n")
        for urls, warned in (
            (["http://proxy.example"], True),
            (["http://proxy.example", "https://b.example"], False),
        ):
            route = {"upstream": urls, "addresses": "unseen", "credentials": f"@{path}"}
            found = self.warnings(route=route)
            self.assertEqual(any("in clear text" in line for line in found), warned, urls)


class BrokenTests(FindingsCase):
    """
    What can't be read, and the files that it names.
    """

    def test_allAtOnce(self) -> None:
        """
        What is wrong with a list, a file of users or a key is told together with what is
        wrong with the configuration itself, and nothing twice.
        """
        users = self.write("users", "ann:plain\n")
        names = self.write("names", "http://x.example/\n")
        path = self.write(
            "proxy.toml",
            f'[policy]\ndefault = "deny"\ndefalt = 1\n[auth]\nusers = "{users}"\n[[rule]]\nname = "a"\naction = "allow"\n'
            f'destinations = ["@{names}"]\n[[rule]]\nname = "b"\naction = "alow"\n',
        )
        findings = examine(lambda: load(path), lambda: self.now)
        self.assertIsNone(findings.config)
        told = "\n".join(map(str, findings.errors))
        for words in ('no key "defalt"', f"{users}:1", f"{names}:1", '"alow" is none of the words'):
            self.assertEqual(told.count(words), 1, told)

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                table: st.lists(
                    st.dictionaries(
                        st.sampled_from([each.name for each in SCHEMA if each.table == table]),
                        st.text(max_size=4)
                        | st.integers()
                        | st.lists(st.text(max_size=3), max_size=2)
                        | st.booleans(),
                        max_size=6,
                    ),
                    max_size=3,
                )
                for table in ("rule", "limit", "identity", "group", "listen")
            },
        )
    )
    def test_garbage(self, tables: dict[str, Any]) -> None:
        """
        Whatever is in it, there are errors with places, and no others are raised.
        """
        for problem in self.examine(**tables).errors:
            self.assertTrue(problem.place)
            self.assertTrue(problem.message)

    def test_places(self) -> None:
        """
        What is wrong with a file that a key names has the line of the key, and an option's is
        named.
        """
        path = self.write("proxy.toml", '[auth]\n\nusers = "nowhere"\ncheckers = ["nosuch"]\n')
        users, checkers, keys = examine(lambda: load(path, {"token-key": ["none"]})).errors
        self.assertTrue(str(users).startswith(f"{path}:3 [auth] users: cannot read"), users)
        self.assertTrue(
            str(checkers).startswith(f"{path}:4 [auth] checkers nosuch: there is no checker"), checkers
        )
        self.assertTrue(str(keys).startswith("--token-key: cannot read"), keys)
