"""
Tests for L{connectproxy.config.loader}: names of files, and profiles.
"""

from __future__ import annotations

import os

from connectproxy.config import PROFILES, ConfigurationError, configure, load
from tests.config.case import LoadCase


class FileNameTests(LoadCase):
    """
    What relative names of files are relative to.
    """

    def test_inAFile(self) -> None:
        """
        To the directory of the configuration, but for keys that are older; a name that is
        complete stays.
        """
        path = self.write(
            """
            [[listen]]
            endpoint = 8080
            tls_certificate = "proxy.pem"
            [auth]
            users = "u"
            digest_users = "/etc/d"
            token_keys = ["k", "/etc/k"]
            revoked_tokens = ""
            [policy]
            default = "deny"
            shadow = "s"
            [allow]
            list = "a"
            [access_log]
            file = "log.jsonl"
            [audit]
            file = "audit"
            [control]
            socket = "c"
            [limits]
            store = "sqlite:q"
            [[rule]]
            name = "a"
            action = "allow"
            destinations = ["a.example", "@lists/d", "@/etc/d"]
            networks = "@n"
            """
        )
        config = load(path)
        here = os.path.dirname(os.path.abspath(path))
        self.assertEqual(config.listeners[0].options["tls_certificate"], ("proxy.pem",))
        self.assertEqual(config["access_log.file"], "log.jsonl")
        self.assertEqual(config["limits.store"], "sqlite:q")
        self.assertEqual(
            [config[f"auth.{name}"] for name in ("users", "digest_users", "token_keys", "revoked_tokens")],
            [f"{here}/u", "/etc/d", (f"{here}/k", "/etc/k"), ""],
        )
        self.assertEqual(
            [config[key] for key in ("policy.shadow", "allow.list", "audit.file", "control.socket")],
            [f"{here}/s", (f"{here}/a",), f"{here}/audit", f"{here}/c"],
        )
        (rule,) = config.rows["rule"]
        self.assertEqual(rule.options["destinations"], ("a.example", f"@{here}/lists/d", "@/etc/d"))
        self.assertEqual(rule.options["networks"], (f"@{here}/n",))

    def test_inAProgram(self) -> None:
        """
        They stay as they are.
        """
        config = configure(auth={"users": "u"}, group=[{"name": "a", "users": "@b"}])
        self.assertEqual(config["auth.users"], "u")
        self.assertEqual(config.rows["group"][0].options["users"], ("@b",))

    def test_directory(self) -> None:
        """
        Who reads a configuration again tells what its name, and those in options, are
        relative to.
        """
        path = os.path.abspath(self.write('[auth]\nusers = "u"\n'))
        directory, name = os.path.split(path)
        config = load(name, {"token-key": ("k",), "allow": ()}, directory)
        self.assertEqual(config.origin, path)
        self.assertEqual(config["auth.users"], f"{directory}/u")
        self.assertEqual(config["auth.token_keys"], (f"{directory}/k",))
        (problem,) = self.assertRaises(ConfigurationError, load, name, {}, "/nonexistent").problems
        self.assertIn(f"cannot read {name}", str(problem))


class ProfileTests(LoadCase):
    """
    A profile is other defaults.
    """

    def test_sandbox(self) -> None:
        """
        All that it takes, with what the profile promises.
        """
        config = load(None, {"profile": "sandbox", "allow": ("list.txt",)})
        self.assertEqual(config["policy.default"], "deny")
        self.assertEqual([each.options["authentication"] for each in config.listeners], ["required"])
        self.assertEqual(config["auth.token_keys"], ("connectproxy-token.key",))
        self.assertEqual(config["audit.file"], "connectproxy-audit.jsonl")
        self.assertIn("ask the operator", config["policy.contact"])
        self.assertIn("allow-list", config["policy.contact"])
        self.assertEqual(config["allow.list"], (os.path.abspath("list.txt"),))
        for key in PROFILES["sandbox"]:
            if key != "listen.authentication":
                self.assertNotEqual(config[key], load()[key])

    def test_isOverridden(self) -> None:
        """
        What a file or an option says goes before.
        """
        path = self.write(
            """
            proxy.profile = "sandbox"
            audit.file = ""
            policy.contact = "Ask me."
            policy.default = "allow"
            [[listen]]
            endpoint = 1
            authentication = "optional"
            [[listen]]
            endpoint = 2
            """
        )
        config = load(path, {"token-key": ("/etc/k",)})
        self.assertEqual(
            [each.options["authentication"] for each in config.listeners], ["optional", "required"]
        )
        self.assertEqual(config["auth.token_keys"], ("/etc/k",))
        self.assertEqual(
            [config[key] for key in ("audit.file", "policy.contact", "policy.default")],
            ["", "Ask me.", "allow"],
        )

    def test_unknown(self) -> None:
        """
        A profile that there is not changes nothing else.
        """
        (problem,) = self.problems(None, {"profile": "sandbx"})
        self.assertEqual(
            problem, '--profile: "sandbx" is none of the words that can stand here; do you mean sandbox?'
        )

    def test_isPartOfTheId(self) -> None:
        """
        It has an effect.
        """
        self.assertNotEqual(load(None, {"profile": "sandbox"}).id, load().id)
